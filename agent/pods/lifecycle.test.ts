import t from 'tap';
import type { Container, ContainerStatus, Pod } from '../../src/api/types.js';
import { createFakeClock } from '../../src/testing/clock.js';
import { shareOfWords } from './lastwords.js';
import type { PodVolumes } from './needs.js';
import { nothingObserved, type Observed } from './observed.js';
import { PodRecord } from './record.js';
import { toPodStatus } from './status.js';
import { app, container, now, plan, podOf, seen } from './testing/plan.js';
import { createVolumeJobs } from './volumejobs.js';

const init: Container = { name: 'init', image: 'app:1' };
const side = (name: string): Container => ({ name, image: 'app:1', restartPolicy: 'Always' });
const rule = (operator: string, values: number[], action = 'Restart') => ({
  action,
  exitCodes: { operator, values },
});
const never = { restartPolicy: 'Never' };
const deleted = { deletionTimestamp: '2026-01-01T00:59:50Z', deletionGracePeriodSeconds: 5 };
const with1 = (spec: Container, more: Partial<NonNullable<Pod['spec']>> = {}): Pod =>
  podOf({ containers: [spec], ...more });
const hooked: Container = { ...app, lifecycle: { postStart: { exec: { command: ['x'] } } } };
const b: Container = { name: 'b', image: 'app:1' };

const ownPolicy: Container = { ...app, restartPolicy: 'OnFailure' };
const ruled: Container = { ...app, restartPolicy: 'Never', restartPolicyRules: [rule('In', [42])] };
const notIn: Container = { ...app, restartPolicy: 'Never', restartPolicyRules: [rule('NotIn', [0, 1])] };
const failing: Container = { ...init, restartPolicy: 'OnFailure' };
const ruledInit: Container = { ...init, restartPolicy: 'Never', restartPolicyRules: [rule('In', [3])] };
const all: Container = {
  ...app,
  restartPolicy: 'Never',
  restartPolicyRules: [rule('In', [9], 'RestartAllContainers')],
};
const allPod = podOf({ initContainers: [init, side('s')], containers: [all, b], restartPolicy: 'Never' });
const s = side('s');
const anew = { earlierRun: { init: 0, s: 0, app: 0, b: 0 } };

const table: [name: string, pod: Pod, observed: Observed, steps: string[]][] = [
  [
    "its own policy goes before the pod's",
    with1(ownPolicy, never),
    seen([container({ spec: ownPolicy, exit: 1 })]),
    ['start app 1 next 10'],
  ],
  [
    'its own policy: done is done',
    with1(ownPolicy),
    seen([container({ spec: ownPolicy, exit: 0 })]),
    ['stopSandbox s0'],
  ],
  [
    'a rule that matches restarts',
    with1(ruled),
    seen([container({ spec: ruled, exit: 42 })]),
    ['start app 1 next 10'],
  ],
  [
    'no rule matches: the own policy',
    with1(ruled),
    seen([container({ spec: ruled, exit: 41 })]),
    ['stopSandbox s0'],
  ],
  ['NotIn', with1(notIn), seen([container({ spec: notIn, exit: 2 })]), ['start app 1 next 10']],
  ['NotIn, listed', with1(notIn), seen([container({ spec: notIn, exit: 1 })]), ['stopSandbox s0']],
  [
    'an init container with a policy of its own',
    podOf({ ...never, initContainers: [failing] }),
    seen([container({ spec: failing, exit: 1 })]),
    ['start init 1 next 10'],
  ],
  [
    'an init container that may not fail',
    podOf({ initContainers: [{ ...init, restartPolicy: 'Never' }] }),
    seen([container({ spec: init, exit: 1 })]),
    ['stopSandbox s0'],
  ],
  [
    'an init container with a rule',
    podOf({ initContainers: [ruledInit] }),
    seen([container({ spec: ruledInit, exit: 3 })]),
    ['start init 1 next 10'],
  ],
  [
    'all anew: first it is written down',
    allPod,
    seen([
      container({ spec: init, exit: 0 }),
      container({ spec: s }),
      container({ spec: all, exit: 9 }),
      container({ spec: b }),
    ]),
    ['begin {"init":0,"s":0,"app":0,"b":0}'],
  ],
  [
    'all anew: then what runs is killed',
    allPod,
    seen(
      [
        container({ spec: init, exit: 0 }),
        container({ spec: s }),
        container({ spec: all, exit: 9 }),
        container({ spec: b }),
      ],
      anew,
    ),
    ['kill s0 30', 'kill b0 30'],
  ],
  [
    'all anew: then it begins with the first init container',
    allPod,
    seen(
      [
        container({ spec: init, exit: 0 }),
        container({ spec: s, exit: 143 }),
        container({ spec: all, exit: 9 }),
        container({ spec: b, exit: 143 }),
      ],
      anew,
    ),
    ['start init 1 next 10'],
  ],
  [
    'all anew: then the next ones',
    allPod,
    seen(
      [
        container({ spec: init, exit: 0, attempt: 1 }),
        container({ spec: s, exit: 143 }),
        container({ spec: all, exit: 9 }),
        container({ spec: b, exit: 143 }),
      ],
      anew,
    ),
    ['start s 1 next 10'],
  ],
  [
    'all anew: the exit of the earlier run asks for nothing any more',
    allPod,
    seen(
      [
        container({ spec: init, exit: 0, attempt: 1 }),
        container({ spec: s, attempt: 1 }),
        container({ spec: all, exit: 9 }),
        container({ spec: b, exit: 143 }),
      ],
      anew,
    ),
    ['start app 1 next 10', 'start b 1 next 10'],
  ],
  [
    'a hook keeps the next ones waiting',
    podOf({ containers: [hooked, b] }),
    seen([container()], { hooking: new Set(['app0']) }),
    [],
  ],
  [
    'when it is done they start',
    podOf({ containers: [hooked, b] }),
    seen([container()]),
    ['start b 0 next 0'],
  ],
  [
    'a new pod with a hook starts with that container',
    podOf({ containers: [hooked, b] }),
    nothingObserved,
    ['sandbox 0 with app'],
  ],
  [
    'a sidecar with a hook is not started before it is done',
    podOf({ initContainers: [s, init] }),
    seen([container({ spec: s })], { hooking: new Set(['s0']) }),
    [],
  ],
  ['while volumes are made nothing starts', podOf(), seen([], { isMounting: true }), []],
  [
    'sidecars get what is left of the grace',
    podOf({ initContainers: [side('s'), side('z')] }, { ...deleted, deletionGracePeriodSeconds: 30 }),
    seen([container({ spec: side('s') }), container({ spec: side('z') })], { endingForMs: 12_000 }),
    ['kill z0 18'],
  ],
  [
    'and never less than two seconds',
    podOf({ initContainers: [side('s')] }, { ...deleted, deletionGracePeriodSeconds: 30 }),
    seen([container({ spec: side('s') })], { endingForMs: 31_000 }),
    ['kill s0 2'],
  ],
  [
    'a container the runtime lost: the count goes on',
    podOf({}, {}, { containerStatuses: [{ ...reported('app'), restartCount: 3 }] }),
    seen([]),
    ['start app 4 next 0'],
  ],
  [
    'an obstacle far ahead (the clock was set back) is none',
    podOf(),
    seen([], {
      obstacles: new Map([
        ['app', { reason: 'x', message: '', retryAt: new Date(now.getTime() + 3_600_000) }],
      ]),
    }),
    ['start app 0 next 0'],
  ],
  [
    'an end in the future (the clock was set back) waits no longer than its back-off',
    podOf(),
    seen([container({ exit: 1, ended: -3600, backoffMs: 10_000 })], {
      endedForMs: new Map([['app0', 4000]]),
    }),
    ['wake 6'],
  ],
];

function reported(name: string): ContainerStatus {
  return {
    name,
    ready: true,
    restartCount: 0,
    image: 'app:1',
    imageID: 'sha256:1',
    containerID: 'docker://gone',
    state: { running: { startedAt: '2026-01-01T00:00:00Z' } },
  };
}

for (const [name, pod, observed, steps] of table)
  t.test(name, async (t) => t.same(plan(pod, observed), steps));

const node = { runtimeName: 'docker', hostIPs: ['192.0.2.1'], qosClassOf: () => 'BestEffort' };
const statusOf = (pod: Pod, observed: Observed) => toPodStatus(pod, observed, node, now);

t.test('what is told', async (t) => {
  t.match(statusOf(with1(ruled, never), seen([container({ spec: ruled, exit: 42, backoffMs: 10_000 })])), {
    phase: 'Running',
    containerStatuses: [{ state: { waiting: { reason: 'CrashLoopBackOff' } } }],
  });
  t.match(
    statusOf(
      podOf({ initContainers: [{ ...init, restartPolicy: 'Never' }] }),
      seen([container({ spec: init, exit: 1 })]),
    ),
    { phase: 'Failed' },
  );
  const hooking = statusOf(with1(hooked), seen([container()], { hooking: new Set(['app0']) }));
  t.match(hooking.containerStatuses, [
    { ready: false, started: false, state: { waiting: { reason: 'ContainerCreating' } } },
  ]);
  const lost = podOf({}, {}, { phase: 'Running', containerStatuses: [reported('app')] });
  t.match(statusOf(lost, seen([])).containerStatuses, [
    {
      restartCount: 1,
      state: { waiting: {} },
      lastState: { terminated: { reason: 'ContainerStatusUnknown', exitCode: 137 } },
    },
  ]);
  const dying = podOf({}, deleted, { phase: 'Running', containerStatuses: [reported('app')] });
  t.match(statusOf(dying, seen([])).containerStatuses, [
    { state: { terminated: { reason: 'ContainerStatusUnknown' } } },
  ]);
  t.same(
    statusOf(dying, nothingObserved).containerStatuses,
    [reported('app')],
    'all is cleared away: as it was',
  );
  const withSide = podOf({ ...never, initContainers: [side('s')] });
  t.equal(
    statusOf(withSide, seen([container({ spec: side('s') }), container({ exit: 0 })])).phase,
    'Running',
  );
  t.equal(
    statusOf(withSide, seen([container({ spec: side('s'), exit: 1 }), container({ exit: 0 })])).phase,
    'Succeeded',
    'a sidecar fails no pod',
  );
  const generation = podOf({}, { generation: 4 });
  t.match(statusOf(generation, seen([container()])), {
    observedGeneration: 4,
    conditions: [{ observedGeneration: 4 }],
  });
  const restarting = statusOf(allPod, seen([container({ spec: b })], anew)).conditions?.find(
    ({ type }) => type === 'AllContainersRestarting',
  );
  t.match(restarting, { status: 'True' });
});

t.test('termination messages share what a pod may say', async (t) => {
  t.equal(shareOfWords('x'.repeat(5000), 1).length, 5000);
  t.equal(shareOfWords('x'.repeat(5000), 4).length, 3072);
  t.equal(Buffer.byteLength(shareOfWords('ä'.repeat(4096), 5)), 2456, 'whole characters');
});

t.test('a slow volume holds up nobody', async (t) => {
  const clock = createFakeClock();
  const enqueued: string[] = [];
  const record = new PodRecord('u1', clock);
  let finish = (): void => undefined;
  const tornDown: boolean[] = [];
  const volumes: PodVolumes = {
    prepare: (_pod, signal) =>
      new Promise((resolve, reject) => {
        finish = resolve;
        signal.addEventListener('abort', () => reject(signal.reason));
      }),
    mountsOf: async () => [],
    tearDown: async () => void tornDown.push(true),
  };
  const enqueue = (uid: string): void => void enqueued.push(uid);
  const jobs = createVolumeJobs(volumes, { clock, recordOf: () => record, enqueue });
  const { signal } = new AbortController();
  const rejected = t.rejects(jobs.prepare(podOf(), signal), { name: 'StillMounting' });
  await clock.advance(3000);
  await rejected;
  t.ok(record.isMounting);
  finish();
  await clock.advance(1);
  t.same([record.isMounting, enqueued], [false, ['u1']]);
  const next = jobs.prepare(podOf(), signal);
  finish();
  await next;
  t.notOk(record.isMounting);
  const cut = t.rejects(jobs.prepare(podOf(), signal), /the pod is gone/);
  await jobs.tearDown('u1');
  await cut;
  t.same(tornDown, [true]);
});

t.test('how long ago a container ended does not follow the clock of the host', async (t) => {
  const clock = createFakeClock();
  const record = new PodRecord('u1', clock);
  const running = container();
  record.mirror([], [running]);
  record.observed();
  await clock.advance(2000);
  const finishedAt = clock.now();
  clock.jump(3_600_000);
  await clock.advance(1000);
  record.mirror([], [{ ...running, state: 'exited', exitCode: 1, finishedAt }]);
  t.equal(record.observed().endedForMs.get(running.id), 3000, 'not before it was last seen alive');

  const ahead = { ...container({ spec: b }), finishedAt: new Date(clock.now().getTime() + 3_600_000) };
  record.mirror([], [{ ...ahead, state: 'exited', exitCode: 1 }]);
  t.equal(record.observed().endedForMs.get(ahead.id), 0, 'nor in the future');
});
