/** The numbers Kubernetes documents, in every form the kernel and systemd want them; names of cgroups both ways. */
import { readFile } from 'node:fs/promises';
import fc from 'fast-check';
import t from 'tap';
import type { Container, Pod } from '../../src/api/types.js';
import type { Exec } from '../../src/host/exec.js';
import { podAmounts } from './amounts.js';
import { classLimits, type Demand, rootReservation } from './classes.js';
import { settings, sharesToWeight, unitProperties, weightToShares } from './files.js';
import { hugePageResource, kernelPageSize, pageBytesOf, readHugePages } from './hugepages.js';
import { cgroupParent, directoryOf, parseRoot, podCgroup, uidOfDirectory } from './layout.js';
import {
  containerResources,
  type LimitPolicy,
  milliCpuToQuota,
  milliCpuToShares,
  oomScoreAdj,
  podResources,
  qosClassOf,
} from './limits.js';
import { mayLowerOomScore } from './oom.js';
import { Slices } from './slices.js';
import { CgroupTree, parseHierarchies } from './tree.js';

const Gi = 1024 ** 3;
const policy: LimitPolicy = {
  memoryCapacity: 4 * Gi,
  cfsQuota: true,
  podMaxPids: undefined,
  hugePageSizes: [],
  reservesMemory: false,
};

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
  t.strictSame(containerResources(pod([limited], {}, 'Guaranteed'), limited, policy), {
    cpuShares: 512,
    cpuQuota: 50_000,
    cpuPeriod: 100_000,
    memoryBytes: 64 * 1024 ** 2,
    oomScoreAdj: -997,
  });
  const free = container();
  t.strictSame(containerResources(pod([free]), free, policy), { cpuShares: 2, oomScoreAdj: 1000 });
});

t.test('a pod is limited as a whole only if every container is', async (t) => {
  const a = container({ cpu: '100m', memory: '1Gi' }, { cpu: '1', memory: '1Gi' });
  const b = container({ cpu: '200m' }, { cpu: '500m' });
  t.strictSame(podResources(pod([a, b]), policy), { cpuShares: 307, cpuQuota: 150_000, cpuPeriod: 100_000 });
  t.strictSame(podResources(pod([a, a]), policy), {
    cpuShares: 204,
    cpuQuota: 200_000,
    cpuPeriod: 100_000,
    memoryBytes: 2 * Gi,
  });
  t.strictSame(podResources(pod([container()]), policy), { cpuShares: 2 });
});

t.test('init containers count by their peak, sidecars always, overhead on top', async (t) => {
  const sidecar = container({ cpu: '100m' }, undefined, { restartPolicy: 'Always' });
  const initContainers = [container({ cpu: '300m' }), sidecar, container({ cpu: '1', memory: '1Gi' })];
  const { requests } = podAmounts(
    pod([container({ cpu: '500m' })], { initContainers, overhead: { cpu: '10m' } }),
  );
  t.match(requests, { milliCpu: 1110, memory: Gi });
});

t.test('who is killed first', async (t) => {
  const burstable = (memory: string): number => {
    const asks = container({ memory });
    return oomScoreAdj(pod([asks], {}, 'Burstable'), asks, 4 * Gi);
  };
  t.strictSame(['0', '1Mi', '1Gi', '4Gi', '8Gi'].map(burstable), [999, 999, 750, 2, 2]);
  const asks = container({ memory: '1Gi' });
  const score = (extra: object): number => oomScoreAdj(pod([asks], extra, 'Burstable'), asks, 4 * Gi);
  t.equal(score({ priority: 2_000_001_000 }), -997, 'critical to its node');
  t.equal(score({ priorityClassName: 'system-node-critical' }), -997);
  t.equal(score({ priority: 2_000_000_000 }), 750, 'critical to the cluster may run elsewhere');
  t.equal(score({ resources: { requests: { memory: '2Gi' } } }), 500, 'what only the pod asks for counts');
  const sidecar = container({ memory: '1Mi' }, undefined, { restartPolicy: 'Always' });
  const withSidecar = pod([asks], { initContainers: [sidecar] }, 'Burstable');
  t.equal(oomScoreAdj(withSidecar, sidecar, 4 * Gi), 750, 'a sidecar is worth what it serves');
  t.equal(mayLowerOomScore('CapEff:\t000001fffeffffff\n'), false);
  t.equal(mayLowerOomScore('CapPrm:\t0\nCapEff:\t000001ffffffffff\n'), true);
});

t.test('the class comes from the API; a pod without one is judged by its numbers', async (t) => {
  t.equal(qosClassOf(pod([container()], {}, 'Guaranteed')), 'Guaranteed');
  t.equal(qosClassOf(pod([container({ cpu: '1' })])), 'Burstable');
  t.equal(qosClassOf(pod([container()])), 'BestEffort');
  const both = { cpu: '1', memory: '1Gi' };
  t.equal(qosClassOf(pod([container(both, both)])), 'Guaranteed', 'a static pod that the API never saw');
  const ofPod = (resources: object): string => qosClassOf(pod([container({ cpu: '1' })], { resources }));
  t.equal(ofPod({ limits: both }), 'Guaranteed', 'resources of the pod go before those of its containers');
  t.equal(ofPod({ limits: both, requests: { cpu: '500m' } }), 'Burstable');
  t.equal(ofPod({ limits: { 'hugepages-2Mi': '2Mi' } }), 'Burstable');
});

t.test('resources of the pod as a whole', async (t) => {
  const resources = { requests: { cpu: '1' }, limits: { cpu: '2', memory: '1Gi', 'hugepages-2Mi': '8Mi' } };
  const free = container();
  const whole = pod([free, container({ cpu: '100m' })], { resources, overhead: { memory: '1Mi' } });
  const hugePageSizes = [2 * 1024 ** 2, Gi];
  t.strictSame(podResources(whole, { ...policy, hugePageSizes, podMaxPids: 50 }), {
    cpuShares: 1024,
    cpuQuota: 200_000,
    cpuPeriod: 100_000,
    memoryBytes: Gi + 1024 ** 2,
    pidsLimit: 50,
    hugePageBytes: { '2MB': 8 * 1024 ** 2, '1GB': 0 },
  });
  t.match(
    containerResources(whole, free, policy),
    { cpuShares: 2048, cpuQuota: 200_000, memoryBytes: Gi },
    'a container without limits of its own is shown those of the pod',
  );
  const { cpuQuota } = podResources(whole, { ...policy, cfsQuota: false });
  t.equal(cpuQuota, undefined, 'cpu limits may be switched off');
});

t.test('huge pages of containers', async (t) => {
  const pages = { 'hugepages-2Mi': '4Mi', 'hugepages-1Gi': '1Gi' };
  const asks = container(pages, pages);
  t.strictSame(containerResources(pod([asks]), asks, policy).hugePageBytes, {
    '2MB': 4 * 1024 ** 2,
    '1GB': Gi,
  });
  t.strictSame([64 * 1024, 32 * 1024 ** 2].map(kernelPageSize), ['64KB', '32MB']);
  t.equal(pageBytesOf(hugePageResource(32 * 1024 ** 2)), 32 * 1024 ** 2);
  const root = t.testdir({
    sys: {
      kernel: {
        mm: {
          hugepages: {
            'hugepages-1048576kB': { nr_hugepages: '0\n' },
            'hugepages-2048kB': { nr_hugepages: '16\n' },
          },
        },
      },
    },
  });
  t.strictSame(await readHugePages(root), [
    { pageBytes: 2 * 1024 ** 2, count: 16 },
    { pageBytes: Gi, count: 0 },
  ]);
  t.strictSame(await readHugePages(`${root}/none`), []);
});

t.test('reserved memory: hard, soft, none; parents protect as much as their pods', async (t) => {
  const asks = container({ memory: '1Gi', cpu: '1' }, { memory: '1Gi', cpu: '1' });
  const reserving = { ...policy, reservesMemory: true };
  const reserved = (qos: string) => {
    const { memoryMinBytes, memoryReservationBytes } = podResources(pod([asks], {}, qos), reserving);
    return [memoryMinBytes, memoryReservationBytes];
  };
  t.strictSame(['Guaranteed', 'Burstable', 'BestEffort'].map(reserved), [
    [Gi, 0],
    [0, Gi],
    [0, 0],
  ]);
  t.equal(containerResources(pod([asks]), asks, reserving).memoryReservationBytes, Gi);
  const demands: Demand[] = [
    { qos: 'Guaranteed', cpuShares: 1024, memoryBytes: 5 },
    { qos: 'Burstable', cpuShares: 102, memoryBytes: 7 },
    { qos: 'Burstable', cpuShares: 100, memoryBytes: 0 },
    { qos: 'BestEffort', cpuShares: 2, memoryBytes: 0 },
  ];
  t.strictSame(rootReservation(demands), { memoryMinBytes: 5, memoryReservationBytes: 12 });
  t.strictSame(classLimits('Burstable', demands, true), { cpuShares: 202, memoryReservationBytes: 7 });
  t.strictSame(classLimits('Burstable', [], false), { cpuShares: 2 });
  t.strictSame(classLimits('BestEffort', demands, true), { cpuShares: 2 });
});

t.test('no swap for pods, where the kernel counts it', async (t) => {
  const limits = { memoryBytes: 5, swapBytes: 0 };
  t.match(settings(limits, 2).at(-1), { file: 'memory.swap.max', value: '0', isOptional: true });
  t.strictSame(unitProperties(limits, 2).at(-1), ['MemorySwapMax', 't', '0']);
  t.strictSame(
    settings(limits, 1).map(({ file }) => file),
    ['memory.limit_in_bytes'],
  );
});

t.test('what is not limited any more', async (t) => {
  const limits = { cpuShares: 2, hugePageBytes: { '2MB': 0 } };
  const text = (version: 1 | 2): string[] =>
    settings(limits, version, 'all').map(({ file, value }) => `${file}=${value}`);
  t.strictSame(text(1), [
    'cpu.shares=2',
    'cpu.cfs_quota_us=-1',
    'memory.limit_in_bytes=-1',
    'pids.max=max',
    'hugetlb.2MB.limit_in_bytes=0',
    'hugetlb.2MB.rsvd.limit_in_bytes=0',
  ]);
  t.strictSame(text(2), [
    'cpu.weight=1',
    'cpu.max=max',
    'memory.max=max',
    'memory.low=0',
    'memory.min=0',
    'pids.max=max',
    'hugetlb.2MB.max=0',
    'hugetlb.2MB.rsvd.max=0',
  ]);
  const infinity = '18446744073709551615';
  t.strictSame(unitProperties({ cpuShares: 2, memoryMinBytes: 9 }, 2, 'all'), [
    ['CPUWeight', 't', '1'],
    ['CPUQuotaPerSecUSec', 't', infinity],
    ['MemoryMax', 't', infinity],
    ['MemoryLow', 't', '0'],
    ['MemoryMin', 't', '9'],
    ['TasksMax', 't', infinity],
  ]);
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

t.test('files of v2, written and read back', async (t) => {
  const files = {
    ...{ 'cpu.weight': '39\n', 'cpu.max': '50000 100000\n', 'memory.max': 'max\n', 'pids.max': '9\n' },
    ...{ 'memory.min': '0\n', 'memory.low': '7\n', 'memory.current': '4096\n' },
    ...{ 'hugetlb.2MB.max': 'max\n', 'cgroup.controllers': 'cpu hugetlb', 'cgroup.subtree_control': 'cpu' },
  };
  const root = t.testdir({
    'cgroup.controllers': 'cpu hugetlb',
    'cgroup.subtree_control': 'cpu',
    pod: files,
  });
  const tree = new CgroupTree([{ path: root, controllers: [], isUnified: true }], 2);
  t.strictSame(await tree.read('pod'), {
    ...{ cpuShares: weightToShares(39), cpuQuota: 50_000, cpuPeriod: 100_000, pidsLimit: 9 },
  });
  t.strictSame(await tree.protection('pod'), { min: 0, low: 7 });
  t.equal(await tree.memoryUsage('pod'), 4096);
  t.equal(await tree.read('other'), undefined);
  const limits = { cpuShares: 1024, memoryBytes: 65_536, memoryMinBytes: 5, hugePageBytes: { '2MB': 0 } };
  await tree.write('pod', settings(limits, 2, 'all'));
  t.strictSame(await tree.read('pod'), { cpuShares: weightToShares(39), memoryBytes: 65_536 });
  t.strictSame(await tree.protection('pod'), { min: 5, low: 0 });
  await t.rejects(tree.write('pod', [{ controller: 'cpu', file: 'cpu.none', value: '1' }]), {
    code: 'ENOENT',
  });
  await tree.handOn('pod', 'hugetlb');
  t.equal(await readFile(`${root}/cgroup.subtree_control`, 'utf8'), '+hugetlb');
  t.equal(await readFile(`${root}/pod/cgroup.subtree_control`, 'utf8'), 'cpu', 'only to the cgroup itself');
});

t.test('slices: start, change what runs, stop what may be gone', async (t) => {
  const infinity = '18446744073709551615';
  const calls: string[] = [];
  const answers = ['', 'Unit a.slice already exists.', '', 'Unit a.slice not loaded.', 'Access denied'];
  const exec: Exec = async (file, args) => {
    calls.push([file, ...args.slice(5)].join(' '));
    const stderr = answers.shift() ?? '';
    return { code: stderr === '' ? 0 : 1, stdout: '', stderr };
  };
  const slices = new Slices(exec, 2);
  await slices.ensure('a.slice', { memoryBytes: 7 });
  await slices.ensure('a.slice', { memoryBytes: 8 }, 'all');
  await slices.stop('a.slice');
  await t.rejects(slices.stop('a.slice'), /Access denied/);
  const fixed =
    'Description s pods of Wherry DefaultDependencies b false CPUAccounting b true MemoryAccounting b true TasksAccounting b true';
  t.strictSame(calls, [
    `busctl StartTransientUnit ssa(sv)a(sa(sv)) a.slice replace 6 ${fixed} MemoryMax t 7 0`,
    `busctl StartTransientUnit ssa(sv)a(sa(sv)) a.slice replace 6 ${fixed} MemoryMax t 8 0`,
    `busctl SetUnitProperties sba(sv) a.slice true 5 CPUQuotaPerSecUSec t ${infinity} MemoryMax t 8 MemoryLow t 0 MemoryMin t 0 TasksMax t ${infinity}`,
    'busctl StopUnit ss a.slice replace',
    'busctl StopUnit ss a.slice replace',
  ]);
});
