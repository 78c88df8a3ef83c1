/**
 * Streams that nobody uses any more, over real TLS with a clock of the test: the limit of idle time, and clients that go
 * while their command takes no input.
 */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';
import t from 'tap';
import type { Pod } from '../../src/api/types.js';
import { join } from '../../src/host/join.js';
import { silentLogger } from '../../src/host/log.js';
import { createFakeClock } from '../../src/testing/clock.js';
import { containerSpec, sandboxSpec } from '../runtime/contract.js';
import { FakeRuntime } from '../runtime/fake.js';
import { createAgentServer } from './server.js';
import { TestClient } from './spdy/testing.js';
import { type Access, createTestAuthority, open, openTunnel, testAccess, upgrade } from './testing.js';

const authority = await createTestAuthority();
const serving = await authority.issue('system:node:n1', ['system:nodes']);
const identity = await authority.issue('kube-apiserver-kubelet-client');

const runtime = new FakeRuntime();
runtime.images.add('busy:1');
const commands = { serve: ['serve'], listens: [], stubborn: [], exit3: [], speak: [], cat: [], env: [] };
const sandbox = await runtime.createSandbox(sandboxSpec('u', 'web'));
await runtime.startSandbox(sandbox);
const subject = { runtime, image: 'busy:1', commands, unique: 'u' };
const id = await runtime.createContainer(sandbox, containerSpec(subject, 'web', ['serve']));
await runtime.startContainer(id);
const pod: Pod = {
  metadata: { namespace: 'default', name: 'web', uid: 'u-web' },
  spec: { hostNetwork: true, containers: [{ name: 'main' }] },
  status: { phase: 'Running', podIP: '127.0.0.1' },
};

const limitMs = 60_000;
const clock = createFakeClock();

async function serve(streamIdleLimitMs: number): Promise<Access> {
  const server = createAgentServer({
    port: 0,
    address: '127.0.0.1',
    tls: { key: () => serving.key, cert: () => serving.cert, clientCa: () => authority.ca },
    access: testAccess(),
    lookup: { containerId: () => id, pods: () => [pod] },
    runtime,
    streamIdleLimitMs,
    clock,
    log: silentLogger,
  });
  await server.start(new AbortController().signal);
  t.teardown(() => server.stop());
  return { port: server.port, ca: authority.ca, identity };
}

const turn = (): Promise<void> => new Promise(setImmediate);
const limited = await serve(limitMs);
const endless = await serve(0);

/** Answers with what it was sent. */
const program = createServer((socket) => void socket.on('error', () => undefined).pipe(socket));
program.listen(0, '127.0.0.1');
await once(program, 'listening');
t.teardown(() => program.close());
const { port } = program.address() as AddressInfo;

interface Used {
  closed: Promise<unknown>;
  /** Something goes there and comes back. */
  use(): Promise<void>;
  /** Something that says only that the client is alive. */
  ping(): Promise<void>;
}

async function execOverSpdy(): Promise<Used> {
  const path = '/exec/default/web/main?input=1&output=1&command=cat';
  const { socket } = await upgrade(limited, path, { protocols: ['v4.channel.k8s.io'] });
  const client = new TestClient(socket);
  await client.open({ streamtype: 'error' });
  const [stdin, stdout] = [
    await client.open({ streamtype: 'stdin' }),
    await client.open({ streamtype: 'stdout' }),
  ];
  return usedOver(client, stdin, stdout);
}

function usedOver(
  client: TestClient,
  to: Awaited<ReturnType<TestClient['open']>>,
  from: Awaited<ReturnType<TestClient['open']>>,
): Used {
  return {
    closed: client.closed,
    use: async () => {
      const before = from.bytes();
      await to.write('x');
      while (from.bytes() === before) await turn();
    },
    ping: async () => {
      const before = client.pongs.length;
      await client.ping(1);
      while (client.pongs.length === before) await turn();
    },
  };
}

async function forwardOver(client: TestClient): Promise<Used> {
  const headers = { port: String(port), requestid: '1' };
  await client.open({ streamtype: 'error', ...headers });
  const data = await client.open({ streamtype: 'data', ...headers });
  return usedOver(client, data, data);
}

async function channelsOver(path: string, protocol: string): Promise<Used> {
  const session = await open(limited, path, [protocol]);
  const from = path.startsWith('/exec') ? 1 : 0;
  return {
    closed: session.closed,
    use: async () => {
      const before = session.text(from);
      await session.send(0, 'x');
      while (session.text(from) === before) await turn();
    },
    ping: async () => {
      session.socket.ping();
      await once(session.socket, 'pong');
    },
  };
}

const kinds: Record<string, { connect: () => Promise<Used>; pingCounts: boolean }> = {
  'exec over SPDY': { connect: execOverSpdy, pingCounts: true },
  'exec over WebSocket': {
    connect: () => channelsOver('/exec/default/web/main?input=1&output=1&command=cat', 'v5.channel.k8s.io'),
    pingCounts: false,
  },
  'port-forward over SPDY': {
    connect: async () => {
      const protocols = ['portforward.k8s.io'];
      return forwardOver(
        new TestClient((await upgrade(limited, '/portForward/default/web', { protocols })).socket),
      );
    },
    pingCounts: true,
  },
  'port-forward over SPDY in WebSocket': {
    connect: async () =>
      forwardOver(
        new TestClient(await openTunnel(limited, '/portForward/default/web', 'SPDY/3.1+portforward.k8s.io')),
      ),
    pingCounts: true,
  },
  'port-forward over WebSocket': {
    connect: () => channelsOver(`/portForward/default/web?port=${port}`, 'v4.channel.k8s.io'),
    pingCounts: false,
  },
};

for (const [name, { connect, pingCounts }] of Object.entries(kinds)) {
  t.test(`${name} is closed when nothing has moved for as long as is allowed`, async (t) => {
    const used = await connect();
    let isClosed = false;
    void used.closed.then(() => {
      isClosed = true;
    });
    for (let n = 0; n < 5; n += 1) {
      await used.use();
      await clock.advance(limitMs - 1);
    }
    await used.use();
    t.notOk(isClosed, 'what is used stays');
    await clock.advance(limitMs - 1);
    await used.ping();
    await clock.advance(1);
    if (pingCounts) {
      await used.ping();
      await clock.advance(limitMs);
    }
    await used.closed;
    while (clock.pending > 0) await turn();
    t.pass('nothing is left waiting');
  });
}

t.test('without a limit nothing is closed', async (t) => {
  const session = await open(endless, '/exec/default/web/main?input=1&output=1&command=cat', [
    'v5.channel.k8s.io',
  ]);
  await clock.advance(1000 * limitMs);
  await session.send(0, 'still here');
  while (session.text(1) !== 'still here') await turn();
  t.pass();
  session.socket.terminate();
  await session.closed;
});

/** Writes until the server takes no more, then goes. */
type Fill = (access: Access) => Promise<() => void>;
const deaf = '/exec/default/web/main?input=1&output=1&command=deaf';
const fills: Record<string, Fill> = {
  SPDY: async (access) => {
    const { socket } = await upgrade(access, deaf, { protocols: ['v4.channel.k8s.io'] });
    const client = new TestClient(socket);
    for (const streamtype of ['error', 'stdout']) await client.open({ streamtype });
    const stdin = await client.open({ streamtype: 'stdin' });
    void stdin.write(Buffer.alloc(15_000_000));
    return () => client.destroy();
  },
  WebSocket: async (access) => {
    const session = await open(access, deaf, ['v5.channel.k8s.io']);
    for (let n = 0; n < 20; n += 1) session.send(0, Buffer.alloc(1_000_000)).catch(() => undefined);
    return () => session.socket.terminate();
  },
};

/** Where its bytes pass through the master. */
const relay = createServer((socket) => void join(socket, connect(endless.port, '127.0.0.1')));
relay.listen(0, '127.0.0.1');
await once(relay, 'listening');
t.teardown(() => relay.close());
const relayed: Access = { ...endless, port: (relay.address() as AddressInfo).port };

const ways = Object.entries(fills).flatMap(([name, fill]) => [
  { name, fill: () => fill(endless) },
  { name: `${name} and the master`, fill: () => fill(relayed) },
]);
for (const { name, fill } of ways) {
  t.test(`a client over ${name} that goes while its command takes no input takes it along`, async (t) => {
    let isEnded = false;
    let isStarted = false;
    runtime.programs.set('deaf', ({ signal }) => {
      isStarted = true;
      signal.addEventListener('abort', () => {
        isEnded = true;
      });
      return new Promise(() => undefined);
    });
    const idle = clock.pending;
    const go = await fill();
    while (!isStarted || clock.pending === idle) await turn();
    for (let n = 0; n < 20; n += 1) await clock.advance(5_000);
    t.notOk(isEnded, 'a client that is there stays');
    go();
    while (!isEnded) await clock.advance(5_000);
    t.pass();
  });
}
