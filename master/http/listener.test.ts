import { once } from 'node:events';
import { connect as connectPlain } from 'node:net';
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls';
import t from 'tap';
import { createTestServer, type TestServer } from './testing.js';

let api: TestServer;
t.before(async () => {
  api = await createTestServer();
});
t.teardown(() => api.close());

function open(options: ConnectionOptions = {}): TLSSocket {
  const { port } = api.server.address();
  return connect({ host: '127.0.0.1', port, ca: api.certificates.ca, ...options });
}

/** The protocol and cipher that came out, or the error. */
async function handshake(options: ConnectionOptions): Promise<string> {
  const socket = open(options);
  try {
    await once(socket, 'secureConnect');
    return `${socket.getProtocol()} ${socket.getCipher().name}`;
  } catch (error) {
    return String(error);
  } finally {
    socket.destroy();
  }
}

/** Everything the server says to these bytes, until it closes or, with `until`, says that. */
async function say(text: string, until?: string): Promise<string> {
  const socket = open();
  let said = '';
  socket.on('error', () => socket.destroy());
  socket.write(text);
  for await (const chunk of socket) {
    said += String(chunk);
    if (until !== undefined && said.includes(until)) break;
  }
  return said;
}

t.test('TLS: 1.2 with ECDHE and AEAD at least, also after a renewal', async (t) => {
  for (const round of ['at first', 'renewed']) {
    t.match(await handshake({}), /^TLSv1\.3 /, `${round}: the newest`);
    const old = { maxVersion: 'TLSv1.2' } as const;
    t.match(await handshake(old), /^TLSv1\.2 ECDHE-.*(GCM|POLY1305)/, `${round}: 1.2`);
    for (const ciphers of ['ECDHE-ECDSA-AES128-SHA', 'ECDHE-ECDSA-AES256-SHA384', 'AES128-GCM-SHA256'])
      t.match(await handshake({ ...old, ciphers }), /^Error/, `${round}: not ${ciphers}`);
    const ancient = { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT:@SECLEVEL=0' } as const;
    t.match(await handshake(ancient), /^Error/, `${round}: not TLS 1.1`);
    const { certificates } = api;
    api.server.renew({ ...certificates.server, ca: certificates.ca });
  }
});

t.test('TLS: no renegotiation, no session that is taken up again', async (t) => {
  const socket = open({ maxVersion: 'TLSv1.2' });
  await once(socket, 'secureConnect');
  t.equal(socket.getTLSTicket(), undefined);
  const error = await new Promise<Error | null>((resolve) => {
    socket.once('error', resolve);
    socket.renegotiate({}, resolve);
  });
  t.ok(error, 'refused');
  socket.destroy();
});

t.test('a body is not asked for before the client is known', async (t) => {
  const head = (token: string): string =>
    `POST /api/v1/namespaces/default/configmaps HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${token}\r\nContent-Type: application/json\r\nContent-Length: 28\r\nExpect: 100-continue\r\n\r\n`;
  t.match(await say(head('wrong'), '\r\n\r\n'), /^HTTP\/1\.1 401 /);
  const asked = await say(head('admin-token'), '\r\n\r\n');
  t.match(asked, /^HTTP\/1\.1 100 Continue/);
});

t.test('methods and heads that make no sense here', async (t) => {
  const get = (more: string): string =>
    `GET /version HTTP/1.1\r\nHost: a\r\nConnection: close\r\n${more}\r\n`;
  t.match(await say(get('')), /^HTTP\/1\.1 200 /);
  t.match(await say('TRACE / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n'), /^HTTP\/1\.1 40[1345] /);
  t.notMatch(await say('CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n'), /^HTTP\/1\.1 2/);
  t.match(await say(get('A: b\r\n'.repeat(600))), /^HTTP\/1\.1 400 .*too many headers/s);
  t.match(await say(get(`A: ${'b'.repeat(70_000)}\r\n`)), /^HTTP\/1\.1 431 /);
  t.match(await say(`GET /${'b'.repeat(70_000)} HTTP/1.1\r\nHost: a\r\n\r\n`), /^HTTP\/1\.1 431 /);
  const smuggled = 'Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /x HTTP/1.1\r\n';
  t.match(await say(get(smuggled)), /^HTTP\/1\.1 400 /);
});

t.test('plain HTTP gets no answer and no harm', async (t) => {
  const socket = connectPlain(api.server.address().port, '127.0.0.1');
  socket.write('GET / HTTP/1.1\r\n\r\n');
  socket.on('error', () => socket.destroy());
  await once(socket, 'close');
  t.match(await handshake({}), /^TLSv1\.3 /);
});
