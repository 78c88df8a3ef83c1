import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import t from 'tap';
import { ApiError } from '../../src/api/errors.js';
import { leases, nodes as nodeType } from '../../src/api/kinds.js';
import { findCondition } from '../../src/api/meta.js';
import type { Node, NodeCondition } from '../../src/api/types.js';
import { createInformer } from '../../src/client/informer.js';
import { silentLogger } from '../../src/host/log.js';
import { createFakeClock } from '../../src/testing/clock.js';
import { createFakeClient } from '../../src/testing/fakeclient.js';
import { parseThresholds } from '../eviction/signals.js';
import { FakeRuntime } from '../runtime/fake.js';
import type { ImageState } from '../runtime/runtime.js';
import { allocatableOf, capacityOf, enforcedLimits, requireReservable } from './allocatable.js';
import { conditionsOf, type Pressure } from './conditions.js';
import { createEnforcement } from './enforcement.js';
import {
  architectureOf,
  type Machine,
  osImageOf,
  readMachine,
  readUsage,
  threadsOf,
  type Usage,
} from './machine.js';
import { createNodeComponent } from './node.js';
import { createNodeAddress } from './nodeaddress.js';
import { newNode, nodeStatusOf, type StatusFacts, saysTheSame } from './nodestatus.js';

const gi = 1024 ** 3;
const machine: Machine = {
  ...{ machineId: 'm', systemUuid: 's', bootId: 'b', kernelVersion: '6.1', osImage: 'Debian 12' },
  ...{ architecture: 'amd64', cpuCount: 4, memoryBytes: 2 * gi, swapBytes: 0 },
  ...{ processLimit: 32_768, hugePages: [] },
};
const usage: Usage = {
  memoryAvailableBytes: gi,
  disk: { totalBytes: 100 * gi, availableBytes: 50 * gi, inodes: 1000, inodesFree: 900 },
  processes: { limit: 32_768, used: 200 },
};
const options = {
  ...{ nodeName: 'node-a', nodeLabels: { zone: 'x' }, maxPods: 110, agentPort: 10250 },
  registerWithTaints: [{ key: 'gpu', effect: 'NoSchedule' }],
  ...{ runtime: 'docker', systemReserved: {}, kubeReserved: {}, enforceNodeAllocatable: ['pods' as const] },
  eviction: {
    thresholds: parseThresholds({ hard: '', soft: '', softGracePeriod: '', minimumReclaim: '' }),
  },
};
const now = new Date('2026-01-01T00:00:10Z');
const facts: StatusFacts = {
  ...{ machine, usage, now, runtimeError: '', pressures: new Set(), checks: [] },
  runtime: { name: 'docker', version: '20.10.24', images: [], features: undefined },
  nodeIps: ['192.168.1.10'],
};

t.test('what the host says', async (t) => {
  const root = await mkdtemp(join(tmpdir(), 'wherry-machine-'));
  const files: Record<string, string> = {
    'etc/machine-id': 'abc\n',
    'etc/os-release': 'NAME=x\nPRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\n',
    'proc/meminfo': 'MemTotal:        2000 kB\nMemFree:  5 kB\nMemAvailable:    1000 kB\nSwapTotal: 8 kB\n',
    'sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages': '3\n',
    'proc/loadavg': '0.00 0.01 0.05 1/321 4567\n',
    'proc/sys/kernel/pid_max': '32768\n',
    'proc/sys/kernel/threads-max': '1000\n',
    'proc/sys/kernel/random/boot_id': 'boot\n',
  };
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), text);
  }
  t.match(await readMachine(root), {
    ...{ machineId: 'abc', systemUuid: 'abc', bootId: 'boot', memoryBytes: 2_048_000 },
    osImage: 'Debian GNU/Linux 12 (bookworm)',
    ...{ swapBytes: 8192, processLimit: 1000, hugePages: [{ pageBytes: 2 * 1024 ** 2, count: 3 }] },
  });
  t.match(await readUsage(root, root), {
    memoryAvailableBytes: 1_024_000,
    processes: { limit: 1000, used: 321 },
    disk: { totalBytes: Number },
  });
  t.equal(osImageOf(''), 'Linux');
  t.equal(threadsOf(''), 0);
  t.equal(architectureOf('x64'), 'amd64');
  await rm(root, { recursive: true });
});

t.test('conditions', async (t) => {
  const before: NodeCondition[] = [
    { type: 'NetworkUnavailable', status: 'False' },
    { type: 'Ready', status: 'True', lastTransitionTime: '2025-01-01T00:00:00Z' },
  ];
  const ready = conditionsOf(before, facts);
  t.same(
    ready.map(({ type, status }) => `${type}=${status}`),
    [
      'NetworkUnavailable=False',
      'MemoryPressure=False',
      'DiskPressure=False',
      'PIDPressure=False',
      'Ready=True',
    ],
  );
  t.match(findCondition(ready, 'Ready'), {
    reason: 'KubeletReady',
    message: 'kubelet is posting ready status',
    lastTransitionTime: '2025-01-01T00:00:00Z',
    lastHeartbeatTime: '2026-01-01T00:00:10Z',
  });
  const broken = conditionsOf(before, {
    ...facts,
    runtimeError: 'no answer',
    checks: [{ name: 'pod-network', healthy: () => ({ ok: false, reason: 'no range' }) }],
  });
  t.match(findCondition(broken, 'Ready'), {
    status: 'False',
    reason: 'KubeletNotReady',
    message:
      '[container runtime is down: no answer, container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady message:no range]',
    lastTransitionTime: '2026-01-01T00:00:10Z',
  });
});

t.test('the object', async (t) => {
  const node = newNode(options, machine);
  t.match(node.metadata.labels, {
    'kubernetes.io/hostname': 'node-a',
    'kubernetes.io/arch': 'amd64',
    zone: 'x',
  });
  t.same(
    node.spec?.taints?.map(({ key }) => key),
    ['gpu', 'node.kubernetes.io/not-ready'],
  );
  const image = (index: number): ImageState => ({
    ...{ id: `i${index}`, sizeBytes: index, repoDigests: ['<none>@<none>'] },
    repoTags: index === 60 ? [] : [`image:${index}`],
  });
  const images = Array.from({ length: 61 }, (_, index) => image(index));
  const status = nodeStatusOf(options, {}, { ...facts, runtime: { ...facts.runtime, images } });
  t.match(status, {
    capacity: { cpu: '4', memory: '2Gi', pods: '110', 'ephemeral-storage': '100Gi' },
    allocatable: { cpu: '4', memory: '1948Mi', 'ephemeral-storage': String(90 * gi) },
    addresses: [
      { type: 'InternalIP', address: '192.168.1.10' },
      { type: 'Hostname', address: 'node-a' },
    ],
    nodeInfo: { containerRuntimeVersion: 'docker://20.10.24', kubeletVersion: /^v1\.36\.4\+wherry/ },
    daemonEndpoints: { kubeletEndpoint: { Port: 10250 } },
  });
  t.equal(status.images?.length, 50);
  t.same(status.images?.[0], { names: ['image:59'], sizeBytes: 59 }, 'the biggest that has a name');
  t.ok(
    saysTheSame(
      status,
      nodeStatusOf(options, status, { ...facts, now: new Date(), runtime: { ...facts.runtime, images } }),
    ),
  );
  t.notOk(saysTheSame(status, nodeStatusOf(options, status, facts)));
});

const emptyInfo = {
  ...{ machineID: '', systemUUID: '', bootID: '', kernelVersion: '', osImage: '', architecture: '' },
  ...{ containerRuntimeVersion: '', kubeletVersion: '', kubeProxyVersion: '', operatingSystem: '' },
};

async function startNode(existing?: Node) {
  const clock = createFakeClock();
  const client = createFakeClient();
  if (existing) client.seed(nodeType, existing);
  const informer = createInformer({ client, type: nodeType, clock, log: silentLogger });
  const state = {
    runtimeError: '',
    networkError: 'no range yet',
    addresses: ['192.168.1.10'],
    pressures: new Set<Pressure>(),
    isFrozen: false,
  };
  const events: string[] = [];
  const component = createNodeComponent({
    ...{
      client,
      options,
      nodes: informer,
      clock,
      log: silentLogger,
      dataDirectory: '/tmp',
    },
    address: createNodeAddress({
      ip: '192.168.1.10',
      isFixed: false,
      find: async () => '192.168.1.11',
      hostAddresses: () => state.addresses,
      log: silentLogger,
    }),
    recorder: { event: (object, _type, reason) => events.push(`${object.metadata.name} ${reason}`) },
    runtime: {
      async version() {
        if (state.isFrozen) await new Promise<never>(() => undefined);
        if (state.runtimeError !== '') throw new Error(state.runtimeError);
        const { features } = new FakeRuntime();
        return {
          name: 'docker',
          version: '20.10',
          apiVersion: '1.41',
          cgroupDriver: 'cgroupfs' as const,
          features,
        };
      },
      listImages: async () => [],
    },
    checks: [
      { name: 'pod-network', healthy: () => ({ ok: state.networkError === '', reason: state.networkError }) },
    ],
    pressures: () => state.pressures,
    host: {
      machine: async () => machine,
      usage: async () => usage,
    },
  });
  const { signal } = new AbortController();
  await informer.start(signal);
  await component.start(signal);
  await clock.advance(500);
  t.teardown(async () => {
    await component.stop();
    await informer.stop();
  });
  const get = () => client.get(nodeType, { name: 'node-a' });
  const ready = async () => findCondition((await get()).status?.conditions, 'Ready');
  const statusWrites = () => client.writes.filter((call) => call.subresource === 'status').length;
  return { clock, client, component, state, get, ready, statusWrites, events };
}

t.test('registers, reports, becomes ready, and is quiet', async (t) => {
  const { clock, client, component, state, get, ready, statusWrites } = await startNode();
  t.equal(component.healthy().ok, true);
  t.match(await get(), { metadata: { labels: { zone: 'x' } }, status: { capacity: { cpu: '4' } } });
  t.match(await ready(), { status: 'False', message: /NetworkReady=false.*no range yet/ });
  state.networkError = '';
  await clock.advance(1_000);
  t.match(await ready(), { status: 'True', reason: 'KubeletReady' });
  const written = statusWrites();
  await clock.advance(60_000);
  t.equal(statusWrites(), written, 'nothing changed, nothing is written');
  await clock.advance(300_000);
  t.equal(statusWrites(), written + 1, 'but every five minutes');
  const lease = await client.get(leases, { namespace: 'kube-node-lease', name: 'node-a' });
  t.match(lease, {
    metadata: { ownerReferences: [{ kind: 'Node', name: 'node-a', uid: (await get()).metadata.uid }] },
    spec: { holderIdentity: 'node-a', leaseDurationSeconds: 40 },
  });
  t.ok(clock.now().getTime() - Date.parse(lease.spec?.renewTime ?? '') <= 10_000, 'the lease is renewed');
});

t.test('a runtime that is down makes the node not ready; pressures are told', async (t) => {
  const { clock, state, ready, get } = await startNode();
  state.networkError = '';
  await clock.advance(1_000);
  state.runtimeError = 'cannot connect';
  state.pressures = new Set(['MemoryPressure']);
  await clock.advance(10_000);
  t.match(await ready(), { status: 'False', message: 'container runtime is down: cannot connect' });
  const pressure = async () => findCondition((await get()).status?.conditions, 'MemoryPressure')?.status;
  t.equal(await pressure(), 'True');
  state.runtimeError = '';
  state.pressures = new Set();
  await clock.advance(11_000);
  t.match(await ready(), { status: 'True' });
  t.equal(await pressure(), 'False');
});

t.test('a runtime that hangs is down within seconds, and the heartbeat goes on', async (t) => {
  const { clock, client, state, ready, events } = await startNode();
  state.networkError = '';
  await clock.advance(1_000);
  t.match(await ready(), { status: 'True' });
  state.isFrozen = true;
  await clock.advance(20_500);
  t.match(await ready(), {
    status: 'False',
    message: /container runtime is down: it did not answer within 10 s/,
  });
  await clock.advance(60_000);
  const { spec } = await client.get(leases, { namespace: 'kube-node-lease', name: 'node-a' });
  t.ok(clock.now().getTime() - Date.parse(spec?.renewTime ?? '') <= 10_000, 'the lease is renewed');
  t.match(events.slice(-2), ['node-a NodeReady', 'node-a NodeNotReady']);
});

t.test('what is kept back: said and enforced', async (t) => {
  const kept = {
    ...options,
    systemReserved: { cpu: '500m', memory: '256Mi', 'ephemeral-storage': '1Gi', pid: '1000' },
    kubeReserved: { cpu: '250m', memory: '256Mi' },
  };
  const host = { ...machine, hugePages: [{ pageBytes: 2 * 1024 ** 2, count: 64 }] };
  t.strictSame(capacityOf(host, 100 * gi, kept), {
    ...{ cpu: '4', memory: '2Gi', pods: '110', 'ephemeral-storage': '100Gi', 'hugepages-2Mi': '128Mi' },
  });
  t.strictSame(allocatableOf(host, 100 * gi, kept), {
    cpu: '3250m',
    memory: `${2048 - 512 - 100 - 128}Mi`,
    'ephemeral-storage': String(89 * gi),
    'hugepages-2Mi': '128Mi',
    pods: '110',
  });
  t.strictSame(enforcedLimits(host, kept), {
    ...{ cpuShares: 3328, memoryBytes: 1.5 * gi, pidsLimit: 31_768 },
  });
  t.strictSame(enforcedLimits(host, { ...kept, enforceNodeAllocatable: [] }), {
    ...{ cpuShares: 4096, memoryBytes: 2 * gi, pidsLimit: 32_768 },
  });
  requireReservable(host, kept);
  t.throws(() => requireReservable(host, { ...kept, kubeReserved: { cpu: '4' } }), /keep back all cpu/);
});

t.test('a kernel that refuses the limit of all pods is asked again, and it is told', async (t) => {
  const clock = createFakeClock();
  const reasons: string[] = [];
  let failures = 1;
  const component = createEnforcement({
    ...{ nodeName: 'node-a', limits: { memoryBytes: 1 }, clock, log: silentLogger },
    recorder: { event: (_object, _type, reason) => reasons.push(reason) },
    async limitAll() {
      if (failures > 0) {
        failures -= 1;
        throw new Error('busy');
      }
    },
  });
  await component.start(new AbortController().signal);
  await clock.advance(61_000);
  await component.stop();
  t.strictSame(reasons, ['FailedNodeAllocatableEnforcement', 'NodeAllocatableEnforced']);
});

t.test('what the runtime can, and swap', async (t) => {
  const features = {
    ...{ imageVolumes: true, recursiveReadOnly: true, userNamespaces: false, strictSupplementalGroups: true },
    ...{ runtimeHandlers: ['runc', 'kata'], seccomp: true, appArmor: false },
  };
  const image = { id: 'i', sizeBytes: 1, repoDigests: [], repoTags: ['docker.io/wherry/sandbox:1'] };
  const status = nodeStatusOf(
    options,
    {},
    {
      ...facts,
      machine: { ...machine, swapBytes: 4096 },
      runtime: { ...facts.runtime, features, images: [image] },
    },
  );
  t.match(status, {
    features: { supplementalGroupsPolicy: true },
    runtimeHandlers: [
      { name: '', features: { recursiveReadOnlyMounts: true, userNamespaces: false } },
      { name: 'kata' },
      { name: 'runc' },
    ],
    nodeInfo: { swap: { capacity: 4096 } },
    images: [],
  });
});

t.test('an address that a flag names stays', async (t) => {
  const address = createNodeAddress({
    ...{ ip: '192.0.2.1', isFixed: true, log: silentLogger, hostAddresses: () => [] },
    find: async () => '192.0.2.2',
  });
  t.equal(await address.look(), '192.0.2.1');
});

t.test('an existing node is adopted', async (t) => {
  const { get, events } = await startNode({
    metadata: { name: 'node-a', labels: { mine: '1' } },
    spec: { podCIDR: '10.244.3.0/24', unschedulable: true },
    status: {
      conditions: [{ type: 'Custom', status: 'True' }],
      nodeInfo: { ...emptyInfo, bootID: 'another' },
    },
  });
  t.equal(events[0], 'node-a Rebooted');
  const node = await get();
  t.match(node.metadata.labels, { mine: '1', 'kubernetes.io/hostname': 'node-a' });
  t.match(node.spec, { podCIDR: '10.244.3.0/24', unschedulable: true });
  t.equal(findCondition(node.status?.conditions, 'Custom')?.status, 'True', "others' conditions are kept");
});

t.test('resources that somebody else advertises can be allocated, until they go', async (t) => {
  const { clock, client, get } = await startNode();
  const advertise = async (value: string | null): Promise<void> => {
    const body = { status: { capacity: { 'example.com/dongle': value } } };
    await client.patch(nodeType, { name: 'node-a' }, { type: 'merge', body }, { subresource: 'status' });
    await clock.advance(20_000);
  };
  await advertise('4');
  const status = (await get()).status;
  t.equal(status?.allocatable?.['example.com/dongle'], '4');
  t.equal(status?.capacity?.['example.com/dongle'], '4');
  await advertise(null);
  t.notOk('example.com/dongle' in ((await get()).status?.allocatable ?? {}));
  t.notOk('example.com/dongle' in ((await get()).status?.capacity ?? {}));
});

t.test('a deleted node comes back; a verdict of the master is answered', async (t) => {
  const { clock, client, state, get, ready } = await startNode();
  state.networkError = '';
  await clock.advance(1_000);
  const first = await get();
  await client.delete(nodeType, { name: 'node-a' });
  await clock.advance(1_000);
  t.not((await get()).metadata.uid, first.metadata.uid);
  t.match(await ready(), { status: 'True' });
  const current = await get();
  const conditions = current.status?.conditions?.map((condition) => ({ ...condition, status: 'Unknown' }));
  await client.patch(
    nodeType,
    { name: 'node-a' },
    { type: 'merge', body: { status: { conditions } } },
    { subresource: 'status' },
  );
  await clock.advance(1_000);
  t.match(await ready(), { status: 'True' }, 'at once, not with the next look');
});

t.test('a master that is away is waited for; a new address is noticed', async (t) => {
  const { clock, client, component, state, get } = await startNode();
  state.addresses = ['192.168.1.11'];
  client.failNext((call) => call.subresource === 'status', new ApiError('ServiceUnavailable', 'away'), 3);
  await clock.advance(1_000);
  t.match(component.healthy(), { ok: false, reason: 'away' });
  await clock.advance(20_000);
  t.equal(component.healthy().ok, true);
  t.match((await get()).status?.addresses, [{ type: 'InternalIP', address: '192.168.1.11' }]);
});
