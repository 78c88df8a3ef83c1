/**
 * The agent's streams in every protocol that clients of Kubernetes speak, over real TLS, in front of the fake runtime: exec
 * over SPDY and base64 channels; port-forward over SPDY, over SPDY in WebSocket messages and over channels; CONNECT.
 */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { type Duplex, duplexPair } from 'node:stream';
import t from 'tap';
import type { Pod } from '../../src/api/types.js';
import type { Clock } from '../../src/host/clock.js';
import { silentLogger } from '../../src/host/log.js';
import { containerSpec, sandboxSpec } from '../runtime/contract.js';
import { FakeRuntime } from '../runtime/fake.js';
import { servePortForward } from './portforward.js';
import { createAgentServer } from './server.js';
import { TestClient, type TestStream } from './spdy/testing.js';
import {
  type Access,
  connectThrough,
  createTestAuthority,
  get,
  open,
  openTunnel,
  testAccess,
  upgrade,
} from './testing.js';

const authority = await createTestAuthority();
const serving = await authority.issue('system:node:n1', ['system:nodes']);
const identity = await authority.issue('kube-apiserver-kubelet-client');

const runtime = new FakeRuntime();
runtime.images.add('busy:1');
const commands = { serve: ['serve'], listens: [], stubborn: [], exit3: [], speak: [], cat: [], env: [] };
const subject = { runtime, image: 'busy:1', commands, unique: 'u' };
const sandbox = await runtime.createSandbox(sandboxSpec('u', 'web'));
await runtime.startSandbox(sandbox);
const id = await runtime.createContainer(sandbox, containerSpec(subject, 'web', ['serve']));
await runtime.startContainer(id);
const sizes: object[] = [];
runtime.programs.set('sizes', async ({ write }) => {
  await write('stdout', 'on');
  return 0;
});

/** On the host's network, so that its loopback is this process'. */
const pod: Pod = {
  metadata: { namespace: 'default', name: 'web', uid: 'u-web' },
  spec: { hostNetwork: true, containers: [{ name: 'main' }] },
  status: { phase: 'Running', podIP: '127.0.0.1' },
};
const pending: Pod = {
  metadata: { namespace: 'default', name: 'pending', uid: 'none' },
  spec: { containers: [] },
};

const server = createAgentServer({
  port: 0,
  address: '127.0.0.1',
  tls: { key: () => serving.key, cert: () => serving.cert, clientCa: () => authority.ca },
  access: testAccess({ create: async (_type, object) => ({ ...object, status: { allowed: false } }) }),
  lookup: { containerId: () => id, pods: () => [pod, pending] },
  pages: new Map([
    ['/metrics', (query) => ({ contentType: 'text/plain', body: `metrics ${query.get('x')}` })],
  ]),
  runtime,
  log: silentLogger,
});
await server.start(new AbortController().signal);
const access: Access = { port: server.port, ca: authority.ca, identity };

/** Answers every connection with what it was sent, when the client has said everything. */
const connections = new Set<Socket>();
const program = createServer({ allowHalfOpen: true }, (socket) => {
  connections.add(socket);
  socket.on('close', () => connections.delete(socket)).on('error', () => undefined);
  socket.pipe(socket);
}).listen(0, '127.0.0.1');
await once(program, 'listening');
const { port } = program.address() as AddressInfo;
t.teardown(async () => {
  await server.stop();
  program.close();
});

const exec = '/exec/default/web/main?input=1&output=1&error=1';

interface ExecSession {
  client: TestClient;
  streams: Record<string, TestStream>;
}

async function execOver(
  path: string,
  protocols: string[] | undefined,
  names: string[],
): Promise<ExecSession> {
  const { socket } = await upgrade(access, path, protocols && { protocols });
  const client = new TestClient(socket);
  const streams: Record<string, TestStream> = {};
  for (const streamtype of names) streams[streamtype] = await client.open({ streamtype });
  return { client, streams };
}
const stream = ({ streams }: ExecSession, name: string): TestStream => {
  const found = streams[name];
  if (!found) throw new Error(`no stream ${name}`);
  return found;
};
const all = ['error', 'stdin', 'stdout', 'stderr'];

t.test('exec over SPDY: the best protocol both know', async (t) => {
  const known = ['v4.channel.k8s.io', 'v3.channel.k8s.io', 'v2.channel.k8s.io', 'channel.k8s.io'];
  for (const protocols of [known, known.slice(1), ['v99', 'channel.k8s.io']]) {
    const { socket, protocol } = await upgrade(access, `${exec}&command=env`, { protocols });
    t.equal(
      protocol,
      protocols.find((name) => known.includes(name)),
    );
    socket.destroy();
  }
  t.match(
    await upgrade(access, `${exec}&command=env`, { protocols: ['v99'] }).catch((answer: object) => answer),
    {
      code: 403,
      body: /unable to negotiate protocol: client supports \[v99\]/,
    },
  );
  t.match(await upgrade(access, '/exec/default/web/main?command=env').catch((answer: object) => answer), {
    code: 400,
  });
  t.match(await upgrade(access, '/nothing').catch((answer: object) => answer), { code: 400 });
});

t.test('exec over SPDY: input, output, exit code', async (t) => {
  const data = randomBytes(3_000_000).toString('hex');
  const cat = await execOver(`${exec}&command=cat`, ['v4.channel.k8s.io'], all);
  for (let at = 0; at < data.length; at += 100_000)
    await stream(cat, 'stdin').write(data.slice(at, at + 100_000));
  await stream(cat, 'stdin').end();
  t.equal(await stream(cat, 'stdout').ended, 'fin');
  t.equal(stream(cat, 'stdout').text(), data);
  t.equal(await stream(cat, 'error').ended, 'fin');
  t.match(JSON.parse(stream(cat, 'error').text()), { status: 'Success' });
  cat.client.destroy();

  const failing = await execOver(`${exec}&command=exit&command=7`, ['v4.channel.k8s.io'], all);
  await stream(failing, 'error').ended;
  t.match(JSON.parse(stream(failing, 'error').text()), {
    details: { causes: [{ reason: 'ExitCode', message: '7' }] },
  });
  t.ok(await stream(failing, 'stdin').ended, 'input that nobody reads is cut');
  failing.client.destroy();
});

t.test('exec over SPDY before v4: words for failures, silence for success', async (t) => {
  for (const protocols of [['v3.channel.k8s.io'], ['channel.k8s.io'], undefined]) {
    const bad = await execOver(`${exec}&command=false`, protocols, all);
    await stream(bad, 'error').ended;
    t.match(stream(bad, 'error').text(), /^command terminated with non-zero exit code/);
    const good = await execOver(`${exec}&command=echo&command=hi`, protocols, all);
    await stream(good, 'error').ended;
    t.equal(stream(good, 'error').text(), '');
    t.equal(stream(good, 'stdout').text(), 'hi\n');
    for (const { client } of [good, bad]) client.destroy();
  }
});

t.test('exec over SPDY with a terminal waits for the stream of its sizes', async (t) => {
  const original = runtime.exec.bind(runtime);
  const seen = new Promise<void>((resolve) => {
    runtime.exec = async (container, spec, signal) => {
      for await (const size of spec.resize ?? []) {
        sizes.push(size);
        if (sizes.length === 1) resolve();
        if (size.width === 200) break;
      }
      return original(container, { ...spec, command: ['true'] }, signal);
    };
  });
  const path = '/exec/default/web/main?input=1&output=1&tty=1&command=sh';
  const session = await execOver(
    path,
    ['v4.channel.k8s.io'],
    ['error', 'stdin', 'stdout', 'resize', 'nonsense'],
  );
  t.equal(await stream(session, 'nonsense').ended, 'reset');
  await stream(session, 'resize').write('{"Width":80,"Hei');
  await stream(session, 'resize').write('ght":24}\n{"bad":1}\n');
  await seen;
  await stream(session, 'resize').write('{"Width":200,"Height":50}\n');
  await stream(session, 'error').ended;
  t.same(sizes, [
    { width: 80, height: 24 },
    { width: 200, height: 50 },
  ]);
  session.client.destroy();
  runtime.exec = original;
});

t.test('a client that goes away while it opens its streams, or later, leaves nothing', async (t) => {
  const early = await execOver(`${exec}&command=cat`, ['v4.channel.k8s.io'], ['error', 'stdin']);
  early.client.destroy();
  const gone = new Promise<void>((resolve) => {
    runtime.programs.set('watch', async ({ signal, write }) => {
      await write('stdout', 'on');
      signal.addEventListener('abort', () => resolve(), { once: true });
      return new Promise(() => undefined);
    });
  });
  const late = await execOver(`${exec}&command=watch`, ['v4.channel.k8s.io'], all);
  while (stream(late, 'stdout').text() !== 'on') await new Promise(setImmediate);
  late.client.destroy();
  await gone;
  t.pass();
});

t.test('exec in base64 channels', async (t) => {
  for (const protocol of ['v4.base64.channel.k8s.io', 'base64.channel.k8s.io']) {
    const session = await open(access, '/exec/default/web/main?input=1&output=1&command=cat', [protocol]);
    const received: string[] = [];
    session.socket.on('message', (data: Buffer, isBinary) => received.push(`${isBinary}${data}`));
    session.socket.send(`0${Buffer.from('ä\0b').toString('base64')}`);
    while (received.every((text) => !text.startsWith('false1w'))) await new Promise(setImmediate);
    t.ok(received.includes(`false1${Buffer.from('ä\0b').toString('base64')}`));
    session.socket.terminate();
  }
});

async function pair(
  client: TestClient,
  request: string,
  to: number,
): Promise<{ data: TestStream; error: TestStream }> {
  const headers = { port: String(to), requestid: request };
  const error = await client.open({ streamtype: 'error', ...headers });
  await error.end();
  const data = await client.open({ streamtype: 'data', ...headers });
  return { data, error };
}

const tunnel = (): Promise<Duplex> =>
  openTunnel(access, '/portForward/default/web', 'SPDY/3.1+portforward.k8s.io');
const raw = async (): Promise<Duplex> =>
  (await upgrade(access, '/portForward/default/web', { protocols: ['portforward.k8s.io'] })).socket;

for (const [name, connect] of Object.entries({ SPDY: raw, 'SPDY in WebSocket': tunnel })) {
  t.test(`port-forward over ${name}`, async (t) => {
    const client = new TestClient(await connect());
    const many = await Promise.all(Array.from({ length: 100 }, (_, n) => pair(client, String(n), port)));
    const data = randomBytes(200_000).toString('hex');
    await Promise.all(many.map(({ data: stream }) => stream.write(data, true)));
    for (const { data: stream, error } of many) {
      t.equal(await stream.ended, 'fin');
      t.equal(stream.text(), data);
      await error.ended;
      t.equal(error.text(), '');
    }
    const closed = await pair(client, 'closed', 1);
    t.equal(await closed.error.ended, 'fin');
    t.match(
      closed.error.text(),
      /^error forwarding port 1 to pod web, uid : failed to connect to localhost:1 inside .* connection refused/,
    );
    t.equal(await closed.data.ended, 'fin');
    for (const headers of [
      { streamtype: 'data' },
      { streamtype: 'data', port: '0' },
      { streamtype: 'x', port: '1' },
    ]) {
      t.equal(await (await client.open(headers)).ended, 'reset');
    }
    const old = [
      await client.open({ streamtype: 'error', port: String(port) }),
      await client.open({ streamtype: 'data', port: String(port) }),
    ];
    await old[1]?.write('unnumbered', true);
    await old[1]?.ended;
    t.equal(old[1]?.text(), 'unnumbered');
    const left = await pair(client, 'left', port);
    await left.data.write('x');
    while (left.data.text() !== 'x') await new Promise(setImmediate);
    await left.data.reset();
    const cut = await pair(client, 'cut', port);
    await cut.data.write('x');
    while (cut.data.text() !== 'x' || connections.size > 1) await new Promise(setImmediate);
    t.equal(connections.size, 1, 'a stream that is reset takes its connection along');
    client.destroy();
    while (connections.size > 0) await new Promise(setImmediate);
    t.pass('so does the client');
  });
}

t.test('port-forward: pairs that are taken back are forgotten, dials have a bound', async (t) => {
  const waiting = new Set<() => void>();
  const clock = {
    after: (_ms: number, run: () => void) => {
      waiting.add(run);
      return () => waiting.delete(run);
    },
  } as unknown as Clock;
  let dials = 0;
  const dial = (): Promise<Socket> => {
    dials += 1;
    return new Promise(() => undefined);
  };
  const [near, far] = duplexPair();
  const served = servePortForward(far, { pod, dial }, { clock });
  const client = new TestClient(near);
  for (let n = 0; n < 50; n += 1) {
    const half = await client.open({ streamtype: 'data', port: '1', requestid: String(n) });
    await half.reset();
  }
  const last = await pair(client, 'last', 1);
  while (dials === 0) await new Promise(setImmediate);
  t.equal(waiting.size, 0);
  await Promise.all([last.data.reset(), last.error.reset()]);
  for (let n = 0; n < 999; n += 1) {
    const one = await pair(client, `more-${n}`, 1);
    await Promise.all([one.data.reset(), one.error.reset()]);
  }
  const refused = await pair(client, 'refused', 1);
  t.equal(await refused.error.ended, 'fin');
  t.match(refused.error.text(), /too many connections are being opened/);
  t.equal(dials, 1000);
  far.destroy();
  client.destroy();
  await served;
});

t.test('port-forward over channels, as the JavaScript client speaks it', async (t) => {
  const path = `/portForward/default/web?port=${port}&ports=1`;
  const session = await open(access, path, ['v5.channel.k8s.io', 'v4.channel.k8s.io', 'channel.k8s.io']);
  t.equal(session.socket.protocol, 'v4.channel.k8s.io');
  const number = Buffer.of(port & 0xff, port >> 8).toString();
  await session.send(0, 'hello');
  while (session.text(0) !== `${number}hello`) await new Promise(setImmediate);
  while (!session.text(3).includes('refused')) await new Promise(setImmediate);
  t.equal(session.text(1), number);
  t.match(session.text(3).slice(2), /^error forwarding port 1 to pod web/);
  t.equal(session.text(3).slice(0, 2), '\u0001\0');
  for (const socket of connections) socket.end();
  t.equal(await session.closed, 1000, 'ends with its last connection');
  for (const query of ['', '?port=', '?port=x', '?port=0', '?port=70000']) {
    t.match(
      await open(access, `/portForward/default/web${query}`, ['v4.channel.k8s.io']).catch(
        (answer: object) => answer,
      ),
      { code: 400 },
    );
  }
});

t.test('port-forward is refused before the connection changes', async (t) => {
  const refusal = (path: string): Promise<unknown> => upgrade(access, path).catch((answer: object) => answer);
  t.match(await refusal('/portForward/default/none'), { code: 404, body: /pods \\"none\\" not found/ });
  t.match(await refusal('/portForward/default/pending'), {
    code: 400,
    body: /pod is not running|is not running. Current status=Pending/,
  });
  t.match(await refusal('/portForward/default'), { code: 404 });
  t.match(await get(access, '/portForward/default/web'), { code: 400, body: /Upgrade request required/ });
});

t.test('CONNECT reaches pods of this node and nothing else', async (t) => {
  const socket = await connectThrough(access, `127.0.0.1:${port}`);
  if (typeof socket === 'number') throw new Error(`refused: ${socket}`);
  const data = randomBytes(500_000);
  socket.write(data);
  const chunks: Buffer[] = [];
  for await (const chunk of socket) {
    chunks.push(chunk as Buffer);
    if (Buffer.concat(chunks).length === data.length) break;
  }
  t.ok(data.equals(Buffer.concat(chunks)));
  while (connections.size > 0) await new Promise(setImmediate);
  t.equal(await connectThrough(access, '127.0.0.1:1'), 503);
  t.equal(await connectThrough(access, `127.0.0.2:${port}`), 403);
  t.equal(await connectThrough(access, `localhost:${port}`), 400);
  t.equal(await connectThrough({ ...access, identity: serving }, `127.0.0.1:${port}`), 403);
});

t.test('pages are a table that others extend', async (t) => {
  t.strictSame(await get(access, '/metrics?x=1'), { code: 200, body: 'metrics 1' });
  t.equal((await get(access, '/metrics/cadvisor')).code, 404);
  t.equal((await get(access, '/pods/')).code, 200);
});

t.test('stop cuts streams of all kinds', async (t) => {
  const client = new TestClient(await raw());
  const { data } = await pair(client, '1', port);
  const session = await open(access, '/exec/default/web/main?input=1&output=1&command=cat', [
    'v5.channel.k8s.io',
  ]);
  await server.stop();
  t.equal(await data.ended, 'closed');
  await session.closed;
});
