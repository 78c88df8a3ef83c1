import { setImmediate } from 'node:timers/promises';
import fc from 'fast-check';
import t from 'tap';
import { isReason } from '../../src/api/errors.js';
import { parseLabelSelector } from '../../src/api/selectors.js';
import type { ConfigMap } from '../../src/api/types.js';
import { createFakeClock } from '../../src/testing/clock.js';
import type { Resource } from '../resources/resource.js';
import type { StoredEvent } from './registry.js';
import { contextOf, createTestRegistry, type TestRegistry } from './testing.js';

/**
 * Writers and watchers at once, in every order fast-check thinks of: each watcher sees each committed change of its
 * selection exactly once, in the order of revisions, and what it has seen adds up to what a list shows.
 */
const names = ['a', 'b', 'c'] as const;
const apps = ['web', 'db'] as const;
const selectors = ['', 'app=web', 'app!=web', 'app in (web,db)'] as const;
const context = contextOf();

type Step =
  | { do: 'create' | 'label'; name: (typeof names)[number]; app: (typeof apps)[number] }
  | { do: 'touch' | 'delete'; name: (typeof names)[number] }
  | { do: 'yield' };

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    do: fc.constantFrom('create', 'label'),
    name: fc.constantFrom(...names),
    app: fc.constantFrom(...apps),
  }),
  fc.record({ do: fc.constantFrom('touch', 'delete'), name: fc.constantFrom(...names) }),
  fc.constant({ do: 'yield' as const }),
);

async function run(world: World, written: Step): Promise<void> {
  const { registry, maps } = world;
  if (written.do === 'yield') {
    await setImmediate();
    return;
  }
  const { name } = written;
  const ref = { namespace: 'default', name };
  const merge = (body: object) => registry.patch(maps, ref, { type: 'merge', body }, context);
  try {
    if (written.do === 'create')
      await registry.create(maps, 'default', { metadata: { name, labels: { app: written.app } } }, context);
    else if (written.do === 'label') await merge({ metadata: { labels: { app: written.app } } });
    else if (written.do === 'touch') await merge({ data: { n: String(world.touches++) } });
    else await registry.delete(maps, ref, {}, context);
  } catch (error) {
    if (!isReason(error, 'NotFound', 'AlreadyExists', 'Conflict')) throw error;
  }
}

interface World extends Pick<TestRegistry, 'registry' | 'store'> {
  maps: Resource<ConfigMap>;
  touches: number;
}

interface Seen {
  /** `ADDED a @7` */
  events: string[];
  objects: Map<string, string>;
}

function record(seen: Seen, event: StoredEvent<ConfigMap>): void {
  if (event.type === 'BOOKMARK') return;
  const { name = '', resourceVersion = '' } = event.item.object.metadata;
  seen.events.push(`${event.type} ${name} @${resourceVersion}`);
  if (event.type === 'DELETED') seen.objects.delete(name);
  else seen.objects.set(name, resourceVersion);
}

/** What a watcher of the selection has to be told, computed from the store's own log. */
async function expected(world: World, after: number, labelSelector: string): Promise<string[]> {
  const selector = parseLabelSelector(labelSelector);
  const stop = new AbortController();
  const told: string[] = [];
  const isIn = (value: Buffer | undefined): boolean =>
    value !== undefined && selector.matches((JSON.parse(value.toString()) as ConfigMap).metadata.labels);
  const last = world.store.revision();
  if (last <= after) return [];
  for await (const batch of world.store.watch('/registry/core/configmaps/', after, stop.signal)) {
    for (const { key, revision, entry, previous } of batch) {
      const [was, is] = [isIn(previous?.value), isIn(entry?.value)];
      const type = is ? (was ? 'MODIFIED' : 'ADDED') : was ? 'DELETED' : undefined;
      if (type) told.push(`${type} ${key.split('/').at(-1)} @${revision}`);
    }
    if ((batch.at(-1)?.revision ?? 0) >= last) break;
  }
  stop.abort();
  return told;
}

t.test('every watcher sees every change of its selection once, in order', async (t) => {
  const writers = fc.array(fc.array(step, { maxLength: 12 }), { minLength: 1, maxLength: 4 });
  const watchers = fc.array(fc.record({ selector: fc.constantFrom(...selectors), startsAfter: fc.nat(10) }), {
    minLength: 1,
    maxLength: 3,
  });
  await fc.assert(
    fc.asyncProperty(writers, watchers, async (plans, asked) => {
      const { registry, store, rowOf } = await createTestRegistry({ clock: createFakeClock() });
      const world: World = {
        registry,
        store,
        maps: rowOf('configmaps') as unknown as Resource<ConfigMap>,
        touches: 0,
      };
      const stop = new AbortController();
      const watch = async ({ selector, startsAfter }: { selector: string; startsAfter: number }) => {
        for (let turn = 0; turn < startsAfter; turn++) await setImmediate();
        const options = selector ? { labelSelector: selector } : {};
        const listed = await registry.list(world.maps, options, context);
        const seen: Seen = { events: [], objects: new Map() };
        for (const { object } of listed.items) {
          seen.objects.set(object.metadata.name ?? '', object.metadata.resourceVersion ?? '');
        }
        const from = listed.resourceVersion;
        const events = registry.watch(
          world.maps,
          { ...options, resourceVersion: from },
          contextOf({ signal: stop.signal }),
        );
        const reading = (async () => {
          for await (const batch of events) for (const event of batch) record(seen, event);
        })();
        return { seen, selector, options, from: Number(from), reading };
      };
      const write = async (plan: readonly Step[]): Promise<void> => {
        for (const one of plan) await run(world, one);
      };
      const [started] = await Promise.all([Promise.all(asked.map(watch)), ...plans.map(write)]);
      for (let turn = 0; turn < 5; turn++) await setImmediate();
      stop.abort();
      for (const { seen, selector, options, from, reading } of started) {
        await reading;
        t.strictSame(seen.events, await expected(world, from, selector));
        const { items } = await registry.list(world.maps, options, context);
        const present = items.map(({ object }) => [object.metadata.name, object.metadata.resourceVersion]);
        t.strictSame([...seen.objects].sort(), present);
      }
      return t.passing();
    }),
    { numRuns: 60, seed: 20260101 },
  );
});
