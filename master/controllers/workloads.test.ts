import fc from 'fast-check';
import t from 'tap';
import { selectorOf } from '../../src/api/selectors.js';
import type { Deployment, Pod, ReplicaSet } from '../../src/api/types.js';
import { deployment, ownedBy, pod, replicaSet } from '../../src/testing/builders.js';
import { planClaims } from './claims.js';
import { plan, type Step } from './deploymentplan.js';
import { limitsOf, replicasOf, scaledSizes, sum } from './deploymentscale.js';
import { isComplete, planStatus, stuckInMs } from './deploymentstatus.js';
import { annotationsOfNew, findNew, newReplicaSet, templateHash } from './deploymenttemplate.js';
import { deletionOrder, planStatus as planReplicaStatus, plan as planReplicas } from './replicasetplan.js';

const now = new Date('2026-01-01T01:00:00Z');
const named = (pods: readonly Pod[]): (string | undefined)[] => pods.map((one) => one.metadata.name);

void t.test('pods to delete first', (t) => {
  const at = (minutes: number): string => new Date(now.getTime() - minutes * 60_000).toISOString();
  const cost = (value: string) => ({ annotations: { 'controller.kubernetes.io/pod-deletion-cost': value } });
  const restarted = { containerStatuses: [{ name: 'main', restartCount: 3 }] } as NonNullable<Pod['status']>;
  const cases: [string, Pod, Pod][] = [
    ['not assigned', pod('b'), pod('a', { node: 'n' })],
    ['pending', pod('b', { node: 'n' }), pod('a', { node: 'n', ready: false })],
    ['not ready', pod('b', { node: 'n', ready: false }), pod('a', { node: 'n', ready: true })],
    ['cheaper', pod('b', { node: 'n', ready: true, meta: cost('-1') }), pod('a', { node: 'n', ready: true })],
    ['on a crowded node', pod('b', { node: 'full', ready: true }), pod('a', { node: 'n', ready: true })],
    [
      'ready for a shorter time',
      pod('b', { node: 'n', ready: true, readySince: at(1) }),
      pod('a', { node: 'n', ready: true, readySince: at(50) }),
    ],
    [
      'restarted',
      pod('b', { node: 'n', ready: true, status: { ...pod('x', { ready: true }).status, ...restarted } }),
      pod('a', { node: 'n', ready: true }),
    ],
    [
      'younger',
      pod('b', { node: 'n', ready: true, meta: { creationTimestamp: at(1) } }),
      pod('a', { node: 'n', ready: true, meta: { creationTimestamp: at(50) } }),
    ],
  ];
  const crowd = [pod('x', { node: 'full' }), pod('y', { node: 'full' }), pod('z', { node: 'n' })];
  for (const [why, first, second] of cases) {
    t.strictSame(named(deletionOrder([second, first], crowd, now)), ['b', 'a'], why);
  }
  t.end();
});

void t.test('a replica set makes what is missing and counts what is there', (t) => {
  const owner = replicaSet('web', { replicas: 3, spec: { minReadySeconds: 30 }, meta: { generation: 2 } });
  const leaving = pod('gone', { meta: { deletionTimestamp: 'x' }, ready: true });
  const ended = pod('ended', { status: { phase: 'Failed' } });
  const readyNow = pod('a', {
    labels: { app: 'web' },
    ready: true,
    readySince: new Date(now.getTime() - 10_000).toISOString(),
  });
  const readyLong = pod('b', { labels: { app: 'web' }, ready: true });
  t.match(planReplicas(owner, [leaving, ended, readyNow], [], now), { create: 2, delete: [] });
  t.match(
    planReplicas({ ...owner, spec: { ...owner.spec, replicas: 0 } } as ReplicaSet, [readyNow], [], now),
    { create: 0, delete: [{}] },
  );
  t.equal(planReplicas(replicaSet('web', { replicas: 10_000 }), [], [], now).create, 500, 'in bursts');
  const { status, nextAvailableMs } = planReplicaStatus(
    owner,
    [leaving, readyNow, readyLong, pod('c')],
    undefined,
    now,
  );
  t.match(status, {
    replicas: 3,
    fullyLabeledReplicas: 2,
    readyReplicas: 2,
    availableReplicas: 1,
    observedGeneration: 2,
  });
  t.equal(nextAvailableMs, 20_000);
  t.end();
});

void t.test('claims: adopt what matches, release what does not, leave what belongs to others', (t) => {
  const owner = replicaSet('web', { meta: { uid: 'mine' } });
  const labels = { app: 'web' };
  const stranger = replicaSet('x', { meta: { uid: 'other' } });
  const candidates = [
    ownedBy(pod('owned', { labels }), owner),
    ownedBy(pod('released'), owner),
    pod('adopted', { labels }),
    pod('unrelated'),
    ownedBy(pod('foreign', { labels }), stranger),
    pod('leaving', { labels, meta: { deletionTimestamp: 'x' } }),
  ];
  const selector = selectorOf(owner.spec?.selector);
  const { owned, adopt, release } = planClaims(owner, selector, candidates);
  t.strictSame([named(owned), named(adopt), named(release)], [['owned'], ['adopted'], ['released']]);
  const dying = planClaims(
    { ...owner, metadata: { ...owner.metadata, deletionTimestamp: 'x' } },
    selector,
    candidates,
  );
  t.equal(dying.adopt.length + dying.release.length, 0);
  t.end();
});

/** A replica set of the Deployment: `fresh` runs its template, others an older one. */
function setOf(
  owner: Deployment,
  name: string,
  size: number,
  more: {
    available?: number;
    fresh?: boolean;
    max?: number;
    desired?: number;
    age?: string;
    revision?: number;
  } = {},
): ReplicaSet {
  const { available = size, fresh = false, max, desired = 10, age = '2026-01-01T00:00:00Z', revision } = more;
  const template = fresh
    ? owner.spec?.template
    : { ...owner.spec?.template, spec: { containers: [{ name: 'main', image: `old-${name}` }] } };
  const annotations = {
    'deployment.kubernetes.io/desired-replicas': String(owner.spec?.replicas),
    ...(max !== undefined && {
      'deployment.kubernetes.io/max-replicas': String(max),
      'deployment.kubernetes.io/desired-replicas': String(desired),
    }),
    ...(revision !== undefined && { 'deployment.kubernetes.io/revision': String(revision) }),
  };
  return replicaSet(name, {
    replicas: size,
    meta: { uid: name, annotations, creationTimestamp: age, generation: 1 },
    spec: { template },
    status: { replicas: size, availableReplicas: available, readyReplicas: available, observedGeneration: 1 },
  });
}

const moves = (steps: readonly Step[]): string[] =>
  steps.flatMap((step) =>
    step.do === 'resize' && step.from !== step.to
      ? [`${step.replicaSet.metadata.name} ${step.from}->${step.to}`]
      : step.do === 'create'
        ? [`create ${step.replicaSet.spec?.replicas}`]
        : step.do === 'delete'
          ? [`delete ${step.replicaSet.metadata.name}`]
          : [],
  );
const rolling = (maxSurge: number | string, maxUnavailable: number | string) => ({
  type: 'RollingUpdate',
  rollingUpdate: { maxSurge, maxUnavailable },
});
/** Later passes: annotations of the new set are as they should be. */
const settledPlan = (owner: Deployment, sets: readonly ReplicaSet[]): string[] => {
  const fresh = findNew(owner, sets);
  const first = plan(owner, sets, () => []).steps.find((step) => step.do === 'annotate');
  const next = first?.do === 'annotate' ? sets.map((one) => (one === fresh ? first.replicaSet : one)) : sets;
  return moves(plan(owner, next, () => []).steps);
};

void t.test('rolling update: never above surge, never below what must be available', (t) => {
  const cases: [
    string,
    { surge: number | string; unavailable: number | string },
    (d: Deployment) => ReplicaSet[],
    string[],
  ][] = [
    ['first template', { surge: 1, unavailable: 0 }, () => [], ['create 10']],
    [
      'begins with what surge allows',
      { surge: 3, unavailable: 0 },
      (d) => [setOf(d, 'old', 10)],
      ['create 3'],
    ],
    [
      'percentages round up for surge',
      { surge: '25%', unavailable: '25%' },
      (d) => [setOf(d, 'old', 10)],
      ['create 3'],
    ],
    [
      'unavailable rounds down',
      { surge: 0, unavailable: '25%' },
      (d) => [setOf(d, 'old', 10), setOf(d, 'new', 0, { fresh: true })],
      ['old 10->8'],
    ],
    [
      'both zero still moves',
      { surge: 0, unavailable: 0 },
      (d) => [setOf(d, 'old', 10), setOf(d, 'new', 0, { fresh: true })],
      ['old 10->9'],
    ],
    [
      'waits for the new to be available',
      { surge: 3, unavailable: 0 },
      (d) => [setOf(d, 'old', 10), setOf(d, 'new', 3, { fresh: true, available: 0 })],
      [],
    ],
    [
      'then takes as many of the old',
      { surge: 3, unavailable: 0 },
      (d) => [setOf(d, 'old', 10), setOf(d, 'new', 3, { fresh: true })],
      ['old 10->7'],
    ],
    [
      'grows into the room',
      { surge: 3, unavailable: 0 },
      (d) => [setOf(d, 'old', 7), setOf(d, 'new', 3, { fresh: true })],
      ['new 3->6'],
    ],
    [
      'the broken of the old go first',
      { surge: 2, unavailable: 2 },
      (d) => [setOf(d, 'old', 8, { available: 5 }), setOf(d, 'new', 4, { fresh: true, available: 0 })],
      [],
    ],
    [
      'broken old ones free room at once',
      { surge: 0, unavailable: 2 },
      (d) => [setOf(d, 'old', 10, { available: 6 }), setOf(d, 'new', 0, { fresh: true })],
      ['old 10->8'],
    ],
    [
      'done',
      { surge: 3, unavailable: 0 },
      (d) => [setOf(d, 'old', 0), setOf(d, 'new', 10, { fresh: true })],
      [],
    ],
  ];
  for (const [why, { surge, unavailable }, sets, expected] of cases) {
    const owner = deployment('web', { replicas: 10, spec: { strategy: rolling(surge, unavailable) } });
    t.strictSame(settledPlan(owner, sets(owner)), expected, why);
  }
  t.end();
});

void t.test('Recreate waits for every old pod; pause freezes the template; history is cut', (t) => {
  const owner = deployment('web', { replicas: 3, spec: { strategy: { type: 'Recreate' } } });
  t.strictSame(moves(plan(owner, [setOf(owner, 'old', 3)], () => []).steps), ['old 3->0']);
  t.strictSame(moves(plan(owner, [setOf(owner, 'old', 0)], () => [pod('still', { ready: true })]).steps), []);
  t.strictSame(moves(plan(owner, [setOf(owner, 'old', 0)], () => []).steps), ['create 3']);

  const paused = deployment('web', { replicas: 5, spec: { paused: true } });
  t.strictSame(
    moves(plan(paused, [setOf(paused, 'old', 3)], () => []).steps),
    ['old 3->5'],
    'scales, but does not roll',
  );

  const huge = setOf(paused, 'huge', 1);
  huge.metadata.annotations = { 'deployment.kubernetes.io/revision': '3546343826724305832' };
  t.match(
    annotationsOfNew(paused, undefined, [huge]),
    { 'deployment.kubernetes.io/revision': '3546343826724305833' },
    'revisions are int64',
  );

  const keep = deployment('web', { replicas: 1, spec: { revisionHistoryLimit: 2 } });
  const sets = [
    setOf(keep, 'new', 1, { fresh: true, revision: 5, max: 2, desired: 1 }),
    ...[1, 2, 3, 4].map((revision) => setOf(keep, `r${revision}`, 0, { revision })),
  ];
  t.strictSame(
    settledPlan(
      { ...keep, metadata: { ...keep.metadata, annotations: { 'deployment.kubernetes.io/revision': '5' } } },
      sets,
    ),
    ['delete r1', 'delete r2'],
  );
  t.end();
});

void t.test('scaling in the middle of a rollout is shared in proportion', (t) => {
  const strategy = rolling(3, 2);
  const up = deployment('web', { replicas: 15, spec: { strategy } });
  const sets = (d: Deployment) =>
    [setOf(d, 'new', 5, { fresh: true, max: 13 }), setOf(d, 'old', 8, { max: 13 })] as const;
  const [fresh, old] = sets(up);
  t.strictSame(
    [...scaledSizes(up, fresh, [old])].sort(),
    [
      ['new', 7],
      ['old', 11],
    ],
    'the example of the documentation',
  );
  const down = deployment('web', { replicas: 5, spec: { strategy } });
  const after = scaledSizes(down, sets(down)[0], [sets(down)[1]]);
  t.equal(sum([...after.values()]), 8);
  const none = deployment('web', { replicas: 0, spec: { strategy } });
  t.equal(sum([...scaledSizes(none, sets(none)[0], [sets(none)[1]]).values()]), 0);
  t.end();
});

void t.test('a rollout that is simulated keeps its promises and ends', (t) => {
  const amount = fc.oneof(
    fc.integer({ min: 0, max: 5 }),
    fc.integer({ min: 0, max: 100 }).map((n) => `${n}%`),
  );
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 12 }),
      amount,
      amount,
      fc.integer({ min: 1, max: 3 }),
      (replicas, surge, unavailable, pace) => {
        const owner = deployment('web', { replicas, spec: { strategy: rolling(surge, unavailable) } });
        const { maxSurge, maxUnavailable } = limitsOf(owner);
        let sets = [setOf(owner, 'old', replicas)];
        for (let pass = 0; pass < 200; pass++) {
          for (const step of plan(owner, sets, () => []).steps) {
            if (step.do === 'create')
              sets.push({ ...step.replicaSet, status: { replicas: 0, availableReplicas: 0 } });
            if (step.do === 'resize' || step.do === 'annotate') {
              sets = sets.map((one) =>
                one.metadata.name === step.replicaSet.metadata.name ? step.replicaSet : one,
              );
            }
          }
          if (sum(sets.map(replicasOf)) > replicas + maxSurge) throw new Error('too many');
          sets = sets.map((one) => {
            const size = replicasOf(one);
            const available = Math.min(size, (one.status?.availableReplicas ?? 0) + pace);
            return { ...one, status: { replicas: size, availableReplicas: available } };
          });
          const available = sum(sets.map((one) => one.status?.availableReplicas ?? 0));
          if (available < replicas - maxUnavailable) throw new Error(`only ${available} available`);
        }
        const fresh = findNew(owner, sets);
        if (!fresh || replicasOf(fresh) !== replicas || sum(sets.map(replicasOf)) !== replicas)
          throw new Error('did not end');
      },
    ),
    { numRuns: 200 },
  );
  t.end();
});

void t.test('status tells progress, completion and being stuck', (t) => {
  const owner = deployment('web', {
    replicas: 2,
    meta: { generation: 3 },
    spec: { progressDeadlineSeconds: 60 },
  });
  const made = newReplicaSet(owner, 2, {});
  const begun = planStatus(owner, { fresh: made, all: [made], isNewlyMade: true }, now);
  t.match(begun, { observedGeneration: 3, replicas: 0, unavailableReplicas: 2 });
  const reason = (status: typeof begun): string | undefined =>
    status.conditions?.find((c) => c.type === 'Progressing')?.reason;
  t.equal(reason(begun), 'NewReplicaSetCreated');
  t.equal(stuckInMs(owner, begun, now), 60_000);

  const later = new Date(now.getTime() + 61_000);
  const stuck = planStatus(
    { ...owner, status: begun },
    { fresh: made, all: [made], isNewlyMade: false },
    later,
  );
  t.match(
    stuck.conditions?.find((c) => c.type === 'Progressing'),
    { status: 'False', reason: 'ProgressDeadlineExceeded' },
  );
  t.equal(stuckInMs(owner, stuck, later), undefined);

  const half = { ...made, status: { replicas: 2, readyReplicas: 1, availableReplicas: 1 } };
  t.equal(
    reason(planStatus({ ...owner, status: begun }, { fresh: half, all: [half], isNewlyMade: false }, later)),
    'ReplicaSetUpdated',
  );
  const full = { ...made, status: { replicas: 2, readyReplicas: 2, availableReplicas: 2 } };
  const done = planStatus(
    { ...owner, status: stuck },
    { fresh: full, all: [full], isNewlyMade: false },
    later,
  );
  t.equal(reason(done), 'NewReplicaSetAvailable');
  t.ok(isComplete(owner, done));
  t.strictSame(
    planStatus(
      { ...owner, status: done },
      { fresh: full, all: [full], isNewlyMade: false },
      new Date(later.getTime() + 5_000),
    ),
    done,
    'steady',
  );
  const paused = { ...owner, spec: { ...owner.spec, paused: true } } as Deployment;
  t.equal(
    reason(planStatus({ ...paused, status: begun }, { fresh: made, all: [made], isNewlyMade: false }, now)),
    'DeploymentPaused',
  );
  t.end();
});

void t.test('the hash depends on content, not on the order of keys', (t) => {
  const template = {
    metadata: { labels: { a: '1', b: '2' } },
    spec: { containers: [{ name: 'x', image: 'y' }] },
  };
  const turned = {
    spec: { containers: [{ image: 'y', name: 'x' }] },
    metadata: { labels: { b: '2', a: '1' } },
  };
  t.equal(templateHash(template, 0), templateHash(turned, 0));
  t.not(templateHash(template, 0), templateHash(template, 1));
  t.match(templateHash(template, 0), /^[bcdfghjklmnpqrstvwxz2456789]{1,10}$/);
  t.end();
});
