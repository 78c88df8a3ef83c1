/** The ledger among writes that fail, quotas that others write, deletions and counts, in any order. */
import fc from 'fast-check';
import t from 'tap';
import { forbidden, isReason } from '../../../../src/api/errors.js';
import { configMaps, resourceQuotas } from '../../../../src/api/kinds.js';
import type { KubeObject } from '../../../../src/api/types.js';
import type { Client } from '../../../../src/client/client.js';
import { systemClock } from '../../../../src/host/clock.js';
import { countUsage } from '../../../controllers/resourcequotaplan.js';
import { createRegistryClient } from '../../../registry/client.js';
import { createTestRegistry } from '../../../registry/testing.js';
import { evaluatorOf } from './evaluators.js';
import { createQuotaLedger, type QuotaLedger } from './ledger.js';

const namespace = 'default';
const evaluator = evaluatorOf(configMaps);
const name = 'count/configmaps';
const limit = 4;
const refs = ['a', 'b'].map((quota) => ({ namespace, name: quota }));

interface World {
  client: Client;
  ledger: QuotaLedger;
}

/** Two quotas on the same objects, counted as the controller does. */
async function open(): Promise<World> {
  const { registry } = await createTestRegistry({ clock: systemClock });
  const client = createRegistryClient(registry, { name: 'tester', groups: [] });
  const hard = { [name]: String(limit) };
  for (const ref of refs) {
    const made = await client.create(resourceQuotas, { metadata: ref, spec: { hard } });
    const status = { hard, used: { [name]: '0' } };
    await client.update(resourceQuotas, { ...made, status }, { subresource: 'status' });
  }
  return { client, ledger: createQuotaLedger({ client, clock: systemClock }) };
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

const mapOf = (n: number): KubeObject => ({ metadata: { namespace, name: `m-${n}`, uid: `uid-${n}` } });

/** As the registry does: admitted, then written or not, then settled. True when it was written. */
async function write({ client, ledger }: World, n: number, fails = false, turns = 1): Promise<boolean> {
  if (!evaluator) throw new Error('nothing counts ConfigMaps');
  const object = mapOf(n);
  try {
    const settled = await ledger.admit({
      namespace,
      demand: { evaluator, object, old: undefined },
      isDryRun: false,
      refuse: (why) => forbidden({ group: '', resource: 'configmaps', name: `m-${n}` }, why),
    });
    for (let i = 0; i < turns; i += 1) await turn();
    if (!fails) await client.create(configMaps, object);
    settled(!fails);
    return !fails;
  } catch (error) {
    if (isReason(error, 'Forbidden')) return false;
    throw error;
  }
}

async function recount({ client, ledger }: World): Promise<void> {
  if (!evaluator) throw new Error('nothing counts ConfigMaps');
  for (const ref of refs) {
    try {
      await ledger.exclusive(namespace, async ({ underWay, store }) => {
        const quota = await client.get(resourceQuotas, ref);
        const { items } = await client.list(configMaps, { namespace });
        await turn();
        const demands = underWay.map(({ demand }) => demand);
        const { status } = countUsage(quota, [{ evaluator, objects: items }], demands, systemClock.now());
        await store(quota, status);
      });
    } catch (error) {
      if (!isReason(error, 'Conflict')) throw error;
    }
  }
}

/** Somebody else writes the quota meanwhile. */
async function disturb({ client }: World, quota: number): Promise<void> {
  const body = { metadata: { labels: { at: String(Math.random()) } } };
  await client.patch(resourceQuotas, refs[quota] ?? { name: '' }, { type: 'merge', body });
}

async function removeOne({ client }: World): Promise<void> {
  const [first] = (await client.list(configMaps, { namespace })).items;
  if (first)
    await client.delete(configMaps, { namespace, name: first.metadata.name ?? '' }).catch(ignoreGone);
}

const ignoreGone = (error: unknown): void => {
  if (!isReason(error, 'NotFound')) throw error;
};

const usedBy = async ({ client }: World): Promise<(string | undefined)[]> =>
  (await client.list(resourceQuotas, { namespace })).items.map(({ status }) => status?.used?.[name]);

void t.test('never more than there is, and in the end as much as there is', async (t) => {
  const step = fc.oneof(
    {
      weight: 6,
      arbitrary: fc.record({
        do: fc.constant('write' as const),
        fails: fc.integer({ min: 0, max: 3 }).map((n) => n === 0),
        turns: fc.integer({ min: 0, max: 6 }),
      }),
    },
    { weight: 2, arbitrary: fc.record({ do: fc.constant('remove' as const) }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constant('recount' as const) }) },
    {
      weight: 2,
      arbitrary: fc.record({ do: fc.constant('disturb' as const), quota: fc.integer({ min: 0, max: 1 }) }),
    },
    { weight: 3, arbitrary: fc.record({ do: fc.constant('turn' as const) }) },
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 20, maxLength: 80 }), async (steps) => {
      const world = await open();
      const running: Promise<unknown>[] = [];
      for (const [n, one] of steps.entries()) {
        if (one.do === 'write') running.push(write(world, n, one.fails, one.turns));
        else if (one.do === 'remove') running.push(removeOne(world));
        else if (one.do === 'recount') running.push(recount(world));
        else if (one.do === 'disturb') running.push(disturb(world, one.quota));
        else await turn();
        const { items } = await world.client.list(configMaps, { namespace });
        if (items.length > limit) return false;
      }
      await Promise.all(running);
      await recount(world);
      const { items } = await world.client.list(configMaps, { namespace });
      const used = await usedBy(world);
      return items.length <= limit && used.every((text) => text === String(items.length));
    }),
    { numRuns: 60 },
  );
  t.end();
});

void t.test('what was charged and not written goes back at once', async (t) => {
  const world = await open();
  const outcomes = await Promise.all(Array.from({ length: limit }, (_, n) => write(world, n, n % 2 === 0)));
  t.strictSame(outcomes, [false, true, false, true]);
  // The next one waits for its turn behind what goes back.
  t.ok(await write(world, 100));
  t.strictSame(await usedBy(world), ['3', '3']);
});

void t.test('one quota of two is full: the other is not charged', async (t) => {
  const world = await open();
  const first = await world.client.get(resourceQuotas, refs[0] ?? { name: '' });
  const status = { ...first.status, used: { [name]: String(limit) } };
  await world.client.update(resourceQuotas, { ...first, status }, { subresource: 'status' });
  t.notOk(await write(world, 1, false));
  t.strictSame(await usedBy(world), [String(limit), '0']);
});
