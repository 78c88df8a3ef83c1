/**
 * Proxies: names, paths, headers and links as rules; then whole requests and upgrades through the server, the agent's
 * CONNECT and a backend that tells what it saw.
 */
import { once } from 'node:events';
import {
  createServer as createBackend,
  type Server as HttpServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type ServerResponse,
} from 'node:http';
import { createServer, type Server } from 'node:https';
import { type AddressInfo, connect } from 'node:net';
import type { Duplex } from 'node:stream';
import { connect as tlsConnect } from 'node:tls';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import t from 'tap';
import WebSocket, { WebSocketServer } from 'ws';
import { ApiError, type Status } from '../../src/api/errors.js';
import type { Pod, Service } from '../../src/api/types.js';
import { contextOf } from '../registry/testing.js';
import { requestHeaders, responseHeaders, rewriteLink, upgradeHeaders } from './proxyheaders.js';
import { HtmlLinks } from './proxyhtml.js';
import { checkAddress, parseProxyName, podBackend, serviceBackend, splitProxyUrl } from './proxytarget.js';
import { parseRequest } from './request.js';
import { createTestServer, type TestServer } from './testing.js';

t.test('names', async (t) => {
  t.same(parseProxyName('web', 'pod'), { scheme: undefined, name: 'web', port: '' });
  t.same(parseProxyName('web:80', 'pod'), { scheme: undefined, name: 'web', port: '80' });
  t.same(parseProxyName('https:web:http', 'service'), { scheme: 'https', name: 'web', port: 'http' });
  t.same(parseProxyName('https:web:', 'service'), { scheme: 'https', name: 'web', port: '' });
  for (const id of ['', ':80', 'ftp:web:80', 'a:b:c:d']) {
    t.throws(() => parseProxyName(id, 'node'), { message: `invalid node request ${JSON.stringify(id)}` });
  }
});

t.test('which port of a pod', async (t) => {
  const ports = [{ containerPort: 8080, name: 'http' }, { containerPort: 9090 }];
  const pod: Pod = {
    metadata: { name: 'web' },
    spec: { nodeName: 'n1', containers: [{ name: 'a' }, { name: 'b', ports }] },
    status: { podIP: '10.0.0.1' },
  };
  const portOf = (port: string, scheme?: 'https'): number =>
    podBackend(pod, { name: 'web', port, scheme }).port;
  t.same(podBackend(pod, { name: 'web', port: '', scheme: undefined }), {
    scheme: 'http',
    host: '10.0.0.1',
    port: 8080,
    nodeName: 'n1',
  });
  t.same([portOf('9090'), portOf('http'), portOf('77')], [9090, 8080, 77]);
  for (const port of ['none', '0', '70000', '1.5']) t.throws(() => portOf(port), ApiError);
  const bare = { ...pod, spec: { containers: [{ name: 'a' }] } };
  t.equal(podBackend(bare, { name: 'web', port: '', scheme: 'https' }).port, 443);
  t.throws(
    () => podBackend({ ...pod, status: {} }, { name: 'web', port: '', scheme: undefined }),
    /address not allowed/,
  );
  for (const address of [
    '127.0.0.1',
    '169.254.169.254',
    '0.0.0.0',
    '224.0.0.1',
    '::1',
    '::',
    'fe80::1',
    '::ffff:127.0.0.1',
    '0:0:0:0:0:0:0:1',
    '0000:0:0:0:0:ffff:7f00:0001',
    'FE80:0:0:0:0:0:0:1',
    'FF02::1',
  ]) {
    t.throws(() => checkAddress(address), /address not allowed/, address);
  }
  for (const address of ['10.0.0.1', '192.168.1.1', 'fd00::1', '2001:db8::1'])
    t.equal(checkAddress(address), address);
});

t.test('which endpoint of a Service', async (t) => {
  const service: Service = {
    metadata: { name: 'web' },
    spec: {
      ports: [
        { name: 'http', port: 80 },
        { name: 'tls', port: 443 },
      ],
    },
  };
  const groups = [
    {
      ports: [
        { name: 'http', port: 8080 },
        { name: 'tls', port: 8443 },
      ],
      addresses: [
        { ip: '10.0.0.1', nodeName: 'n1' },
        { ip: '10.0.0.2', nodeName: 'n2' },
      ],
    },
  ];
  const pick = (port: string, random: number): unknown =>
    serviceBackend(service, groups, { name: 'web', port, scheme: undefined }, random);
  t.match(pick('http', 0), { host: '10.0.0.1', port: 8080, nodeName: 'n1' });
  t.match(pick('80', 0.999), { host: '10.0.0.2', port: 8080 });
  t.match(pick('443', 0), { port: 8443 });
  t.throws(() => pick('81', 0), /no service port 81 found for service "web"/);
  for (const port of ['', 'none']) t.throws(() => pick(port, 0), /no endpoints available for service "web"/);
});

t.test('paths: what is behind never leads out', async (t) => {
  const pods = '/api/v1/namespaces/a/pods/b/proxy';
  const split = (url: string): unknown =>
    splitProxyUrl(url, parseRequest('GET', url).target?.rest ?? ['not a proxy']);
  const cases: Record<string, string> = {
    '': '',
    '/': '/',
    '/x': '/x',
    '/x/y/': '/x/y/',
    '/../../etc/passwd': '/etc/passwd',
    '/x/../..': '/',
    '/%2e%2E/%2e/x': '/x',
    '//x///y': '/x/y',
    '/a%2Fb/ä': '/a%2Fb/ä',
    '/proxy/x': '/proxy/x',
    '/..\\..\\x': '/..%5C..%5Cx',
    '/%zz': '/%zz',
  };
  for (const [rest, path] of Object.entries(cases)) {
    t.same(split(`${pods}${rest}`), { prefix: pods, path, query: '' }, rest);
    t.same(split(`${pods}${rest}?a=/proxy/&b`), { prefix: pods, path, query: '?a=/proxy/&b' }, rest);
  }
  t.match(parseRequest('POST', '/api/v1/nodes/n:80/proxy/x/y'), {
    verb: 'create',
    target: { name: 'n:80', subresource: 'proxy' },
  });
  fc.assert(
    fc.property(fc.array(fc.constantFrom('.', '..', '%2e%2e', '', 'a', '%2E.', 'b%2f')), (parts) => {
      const { path } = splitProxyUrl(`${pods}/${parts.join('/')}`, [parts.join('/')]);
      return path.startsWith('/') && !/(?:^|\/)(?:\.|%2e){1,2}(?:\/|$)/i.test(path);
    }),
  );
});

t.test('headers', async (t) => {
  const headers: IncomingHttpHeaders = {
    authorization: 'Bearer secret',
    'impersonate-user': 'x',
    'x-remote-user': 'y',
    connection: 'keep-alive, X-Mine',
    'x-mine': '1',
    te: 'trailers',
    'transfer-encoding': 'chunked',
    cookie: 'a=b',
    host: 'api:6443',
    'x-forwarded-for': '1.1.1.1',
  };
  const forwarded = { client: '2.2.2.2', host: 'api:6443', uri: '/p/x' };
  t.same(requestHeaders(headers, forwarded), {
    cookie: 'a=b',
    host: 'api:6443',
    'transfer-encoding': 'chunked',
    'x-forwarded-for': '1.1.1.1, 2.2.2.2',
    'x-forwarded-host': 'api:6443',
    'x-forwarded-proto': 'https',
    'x-forwarded-uri': '/p/x',
  });
  const named = { connection: 'close, Content-Length, x-mine', 'content-length': '5', 'x-mine': '1' };
  t.match(
    requestHeaders(named, forwarded),
    { 'content-length': '5', 'x-mine': undefined },
    'bodies stay framed',
  );
  const offered = 'chat, base64url.bearer.authorization.k8s.io.c2VjcmV0';
  const upgrade = { connection: 'Upgrade', upgrade: 'websocket', 'sec-websocket-protocol': offered };
  t.match(upgradeHeaders(upgrade, forwarded), {
    connection: 'Upgrade',
    upgrade: 'websocket',
    'sec-websocket-protocol': 'chat',
  });
  const answer = [
    'Set-Cookie',
    'a=1',
    'Set-Cookie',
    'b=2',
    'Connection',
    'close',
    'Access-Control-Allow-Origin',
    '*',
    'X',
    'y',
  ];
  const parsed = {
    'set-cookie': ['a=1', 'b=2'],
    connection: 'close',
    'access-control-allow-origin': '*',
    x: 'y',
  };
  t.same(responseHeaders(answer, parsed), ['Set-Cookie', 'a=1', 'Set-Cookie', 'b=2', 'X', 'y']);
});

const links = { prefix: '/p', backend: '10.0.0.1:80', host: 'api:6443' };

t.test('links', async (t) => {
  const cases: Record<string, string> = {
    '/x?y#z': '/p/x?y#z',
    '/': '/p/',
    x: 'x',
    '../x': '../x',
    '?a': '?a',
    '#a': '#a',
    '': '',
    '/p/x': '/p/x',
    '/px': '/p/px',
    'http://10.0.0.1:80/x': 'https://api:6443/p/x',
    'http://api:6443/x': 'https://api:6443/p/x',
    '//10.0.0.1:80/x': 'https://api:6443/p/x',
    'http://10.0.0.1:80': 'https://api:6443/p',
    'https://other/x': 'https://other/x',
    'mailto:a@b': 'mailto:a@b',
    'data:text/html,/x': 'data:text/html,/x',
  };
  for (const [link, expected] of Object.entries(cases)) t.equal(rewriteLink(link, links), expected, link);
});

async function rewritten(html: string, size: number): Promise<string> {
  const stream = new HtmlLinks((link) => rewriteLink(link, links));
  const bytes = Buffer.from(html);
  for (let at = 0; at < bytes.length; at += size) stream.write(bytes.subarray(at, at + size));
  stream.end();
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}

t.test('pages', async (t) => {
  const cases: Record<string, string> = {
    '<a href="/x">ä</a>': '<a href="/p/x">ä</a>',
    "<IMG alt='<a>' SRC='/i.png'>": "<IMG alt='<a>' SRC='/p/i.png'>",
    '<a href=/x>': '<a href="/p/x">',
    '<a title=">" href="/x">': '<a title=">" href="/p/x">',
    '<p href="/x">': '<p href="/x">',
    '<script src="/s.js">if (a<b) x="<a href=\\"/no\\">"</script><a href="/x">':
      '<script src="/p/s.js">if (a<b) x="<a href=\\"/no\\">"</script><a href="/p/x">',
    '<!-- <a href="/no"> --><a href="/x">': '<!-- <a href="/no"> --><a href="/p/x">',
    '<!DOCTYPE html><a href="rel">': '<!DOCTYPE html><a href="rel">',
    'a < b <1 <a href="/x"': 'a < b <1 <a href="/x"',
  };
  for (const [html, expected] of Object.entries(cases)) {
    for (let size = 1; size < 9; size += 1)
      t.equal(await rewritten(html, size), expected, `${html} by ${size}`);
    t.equal(await rewritten(html, 1000), expected);
  }
  const plain = `<${'x'.repeat(200_000)}`;
  t.equal(await rewritten(plain, 1000), plain, 'a tag without end is not held');
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.constantFrom('<', '>', '"', "'", '!--', '-->', 'script', '/', ' ', 'a', '=', 'p')),
      fc.integer({ min: 1, max: 7 }),
      async (parts, size) => (await rewritten(parts.join(''), size)) === parts.join(''),
    ),
  );
});

interface World {
  api: TestServer;
  agent: Server;
  backend: HttpServer;
  seen: { method: string; url: string; headers: IncomingHttpHeaders; body: string }[];
  dialled: string[];
}

/** The backend takes the place of every pod; the agent leads there whatever address it is asked for. */
async function createWorld(): Promise<World> {
  const api = await createTestServer();
  const seen: World['seen'] = [];
  const dialled: string[] = [];
  const backend = createBackend((request, response) => void serve(request, response)).listen(0, '127.0.0.1');
  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let body = '';
    for await (const chunk of request) body += String(chunk);
    seen.push({ method: request.method ?? '', url: request.url ?? '', headers: request.headers, body });
    if (request.url === '/moved') response.writeHead(302, { location: '/there/' }).end();
    else if (request.url === '/page') {
      response.writeHead(200, { 'content-type': 'text/html; charset=utf-8', 'content-encoding': 'gzip' });
      response.end(gzipSync('<a href="/x">'));
    } else if (request.url === '/slow') {
      response.writeHead(200).write('first');
      response.once('close', () => seen.push({ method: 'gone', url: '', headers: {}, body: '' }));
    } else if (request.url === '/cut') {
      response.writeHead(200, { 'content-length': 100 }).write('part', () => response.destroy());
    } else
      response.writeHead(207, { 'x-back': 'yes', 'set-cookie': ['a=1', 'b=2'] }).end(`saw ${body.length}`);
  }
  const sockets = new WebSocketServer({ noServer: true });
  backend.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    if (request.url === '/refused') socket.end('HTTP/1.1 426 No\r\ncontent-length: 3\r\n\r\nno!');
    else sockets.handleUpgrade(request, socket, head, (ws) => ws.on('message', (data) => ws.send(data)));
  });
  const tls = {
    ...api.certificates.agent,
    ca: api.certificates.ca,
    requestCert: true,
    rejectUnauthorized: true,
  };
  const agent = createServer(tls, (request, response) =>
    response.end(`agent ${request.method} ${request.url}`),
  ).listen(0, '127.0.0.1');
  agent.on('connect', (request: IncomingMessage, socket: Duplex) => {
    dialled.push(request.url ?? '');
    if (request.url?.endsWith(':9')) {
      const text = JSON.stringify(
        new ApiError('ServiceUnavailable', 'dial tcp: connection refused').toStatus(),
      );
      socket.end(`HTTP/1.1 503 Unavailable\r\ncontent-length: ${text.length}\r\n\r\n${text}`);
      return;
    }
    const pod = connect((backend.address() as AddressInfo).port, '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 OK\r\n\r\n');
      socket.pipe(pod).pipe(socket);
    });
    pod.on('error', () => socket.destroy());
    socket.on('error', () => pod.destroy());
  });
  await Promise.all([once(agent, 'listening'), once(backend, 'listening')]);
  return { api, agent, backend, seen, dialled };
}

const namespace = '/api/v1/namespaces/default';

t.test('requests, whole', async (t) => {
  const { api, agent, backend, seen, dialled } = await createWorld();
  t.teardown(async () => {
    await api.close();
    for (const server of [agent, backend]) {
      server.closeAllConnections();
      server.close();
    }
  });
  const { registry, rowOf } = api;
  const status = {
    addresses: [{ type: 'InternalIP', address: '127.0.0.1' }],
    daemonEndpoints: { kubeletEndpoint: { Port: (agent.address() as AddressInfo).port } },
  };
  const node = { metadata: { name: 'n1' }, status };
  await registry.create(rowOf('nodes'), undefined, node, contextOf());
  await registry.update(rowOf('nodes'), { name: 'n1' }, node, contextOf(), 'status');
  const pod = {
    metadata: { name: 'web' },
    spec: { nodeName: 'n1', containers: [{ name: 'a', image: 'x' }] },
    status: { podIP: '10.0.0.7' },
  };
  await registry.create(rowOf('pods'), 'default', pod, contextOf());
  await registry.update(rowOf('pods'), { namespace: 'default', name: 'web' }, pod, contextOf(), 'status');

  const proxy = `${namespace}/pods/web:8080/proxy`;
  const posted = await api.ask('PATCH', `${proxy}/a/b?x=%2F`, {
    body: 'x'.repeat(5_000_000),
    headers: { 'content-type': 'text/odd', cookie: 'c=1' },
  });
  t.match(posted, { code: 207, text: 'saw 5000000' });
  t.same(posted.headers['set-cookie'], ['a=1', 'b=2']);
  t.match(seen.at(-1), {
    method: 'PATCH',
    url: '/a/b?x=%2F',
    headers: { 'content-type': 'text/odd', cookie: 'c=1', 'x-forwarded-uri': `${proxy}/a/b` },
  });
  t.equal(seen.at(-1)?.headers.authorization, undefined);
  t.equal(dialled.at(-1), '10.0.0.7:8080');
  t.match(api.asked.at(-1), {
    verb: 'patch',
    resource: 'pods',
    subresource: 'proxy',
    name: 'web:8080',
    namespace: 'default',
  });
  for (const method of ['GET', 'POST', 'PUT', 'DELETE', 'OPTIONS', 'PROPFIND']) {
    t.equal((await api.ask(method, `${proxy}/m`)).code, 207, method);
    t.equal(seen.at(-1)?.method, method);
  }
  t.match(await api.ask('HEAD', `${proxy}/m`), { code: 207, text: '' });
  t.equal((await api.ask('GET', `${proxy}/moved`)).headers.location, `${proxy}/there/`);
  t.match(await api.ask('GET', `${proxy}?q`), { code: 301, headers: { location: `${proxy}/?q` } });
  t.equal((await api.ask('POST', proxy)).code, 207, 'only reads are redirected');
  const page = await api.ask('GET', `${proxy}/page`);
  t.equal(page.text, `<a href="${proxy}/x">`);
  t.equal(page.headers['content-encoding'], undefined);
  const reads = dialled.length;
  await api.ask('GET', `${proxy}/m`);
  t.equal(dialled.length, reads, 'connections for reads are kept');

  t.match((await api.ask('GET', `${namespace}/pods/web:9/proxy/`)).json<Status>(), {
    code: 503,
    message: 'error trying to reach service: dial tcp: connection refused',
  });
  t.match((await api.ask('GET', `${namespace}/pods/none/proxy/`)).json<Status>(), {
    code: 404,
    message: 'pods "none" not found',
  });
  t.match((await api.ask('GET', `${namespace}/services/none/proxy/`)).json<Status>(), { code: 404 });
  t.match((await api.ask('GET', `${namespace}/pods/a:b:c:d/proxy/`)).json<Status>(), { code: 400 });
  t.match((await api.ask('GET', `${namespace}/configmaps/a/proxy/`)).json<Status>(), { code: 404 });
  t.match((await api.ask('GET', `${proxy}/`, { token: 'nobody-token' })).json<Status>(), {
    code: 403,
    message: /cannot get resource "pods\/proxy"/,
  });
  t.match((await api.ask('GET', `${proxy}/`, { token: null })).json<Status>(), { code: 401 });
  await t.rejects(api.ask('GET', `${proxy}/cut`), 'an answer that breaks off does not look whole');

  t.equal((await api.ask('GET', '/api/v1/nodes/n1/proxy/metrics?a=b')).text, 'agent GET /metrics?a=b');
  t.equal((await api.ask('POST', '/api/v1/nodes/n1/proxy/run', { body: 'x' })).text, 'agent POST /run');
  t.match((await api.ask('GET', '/api/v1/nodes/n1:80/proxy/')).json<Status>(), {
    code: 400,
    message: 'address not allowed',
  });

  const at = (path: string): WebSocket =>
    new WebSocket(`${api.url.replace('https', 'wss')}${proxy}${path}`, {
      ca: api.certificates.ca,
      headers: { authorization: 'Bearer admin-token' },
    });
  const ws = at('/socket');
  await once(ws, 'open');
  ws.send('hello');
  t.equal(String((await once(ws, 'message'))[0]), 'hello');
  ws.close();
  await once(ws, 'close');
  const [, refused] = (await once(at('/refused'), 'unexpected-response')) as [unknown, IncomingMessage];
  t.equal(refused.statusCode, 426, 'a refusal is the backend’s own');

  const slow = connectedRequest(api, `${proxy}/slow`);
  await once(slow, 'data');
  slow.destroy();
  while (seen.at(-1)?.method !== 'gone') await new Promise(setImmediate);
  t.pass('a client that goes takes its request along');
});

/** A GET whose answer is read as it comes. */
function connectedRequest(api: TestServer, path: string): Duplex {
  const url = new URL(api.url);
  const socket = tlsConnect({ host: url.hostname, port: Number(url.port), ca: api.certificates.ca });
  socket.write(`GET ${path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer admin-token\r\n\r\n`);
  return socket;
}
