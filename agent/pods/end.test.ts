import t from 'tap';
import type { Pod, PodStatus } from '../../src/api/types.js';
import { pod as build } from '../../src/testing/builders.js';
import type { PodEnd } from './needs.js';
import { createHarness, type Harness } from './testing/harness.js';

const web = (name = 'web', spec: Partial<NonNullable<Pod['spec']>> = {}): Pod =>
  build(name, {
    node: 'node-1',
    spec: { containers: [{ name: 'app', image: 'app:1', command: ['stubborn'] }], ...spec },
  });

const eviction: PodEnd = {
  reason: 'Evicted',
  message: 'The node was low on resource: memory.',
  graceSeconds: 5,
  disruption: { reason: 'TerminationByKubelet', message: 'The node was low on resource: memory.' },
};

const statusOf = async (h: Harness, name = 'web'): Promise<PodStatus> => (await h.pod(name))?.status ?? {};
const conditionOf = async (h: Harness, type: string) =>
  (await statusOf(h)).conditions?.find((condition) => condition.type === type);

async function running(t: Parameters<typeof createHarness>[0]): Promise<Harness> {
  const h = await createHarness(t);
  h.runtime.programs.set('stubborn', () => new Promise(() => undefined));
  await h.start();
  await h.create(web());
  await h.until('ready', async () => (await conditionOf(h, 'Ready'))?.status === 'True');
  return h;
}

t.test('a pod that the node ends gets its grace, then is Failed with the reason', async (t) => {
  const h = await running(t);
  const uid = (await h.pod())?.metadata.uid ?? '';
  h.pods().end(uid, eviction);
  await h.until('told', async () => (await conditionOf(h, 'DisruptionTarget')) !== undefined);
  t.match(await conditionOf(h, 'DisruptionTarget'), { status: 'True', reason: 'TerminationByKubelet' });
  t.match(await conditionOf(h, 'Ready'), { status: 'False', reason: 'PodFailed' });
  t.equal((await statusOf(h)).phase, 'Running', 'not over while its container runs');
  h.pods().end(uid, { reason: 'Other', message: 'later', graceSeconds: 0 });
  await h.clock.advance(4_900);
  t.equal((await h.runtime.listContainers())[0]?.state, 'running');
  t.equal(h.pods().hasLeft(uid), false);
  await h.clock.advance(200);
  await h.until('failed', async () => (await statusOf(h)).phase === 'Failed');
  const status = await statusOf(h);
  t.match(status, { reason: 'Evicted', message: 'The node was low on resource: memory.' });
  t.match(status.containerStatuses, [{ ready: false, state: { terminated: { exitCode: 137 } } }]);
  await h.until('network down', () => h.networks.size === 0);
  await h.until('volumes given back', () => h.pods().hasLeft(uid));
  t.equal((await h.runtime.listContainers()).length, 1, 'kept for its logs');
  await h.remove('web');
  await h.until('gone', async () => (await h.pod()) === undefined);
});

t.test('the end holds when the agent dies before the container does', async (t) => {
  const h = await running(t);
  h.pods().end((await h.pod())?.metadata.uid ?? '', eviction);
  await h.until('killing', () => h.runtime.calls.some(([call]) => call === 'stopContainer'));
  const [container] = await h.runtime.listContainers();
  await h.restart();
  h.runtime.exit(container?.id ?? '', 0);
  await h.until('failed', async () => (await statusOf(h)).phase === 'Failed');
  t.match(await statusOf(h), { reason: 'Evicted' });
  t.equal((await h.runtime.listContainers()).length, 1, 'nothing was started again');
  await h.restart();
  await h.clock.advance(60_000);
  t.match(await statusOf(h), { phase: 'Failed', reason: 'Evicted' });
});

t.test('a pod that the node does not take is Failed and nothing of it is made', async (t) => {
  const h = await createHarness(t);
  const asked: string[][] = [];
  h.runtime.programs.set('stubborn', () => new Promise(() => undefined));
  h.options.admit = (pod, active) => {
    asked.push([pod.metadata.name ?? '', ...active.map(({ metadata }) => metadata.name ?? '')]);
    return pod.metadata.name === 'big' ? { reason: 'OutOfcpu', message: 'Node has too little' } : undefined;
  };
  await h.start();
  await h.create(web());
  await h.until('ready', async () => (await conditionOf(h, 'Ready'))?.status === 'True');
  await h.create(web('big'));
  await h.until('failed', async () => (await statusOf(h, 'big')).phase === 'Failed');
  t.match(await statusOf(h, 'big'), { reason: 'OutOfcpu', message: 'Pod was rejected: Node has too little' });
  t.notOk((await statusOf(h, 'big')).containerStatuses, 'no container was even planned');
  t.same(asked, [['web'], ['big', 'web']]);
  t.match(h.events.join('\n'), /OutOfcpu: Node has too little/);
  t.equal((await h.runtime.listSandboxes()).length, 1);
  await h.restart();
  await h.clock.advance(1000);
  t.same(asked.length, 2, 'what runs and what was refused is not asked again');
  await h.remove('big');
  await h.until('gone', async () => (await h.pod('big')) === undefined);
});
