import t from 'tap';
import type { Pod } from '../../src/api/types.js';
import { pod as build } from '../../src/testing/builders.js';
import { RuntimeError, type RuntimeEvent } from '../runtime/runtime.js';
import { createHarness, type Harness } from './testing/harness.js';

const web = (spec: Partial<NonNullable<Pod['spec']>> = {}): Pod =>
  build('web', {
    node: 'node-1',
    spec: { containers: [{ name: 'app', image: 'app:1' }], ...spec },
  });

const isReady = async (h: Harness): Promise<boolean> =>
  (await h.pod())?.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') ??
  false;

const appState = async (h: Harness) => (await h.pod())?.status?.containerStatuses?.[0];

t.test('a pod starts, is reported ready, and goes when it is deleted', async (t) => {
  const h = await createHarness(t);
  await h.start();
  await h.create(web());
  await h.until('ready', () => isReady(h));
  const status = (await h.pod())?.status;
  t.match(status, { phase: 'Running', podIP: '10.244.0.2', hostIP: '192.0.2.1', startTime: /2026/ });
  t.match(await appState(h), { ready: true, started: true, restartCount: 0, state: { running: {} } });
  t.same(
    h.runtime.calls.map(([call]) => call).filter((call) => call !== 'ensureSandboxImage'),
    ['createSandbox', 'createContainer', 'startSandbox', 'startContainer'].sort(
      (a, b) =>
        h.runtime.calls.findIndex(([call]) => call === a) - h.runtime.calls.findIndex(([call]) => call === b),
    ),
    'no call is made twice',
  );
  t.match(h.events.join('\n'), /Created: Created container: app\nStarted: Started container app/);

  await h.remove('web');
  await h.until('the object is gone', async () => (await h.pod()) === undefined);
  t.same(await h.runtime.listContainers(), []);
  t.same(await h.runtime.listSandboxes(), []);
  t.equal(h.networks.size, 0);
  t.match(h.events.join('\n'), /Killing: Stopping container app/);
});

t.test('a container that fails is restarted with back-off, also after the agent restarted', async (t) => {
  const h = await createHarness(t);
  await h.start();
  await h.create(web({ containers: [{ name: 'app', image: 'app:1', command: ['false'] }] }));
  await h.until('waits', async () => (await appState(h))?.state?.waiting?.reason === 'CrashLoopBackOff');
  t.match(await appState(h), {
    restartCount: 1,
    state: {
      waiting: {
        message: /^back-off 10s restarting failed container=app pod=web_default\([0-9a-f-]{36}\)$/,
      },
    },
    lastState: { terminated: { exitCode: 1, reason: 'Error' } },
  });
  await h.restart();
  await h.clock.advance(9_000);
  t.equal((await h.runtime.listContainers()).length, 2, 'not before its time');
  await h.clock.advance(1_100);
  await h.until('restarted', async () => (await appState(h))?.restartCount === 2);
  await h.until('waits longer', async () =>
    /back-off 20s/.test((await appState(h))?.state?.waiting?.message ?? ''),
  );
  t.equal((await h.runtime.listContainers()).length, 2, 'older attempts are removed');
});

t.test('a restarted agent leaves running containers alone', async (t) => {
  const h = await createHarness(t);
  await h.start();
  await h.create(web());
  await h.until('ready', () => isReady(h));
  const before = (await h.runtime.listContainers()).map(({ id }) => id);
  const calls = h.runtime.calls.length;
  await h.restart();
  await h.clock.advance(1000);
  t.same(
    (await h.runtime.listContainers()).map(({ id }) => id),
    before,
  );
  t.same(
    h.runtime.calls.slice(calls).map(([call]) => call),
    ['ensureSandboxImage'],
  );
  t.ok(await isReady(h));
});

t.test('a pod whose object vanished is ended with its grace', async (t) => {
  const h = await createHarness(t);
  await h.start();
  await h.create(
    web({
      terminationGracePeriodSeconds: 7,
      containers: [{ name: 'app', image: 'app:1', command: ['sleep'] }],
    }),
  );
  h.runtime.programs.set('sleep', () => new Promise(() => undefined));
  await h.until('made', async () => (await h.runtime.listContainers()).length > 0);
  await h.stop();
  await h.remove('web', 0);
  await h.start();
  await h.until('killing', () => h.runtime.calls.some(([call]) => call === 'stopContainer'));
  await h.clock.advance(6_900);
  t.equal((await h.runtime.listContainers())[0]?.state, 'running');
  await h.clock.advance(200);
  await h.until('gone', async () => (await h.runtime.listSandboxes()).length === 0);
  t.same(await h.runtime.listContainers(), []);
});

t.test('what is left of pods that are gone is given back once, however many go together', async (t) => {
  const h = await createHarness(t);
  const gone = ['a', 'b', 'c'];
  const givenBack: string[] = [];
  Object.assign(h.runtime, {
    async *events(signal: AbortSignal): AsyncGenerator<RuntimeEvent, void, undefined> {
      for (const podUid of gone) yield { type: 'pod', podUid };
      await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
    },
  });
  h.options = {
    cgroups: {
      parentOf: () => '',
      ensurePod: async () => undefined,
      removePod: async (uid) => void givenBack.push(uid),
      listPods: async () => [],
      resourcesOf: () => ({}),
    },
  };
  await h.start();
  await h.until('given back', () => gone.every((uid) => givenBack.includes(uid)));
  await h.create(web());
  await h.until('ready', () => isReady(h));
  t.same([...givenBack].sort(), gone);
});

t.test('init containers run one by one before the others', async (t) => {
  const h = await createHarness(t);
  await h.start();
  await h.create(
    web({
      initContainers: [
        { name: 'first', image: 'app:1', command: ['true'] },
        { name: 'second', image: 'app:1', command: ['true'] },
      ],
    }),
  );
  await h.until('ready', () => isReady(h));
  const starts = h.runtime.calls.flatMap(([call, subject]) =>
    call === 'startContainer' ? [subject.split('_')[1]] : [],
  );
  t.same(starts, ['first', 'second', 'app']);
  const inits = (await h.pod())?.status?.initContainerStatuses;
  t.match(inits, [{ ready: true, state: { terminated: { reason: 'Completed' } } }, { ready: true }]);
});

t.test('a pod that never restarts ends, keeps its containers and gives its sandbox back', async (t) => {
  const h = await createHarness(t);
  await h.start();
  await h.create(
    web({ restartPolicy: 'Never', containers: [{ name: 'app', image: 'app:1', command: ['exit', '3'] }] }),
  );
  await h.until('failed', async () => (await h.pod())?.status?.phase === 'Failed');
  await h.until('network down', () => h.networks.size === 0);
  t.match(await appState(h), { state: { terminated: { exitCode: 3, reason: 'Error' } }, restartCount: 0 });
  t.equal((await h.runtime.listContainers()).length, 1);
});

t.test('a sandbox that dies is replaced, and its containers with it', async (t) => {
  const h = await createHarness(t);
  await h.start();
  await h.create(web());
  await h.until('ready', () => isReady(h));
  const [sandbox] = await h.runtime.listSandboxes();
  h.runtime.exit(sandbox?.id ?? '', 137);
  await h.until('replaced', async () => {
    const [now] = await h.runtime.listSandboxes();
    return now?.state === 'running' && now.id !== sandbox?.id && (await appState(h))?.restartCount === 1;
  });
  await h.until('ready again', () => isReady(h));
  t.equal((await h.runtime.listSandboxes()).length, 1);
});

t.test('a pod whose time is up ends, and an event says why', async (t) => {
  const h = await createHarness(t);
  await h.start();
  await h.create(web({ activeDeadlineSeconds: 5, terminationGracePeriodSeconds: 1 }));
  await h.until('ready', () => isReady(h));
  await h.clock.advance(6_000);
  await h.until('failed', async () => (await h.pod())?.status?.reason === 'DeadlineExceeded');
  await h.restart();
  await h.clock.advance(60_000);
  t.equal(
    h.events.filter((line) => line.includes('DeadlineExceeded: Pod was active on the node longer')).length,
    1,
  );
});

t.test('an image that cannot be had is reported and tried again', async (t) => {
  const h = await createHarness(t);
  await h.start();
  await h.create(web({ containers: [{ name: 'app', image: 'missing:1' }] }));
  await h.until('reported', async () => (await appState(h))?.state?.waiting?.reason === 'ErrImagePull');
  h.runtime.images.add('missing:1');
  await h.clock.advance(10_000);
  await h.until('ready', () => isReady(h));
});

t.test('without the API pods run on and restart; the status catches up', async (t) => {
  const h = await createHarness(t);
  await h.start();
  await h.create(web());
  await h.until('ready', () => isReady(h));
  const away = new Error('connection refused');
  h.client.failNext(({ verb }) => verb === 'patch', away, 3);
  const [container] = await h.runtime.listContainers();
  h.runtime.exit(container?.id ?? '', 1);
  await h.until('restarted', async () =>
    (await h.runtime.listContainers()).some(({ state }) => state === 'running'),
  );
  await h.clock.advance(5_000);
  await h.until('reported', async () => (await appState(h))?.restartCount === 1);
});

/** The life of one pod; the agent dies after the n-th call to the runtime that changes something, for every n. */
t.test('dying at every step converges without duplicates', async (t) => {
  for (let step = 1; step <= 14; step += 1) {
    const h = await createHarness(t);
    let left = step;
    let isDead = false;
    h.runtime.before = (call) => {
      if (/^(list|inspect|version|events)/.test(call)) return;
      if (isDead) throw new RuntimeError('unavailable', 'this process is dead');
      left -= 1;
      if (left === 0) isDead = true;
    };
    await h.start().catch(() => undefined);
    await h.create(web({ initContainers: [{ name: 'init', image: 'app:1', command: ['true'] }] }));
    for (let turn = 0; turn < 300; turn += 1) await new Promise((resolve) => setImmediate(resolve));
    h.runtime.before = () => undefined;
    await h.restart();
    await h.until(`ready after death at step ${step}`, () => isReady(h));
    const running = (await h.runtime.listContainers()).filter(({ state }) => state === 'running');
    t.equal(running.length, 1, `one container runs after death at step ${step}`);
    t.equal((await h.runtime.listSandboxes()).length, 1, `one sandbox after death at step ${step}`);
    await h.remove('web');
    await h.until('gone', async () => (await h.pod()) === undefined);
    t.same(await h.runtime.listSandboxes(), []);
    await h.stop();
  }
});
