import t from 'tap';
import { ApiError } from '../../src/api/errors.js';
import type { Pod, PodDisruptionBudget } from '../../src/api/types.js';
import { createFakeClock } from '../../src/testing/clock.js';
import type { RequestContext } from './registry.js';
import { causesOf, contextOf, createTestRegistry } from './testing.js';

const context = contextOf();
const { registry, rowOf } = await createTestRegistry({ clock: createFakeClock() });
const pods = rowOf('pods');
const budgets = rowOf('poddisruptionbudgets');
const at = (name: string) => ({ namespace: 'default', name });

async function podNamed(name: string, status: object = {}, labels: object = { app: name }): Promise<Pod> {
  const spec = { containers: [{ name: 'main', image: 'nginx' }], nodeName: 'n' };
  await registry.create(pods, 'default', { metadata: { name, labels }, spec }, context);
  const ready = [{ type: 'Ready', status: 'True' }];
  const body = { status: { phase: 'Running', conditions: ready, ...status } };
  return (await registry.patch(pods, at(name), { type: 'merge', body }, context, 'status')).object as Pod;
}

async function budgetFor(name: string, status: object, spec: object = {}): Promise<void> {
  const selector = { matchLabels: { app: name } };
  await registry.create(budgets, 'default', { metadata: { name }, spec: { selector, ...spec } }, context);
  const body = { status: { observedGeneration: 1, ...status } };
  await registry.patch(budgets, at(name), { type: 'merge', body }, context, 'status');
}

const evict = (name: string, more: object = {}, how: RequestContext = context) =>
  registry.post(
    pods,
    at(name),
    'eviction',
    { apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name }, ...more },
    how,
  );
const podAt = async (name: string): Promise<Pod> =>
  (await registry.get(pods, at(name), context)).object as Pod;
const budgetAt = async (name: string): Promise<PodDisruptionBudget> =>
  (await registry.get(budgets, at(name), context)).object as PodDisruptionBudget;

async function refusal(call: Promise<unknown>): Promise<ApiError> {
  try {
    await call;
  } catch (error) {
    if (error instanceof ApiError) return error;
    throw error;
  }
  throw new Error('was not refused');
}

t.test('without a budget the pod goes, with a reason', async (t) => {
  await podNamed('free');
  t.match(await evict('free', { apiVersion: 'policy/v1beta1' }), { kind: 'Status', status: 'Success' });
  const { metadata, status } = await podAt('free');
  t.equal(metadata.deletionGracePeriodSeconds, 30);
  t.match(
    status?.conditions?.find(({ type }) => type === 'DisruptionTarget'),
    { status: 'True', reason: 'EvictionByEvictionAPI', message: 'Eviction API: evicting' },
  );
});

t.test('a budget lets as many go as it says', async (t) => {
  await podNamed('two-a', {}, { app: 'two' });
  await podNamed('two-b', {}, { app: 'two' });
  await budgetFor('two', { disruptionsAllowed: 1, currentHealthy: 2, desiredHealthy: 1 });
  await evict('two-a', {}, contextOf({ dryRun: true }));
  t.equal((await podAt('two-a')).metadata.deletionTimestamp, undefined, 'a dry run takes nothing');
  t.equal((await budgetAt('two')).status?.disruptionsAllowed, 1);
  const outcomes = await Promise.allSettled([evict('two-a'), evict('two-b')]);
  t.same(outcomes.map(({ status }) => status).sort(), ['fulfilled', 'rejected'], 'one wins the race');
  const { status } = await budgetAt('two');
  t.equal(status?.disruptionsAllowed, 0);
  t.equal(Object.keys(status?.disruptedPods ?? {}).length, 1);
  const left = (await podAt('two-a')).metadata.deletionTimestamp ? 'two-b' : 'two-a';
  const error = await refusal(evict(left));
  t.match(error, {
    code: 429,
    message: "Cannot evict pod as it would violate the pod's disruption budget.",
    details: {
      causes: [
        {
          reason: 'DisruptionBudget',
          message: 'The disruption budget two needs 1 healthy pods and has 2 currently',
        },
      ],
    },
  });
  t.equal(error.details?.retryAfterSeconds, undefined);
});

t.test('a budget that was not looked at yet lets nobody go', async (t) => {
  await podNamed('new');
  await budgetFor('new', { observedGeneration: 0, disruptionsAllowed: 5 });
  t.match(await refusal(evict('new')), {
    code: 429,
    details: {
      retryAfterSeconds: 10,
      causes: [{ message: 'The disruption budget new is still being processed by the server.' }],
    },
  });
});

t.test('two budgets are one too many', async (t) => {
  await podNamed('both', {}, { app: 'both', tier: 'x' });
  await budgetFor('both', { disruptionsAllowed: 1 });
  await registry.create(
    budgets,
    'default',
    { metadata: { name: 'other' }, spec: { selector: { matchLabels: { tier: 'x' } } } },
    context,
  );
  t.match(await refusal(evict('both')), {
    code: 500,
    message:
      'This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.',
  });
});

t.test('pods that serve nobody need no budget', async (t) => {
  for (const phase of ['Pending', 'Succeeded', 'Failed']) {
    const name = `p-${phase.toLowerCase()}`;
    await podNamed(name, { phase });
    await budgetFor(name, { disruptionsAllowed: 0 });
    await t.resolves(evict(name), phase);
  }
  const unready = { conditions: [{ type: 'Ready', status: 'False' }] };
  await podNamed('sick', unready);
  await budgetFor('sick', { disruptionsAllowed: 0, currentHealthy: 2, desiredHealthy: 2 });
  await t.resolves(evict('sick'), 'the application is whole without it');
  await podNamed('short', unready);
  await budgetFor('short', { disruptionsAllowed: 0, currentHealthy: 1, desiredHealthy: 2 });
  t.match(await refusal(evict('short')), { code: 429 }, 'the application is short of pods');
  const body = { spec: { unhealthyPodEvictionPolicy: 'AlwaysAllow' } };
  await registry.patch(budgets, at('short'), { type: 'merge', body }, context);
  await t.resolves(evict('short'), 'AlwaysAllow');
});

t.test('what an eviction may say', async (t) => {
  const pod = await podNamed('said');
  t.match(await refusal(evict('said', { metadata: { name: 'x' } })), {
    code: 400,
    message: 'name in URL does not match name in Eviction object',
  });
  t.match(await refusal(evict('said', { deleteOptions: { preconditions: { uid: 'x' } } })), { code: 409 });
  t.match(await refusal(evict('nobody')), { code: 404 });
  t.match(await refusal(evict('said', { apiVersion: 'v1' })), { code: 400 });
  const preconditions = { uid: pod.metadata.uid, resourceVersion: pod.metadata.resourceVersion };
  await evict('said', { deleteOptions: { gracePeriodSeconds: 3, preconditions } });
  t.equal((await podAt('said')).metadata.deletionGracePeriodSeconds, 3);
});

t.test('budgets', async (t) => {
  const create = (spec: object) =>
    registry.create(budgets, 'default', { metadata: { name: 'x' }, spec }, contextOf({ dryRun: true }));
  const cases: [object, string[]][] = [
    [
      { minAvailable: 1, maxUnavailable: 1 },
      [
        'spec: Invalid value: {"minAvailable":1,"maxUnavailable":1}: minAvailable and maxUnavailable cannot be both set',
      ],
    ],
    [{ minAvailable: -1 }, ['spec.minAvailable: Invalid value: -1: must be greater than or equal to 0']],
    [
      { maxUnavailable: '101%' },
      ['spec.maxUnavailable: Invalid value: "101%": must not be greater than 100%'],
    ],
    [
      { unhealthyPodEvictionPolicy: 'Sometimes' },
      [
        'spec.unhealthyPodEvictionPolicy: Unsupported value: "Sometimes": supported values: "AlwaysAllow", "IfHealthyBudget"',
      ],
    ],
  ];
  for (const [spec, expected] of cases) t.same(await causesOf(create(spec)), expected, JSON.stringify(spec));
});

t.test('an empty selector is nobody in v1beta1 and everybody in v1', async (t) => {
  const old = registry.resources.at('policy', 'v1beta1', 'poddisruptionbudgets');
  if (!old) throw new Error('no policy/v1beta1');
  const label = 'pdb.kubernetes.io/deprecated-v1beta1-empty-selector-match';
  await registry.create(old, 'default', { metadata: { name: 'nobody' }, spec: { selector: {} } }, context);
  t.match((await budgetAt('nobody')).spec?.selector, {
    matchExpressions: [{ key: label, operator: 'Exists' }],
  });
  t.same(((await registry.get(old, at('nobody'), context)).object as PodDisruptionBudget).spec?.selector, {});
  await registry.create(budgets, 'default', { metadata: { name: 'all' }, spec: { selector: {} } }, context);
  t.match(await registry.get(old, at('all'), context), {
    object: {
      apiVersion: 'policy/v1beta1',
      spec: { selector: { matchExpressions: [{ key: label, operator: 'DoesNotExist' }] } },
    },
  });
});
