/** exec through the whole chain: WebSocket, agent's API, Docker, a process. What goes in comes out, all of it. */
import { createHash, randomBytes, randomUUID } from 'node:crypto';
import t from 'tap';
import { run } from '../../src/host/exec.js';
import { silentLogger } from '../../src/host/log.js';
import { containerSpec, sandboxSpec } from '../runtime/contract.js';
import { DockerRuntime } from '../runtime/docker.js';
import { removeLeftovers, testImage } from '../runtime/docker-testing.js';
import { until } from '../testing/namespace.js';
import { createAgentServer } from './server.js';
import { type Access, createTestAuthority, open, testAccess } from './testing.js';

const unique = `t${randomUUID().slice(0, 8)}`;
const runtime = new DockerRuntime({
  socketPath: '/var/run/docker.sock',
  node: unique,
  log: silentLogger,
  oomScoreFloor: 0,
});
const subject = { runtime, image: await testImage(), commands: {} as never, unique };
await runtime.ensureSandboxImage();
const sandbox = await runtime.createSandbox(sandboxSpec(unique, 'exec'));
await runtime.startSandbox(sandbox);
const id = await runtime.createContainer(sandbox, containerSpec(subject, 'exec', ['/bin/sleep', '1000']));
await runtime.startContainer(id);

const authority = await createTestAuthority();
const serving = await authority.issue('system:node:n1');
const server = createAgentServer({
  port: 0,
  address: '127.0.0.1',
  tls: { key: () => serving.key, cert: () => serving.cert, clientCa: () => authority.ca },
  access: testAccess(),
  lookup: { containerId: () => id, pods: () => [] },
  runtime,
  log: silentLogger,
});
await server.start(new AbortController().signal);
const identity = await authority.issue('admin', ['system:masters']);
const access: Access = { port: server.port, ca: authority.ca, identity };
t.teardown(async () => {
  await server.stop();
  await removeLeftovers(unique);
  runtime.close();
});

const path = (command: readonly string[], flags: string): string =>
  `/exec/default/p/c?${flags}&${command.map((part) => `command=${encodeURIComponent(part)}`).join('&')}`;
const protocols = ['v5.channel.k8s.io'];
const megabyte = 1024 * 1024;

t.test('100 MB go in and come out unchanged, without piling up in memory', async (t) => {
  const session = await open(access, path(['cat'], 'input=1&output=1&error=1'), protocols);
  const [sent, received] = [createHash('sha256'), createHash('sha256')];
  let bytes = 0;
  session.socket.removeAllListeners('message');
  session.socket.on('message', (data: Buffer) => {
    if (data[0] !== 1) return;
    received.update(data.subarray(1));
    bytes += data.length - 1;
  });
  const before = process.memoryUsage().rss;
  let peak = 0;
  for (let n = 0; n < 100; n += 1) {
    const block = randomBytes(megabyte);
    sent.update(block);
    for (let at = 0; at < megabyte; at += 32 * 1024)
      await session.send(0, block.subarray(at, at + 32 * 1024));
    peak = Math.max(peak, process.memoryUsage().rss);
  }
  await session.send(255, Buffer.of(0));
  t.equal(await session.closed, 1000);
  t.equal(bytes, 100 * megabyte);
  t.equal(received.digest('hex'), sent.digest('hex'));
  t.ok(peak - before < 150 * megabyte, `memory grew by ${Math.round((peak - before) / megabyte)} MB`);
});

t.test('a client that does not read holds the command up, nothing else', async (t) => {
  const command = ['head', '-c', String(100 * megabyte), '/dev/zero'];
  const session = await open(access, path(command, 'output=1'), protocols);
  let bytes = 0;
  session.socket.removeAllListeners('message');
  session.socket.on('message', (data: Buffer) => {
    if (data[0] === 1) bytes += data.length - 1;
  });
  session.socket.pause();
  const before = process.memoryUsage().rss;
  const other = await open(access, path(['echo', 'meanwhile'], 'output=1'), protocols);
  await other.closed;
  t.equal(other.text(1), 'meanwhile\n');
  t.ok(process.memoryUsage().rss - before < 60 * megabyte);
  session.socket.resume();
  await session.closed;
  t.equal(bytes, 100 * megabyte);
});

t.test('a terminal has a size and one output', async (t) => {
  // The size comes by a call of its own, perhaps after the start.
  const script =
    'until [ -n "$(stty size 2>/dev/null)" ]; do sleep 0.02; done; stty size; read x; echo err >&2; exit 7';
  const session = await open(access, path(['sh', '-c', script], 'input=1&output=1&tty=1'), protocols);
  await session.send(4, '{"Width":101,"Height":33}');
  await session.send(0, '\n');
  await session.closed;
  t.match(session.text(1), /^33 101\r\n/m);
  t.match(session.text(1), /err\r\n/);
  t.match(JSON.parse(session.text(3)), { details: { causes: [{ message: '7' }] } });
});

t.test('when the client goes, the command and its children are gone too', async (t) => {
  const marker = `7${randomBytes(4).readUInt32BE()}`;
  const script = `sleep ${marker} & sleep ${marker} & echo on; wait`;
  const session = await open(access, path(['sh', '-c', script], 'output=1'), protocols);
  const running = async (): Promise<number> => {
    const { stdout } = await run('pgrep', ['-fc', `^sleep ${marker}$`]);
    return Number(stdout);
  };
  while (!session.text(1).includes('on') || (await running()) < 2) await new Promise(setImmediate);
  session.socket.terminate();
  await t.resolves(until(async () => (await running()) === 0));
});
