/**
 * Docker away, hung, and back. A proxy in front of its socket plays the faults, so that the daemon everybody uses is
 * left alone; where it hangs, time runs a hundred times faster for deadlines.
 */
import { randomUUID } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { type Clock, systemClock } from '../../src/host/clock.js';
import { silentLogger } from '../../src/host/log.js';
import { containerSpec, refused, sandboxSpec } from './contract.js';
import { DockerRuntime } from './docker.js';
import { removeLeftovers, testImage, testSocket } from './docker-testing.js';

const unique = `t${randomUUID().slice(0, 8)}`;
const socketPath = join(tmpdir(), `${unique}.sock`);

class DockerProxy {
  hung = false;
  readonly #sockets = new Set<Socket>();
  #server: Server | undefined;

  async up(): Promise<void> {
    await rm(socketPath, { force: true });
    this.#server = createServer((client) => {
      const docker = connect(testSocket);
      for (const socket of [client, docker]) {
        this.#sockets.add(socket);
        socket.on('error', () => socket.destroy());
        socket.on('close', () => this.#sockets.delete(socket));
      }
      client.on('data', (data) => void (this.hung || docker.write(data)));
      docker.on('data', (data) => void (this.hung || client.write(data)));
      client.on('close', () => docker.destroy());
      docker.on('close', () => client.destroy());
    });
    await new Promise<void>((resolve) => this.#server?.listen(socketPath, resolve));
  }

  /** As when the daemon is killed: every connection breaks, and nobody listens. */
  async down(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server?.close(resolve));
  }
}

const proxy = new DockerProxy();
const clock: Clock = {
  ...systemClock,
  after: (ms, run) => systemClock.after(proxy.hung ? ms / 100 : ms, run),
};
await proxy.up();
const runtime = new DockerRuntime({ socketPath, node: unique, log: silentLogger, clock, oomScoreFloor: 0 });
const subject = { runtime, image: await testImage(), commands: {} as never, unique };
await runtime.ensureSandboxImage();
t.teardown(async () => {
  await removeLeftovers(unique);
  runtime.close();
  await proxy.down();
  await rm(socketPath, { force: true });
});

t.test(
  'away: every call says unavailable, event readers wait, and all goes on when it is back',
  async (t) => {
    const stop = new AbortController();
    const events = runtime.events(stop.signal)[Symbol.asyncIterator]();
    t.strictSame((await events.next()).value, { type: 'resync' });
    const sandbox = await runtime.createSandbox(sandboxSpec(unique, 'a'));
    await runtime.startSandbox(sandbox);
    t.strictSame((await events.next()).value, { type: 'pod', podUid: `${unique}-a` });
    await proxy.down();
    for (const call of [
      () => runtime.listContainers(),
      () => runtime.inspectSandbox(sandbox),
      () => runtime.stopSandbox(sandbox, 1000),
      () => runtime.createContainer(sandbox, containerSpec(subject, 'a', ['true'])),
      () => runtime.pullImage('wherry.invalid/x:1', undefined, stop.signal),
      () => runtime.exec(sandbox, { command: ['true'], tty: false }, stop.signal),
      () => runtime.version(),
    ]) {
      await refused(t, call(), 'unavailable');
    }
    let next = events.next();
    await proxy.up();
    // What was heard of the start may still wait.
    while ((await next).value?.type === 'pod') next = events.next();
    t.strictSame((await next).value, { type: 'resync' }, 'connected again, and says so');
    t.match(await runtime.inspectSandbox(sandbox), { state: 'running' });
    await runtime.removeSandbox(sandbox);
    stop.abort();
    for (let done = false; !done; ) done = (await events.next()).done ?? false;
  },
);

t.test('hung: calls give up after their deadline', async (t) => {
  proxy.hung = true;
  const before = performance.now();
  await refused(t, runtime.listSandboxes(), 'unavailable', /no answer within 10 s/);
  t.ok(performance.now() - before < 9000);
  const stop = new AbortController();
  const call = runtime.exec('x', { command: ['true'], tty: false }, stop.signal);
  stop.abort(new Error('probe timed out'));
  await t.rejects(call, { message: 'probe timed out' }, 'the caller’s own signal is faster');
  proxy.hung = false;
  t.strictSame(await runtime.listSandboxes(), []);
});

t.test('following a log across the end of Docker ends with unavailable', async (t) => {
  const sandbox = await runtime.createSandbox(sandboxSpec(unique, 'b'));
  await runtime.startSandbox(sandbox);
  const id = await runtime.createContainer(
    sandbox,
    containerSpec(subject, 'b', ['sh', '-c', 'echo one; sleep 1000']),
  );
  await runtime.startContainer(id);
  const { signal } = new AbortController();
  const lines = runtime.logs(id, { follow: true, timestamps: false, signal })[Symbol.asyncIterator]();
  t.equal(String((await lines.next()).value?.text), 'one');
  const next = lines.next();
  await proxy.down();
  await refused(t, next, 'unavailable');
  await proxy.up();
});
