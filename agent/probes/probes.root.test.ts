/** Probes of containers that really run: what a timeout leaves behind, what a runtime that hangs is taken for. */
import { randomBytes } from 'node:crypto';
import t from 'tap';
import { systemClock } from '../../src/host/clock.js';
import { silentLogger } from '../../src/host/log.js';
import { containerSpec, sandboxSpec } from '../runtime/contract.js';
import { DockerRuntime } from '../runtime/docker.js';
import { docker, removeLeftovers, testImage, testSocket } from '../runtime/docker-testing.js';
import { createProbeRunner } from './runner.js';

const unique = `t${randomBytes(4).toString('hex')}`;
const runtime = new DockerRuntime({
  socketPath: testSocket,
  node: unique,
  log: silentLogger,
  clock: systemClock,
  oomScoreFloor: 0,
});
t.teardown(async () => {
  await removeLeftovers(unique);
  runtime.close();
});
await runtime.ensureSandboxImage();
const subject = { runtime, image: await testImage(), commands: {} as never, unique };
const sandbox = await runtime.createSandbox(sandboxSpec(unique, 'probes'));
await runtime.startSandbox(sandbox);
const id = await runtime.createContainer(sandbox, containerSpec(subject, 'probes', ['/bin/sleep', '1000']));
await runtime.startContainer(id);

const { signal } = new AbortController();
const runner = createProbeRunner({ runtime, clock: systemClock });
const exec = (command: string[], timeoutMs: number) =>
  runner({ exec: { command } }, { containerId: id, podIp: '', port: undefined }, timeoutMs, signal);
const processes = async (): Promise<string> => (await docker('top', id, '-o', 'pid,args')).stdout;

t.test('commands succeed, fail, and say why', async (t) => {
  t.match(await exec(['/bin/true'], 60_000), { success: true });
  t.match(await exec(['/bin/sh', '-c', 'echo no; echo never >&2; exit 3'], 60_000), {
    success: false,
    // Two streams: which of them is read first is open.
    output: /no\nnever|never\nno/,
  });
  const long = await exec(['/bin/sh', '-c', 'head -c 100000 /dev/zero; exit 1'], 60_000);
  t.equal(long.output.length, 10 * 1024);
});

t.test('a command that takes too long is gone, with what it started', async (t) => {
  const started = performance.now();
  const result = await exec(['/bin/sh', '-c', 'sleep 777 & sleep 778'], 1000);
  t.match(result, { success: false, output: /^command timed out: .* timed out after 1s$/ });
  t.notOk(result.isUnknown);
  t.ok(performance.now() - started < 30_000, 'nobody waits for its end');
  for (let n = 0; n < 300 && /sleep 77/.test(await processes()); n += 1)
    await new Promise((resolve) => setTimeout(resolve, 100));
  t.notMatch(await processes(), /sleep 77/);
  t.match(await processes(), /sleep 1000/, 'the container itself runs on');
});

t.test('a container that is gone says nothing', async (t) => {
  await runtime.removeContainer(id);
  t.match(await exec(['/bin/true'], 60_000), { success: false, isUnknown: true });
});
