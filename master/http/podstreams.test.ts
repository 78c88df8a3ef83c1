import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, request, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import t from 'tap';
import WebSocket, { WebSocketServer } from 'ws';
import { ApiError, type Status } from '../../src/api/errors.js';
import { contextOf } from '../registry/testing.js';
import { createTestServer, type TestServer } from './testing.js';

const pods = '/api/v1/namespaces/default/pods';

interface FakeAgent {
  server: Server;
  requests: { path: string; peer: string }[];
  /** Resolves when the connection of a `follow` is closed. */
  followerGone: Promise<void>;
}

/** Speaks the kubelet's paths: logs of lines, exec that echoes, and refusals with a Status. */
async function startAgent({ certificates }: TestServer): Promise<FakeAgent> {
  const requests: FakeAgent['requests'] = [];
  let followerGone = (): void => undefined;
  const gone = new Promise<void>((resolve) => {
    followerGone = resolve;
  });
  const note = (raw: IncomingMessage): void => {
    const peer = (
      raw.socket as never as { getPeerCertificate(): { subject: { CN: string } } }
    ).getPeerCertificate();
    requests.push({ path: raw.url ?? '', peer: peer.subject.CN });
  };
  const serve = (raw: IncomingMessage, response: ServerResponse): void => {
    note(raw);
    if (raw.url?.includes('previous')) {
      const refusal = new ApiError(
        'BadRequest',
        'previous terminated container "app" in pod "web" not found',
      );
      response.writeHead(400, { 'content-type': 'application/json' }).end(JSON.stringify(refusal.toStatus()));
    } else if (raw.url?.includes('follow')) {
      response.writeHead(200).write('one\n');
      raw.socket.once('close', followerGone);
    } else response.writeHead(200).end('one\ntwo\n');
  };
  const tls = { ...certificates.agent, ca: certificates.ca, requestCert: true, rejectUnauthorized: true };
  const server = createServer(tls, serve).listen(0, '127.0.0.1');
  const sockets = new WebSocketServer({ noServer: true, handleProtocols: () => 'v5.channel.k8s.io' });
  server.on('upgrade', (raw: IncomingMessage, socket: Duplex, head: Buffer) => {
    note(raw);
    if (raw.url?.includes('command=forbidden')) {
      socket.end('HTTP/1.1 400 Bad Request\r\ncontent-length: 9\r\n\r\nno way\r\n\n');
      return;
    }
    sockets.handleUpgrade(raw, socket, head, (ws) => ws.on('message', (data) => ws.send(data as Buffer)));
  });
  await once(server, 'listening');
  return { server, requests, followerGone: gone };
}

let api: TestServer;
let agent: FakeAgent;

/** The node's status says where its agent listens; the pod is bound to it. */
async function place(
  name: string,
  nodeName: string,
  port: number,
  containers: readonly string[],
): Promise<void> {
  const { registry, rowOf } = api;
  const status = {
    addresses: [{ type: 'InternalIP', address: '127.0.0.1' }],
    daemonEndpoints: { kubeletEndpoint: { Port: port } },
  };
  const node = { metadata: { name: nodeName }, status };
  await registry.create(rowOf('nodes'), undefined, node, contextOf());
  await registry.update(rowOf('nodes'), { name: nodeName }, node, contextOf(), 'status');
  const spec = { nodeName, containers: containers.map((c) => ({ name: c, image: 'x' })) };
  await registry.create(rowOf('pods'), 'default', { metadata: { name }, spec }, contextOf());
}

t.before(async () => {
  api = await createTestServer();
  agent = await startAgent(api);
  const { port } = agent.server.address() as AddressInfo;
  await place('web', 'n1', port, ['app']);
  await place('two', 'node-two', port, ['a', 'b']);
  await place('away', 'node-away', 1, ['app']);
  const unbound = { metadata: { name: 'unbound' }, spec: { containers: [{ name: 'app', image: 'x' }] } };
  await api.ask('POST', pods, { body: unbound });
});
t.teardown(async () => {
  await api.close();
  agent.server.closeAllConnections();
  agent.server.close();
});

t.test('log: passes the options on and the text through', async (t) => {
  const answer = await api.ask('GET', `${pods}/web/log?tailLines=5&timestamps=true&unknown=1`);
  t.equal(answer.code, 200);
  t.equal(answer.text, 'one\ntwo\n');
  t.match(answer.headers['content-type'], /^text\/plain/);
  t.same(agent.requests.at(-1), {
    path: '/containerLogs/default/web/app?tailLines=5&timestamps=true',
    peer: 'cert-user',
  });
  t.equal((await api.ask('GET', `${pods}/unbound/log`)).text, '', 'not scheduled yet');
});

t.test('log: words refusals as kube-apiserver does', async (t) => {
  const refusal = async (path: string): Promise<Status> => (await api.ask('GET', `${pods}/${path}`)).json();
  t.match(await refusal('web/log?container=x'), {
    code: 400,
    message: 'container x is not valid for pod web',
  });
  t.match(await refusal('two/log'), {
    code: 400,
    message: 'a container name must be specified for pod two, choose one of: [a b]',
  });
  t.match(await refusal('nope/log'), { code: 404, message: 'pods "nope" not found' });
  t.match(await refusal('web/log?tailLines=-1'), {
    code: 422,
    message: 'PodLogOptions "" is invalid: tailLines: Invalid value: -1: must be greater than or equal to 0',
  });
  t.match(await refusal('web/log?stream=Both'), { code: 422, message: /stream: Unsupported value: "Both"/ });
  t.match(await refusal('web/log?stream=Stdout&tailLines=1'), { code: 422, message: /mutually exclusive/ });
  t.match(await refusal('web/log?previous=true'), { code: 400, message: /previous terminated container/ });
  t.match(await refusal('away/log'), {
    code: 503,
    message: /^the agent of node "node-away" cannot be reached: .*ECONNREFUSED/,
  });
});

t.test('log: a follower that leaves ends the request to the agent', async (t) => {
  const outgoing = request(`${api.url}${pods}/web/log?follow=true`, {
    ca: api.certificates.ca,
    headers: { authorization: 'Bearer admin-token' },
  });
  outgoing.end();
  const [response] = await once(outgoing, 'response');
  const [chunk] = await once(response, 'data');
  t.equal(String(chunk), 'one\n');
  response.on('error', () => undefined);
  outgoing.destroy();
  await agent.followerGone;
});

const exec = (name: string, query: string, token = 'admin-token'): WebSocket =>
  new WebSocket(`${api.url.replace('https', 'wss')}${pods}/${name}/exec?${query}`, 'v5.channel.k8s.io', {
    ca: api.certificates.ca,
    headers: { authorization: `Bearer ${token}` },
  });

/** The HTTP answer to an upgrade that was refused. */
async function refused(ws: WebSocket): Promise<{ code: number; status: Status }> {
  const [, response] = (await once(ws, 'unexpected-response')) as [unknown, IncomingMessage];
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  return {
    code: response.statusCode ?? 0,
    status: JSON.parse(Buffer.concat(chunks).toString('utf8')) as Status,
  };
}

t.test('exec: tunnels both ways', async (t) => {
  const ws = exec('web', 'command=cat&command=-n&stdin=true&stdout=true&tty=true');
  await once(ws, 'open');
  t.equal(ws.protocol, 'v5.channel.k8s.io');
  t.same(agent.requests.at(-1)?.path, '/exec/default/web/app?command=cat&command=-n&input=1&output=1&tty=1');
  t.same(
    api.asked.slice(-2).map(({ verb, subresource }) => [verb, subresource]),
    [
      ['get', 'exec'],
      ['create', 'exec'],
    ],
    'who may only read may not run anything',
  );
  const big = Buffer.alloc(1_000_000, 7);
  ws.send(big);
  const [data] = await once(ws, 'message');
  t.ok(big.equals(data as Buffer));
  ws.close();
  await once(ws, 'close');
});

t.test('exec: refusals are Status bodies, whoever refuses', async (t) => {
  t.match(await refused(exec('web', 'command=ls', 'wrong')), {
    code: 401,
    status: { reason: 'Unauthorized' },
  });
  t.match(await refused(exec('web', 'command=ls', 'nobody-token')), {
    code: 403,
    status: { reason: 'Forbidden' },
  });
  t.match(await refused(exec('nope', 'command=ls')), {
    code: 404,
    status: { message: 'pods "nope" not found' },
  });
  t.match(await refused(exec('web', 'command=ls&container=x')), { code: 400 });
  t.match(await refused(exec('web', '')), { code: 422, status: { message: /command: Required value/ } });
  t.match(await refused(exec('unbound', 'command=ls')), {
    code: 400,
    status: { message: 'pod unbound does not have a host assigned' },
  });
  t.match(await refused(exec('away', 'command=ls')), { code: 503, status: { message: /cannot be reached/ } });
  t.match(await refused(exec('web', 'command=forbidden')), { code: 400, status: { message: 'no way' } });
});

t.test('port-forward: the ports of the query are for the agent', async (t) => {
  const url = `${api.url.replace('https', 'wss')}${pods}/web/portforward?ports=80,81&ports=82`;
  const ws = new WebSocket(url, 'v5.channel.k8s.io', {
    ca: api.certificates.ca,
    headers: { authorization: 'Bearer admin-token' },
  });
  await once(ws, 'open');
  t.equal(agent.requests.at(-1)?.path, '/portForward/default/web?port=80%2C81&port=82');
  ws.close();
  await once(ws, 'close');
  t.match((await api.ask('POST', `${pods}/web/portforward`)).json<Status>(), {
    code: 400,
    message: 'Upgrade request required',
  });
});
