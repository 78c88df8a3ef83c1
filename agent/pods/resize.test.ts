import t from 'tap';
import { pods as podType } from '../../src/api/kinds.js';
import type { Container, Pod, PodStatus, ResourceRequirements } from '../../src/api/types.js';
import { pod as build } from '../../src/testing/builders.js';
import type { PodCgroups } from './needs.js';
import { decideResize } from './resize.js';
import { largerOf } from './resources.js';
import { createHarness, type Harness } from './testing/harness.js';

const resources = (cpu: string, memory: string, limit = memory): ResourceRequirements => ({
  requests: { cpu, memory },
  limits: { cpu, memory: limit },
});
const app = (of: ResourceRequirements, more: Partial<Container> = {}): Container => ({
  name: 'app',
  image: 'app:1',
  resources: of,
  ...more,
});
const web = (container: Container, name = 'web', meta = {}): Pod =>
  build(name, { node: 'node-1', meta, spec: { containers: [container] } });

t.test('what the node can give', async (t) => {
  const node = { cpu: '2', memory: '1Gi' };
  const other = web(app(resources('500m', '512Mi')), 'other');
  t.equal(decideResize(web(app(resources('1', '512Mi'))), [other], node), undefined);
  t.strictSame(decideResize(web(app(resources('1', '600Mi'))), [other], node), {
    reason: 'Deferred',
    message: `Node didn't have enough resource: memory, requested: ${600 * 2 ** 20}, used: ${2 ** 29}, capacity: ${2 ** 30}`,
  });
  t.strictSame(decideResize(web(app(resources('3', '1Mi'))), [], node), {
    reason: 'Infeasible',
    message: "Node didn't have enough capacity: cpu, requested: 3000, capacity: 2000",
  });
  const fixed = web(app(resources('1', '1Mi')), 'web', {
    annotations: { 'kubernetes.io/config.source': 'file' },
  });
  t.match(decideResize(fixed, [], node), { reason: 'Infeasible' });
  t.same(largerOf(resources('1', '2Gi'), resources('500m', '3Gi')), resources('1', '3Gi'));
});

const statusOf = async (h: Harness, name = 'web'): Promise<PodStatus> => (await h.pod(name))?.status ?? {};
const conditionOf = async (h: Harness, type: string, name = 'web') =>
  (await statusOf(h, name)).conditions?.find((condition) => condition.type === type);

interface World extends Harness {
  /** Memory limits of the pod's cgroup, each time they were set. */
  limits: string[];
  failCgroup: string | undefined;
}

async function world(t: Parameters<typeof createHarness>[0], pods: readonly Pod[]): Promise<World> {
  const h = await createHarness(t);
  const world: World = Object.assign(h, { limits: [], failCgroup: undefined });
  const cgroups: PodCgroups = {
    parentOf: () => '/kubepods/x',
    ensurePod: async (pod) => {
      if (world.failCgroup) throw new Error(world.failCgroup);
      world.limits.push(pod.spec?.containers[0]?.resources?.limits?.['memory'] ?? '');
    },
    removePod: async () => undefined,
    listPods: async () => [],
    resourcesOf: (_pod, { resources }) => ({
      cpuShares: Number.parseInt(resources?.requests?.['cpu'] ?? '0', 10),
    }),
  };
  h.options.cgroups = cgroups;
  h.options.allocatable = () => ({ cpu: '4', memory: '4Gi' });
  h.runtime.programs.set(
    'run',
    (call) => new Promise((resolve) => call.signal.addEventListener('abort', () => resolve(0))),
  );
  await h.start();
  for (const pod of pods) await h.create(pod);
  for (const { metadata } of pods)
    await h.until('ready', async () => (await conditionOf(h, 'Ready', metadata.name))?.status === 'True');
  return world;
}

async function resize(h: Harness, to: ResourceRequirements, name = 'web'): Promise<void> {
  const body = [{ op: 'replace', path: '/spec/containers/0/resources', value: to }];
  await h.client.patch(podType, { namespace: 'default', name }, { type: 'json', body });
}

const run = { command: ['run'] };
const ids = async (h: Harness): Promise<string[]> => (await h.runtime.listContainers()).map(({ id }) => id);
const told = async (h: Harness, name = 'web') => (await statusOf(h, name)).containerStatuses?.[0];

t.test('more and less, without a restart; a new agent knows what was given', async (t) => {
  const h = await world(t, [web(app(resources('1', '1Gi'), run))]);
  const before = await ids(h);
  t.match(await told(h), { allocatedResources: { cpu: '1' }, resources: resources('1', '1Gi') });
  h.limits.length = 0;
  await resize(h, resources('2', '2Gi'));
  await h.until('told', async () => (await told(h))?.resources?.limits?.['memory'] === '2Gi');
  t.same(h.limits, ['2Gi', '2Gi']);
  t.match(await told(h), { allocatedResources: { cpu: '2', memory: '2Gi' }, restartCount: 0 });
  await h.until('settled', async () => (await conditionOf(h, 'PodResizeInProgress')) === undefined);
  h.limits.length = 0;
  await resize(h, resources('2', '512Mi'));
  await h.until('told', async () => (await told(h))?.resources?.limits?.['memory'] === '512Mi');
  t.same(h.limits, ['2Gi', '512Mi'], 'the cgroup of the pod goes down last');
  t.same(await ids(h), before);
  t.match(h.events.join('\n'), /ResizeStarted: .*\nResizeCompleted: Pod resize completed: \{"containers"/);
  await h.stop();
  await resize(h, resources('3', '512Mi'));
  const updates = () => h.runtime.calls.filter(([call]) => call === 'updateContainer').length;
  const seen = updates();
  await h.start();
  await h.until('told', async () => (await told(h))?.resources?.limits?.['cpu'] === '3');
  t.ok(updates() > seen);
  t.same(await ids(h), before);
});

t.test('a container whose policy asks for it is restarted', async (t) => {
  const resizePolicy = [{ resourceName: 'memory', restartPolicy: 'RestartContainer' }];
  const h = await world(t, [web(app(resources('1', '1Gi'), { ...run, resizePolicy }))]);
  await resize(h, resources('2', '1Gi'));
  await h.until('told', async () => (await told(h))?.resources?.limits?.['cpu'] === '2');
  t.equal((await told(h))?.restartCount, 0, 'cpu needs none');
  await resize(h, resources('2', '2Gi'));
  await h.until(
    'restarted',
    async () => (await told(h))?.restartCount === 1 && (await told(h))?.ready === true,
  );
  t.match(await told(h), { resources: resources('2', '2Gi') });
  t.match(h.events.join('\n'), /Killing: Container app resize requires restart/);
});

t.test('what the node does not have', async (t) => {
  const big = web(app(resources('3', '1Gi'), run), 'big');
  const h = await world(t, [web(app(resources('1', '1Gi'), run)), big]);
  await resize(h, resources('8', '1Gi'));
  await h.until(
    'infeasible',
    async () => (await conditionOf(h, 'PodResizePending'))?.reason === 'Infeasible',
  );
  await resize(h, resources('2', '1Gi'));
  await h.until('deferred', async () => (await conditionOf(h, 'PodResizePending'))?.reason === 'Deferred');
  t.match(await told(h), { allocatedResources: { cpu: '1' }, resources: resources('1', '1Gi') });
  t.match(h.events.join('\n'), /ResizeInfeasible: .*\nResizeDeferred: /);
  await h.remove('big', 0);
  await h.until('given', async () => (await told(h))?.resources?.limits?.['cpu'] === '2');
  await h.until('nothing pends', async () => (await conditionOf(h, 'PodResizePending')) === undefined);
});

t.test('a resize that fails is told and tried again', async (t) => {
  const h = await world(t, [web(app(resources('1', '1Gi'), run))]);
  h.failCgroup = 'Device or resource busy';
  await resize(h, resources('1', '2Gi'));
  await h.until('told', async () => (await conditionOf(h, 'PodResizeInProgress'))?.reason === 'Error');
  t.match(await conditionOf(h, 'PodResizeInProgress'), {
    status: 'True',
    message: 'Device or resource busy',
  });
  t.match(await told(h), { allocatedResources: { memory: '2Gi' }, resources: resources('1', '1Gi') });
  h.failCgroup = undefined;
  await h.clock.advance(10_000);
  await h.until('done', async () => (await told(h))?.resources?.limits?.['memory'] === '2Gi');
  await h.until('settled', async () => (await conditionOf(h, 'PodResizeInProgress')) === undefined);
  await resize(h, resources('1', '512Ki'));
  await h.until('refused', async () =>
    /bytes in use/.test((await conditionOf(h, 'PodResizeInProgress'))?.message ?? ''),
  );
});
