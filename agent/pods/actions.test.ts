import t from 'tap';
import type { Container, Pod } from '../../src/api/types.js';
import { computeActions } from './actions.js';
import { targetOf } from './ephemeral.js';
import { podLabels } from './names.js';
import { nothingObserved, type Observed, sandboxObstacle } from './observed.js';
import { toPodStatus } from './status.js';
import { app, before, container, now, plan, podOf, sandbox, seen } from './testing/plan.js';

const deleted = { deletionTimestamp: '2026-01-01T00:59:50Z', deletionGracePeriodSeconds: 5 };
const init: Container = { name: 'init', image: 'app:1' };
const side: Container = { name: 'side', image: 'app:1', restartPolicy: 'Always' };
const liveness: Container = { ...app, livenessProbe: { terminationGracePeriodSeconds: 3 } };
const startup: Container = { ...app, startupProbe: {} };
const two = { containers: [app, { name: 'b', image: 'app:1' }] };

const table: [name: string, pod: Pod, observed: Observed, steps: string[]][] = [
  ['a new pod gets sandbox and containers at once', podOf(two), nothingObserved, ['sandbox 0 with app+b']],
  ['init containers go first', podOf({ initContainers: [init] }), nothingObserved, ['sandbox 0 with init']],
  ['a running pod needs nothing', podOf(), seen([container()]), []],
  [
    'of sandboxes that would not start only the last one is kept',
    podOf(),
    seen([], { sandboxes: [sandbox('exited', 2), sandbox('exited', 1)], network: undefined }),
    ['removeSandbox s1'],
  ],
  [
    'a sandbox that would not start is tried again later',
    podOf(),
    seen([], {
      sandboxes: [sandbox('exited', 2)],
      network: undefined,
      obstacles: new Map([[sandboxObstacle, { reason: 'x', message: '', retryAt: before(-4) }]]),
    }),
    ['wake 4'],
  ],
  [
    'an adopted sandbox is asked for its network',
    podOf(),
    seen([container()], { network: undefined }),
    ['setUpNetwork s0'],
  ],
  [
    'a half-made container is removed first',
    podOf(),
    seen([container({ state: 'created' })]),
    ['remove app0'],
  ],
  [
    'a half-made sandbox is made anew',
    podOf(),
    seen([], { sandboxes: [sandbox('created')] }),
    ['removeSandbox s0'],
  ],
  [
    'a dead sandbox: its containers are killed',
    podOf(),
    seen([container()], { sandboxes: [sandbox('exited')] }),
    ['kill app0 30'],
  ],
  [
    'then it is replaced',
    podOf(),
    seen([container({ exit: 137 })], { sandboxes: [sandbox('exited')] }),
    ['sandbox 1 with app'],
  ],
  [
    'then it is removed',
    podOf(),
    seen([container({ sandboxId: 's1' })], {
      sandboxes: [sandbox('exited'), sandbox('running', 1)],
      network: { sandboxId: 's1', ips: [] },
    }),
    ['removeSandbox s0'],
  ],
  [
    'the next init container waits for the one before',
    podOf({ initContainers: [init] }),
    seen([container({ spec: init })]),
    [],
  ],
  [
    'after the last init container the others start',
    podOf({ initContainers: [init] }),
    seen([container({ spec: init, exit: 0 })]),
    ['start app 0 next 0'],
  ],
  [
    'a failed init container is tried again',
    podOf({ initContainers: [init] }),
    seen([container({ spec: init, exit: 1 })]),
    ['start init 1 next 10'],
  ],
  [
    'a failed init container ends a pod that never restarts',
    podOf({ initContainers: [init], restartPolicy: 'Never' }),
    seen([container({ spec: init, exit: 1 })]),
    ['stopSandbox s0'],
  ],
  [
    'init containers do not run again beside running ones',
    podOf({ initContainers: [init] }),
    seen([container()]),
    [],
  ],
  [
    'a sidecar that runs lets the next one start',
    podOf({ initContainers: [side] }),
    seen([container({ spec: side })]),
    ['start app 0 next 0'],
  ],
  [
    'a sidecar is restarted whatever the policy',
    podOf({ initContainers: [side], restartPolicy: 'Never' }),
    seen([container({ spec: side, exit: 0 }), container()]),
    ['start side 1 next 10'],
  ],
  ['the first restart is immediate', podOf(), seen([container({ exit: 1 })]), ['start app 1 next 10']],
  [
    'the second waits ten seconds',
    podOf(),
    seen([container({ attempt: 1, exit: 1, ended: 4, backoffMs: 10_000 })]),
    ['wake 6'],
  ],
  [
    'then the wait doubles',
    podOf(),
    seen([container({ attempt: 1, exit: 1, ended: 11, backoffMs: 10_000 })]),
    ['start app 2 next 20'],
  ],
  [
    'up to five minutes',
    podOf(),
    seen([container({ attempt: 9, exit: 1, ended: 301, backoffMs: 300_000 })]),
    ['start app 10 next 300'],
  ],
  [
    'ten minutes of running forgive',
    podOf(),
    seen([container({ attempt: 9, exit: 1, ran: 600, backoffMs: 300_000 })]),
    ['start app 10 next 10'],
  ],
  [
    'one that could not start counts as failed',
    podOf({ restartPolicy: 'OnFailure' }),
    seen([container({ exit: 127, error: 'not found' })]),
    ['start app 1 next 10'],
  ],
  [
    'OnFailure leaves success alone',
    podOf({ restartPolicy: 'OnFailure', ...two }),
    seen([container({ exit: 0 }), container({ spec: two.containers[1] ?? app })]),
    [],
  ],
  [
    'OnFailure restarts failure',
    podOf({ restartPolicy: 'OnFailure' }),
    seen([container({ exit: 2 })]),
    ['start app 1 next 10'],
  ],
  [
    'Never: the pod ends',
    podOf({ restartPolicy: 'Never' }),
    seen([container({ exit: 2 })]),
    ['stopSandbox s0'],
  ],
  [
    'Never: sidecars end with it',
    podOf({ restartPolicy: 'Never', initContainers: [side] }),
    seen([container({ exit: 0 }), container({ spec: side })]),
    ['kill side0 30'],
  ],
  [
    'a pod that ended keeps its containers',
    podOf({ restartPolicy: 'Never' }),
    seen([container({ exit: 0 })], { sandboxes: [sandbox('exited')] }),
    [],
  ],
  [
    'another image: kill',
    podOf({ containers: [{ ...app, image: 'app:2' }] }),
    seen([container()]),
    ['kill app0 30'],
  ],
  [
    'another image: start at once, whatever the policy',
    podOf({ restartPolicy: 'Never', containers: [{ ...app, image: 'app:2' }] }),
    seen([container({ exit: 0, backoffMs: 300_000 })]),
    ['start app 1 next 10'],
  ],
  [
    'failed liveness kills with the grace of the probe',
    podOf({ containers: [liveness] }),
    seen([container()], { health: new Map([['app0', { failed: 'liveness' }]]) }),
    ['kill app0 3'],
  ],
  [
    'failed startup kills',
    podOf({ containers: [startup] }),
    seen([container()], { health: new Map([['app0', { failed: 'startup' }]]) }),
    ['kill app0 30'],
  ],
  [
    'a kill under way is not repeated',
    podOf({ containers: [liveness] }),
    seen([container()], {
      health: new Map([['app0', { failed: 'liveness' }]]),
      killing: new Map([['app0', now]]),
    }),
    [],
  ],
  [
    'an obstacle is waited for',
    podOf(),
    seen([], { obstacles: new Map([['app', { reason: 'x', message: '', retryAt: before(-9) }]]) }),
    ['wake 9'],
  ],
  ['a pull is waited for', podOf(), seen([], { pulling: new Set(['app']) }), []],
  ['deleted: killed with its grace', podOf({}, deleted), seen([container()]), ['kill app0 5']],
  [
    'deleted: a shorter grace is applied to the kill under way',
    podOf({}, deleted),
    seen([container()], { killing: new Map([['app0', before(-20)]]) }),
    ['kill app0 5'],
  ],
  [
    'deleted: a kill under way goes on',
    podOf({}, deleted),
    seen([container()], { killing: new Map([['app0', before(-4)]]) }),
    [],
  ],
  [
    'deleted: sidecars come last',
    podOf({ initContainers: [side] }, deleted),
    seen([container(), container({ spec: side })]),
    ['kill app0 5'],
  ],
  [
    'deleted: then the sandbox is removed with what was in it',
    podOf({}, deleted),
    seen([container({ exit: 0 })]),
    ['removeSandbox s0'],
  ],
  [
    'deleted without grace: removed at once, running or not',
    podOf({}, { ...deleted, deletionGracePeriodSeconds: 0 }),
    seen([container()]),
    ['removeSandbox s0'],
  ],
  [
    'deleted without grace, but somebody waits for its last status: killed first',
    podOf(
      {},
      { ...deleted, deletionGracePeriodSeconds: 0, finalizers: ['batch.kubernetes.io/job-tracking'] },
    ),
    seen([container()]),
    ['kill app0 0'],
  ],
  [
    'deleted: containers without a sandbox are removed by themselves',
    podOf({}, deleted),
    seen([container({ exit: 0 })], { sandboxes: [] }),
    ['remove app0'],
  ],
  [
    'deleted: then the sandbox is removed, running or not',
    podOf({}, deleted),
    seen([], { sandboxes: [sandbox(), sandbox('exited')] }),
    ['removeSandbox s0', 'removeSandbox s0'],
  ],
  ['deleted: then all is given back', podOf({}, deleted), nothingObserved, ['finish']],
  [
    'the deadline is waited for',
    podOf({ activeDeadlineSeconds: 60 }, {}, { startTime: '2026-01-01T00:59:30Z' }),
    seen([container()]),
    ['wake 30'],
  ],
  [
    'the deadline ends the pod',
    podOf({ activeDeadlineSeconds: 10 }, {}, { startTime: '2026-01-01T00:59:30Z' }),
    seen([container()]),
    ['kill app0 30'],
  ],
  [
    'only two attempts are kept',
    podOf(),
    seen([0, 1, 2].map((attempt) => container({ attempt, ...(attempt < 2 && { exit: 1 }) }))),
    ['remove app0'],
  ],
];

for (const [name, pod, observed, steps] of table)
  t.test(name, async (t) => t.same(plan(pod, observed), steps));

t.test('the back-off is a label, so it survives the agent', async (t) => {
  t.equal(container({ backoffMs: 20_000 }).labels[podLabels.backoffMs], '20000');
});

const node = { runtimeName: 'docker', hostIPs: ['192.0.2.1'], qosClassOf: () => 'BestEffort' };

t.test('status', async (t) => {
  const status = (pod: Pod, observed: Observed) => toPodStatus(pod, observed, node, now);
  t.match(status(podOf(), nothingObserved), {
    phase: 'Pending',
    containerStatuses: [{ state: { waiting: { reason: 'ContainerCreating' } } }],
  });
  t.match(status(podOf({ initContainers: [init] }), seen([])), {
    phase: 'Pending',
    containerStatuses: [{ state: { waiting: { reason: 'PodInitializing' } } }],
    conditions: [
      { status: 'True' },
      { type: 'Initialized', status: 'False', message: 'containers with incomplete status: [init]' },
    ],
  });
  const oom = { ...container({ exit: 137 }), oomKilled: true };
  t.match(status(podOf({ restartPolicy: 'Never' }), seen([oom])), {
    phase: 'Failed',
    containerStatuses: [{ state: { terminated: { reason: 'OOMKilled', exitCode: 137 } } }],
  });
  t.match(status(podOf({ restartPolicy: 'Never' }), seen([container({ exit: 0 })])), {
    phase: 'Succeeded',
    conditions: [{}, { reason: 'PodCompleted' }, { type: 'Ready', status: 'False', reason: 'PodCompleted' }],
  });
  t.match(status(podOf(), seen([container({ exit: 127, error: 'no such file' })])), {
    phase: 'Running',
    containerStatuses: [
      {
        state: { waiting: { reason: 'RunContainerError', message: 'no such file' } },
        lastState: { terminated: { reason: 'StartError', message: 'no such file', exitCode: 127 } },
      },
    ],
  });
  const gated = podOf({ readinessGates: [{ conditionType: 'lb' }] });
  t.match(
    status(gated, seen([container()])).conditions?.find(({ type }) => type === 'Ready'),
    {
      status: 'False',
      reason: 'ReadinessGatesNotReady',
      message: 'corresponding condition of pod readiness gate "lb" does not exist.',
    },
  );
  const late = podOf({ activeDeadlineSeconds: 10 }, {}, { startTime: '2026-01-01T00:59:30Z' });
  t.match(status(late, seen([container()])), {
    phase: 'Running',
    conditions: [{}, {}, { reason: 'PodFailed' }],
  });
  t.match(status(late, seen([container({ exit: 137 })])), { phase: 'Failed', reason: 'DeadlineExceeded' });
  t.equal(status(podOf({}, deleted), seen([container({ exit: 0 })])).phase, 'Succeeded');
  const steady = podOf();
  const first = status(steady, seen([container()]));
  const again = toPodStatus(
    { ...steady, status: first },
    seen([container()]),
    node,
    new Date(now.getTime() + 5000),
  );
  t.same(again, first, 'nothing changes while nothing changes');
});

t.test('ephemeral containers: started once, beside the others, never again', async (t) => {
  const debug = { name: 'debug', image: 'busybox', targetContainerName: 'app' };
  const pod = podOf({ ephemeralContainers: [debug] });
  const starts = (pod: Pod, observed: Observed): string[] =>
    computeActions(pod, observed, now).flatMap((step) =>
      step.do === 'startContainer' ? [step.container] : [],
    );
  t.strictSame(starts(pod, seen([container()])), ['debug']);
  t.strictSame(starts(pod, seen([])), ['app'], 'not before the container whose processes it is to see');
  t.strictSame(starts(podOf({ ephemeralContainers: [{ name: 'debug', image: 'x' }] }), seen([])), [
    'debug',
    'app',
  ]);
  t.strictSame(starts(pod, seen([container(), container({ spec: debug })])), []);
  const over = seen([container(), container({ spec: debug, exit: 1, ended: 3600 })]);
  t.strictSame(computeActions(pod, over, now), []);

  const node = { runtimeName: 'docker', hostIPs: ['192.0.2.1'], qosClassOf: () => 'BestEffort' };
  const statusOf = (pod: Pod, observed: Observed): NonNullable<Pod['status']> =>
    toPodStatus(pod, observed, node, now);
  t.match(statusOf(pod, seen([container()])).ephemeralContainerStatuses, [
    { name: 'debug', state: { waiting: { reason: 'ContainerCreating' } }, ready: false },
  ]);
  const status = statusOf(pod, over);
  t.match(status, {
    phase: 'Running',
    ephemeralContainerStatuses: [
      { name: 'debug', state: { terminated: { exitCode: 1 } }, ready: false, restartCount: 0 },
    ],
  });
  const forgotten = podOf({ ephemeralContainers: [debug] }, {}, status);
  t.strictSame(starts(forgotten, seen([container()])), [], 'its container went with a sandbox');
  t.strictSame(
    statusOf(forgotten, seen([container()])).ephemeralContainerStatuses,
    status.ephemeralContainerStatuses,
  );
  t.equal(targetOf(pod, 'debug', seen([container()])), 'app0');
  t.equal(targetOf(pod, 'app', seen([container()])), undefined);
  t.throws(() => targetOf(pod, 'debug', seen([])), /unable to find target container "app"/);
});
