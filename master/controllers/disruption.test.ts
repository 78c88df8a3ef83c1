import t from 'tap';
import type { Pod, PodDisruptionBudget, PodDisruptionBudgetSpec } from '../../src/api/types.js';
import { pod } from '../../src/testing/builders.js';
import { failedStatus, needsScale, planBudget } from './disruptionplan.js';

const now = new Date('2026-01-01T01:00:00Z');
const ago = (seconds: number): string => new Date(now.getTime() - seconds * 1000).toISOString();
const budget = (
  spec: PodDisruptionBudgetSpec,
  status: PodDisruptionBudget['status'] = {},
): PodDisruptionBudget => ({ metadata: { name: 'b', namespace: 'default', generation: 3 }, spec, status });
const ready = (...names: string[]): Pod[] => names.map((name) => pod(name, { ready: true }));

t.test('how many may go', async (t) => {
  const pods = [...ready('a', 'b', 'c'), pod('d', { ready: false })];
  const cases: [PodDisruptionBudgetSpec, number, [expected: number, desired: number, allowed: number]][] = [
    [{ minAvailable: 2 }, 0, [4, 2, 1]],
    [{ minAvailable: 4 }, 0, [4, 4, 0]],
    [{ minAvailable: '50%' }, 5, [5, 3, 0]],
    [{ minAvailable: '25%' }, 5, [5, 2, 1]],
    [{ maxUnavailable: 2 }, 4, [4, 2, 1]],
    [{ maxUnavailable: '30%' }, 4, [4, 2, 1]],
    [{ maxUnavailable: 9 }, 4, [4, 0, 3]],
    [{ maxUnavailable: 0 }, 4, [4, 4, 0]],
    [{}, 0, [4, 0, 3]],
  ];
  for (const [spec, scale, [expectedPods, desiredHealthy, disruptionsAllowed]] of cases) {
    const { status } = planBudget(budget(spec), pods, scale, now);
    t.match(
      status,
      { expectedPods, desiredHealthy, disruptionsAllowed, currentHealthy: 3, observedGeneration: 3 },
      JSON.stringify(spec),
    );
    const allowed = disruptionsAllowed > 0;
    t.match(status.conditions, [
      {
        type: 'DisruptionAllowed',
        status: allowed ? 'True' : 'False',
        reason: allowed ? 'SufficientPods' : 'InsufficientPods',
      },
    ]);
  }
  t.equal(planBudget(budget({ minAvailable: 0 }), [], 0, now).status.disruptionsAllowed, 0, 'nobody to go');
});

t.test('granted evictions count until they happen or time runs out', async (t) => {
  const disruptedPods = { a: ago(10), b: ago(121), gone: ago(1) };
  const pods = [...ready('a', 'b', 'c'), pod('d', { ready: true, meta: { deletionTimestamp: ago(5) } })];
  const { status, recheckMs, stayed } = planBudget(
    budget({ minAvailable: 1 }, { disruptedPods }),
    pods,
    0,
    now,
  );
  t.same(status.disruptedPods, { a: ago(10) });
  t.equal(recheckMs, 110_000);
  t.same(stayed, ['b']);
  t.match(status, { currentHealthy: 2, disruptionsAllowed: 1 });
});

t.test('what is not known allows nothing', async (t) => {
  t.same([{ minAvailable: 1 }, { minAvailable: '1%' }, { maxUnavailable: 1 }].map(needsScale), [
    false,
    true,
    true,
  ]);
  const status = failedStatus(budget({}, { disruptionsAllowed: 4, currentHealthy: 2 }), 'why', now);
  t.match(status, {
    disruptionsAllowed: 0,
    currentHealthy: 2,
    conditions: [{ type: 'DisruptionAllowed', status: 'False', reason: 'SyncFailed', message: 'why' }],
  });
});
