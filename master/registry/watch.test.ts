import t from 'tap';
import type { ApiError } from '../../src/api/errors.js';
import type { ConfigMap } from '../../src/api/types.js';
import type { WatchOptions } from '../../src/client/client.js';
import { createFakeClock, settled } from '../../src/testing/clock.js';
import type { Resource } from '../resources/resource.js';
import { MemoryStore } from '../store/memory.js';
import { stamp } from './generic.js';
import type { StoredEvent } from './registry.js';
import { contextOf, createTestRegistry } from './testing.js';

const context = contextOf();

/** `ADDED a=1`, `BOOKMARK`... */
function wordOf(event: StoredEvent<ConfigMap>): string {
  if (event.type === 'BOOKMARK') return event.initialEventsEnd ? 'BOOKMARK end' : 'BOOKMARK';
  const { metadata, data } = event.item.object;
  return `${event.type} ${metadata.name}=${data?.['v']}`;
}

/** A watch that is read as fast as it comes. */
interface Reading {
  words: string[];
  events: StoredEvent<ConfigMap>[];
  error: ApiError | undefined;
  ended: boolean;
  stop(): Promise<void>;
}

async function setUp() {
  const clock = createFakeClock();
  const { registry, store, rowOf } = await createTestRegistry({ clock });
  const maps = rowOf('configmaps') as unknown as Resource<ConfigMap>;
  const ref = (name: string) => ({ namespace: 'default', name });
  const body = (name: string, labels: Record<string, string>) => ({
    metadata: { name, labels },
    data: { v: '1' },
  });
  return {
    clock,
    registry,
    store,
    maps,
    add: (name: string, labels: Record<string, string> = {}) =>
      registry.create(maps, 'default', body(name, labels), context),
    change: (name: string, patch: object) =>
      registry.patch(maps, ref(name), { type: 'merge', body: patch }, context),
    remove: (name: string) => registry.delete(maps, ref(name), {}, context),
    watch(options: WatchOptions = {}): Reading {
      const stop = new AbortController();
      const reading: Reading = {
        words: [],
        events: [],
        error: undefined,
        ended: false,
        stop: async () => {
          stop.abort();
          await done;
        },
      };
      const read = async (): Promise<void> => {
        try {
          const given = { namespace: 'default', ...options };
          for await (const batch of registry.watch(maps, given, contextOf({ signal: stop.signal }))) {
            reading.events.push(...batch);
            reading.words.push(...batch.map(wordOf));
          }
        } catch (error) {
          reading.error = error as ApiError;
        }
        reading.ended = true;
      };
      const done = read();
      t.teardown(() => reading.stop());
      return reading;
    },
  };
}

t.test('from a revision: everything behind it, once, in order', async (t) => {
  const { add, change, remove, watch } = await setUp();
  await add('a');
  const from = (await add('b')).object.metadata.resourceVersion ?? '';
  await change('a', { data: { v: '2' } });
  const late = watch({ resourceVersion: from });
  await settled();
  await remove('a');
  await add('a');
  await settled();
  t.same(late.words, ['MODIFIED a=2', 'DELETED a=2', 'ADDED a=1']);
  const versions = late.events.map((event) =>
    event.type === 'BOOKMARK' ? 0 : Number(event.item.object.metadata.resourceVersion),
  );
  t.same(
    versions,
    [...versions].sort((a, b) => a - b),
    'DELETED carries the revision of the deletion',
  );
  t.equal(new Set(versions).size, 3);
  await late.stop();
  t.ok(late.ended);
  t.equal(late.error, undefined, 'an abort is a normal end');
});

t.test('where a watch begins', async (t) => {
  const { add, watch } = await setUp();
  await add('a');
  const fresh = { resourceVersionMatch: 'NotOlderThan', allowBookmarks: true } as const;
  const readings = {
    unset: watch(),
    zero: watch({ resourceVersion: '0' }),
    initial: watch({ ...fresh, sendInitialEvents: true }),
    without: watch({ ...fresh, sendInitialEvents: false }),
  };
  await settled();
  await add('b');
  await settled();
  t.same(readings.unset.words, ['ADDED a=1', 'ADDED b=1']);
  t.same(readings.zero.words, ['ADDED a=1', 'ADDED b=1']);
  t.same(readings.initial.words, ['ADDED a=1', 'BOOKMARK end', 'ADDED b=1']);
  t.same(readings.without.words, ['ADDED b=1']);
});

t.test('an object that enters or leaves the selection is ADDED or DELETED', async (t) => {
  const { add, change, remove, watch } = await setUp();
  const labels = watch({ labelSelector: 'app=web' });
  const one = watch({ fieldSelector: 'metadata.name=a' });
  await settled();
  await add('a');
  await add('ab', { app: 'web' });
  await change('a', { metadata: { labels: { app: 'web' } } });
  await change('a', { data: { v: '2' } });
  await change('a', { metadata: { labels: { app: 'db' } }, data: { v: '3' } });
  await remove('a');
  await settled();
  t.same(
    labels.words,
    ['ADDED ab=1', 'ADDED a=1', 'MODIFIED a=2', 'DELETED a=2'],
    'DELETED shows what it was',
  );
  t.same(one.words, ['ADDED a=1', 'MODIFIED a=1', 'MODIFIED a=2', 'MODIFIED a=3', 'DELETED a=3']);
});

t.test('bookmarks about every minute, only for who asks; never ahead of what was sent', async (t) => {
  const { clock, store, add, watch, registry, maps } = await setUp();
  const asking = watch({
    allowBookmarks: true,
    resourceVersion: String(store.revision()),
    labelSelector: 'app=web',
  });
  const silent = watch({ resourceVersion: String(store.revision()) });
  await settled();
  await clock.advance(59_000);
  t.same(asking.words, []);
  await add('unselected');
  await clock.advance(121_000);
  t.ok(asking.words.length >= 2 && asking.words.every((word) => word === 'BOOKMARK'));
  const last = asking.events.at(-1);
  const version = last?.type === 'BOOKMARK' ? last.resourceVersion : '';
  t.equal(version, String(store.revision()), 'it moves on although nothing of the selection changed');
  t.same(silent.words, ['ADDED unselected=1']);
  await store.compact(store.revision() - 1);
  const resumed = watch({ resourceVersion: version, labelSelector: 'app=web' });
  await settled();
  await registry.create(
    maps,
    'default',
    { metadata: { name: 'x', labels: { app: 'web' } }, data: { v: '1' } },
    context,
  );
  await settled();
  t.same(resumed.words, ['ADDED x=1'], 'a bookmark is a place to resume from');
});

t.test('timeoutSeconds ends the watch, with a bookmark', async (t) => {
  const { clock, add, watch } = await setUp();
  const reading = watch({ timeoutSeconds: 5, allowBookmarks: true });
  await settled();
  await add('a');
  await clock.advance(4_900);
  t.notOk(reading.ended);
  await clock.advance(200);
  t.ok(reading.ended);
  t.equal(reading.error, undefined);
  t.same(reading.words, ['ADDED a=1', 'BOOKMARK']);
  t.equal(clock.pending, 0, 'no timer is left');
});

t.test('410 for a compacted revision; 504 for one to come', async (t) => {
  const { add, store, watch } = await setUp();
  const from = (await add('a')).object.metadata.resourceVersion ?? '';
  await add('b');
  await add('c');
  await store.compact(store.revision() - 1);
  const reading = watch({ resourceVersion: from });
  const early = watch({ resourceVersion: '100' });
  await settled();
  t.match(reading.error, {
    reason: 'Expired',
    code: 410,
    message: `too old resource version: ${from} (${store.compactedRevision()})`,
  });
  t.match(early.error, { reason: 'Timeout', details: { causes: [{ reason: 'ResourceVersionTooLarge' }] } });
});

t.test('410 for who does not keep up', async (t) => {
  const clock = createFakeClock();
  const { registry, rowOf } = await createTestRegistry({
    clock,
    store: new MemoryStore({ stamp, watchLimit: 4 }),
  });
  const maps = rowOf('configmaps');
  const events = registry.watch(maps, {}, context)[Symbol.asyncIterator]();
  const make = (name: string) => registry.create(maps, 'default', { metadata: { name } }, context);
  const first = events.next();
  await settled();
  await make('first');
  await first;
  for (let i = 0; i < 10; i++) await make(`more-${i}`);
  const drain = async (): Promise<void> => {
    for (;;) if ((await events.next()).done) return;
  };
  await t.rejects(drain(), { reason: 'Expired', message: /fell behind/ });
});

t.test('options that make no sense', async (t) => {
  const { watch } = await setUp();
  const cases: [WatchOptions, RegExp][] = [
    [{ sendInitialEvents: true }, /sendInitialEvents requires setting resourceVersionMatch to NotOlderThan/],
    [
      { resourceVersionMatch: 'NotOlderThan', resourceVersion: '1' },
      /resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided/,
    ],
    [{ resourceVersion: 'abc' }, /resourceVersion: Invalid value: "abc"/],
  ];
  for (const [options, message] of cases) {
    const reading = watch(options);
    await settled();
    t.match(reading.error, { reason: 'Invalid', code: 422, message });
  }
});
