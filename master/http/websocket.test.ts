/** Watches and logs over a WebSocket. */
import { once } from 'node:events';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import t from 'tap';
import { WebSocket } from 'ws';
import { contextOf } from '../registry/testing.js';
import { createTestServer, type TestServer } from './testing.js';

let api: TestServer;
t.before(async () => {
  api = await createTestServer();
});
t.teardown(() => api.close());

function open(path: string, protocols: string[] = [], token = 'admin-token'): WebSocket {
  const headers = { authorization: `Bearer ${token}` };
  return new WebSocket(`${api.url.replace('https', 'wss')}${path}`, protocols, {
    ca: api.certificates.ca,
    headers,
  });
}

const maps = '/api/v1/namespaces/default/configmaps';

t.test('a watch: one message for each event', async (t) => {
  const socket = open(`${maps}?watch=1&resourceVersion=0`);
  const seen: { type: string; object: { metadata: { name: string } } }[] = [];
  socket.on('message', (data, isBinary) => {
    t.notOk(isBinary);
    seen.push(JSON.parse(String(data)));
  });
  await once(socket, 'open');
  for (const name of ['a', 'b']) await api.ask('POST', maps, { body: { metadata: { name } } });
  await api.ask('DELETE', `${maps}/a`);
  while (seen.length < 3) await once(socket, 'message');
  t.same(
    seen.map(({ type, object }) => `${type} ${object.metadata.name}`),
    ['ADDED a', 'ADDED b', 'DELETED a'],
  );
  socket.close();
  await once(socket, 'close');
});

t.test('a watch ends with its time, and a refusal is an ordinary answer', async (t) => {
  const socket = open(`${maps}?watch=1&timeoutSeconds=1`);
  const [code] = await once(socket, 'close');
  t.equal(code, 1000);
  const refused = open(`${maps}?watch=1&fieldSelector=nope%3D1`);
  const [, answer] = await once(refused, 'unexpected-response');
  t.equal(answer.statusCode, 400);
  const denied = open(`${maps}?watch=1`, [], 'nobody-token');
  const [, denial] = await once(denied, 'unexpected-response');
  t.equal(denial.statusCode, 403);
});

t.test('what a client says on a watch is not kept: a large message ends it', async (t) => {
  const socket = open(`${maps}?watch=1`);
  await once(socket, 'open');
  socket.send('a word is heard by nobody');
  socket.send(Buffer.alloc(5000));
  const [code] = await once(socket, 'close');
  t.equal(code, 1009);
});

t.test('a log: binary, or base64 where the client asks for it', async (t) => {
  const { cert, key } = api.certificates.agent;
  const agent = createServer({ cert, key }, (_request, response) => response.end('line one\nline two\n'));
  agent.listen(0, '127.0.0.1');
  await once(agent, 'listening');
  t.teardown(() => agent.close());
  const { registry, rowOf } = api;
  const status = {
    addresses: [{ type: 'InternalIP', address: '127.0.0.1' }],
    daemonEndpoints: { kubeletEndpoint: { Port: (agent.address() as AddressInfo).port } },
  };
  const nodes = rowOf('nodes');
  await registry.create(nodes, undefined, { metadata: { name: 'n1' } }, contextOf());
  const patch = { type: 'merge' as const, body: { status } };
  await registry.patch(nodes, { name: 'n1' }, patch, contextOf(), 'status');
  const spec = { nodeName: 'n1', containers: [{ name: 'a', image: 'b' }] };
  await registry.create(rowOf('pods'), 'default', { metadata: { name: 'p' }, spec }, contextOf());

  const read = async (protocols: string[]): Promise<{ text: string; protocol: string }> => {
    const socket = open('/api/v1/namespaces/default/pods/p/log', protocols);
    const parts: Buffer[] = [];
    socket.on('message', (data, isBinary) => {
      parts.push(isBinary ? (data as Buffer) : Buffer.from(String(data), 'base64'));
    });
    await once(socket, 'close');
    return { text: Buffer.concat(parts).toString(), protocol: socket.protocol };
  };
  t.same(await read([]), { text: 'line one\nline two\n', protocol: '' });
  t.same(await read(['binary.k8s.io']), { text: 'line one\nline two\n', protocol: 'binary.k8s.io' });
  const base64 = 'base64.binary.k8s.io';
  t.same(await read([base64]), { text: 'line one\nline two\n', protocol: base64 });
});
