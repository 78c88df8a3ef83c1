/** The numbers Kubernetes documents, in every form the kernel and systemd want them; names of cgroups both ways. */
import fc from 'fast-check';
import t from 'tap';
import type { Container, Pod } from '../../src/api/types.js';
import type { Exec } from '../../src/host/exec.js';
import { settings, sharesToWeight, unitProperties, weightToShares } from './files.js';
import { cgroupParent, directoryOf, parseRoot, podCgroup, uidOfDirectory } from './layout.js';
import {
  containerResources,
  milliCpuToQuota,
  milliCpuToShares,
  oomScoreAdj,
  podAmounts,
  podResources,
  qosClassOf,
} from './limits.js';
import { mayLowerOomScore } from './oom.js';
import { Slices } from './slices.js';
import { parseHierarchies } from './tree.js';

const Gi = 1024 ** 3;

type Amounts = Record<string, string>;
const container = (requests?: Amounts, limits?: Amounts, extra: Partial<Container> = {}): Container => ({
  name: 'c',
  resources: { ...(requests && { requests }), ...(limits && { limits }) },
  ...extra,
});
const pod = (containers: Container[], extra: object = {}, qosClass?: string): Pod => ({
  metadata: { name: 'p', uid: 'u-1' },
  spec: { containers, ...extra },
  ...(qosClass && { status: { qosClass } }),
});

t.test('cpu: shares and quota', async (t) => {
  t.strictSame([0, 1, 100, 1000, 2500, 10 ** 9].map(milliCpuToShares), [2, 2, 102, 1024, 2560, 262_144]);
  t.strictSame([0, 1, 5, 100, 1500].map(milliCpuToQuota), [undefined, 1000, 1000, 10_000, 150_000]);
  t.strictSame([2, 1024, 262_144].map(sharesToWeight), [1, 39, 10_000]);
});

t.test('shares to weight and back lose nothing that weighs', async () => {
  const weight = fc.integer({ min: 1, max: 10_000 });
  fc.assert(fc.property(weight, (value) => sharesToWeight(weightToShares(value)) === value));
});

t.test('a container: a limit is a request too; absent is unlimited', async (t) => {
  const limited = container(undefined, { cpu: '500m', memory: '64Mi' });
  t.strictSame(containerResources(pod([limited], {}, 'Guaranteed'), limited, 4 * Gi), {
    cpuShares: 512,
    cpuQuota: 50_000,
    cpuPeriod: 100_000,
    memoryBytes: 64 * 1024 ** 2,
    oomScoreAdj: -997,
  });
  const free = container();
  t.strictSame(containerResources(pod([free]), free, 4 * Gi), { cpuShares: 2, oomScoreAdj: 1000 });
});

t.test('a pod is limited as a whole only if every container is', async (t) => {
  const a = container({ cpu: '100m', memory: '1Gi' }, { cpu: '1', memory: '1Gi' });
  const b = container({ cpu: '200m' }, { cpu: '500m' });
  t.strictSame(podResources(pod([a, b])), { cpuShares: 307, cpuQuota: 150_000, cpuPeriod: 100_000 });
  t.strictSame(podResources(pod([a, a])), {
    cpuShares: 204,
    cpuQuota: 200_000,
    cpuPeriod: 100_000,
    memoryBytes: 2 * Gi,
  });
  t.strictSame(podResources(pod([container()])), { cpuShares: 2 });
});

t.test('init containers count by their peak, sidecars always, overhead on top', async (t) => {
  const sidecar = container({ cpu: '100m' }, undefined, { restartPolicy: 'Always' });
  const initContainers = [container({ cpu: '300m' }), sidecar, container({ cpu: '1', memory: '1Gi' })];
  const { requests } = podAmounts(
    pod([container({ cpu: '500m' })], { initContainers, overhead: { cpu: '10m' } }),
  );
  t.strictSame(requests, { cpu: 1110, memory: Gi });
});

t.test('who is killed first', async (t) => {
  const burstable = (memory: string): number => {
    const asks = container({ memory });
    return oomScoreAdj(pod([asks], {}, 'Burstable'), asks, 4 * Gi);
  };
  t.strictSame(['0', '1Mi', '1Gi', '4Gi', '8Gi'].map(burstable), [999, 999, 750, 2, 2]);
  const critical = pod([container()], { priority: 2_000_001_000 });
  t.equal(oomScoreAdj(critical, container(), 4 * Gi), -997);
  t.equal(mayLowerOomScore('CapEff:\t000001fffeffffff\n'), false);
  t.equal(mayLowerOomScore('CapPrm:\t0\nCapEff:\t000001ffffffffff\n'), true);
});

t.test('the class comes from the API; a pod without one is judged by its numbers', async (t) => {
  t.equal(qosClassOf(pod([container()], {}, 'Guaranteed')), 'Guaranteed');
  t.equal(qosClassOf(pod([container({ cpu: '1' })])), 'Burstable');
  t.equal(qosClassOf(pod([container()])), 'BestEffort');
});

t.test('the same limits for v1, v2 and systemd', async (t) => {
  const limits = { cpuShares: 1024, cpuQuota: 50_000, cpuPeriod: 100_000, memoryBytes: 1000, pidsLimit: 9 };
  const text = (version: 1 | 2): string[] =>
    settings(limits, version).map(({ file, value }) => `${file}=${value}`);
  t.strictSame(text(1), [
    'cpu.shares=1024',
    'cpu.cfs_period_us=100000',
    'cpu.cfs_quota_us=50000',
    'memory.limit_in_bytes=1000',
    'pids.max=9',
  ]);
  t.strictSame(text(2), ['cpu.weight=39', 'cpu.max=50000 100000', 'memory.max=1000', 'pids.max=9']);
  t.strictSame(unitProperties(limits, 2), [
    ['CPUWeight', 't', '39'],
    ['CPUQuotaPeriodUSec', 't', '100000'],
    ['CPUQuotaPerSecUSec', 't', '500000'],
    ['MemoryMax', 't', '1000'],
    ['TasksMax', 't', '9'],
  ]);
  t.strictSame(unitProperties({ cpuShares: 2, memoryBytes: 5 }, 1), [
    ['CPUShares', 't', '2'],
    ['MemoryLimit', 't', '5'],
  ]);
});

t.test('names of both drivers, and back to the uid', async (t) => {
  const name = podCgroup(parseRoot('kubepods'), 'Burstable', '1a-2b');
  t.equal(cgroupParent(name, 'cgroupfs'), '/kubepods/burstable/pod1a-2b');
  t.equal(cgroupParent(name, 'systemd'), 'kubepods-burstable-pod1a_2b.slice');
  t.equal(
    directoryOf(name, 'systemd'),
    'kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod1a_2b.slice',
  );
  t.equal(
    cgroupParent(podCgroup(parseRoot('/lab/kubepods/'), 'Guaranteed', 'u'), 'cgroupfs'),
    '/lab/kubepods/podu',
  );
  t.equal(uidOfDirectory('pod1a-2b', 'cgroupfs'), '1a-2b');
  t.equal(uidOfDirectory('kubepods-burstable-pod1a_2b.slice', 'systemd'), '1a-2b');
  t.equal(uidOfDirectory('kubepods-burstable.slice', 'systemd'), undefined);
  t.equal(uidOfDirectory('burstable', 'cgroupfs'), undefined);
  for (const wrong of ['', '/', '../x', 'a/./b', 'a b']) t.throws(() => parseRoot(wrong), wrong);
});

t.test('mounts of v1, hybrid and v2', async (t) => {
  const hybrid = [
    '31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755',
    '32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime - cgroup cgroup rw,cpu,cpuacct',
    '40 31 0:37 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,name=systemd',
    '41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw',
    '42 31 0:38 / /mnt/elsewhere rw - cgroup2 cgroup2 rw',
  ].join('\n');
  t.match(parseHierarchies(hybrid), [
    { path: '/sys/fs/cgroup/cpu,cpuacct', controllers: ['cpu', 'cpuacct'], isUnified: false },
    { path: '/sys/fs/cgroup/systemd', isUnified: false },
    { path: '/sys/fs/cgroup/unified', controllers: [], isUnified: true },
  ]);
  t.equal(parseHierarchies(hybrid).length, 3);
  t.strictSame(parseHierarchies('30 23 0:26 / /sys/fs/cgroup rw shared:4 - cgroup2 cgroup2 rw,nsdelegate'), [
    { path: '/sys/fs/cgroup', controllers: [], isUnified: true },
  ]);
});

t.test('slices: start, change what runs, stop what may be gone', async (t) => {
  const calls: string[] = [];
  const answers = ['', 'Unit a.slice already exists.', '', 'Unit a.slice not loaded.', 'Access denied'];
  const exec: Exec = async (file, args) => {
    calls.push([file, ...args.slice(5)].join(' '));
    const stderr = answers.shift() ?? '';
    return { code: stderr === '' ? 0 : 1, stdout: '', stderr };
  };
  const slices = new Slices(exec, 2);
  await slices.ensure('a.slice', { memoryBytes: 7 });
  await slices.ensure('a.slice', { memoryBytes: 8 });
  await slices.stop('a.slice');
  await t.rejects(slices.stop('a.slice'), /Access denied/);
  const fixed =
    'Description s pods of Wherry DefaultDependencies b false CPUAccounting b true MemoryAccounting b true TasksAccounting b true';
  t.strictSame(calls, [
    `busctl StartTransientUnit ssa(sv)a(sa(sv)) a.slice replace 6 ${fixed} MemoryMax t 7 0`,
    `busctl StartTransientUnit ssa(sv)a(sa(sv)) a.slice replace 6 ${fixed} MemoryMax t 8 0`,
    'busctl SetUnitProperties sba(sv) a.slice true 1 MemoryMax t 8',
    'busctl StopUnit ss a.slice replace',
    'busctl StopUnit ss a.slice replace',
  ]);
});
