/** Limits of a pod and of its container are in the kernel's files, made through real cgroups and a real Docker. */
import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import t from 'tap';
import type { Container, Pod } from '../../src/api/types.js';
import { run } from '../../src/host/exec.js';
import { silentLogger } from '../../src/host/log.js';
import { containerSpec, sandboxSpec } from '../runtime/contract.js';
import { DockerRuntime } from '../runtime/docker.js';
import { removeLeftovers, testImage } from '../runtime/docker-testing.js';
import { sharesToWeight, weightToShares } from './files.js';
import { createPodCgroups } from './manager.js';
import { readOomScoreFloor } from './oom.js';
import { parseHierarchies } from './tree.js';

const unique = `t${randomUUID().slice(0, 8)}`;
const oomScoreFloor = await readOomScoreFloor(silentLogger);
const runtime = new DockerRuntime({
  socketPath: '/var/run/docker.sock',
  node: unique,
  log: silentLogger,
  oomScoreFloor,
});
const { cgroupDriver: driver } = await runtime.version();
const hierarchies = parseHierarchies(await readFile('/proc/self/mountinfo', 'utf8'));
const isV2 = hierarchies.every(({ isUnified }) => isUnified);
/** What can be read back: v2 keeps a weight, which is coarser. */
const shares = (count: number): number => (isV2 ? weightToShares(sharesToWeight(count)) : count);
const create = () => createPodCgroups({ root: unique, driver, exec: run });

t.teardown(async () => {
  await removeLeftovers(unique);
  runtime.close();
});

/** The file of the cgroup that process `pid` is in, or `up` levels above. */
async function fileOf(pid: number, file: string, up: number): Promise<string> {
  const controller = file.split('.')[0] ?? '';
  const lines = (await readFile(`/proc/${pid}/cgroup`, 'utf8')).trim().split('\n');
  const line = lines.find((text) =>
    isV2 ? text.startsWith('0::') : text.split(':')[1]?.split(',').includes(controller),
  );
  const mount = hierarchies.find(({ controllers }) => isV2 || controllers.includes(controller));
  const path = (line?.split(':')[2] ?? '').split('/');
  return (await readFile([mount?.path, ...path.slice(0, path.length - up), file].join('/'), 'utf8')).trim();
}

const leftDirectories = async (): Promise<string> =>
  (await run('find', ['/sys/fs/cgroup', '-depth', '-type', 'd', '-name', `${unique}*`])).stdout;

t.test('limits of pod and container are in the files; removal leaves nothing', async (t) => {
  const cgroups = await create();
  const container: Container = {
    name: 'main',
    resources: { requests: { cpu: '100m', memory: '32Mi' }, limits: { cpu: '500m', memory: '64Mi' } },
  };
  const uid = `${unique}-limits`;
  const pod: Pod = {
    metadata: { name: 'limits', uid },
    spec: { containers: [container, { ...container, name: 'other' }] },
    status: { qosClass: 'Burstable' },
  };
  const parent = await cgroups.ensurePod(pod);
  t.equal(await cgroups.ensurePod(pod), parent);
  t.strictSame(await cgroups.listPods(), [uid]);

  const subject = { runtime, image: await testImage(), commands: {} as never, unique };
  await runtime.ensureSandboxImage();
  const sandbox = await runtime.createSandbox({ ...sandboxSpec(unique, 'limits'), cgroupParent: parent });
  await runtime.startSandbox(sandbox);
  const id = await runtime.createContainer(sandbox, {
    ...containerSpec(subject, 'limits', ['/bin/sleep', '1000']),
    cgroupParent: parent,
    resources: cgroups.resourcesOf(pod, container),
  });
  await runtime.startContainer(id);
  const pid = (await runtime.inspectContainer(id))?.pid ?? 0;
  const read = (files: readonly string[], up: number): Promise<string[]> =>
    Promise.all(files.map((file) => fileOf(pid, file, up)));
  if (isV2) {
    const files = ['cpu.max', 'memory.max'];
    t.strictSame(await read(files, 0), ['50000 100000', String(64 * 1024 ** 2)], 'container');
    t.strictSame(await read(files, 1), ['100000 100000', String(128 * 1024 ** 2)], 'pod');
  } else {
    const files = ['cpu.shares', 'cpu.cfs_quota_us', 'memory.limit_in_bytes'];
    t.strictSame(await read(files, 0), ['102', '50000', String(64 * 1024 ** 2)], 'container');
    t.strictSame(await read(files, 1), ['204', '100000', String(128 * 1024 ** 2)], 'pod');
    t.equal(await fileOf(pid, 'cpu.shares', 2), '204', 'all burstable pods');
  }
  const score = Number(await readFile(`/proc/${pid}/oom_score_adj`, 'utf8'));
  t.ok(score > 900 && score <= 999);

  // A second agent process: knows the pod from the files, and removes what the first one made.
  const restarted = await create();
  t.strictSame(await restarted.listPods(), [uid]);
  if (driver === 'cgroupfs') await t.rejects(restarted.removePod(uid), { code: 'EBUSY' });
  await runtime.removeSandbox(sandbox);
  await restarted.removePod(uid);
  await restarted.removePod(uid);
  t.strictSame(await restarted.listPods(), []);
  await restarted.removeAll();
  t.equal(await leftDirectories(), '');
});

t.test('more memory than the limit ends in OOMKilled', async (t) => {
  const cgroups = await create();
  const container: Container = { name: 'main', resources: { limits: { memory: '16Mi' } } };
  const pod: Pod = {
    metadata: { name: 'oom', uid: `${unique}-oom` },
    spec: { containers: [container] },
    status: { qosClass: 'Burstable' },
  };
  const cgroupParent = await cgroups.ensurePod(pod);
  const subject = { runtime, image: await testImage(), commands: {} as never, unique };
  const sandbox = await runtime.createSandbox({ ...sandboxSpec(unique, 'oom'), cgroupParent });
  await runtime.startSandbox(sandbox);
  // Not at once: Docker may miss why a container was killed that has hardly begun.
  const hungry = ['/bin/sh', '-c', 'sleep 1; exec dd if=/dev/zero of=/dev/null bs=64M count=1'];
  const spec = containerSpec(subject, 'oom', hungry);
  const id = await runtime.createContainer(sandbox, {
    ...spec,
    cgroupParent,
    resources: cgroups.resourcesOf(pod, container),
  });
  const stop = new AbortController();
  for await (const event of runtime.events(stop.signal)) {
    // It tells why containers end from here on, a moment before or after their end.
    if (event.type === 'resync') await runtime.startContainer(id);
    const found = await runtime.inspectContainer(id);
    if (found?.state === 'exited' && found.oomKilled) stop.abort();
  }
  t.match(await runtime.inspectContainer(id), { state: 'exited', exitCode: 137, oomKilled: true });
  await runtime.removeSandbox(sandbox);
  await cgroups.removeAll();
  t.equal(await leftDirectories(), '');
});

t.test('limits of a pod that runs go up and down, but not below what it uses', async (t) => {
  const cgroups = await create();
  const uid = `${unique}-resize`;
  const podOf = (limits: Record<string, string>, requests = limits): Pod => ({
    metadata: { name: 'resize', uid },
    spec: { containers: [{ name: 'main', resources: { limits, requests } }] },
    status: { qosClass: 'Burstable' },
  });
  const mebi = (count: number): number => count * 1024 ** 2;
  const cgroupParent = await cgroups.ensurePod(podOf({ memory: '64Mi', cpu: '100m' }));
  const subject = { runtime, image: await testImage(), commands: {} as never, unique };
  const sandbox = await runtime.createSandbox({ ...sandboxSpec(unique, 'resize'), cgroupParent });
  await runtime.startSandbox(sandbox);
  const holds = ['/bin/dd', 'if=/dev/zero', 'of=/dev/null', 'bs=32M'];
  const id = await runtime.createContainer(sandbox, {
    ...containerSpec(subject, 'resize', holds),
    cgroupParent,
  });
  await runtime.startContainer(id);
  const pid = (await runtime.inspectContainer(id))?.pid ?? 0;
  const usage = isV2 ? 'memory.current' : 'memory.usage_in_bytes';
  while (Number(await fileOf(pid, usage, 1)) < mebi(32)) await runtime.version();

  await cgroups.ensurePod(podOf({ memory: '128Mi', cpu: '200m' }));
  t.match(await cgroups.actualOf(uid), { memoryBytes: mebi(128), cpuQuota: 20_000, cpuShares: shares(204) });
  await cgroups.ensurePod(podOf({ memory: '96Mi', cpu: '150m' }));
  t.match(await cgroups.actualOf(uid), { memoryBytes: mebi(96), cpuQuota: 15_000, cpuShares: shares(153) });
  await t.rejects(cgroups.ensurePod(podOf({ memory: '16Mi', cpu: '150m' })), { name: 'LimitBelowUsage' });
  t.match(await cgroups.actualOf(uid), { memoryBytes: mebi(96) }, 'as it was');

  // Another run of the agent takes off what no longer is a limit.
  const restarted = await create();
  await restarted.ensurePod(podOf({}, { cpu: '150m' }));
  const actual = await restarted.actualOf(uid);
  t.match(actual, { cpuShares: shares(153) });
  t.notOk(actual?.memoryBytes ?? actual?.cpuQuota);
  await restarted.limitAll({ memoryBytes: mebi(2048), cpuShares: 2048, pidsLimit: 4000 });
  t.equal(await fileOf(pid, 'pids.max', 3), '4000');
  await runtime.removeSandbox(sandbox);
  await restarted.removeAll();
  t.equal(await restarted.actualOf(uid), undefined);
  t.equal(await leftDirectories(), '');
});
