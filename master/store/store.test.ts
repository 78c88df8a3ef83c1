import { readdir } from 'node:fs/promises';
import { ClassicLevel } from 'classic-level';
import fc from 'fast-check';
import t from 'tap';
import { silentLogger } from '../../src/host/log.js';
import { createFakeClock, type FakeClock } from '../../src/testing/clock.js';
import { checkStore } from './check.js';
import { stampRevision, storeContract, take, watchLimit } from './contract.js';
import { FileStore } from './file.js';
import { MemoryStore } from './memory.js';
import { Retention } from './retention.js';
import { SortedMap } from './sortedmap.js';
import { CompareFailed, type Entry, type Store, StoreReadOnly } from './store.js';

const directories = new WeakMap<Store, string>();

async function openFile(
  directory: string,
  options: { clock?: FakeClock; historyBytes?: number } = {},
): Promise<FileStore> {
  const clock = options.clock ?? createFakeClock();
  const store = new FileStore({
    directory,
    stamp: stampRevision,
    watchLimit,
    log: silentLogger,
    ...options,
    clock,
  });
  await store.start();
  directories.set(store, directory);
  return store;
}

const directoryOf = (store: Store): string => directories.get(store) ?? '';

t.test('memory', async (t) => {
  storeContract(t, { open: async () => new MemoryStore({ stamp: stampRevision, watchLimit }) });
});

t.test('file', async (t) => {
  storeContract(t, {
    open: async (t) => {
      const store = await openFile(`${t.testdir()}/store`);
      t.teardown(() => store.stop());
      return store;
    },
    reopen: async (store) => {
      await store.stop();
      return openFile(directoryOf(store));
    },
  });
});

/** A step of the model test: what is written, and with a right or a wrong expectation. */
const step = fc.record({
  do: fc.constantFrom('put' as const, 'delete' as const, 'compact' as const, 'reopen' as const),
  key: fc.constantFrom('/a', '/b', '/b/c', '/d'),
  expect: fc.constantFrom('right' as const, 'wrong' as const, 'any' as const),
});

/** The obvious store: the whole state of every revision. */
class Model {
  readonly states: Map<string, Entry>[] = [new Map(), new Map()];

  get now(): Map<string, Entry> {
    return this.states.at(-1) ?? new Map();
  }

  write(change: (state: Map<string, Entry>, revision: number) => void): void {
    const state = new Map(this.now);
    change(state, this.states.length);
    this.states.push(state);
  }
}

t.test('any sequence of writes, compactions and restarts behaves like the model', async (t) => {
  let round = 0;
  const base = t.testdir();
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
      round += 1;
      let store = await openFile(`${base}/${round}`);
      const model = new Model();
      for (const { do: action, key, expect } of steps) {
        const current = model.now.get(key);
        const right = current?.modRevision ?? 0;
        const expected = expect === 'any' ? undefined : expect === 'right' ? right : right + 1;
        if (action === 'reopen') {
          await store.stop();
          store = await openFile(`${base}/${round}`);
        } else if (action === 'compact') await store.compact(store.revision());
        else {
          const write =
            action === 'put' ? store.put(key, Buffer.from(key), expected) : store.delete(key, expected);
          const error: unknown = await write.then(
            () => undefined,
            (error: unknown) => error,
          );
          const shouldFail = expect === 'wrong' || (action === 'delete' && !current);
          if (shouldFail !== error instanceof CompareFailed)
            throw new Error(`${action} ${key} ${expect}: ${String(error)}`);
          if (!shouldFail) {
            model.write((state, revision) => {
              if (action === 'delete') state.delete(key);
              else {
                const createRevision = current?.createRevision ?? revision;
                state.set(key, {
                  key,
                  value: stampRevision(Buffer.from(key), revision),
                  modRevision: revision,
                  createRevision,
                });
              }
            });
          }
        }
      }
      await sameAsModel(store, model);
      await store.stop();
      const report = await checkStore(`${base}/${round}`);
      if (report.problems.length > 0 || report.entries !== model.now.size)
        throw new Error(JSON.stringify(report));
    }),
    { numRuns: 40 },
  );
  t.ok(round >= 40);
});

async function sameAsModel(store: Store, model: Model): Promise<void> {
  const newest = model.states.length - 1;
  if (store.revision() !== newest) throw new Error(`revision ${store.revision()}, not ${newest}`);
  for (let revision = Math.max(store.compactedRevision(), 1); revision <= newest; revision += 1) {
    const expected = [...(model.states[revision] ?? new Map<string, Entry>()).values()].toSorted((a, b) =>
      a.key < b.key ? -1 : 1,
    );
    const { entries } = await store.range('/', { revision });
    if (JSON.stringify(entries) !== JSON.stringify(expected)) throw new Error(`state at ${revision} differs`);
  }
  const after = Math.max(store.compactedRevision(), 1);
  if (after === newest) return;
  const events = await take(store, '/', after, newest - after);
  const revisions = events.map((event) => event.revision).join();
  if (revisions !== Array.from({ length: newest - after }, (_, n) => after + 1 + n).join())
    throw new Error(`events ${revisions}`);
  for (const event of events) {
    const before = model.states[event.revision - 1]?.get(event.key)?.modRevision;
    if (event.previous?.modRevision !== before)
      throw new Error(`event ${event.revision} has a wrong previous entry`);
  }
}

t.test('history is kept for five minutes, on a timer that exists only while there is history', async (t) => {
  const clock = createFakeClock();
  const store = await openFile(`${t.testdir()}/store`, { clock });
  await store.put('/a', Buffer.from('1'), 0);
  await store.put('/a', Buffer.from('2'), undefined);
  await clock.advance(5 * 60_000 - 1);
  t.equal(store.compactedRevision(), 0);
  await clock.advance(1);
  t.equal(store.compactedRevision(), 3);
  t.equal(clock.pending, 0);
  await store.stop();
  const report = await checkStore(directoryOf(store));
  t.match(report, { records: 1, entries: 1, revision: 3, problems: [] });
});

t.test('history is cut in half when it takes too much memory', async (t) => {
  const store = await openFile(`${t.testdir()}/store`, { historyBytes: 100_000 });
  for (let n = 0; n < 30; n += 1) await store.put('/a', Buffer.alloc(10_000), undefined);
  t.ok(store.compactedRevision() > 10);
  t.ok(store.compactedRevision() < store.revision());
  await store.stop();
});

t.test('a second process is kept out; a stopped store takes no writes', async (t) => {
  const store = await openFile(`${t.testdir()}/store`);
  await t.rejects(openFile(directoryOf(store)), /another process has it open/);
  await t.rejects(checkStore(directoryOf(store)), /another process has it open/);
  const accepted = store.put('/a', Buffer.from('1'), 0);
  await store.stop();
  t.match(await accepted, { modRevision: 2 }, 'what was accepted is finished');
  await t.rejects(store.put('/b', Buffer.from('1'), 0), StoreReadOnly);
  t.equal(store.healthy().ok, false);
});

t.test('check finds damage, repair lets the store start again', async (t) => {
  const store = await openFile(`${t.testdir()}/store`);
  for (const key of ['/a', '/b', '/c']) await store.put(key, Buffer.from(key), 0);
  await store.stop();
  const directory = directoryOf(store);
  const db = new ClassicLevel<string, Buffer>(directory, { valueEncoding: 'buffer' });
  const record = (await db.get('v0000000000000003')) ?? Buffer.alloc(0);
  record[record.length - 1] = (record.at(-1) ?? 0) ^ 1;
  await db.put('v0000000000000003', record);
  await db.put('vx', record);
  await db.close();

  t.match(await checkStore(directory), {
    entries: 2,
    revision: 4,
    problems: [/revision 3 is damaged/, /revisions 3 to 3 are missing/, /vx is no revision/],
  });
  await t.rejects(openFile(directory), /revision 3 is damaged/);
  t.match(await checkStore(directory, { repair: true }), { removed: ['v0000000000000003', 'vx'] });
  t.match(await checkStore(directory), { entries: 2, revision: 4, problems: [] });
  const again = await openFile(directory);
  t.same(
    (await again.range('/')).entries.map((entry) => entry.key),
    ['/a', '/c'],
  );
  await again.stop();
  await t.rejects(checkStore(`${directory}-none`), /cannot open the store/);
  t.ok((await readdir(directory)).includes('CURRENT'));
});

t.test('sorted map: same as sorting', async (t) => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.integer({ min: 0, max: 3000 }), fc.boolean()), { maxLength: 4000 }),
      fc.string(),
      (steps, from) => {
        const map = new SortedMap<number>();
        const model = new Map<string, number>();
        for (const [n, insert] of steps) {
          const key = String(n);
          if (insert) map.set(key, n);
          else map.delete(key);
          if (insert) model.set(key, n);
          else model.delete(key);
        }
        const seen: string[] = [];
        map.scan(from, (key) => seen.push(key) > 0);
        const expected = [...model.keys()].filter((key) => key >= from).toSorted((a, b) => (a < b ? -1 : 1));
        return map.size === model.size && seen.join() === expected.join();
      },
    ),
    { numRuns: 50 },
  );
  const many = new SortedMap<number>();
  for (let n = 0; n < 5000; n += 1) many.set(String((n * 7919) % 5000).padStart(4, '0'), n);
  const order: string[] = [];
  many.scan('1000', (key) => order.push(key) < 3);
  t.same(order, ['1000', '1001', '1002']);
});

t.test('retention keeps at least the asked time and few marks', async (t) => {
  const retention = new Retention(1000);
  t.equal(retention.nextMs(), undefined);
  for (let ms = 0; ms <= 500; ms += 1) retention.note(ms, ms);
  t.equal(retention.nextMs(), 99 + 1000);
  t.equal(retention.expire(1098), undefined);
  t.equal(retention.expire(1099), 99);
  t.equal(retention.expire(5000), 500);
  t.equal(retention.nextMs(), undefined);
});
