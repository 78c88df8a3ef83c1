/**
 * What every store must do; run by tests on each implementation. `open` makes an empty store, started; `reopen` stops
 * the one it is given and opens its data again (absent where nothing survives).
 */
import type { Test } from 'tap';
import { CompareFailed, RevisionUnavailable, type Store, type StoreEvent, WatcherTooSlow } from './store.js';

export interface StoreUnderTest {
  /** `stamp` of the store must be `stampRevision`, its watch limit `watchLimit`. */
  open(t: Test): Promise<Store>;
  reopen?(store: Store): Promise<Store>;
}

/** Puts the revision before the value, so that tests see that it is done once. */
export const stampRevision = (value: Buffer, revision: number): Buffer =>
  Buffer.concat([Buffer.from(`${revision}:`), value]);
export const watchLimit = 64;

const bytes = (text: string): Buffer => Buffer.from(text);
const short = (event: StoreEvent): string =>
  `${event.revision} ${event.type} ${event.key} ${event.previous?.modRevision ?? '-'}`;

/** Takes events until `count` are there. */
export async function take(
  store: Store,
  prefix: string,
  after: number,
  count: number,
): Promise<StoreEvent[]> {
  const stop = new AbortController();
  const events: StoreEvent[] = [];
  for await (const batch of store.watch(prefix, after, stop.signal)) {
    events.push(...batch);
    if (events.length >= count) break;
  }
  stop.abort();
  return events;
}

export function storeContract(t: Test, subject: StoreUnderTest): void {
  t.test('compare and set', async (t) => {
    const store = await subject.open(t);
    const first = await store.put('/a', bytes('1'), 0);
    t.match(first, { key: '/a', modRevision: 2, createRevision: 2 });
    t.equal(first.value.toString(), '2:1');
    const second = await store.put('/a', bytes('2'), first.modRevision);
    t.match(second, { modRevision: 3, createRevision: 2 });
    t.equal(await store.get('/a'), second, 'the same entry for every reader');
    const lost = await store.put('/a', bytes('3'), first.modRevision).catch((error: unknown) => error);
    t.ok(lost instanceof CompareFailed && lost.current?.modRevision === 3);
    await t.rejects(store.put('/a', bytes('3'), 0), CompareFailed);
    await t.rejects(store.put('/b', bytes('3'), 7), CompareFailed);
    await t.rejects(store.delete('/b', undefined), CompareFailed);
    await t.rejects(store.delete('/a', 2), CompareFailed);
    t.equal(store.revision(), 3, 'what failed took no revision');
    t.equal(await store.delete('/a', 3), 4);
    t.equal(await store.get('/a'), undefined);
    t.match(await store.put('/a', bytes('4'), 0), { modRevision: 5, createRevision: 5 });
    t.match(await store.put('/a', bytes('5'), undefined), { modRevision: 6, createRevision: 5 });
  });

  t.test('one of many concurrent writers wins, and the losers see it', async (t) => {
    const store = await subject.open(t);
    const results = await Promise.allSettled(
      [1, 2, 3, 4, 5].map((n) => store.put('/a', bytes(String(n)), 0)),
    );
    const won = results.filter((result) => result.status === 'fulfilled');
    t.equal(won.length, 1);
    for (const result of results) {
      if (result.status === 'rejected') t.equal(result.reason.current, won[0]?.value);
    }
    t.equal(store.revision(), 2);
  });

  t.test('ranges: order, prefix, pages at one revision', async (t) => {
    const store = await subject.open(t);
    for (const key of ['/p/b', '/p/a', '/p/c', '/p/é', '/q/a', '/o']) await store.put(key, bytes(key), 0);
    const keys = async (options: Parameters<Store['range']>[1]): Promise<string> =>
      (await store.range('/p/', options)).entries.map((entry) => entry.key).join(' ');
    t.equal(await keys({}), '/p/a /p/b /p/c /p/é');
    const page = await store.range('/p/', { limit: 2 });
    t.match(page, { revision: 7, remaining: 2 });
    await store.delete('/p/c', undefined);
    await store.put('/p/bb', bytes('new'), 0);
    await store.put('/p/é', bytes('changed'), undefined);
    const rest = await store.range('/p/', { limit: 5, after: '/p/b', revision: page.revision });
    t.same(
      rest.entries.map((entry) => `${entry.key} ${entry.value}`),
      ['/p/c 4:/p/c', '/p/é 5:/p/é'],
    );
    t.match(rest, { revision: 7, remaining: 0 });
    t.equal(await keys({}), '/p/a /p/b /p/bb /p/é');
    t.equal(await keys({ after: '/p/é' }), '');
    t.equal((await store.range('/none', {})).entries.length, 0);
    await t.rejects(store.range('/p/', { revision: 99 }), {
      name: 'RevisionUnavailable',
      kind: 'future',
      bound: 10,
    });
  });

  t.test('watch: replay, then live, one prefix, previous entries', async (t) => {
    const store = await subject.open(t);
    await store.put('/p/a', bytes('1'), 0);
    await store.put('/q/a', bytes('1'), 0);
    await store.put('/p/a', bytes('2'), undefined);
    const watched = take(store, '/p/', 2, 3);
    await store.delete('/p/a', undefined);
    await store.put('/q/b', bytes('1'), 0);
    await store.put('/p/a', bytes('3'), 0);
    t.same((await watched).map(short), ['4 put /p/a 2', '5 delete /p/a 4', '7 put /p/a -']);
  });

  t.test('watch: no gap and no repeat under concurrent writers', async (t) => {
    const store = await subject.open(t);
    const total = 300;
    const write = async (writer: number): Promise<void> => {
      for (let n = 0; n < total / 10; n += 1)
        await store.put(`/w/${writer}/${n % 7}`, bytes(String(n)), undefined);
    };
    const writers = Promise.all(Array.from({ length: 10 }, (_, writer) => write(writer)));
    const seen = await Promise.all([1, 1, 1].map((after) => take(store, '/w/', after, total)));
    await writers;
    const expected = Array.from({ length: total }, (_, n) => n + 2);
    for (const events of seen)
      t.same(
        events.map((event) => event.revision),
        expected,
      );
  });

  t.test('watch ends when its signal aborts, also while waiting', async (t) => {
    const store = await subject.open(t);
    const stop = new AbortController();
    const iterator = store.watch('/', store.revision(), stop.signal)[Symbol.asyncIterator]();
    const next = iterator.next();
    stop.abort();
    t.match(await next, { done: true });
  });

  t.test('compaction', async (t) => {
    const store = await subject.open(t);
    await store.put('/a', bytes('1'), 0);
    await store.put('/a', bytes('2'), undefined);
    await store.put('/gone', bytes('1'), 0);
    await store.delete('/gone', undefined);
    await store.put('/a', bytes('3'), undefined);
    await store.compact(5);
    t.equal(store.compactedRevision(), 5);
    await t.rejects(store.range('/', { revision: 4 }), {
      name: 'RevisionUnavailable',
      kind: 'compacted',
      bound: 5,
    });
    t.same(
      (await store.range('/', { revision: 5 })).entries.map((entry) => `${entry.value}`),
      ['3:2'],
    );
    t.same(
      (await store.range('/')).entries.map((entry) => `${entry.value}`),
      ['6:3'],
    );
    await t.rejects(take(store, '/', 4, 1), RevisionUnavailable);
    t.same((await take(store, '/', 5, 1)).map(short), ['6 put /a 3']);
    await store.compact(3);
    t.equal(store.compactedRevision(), 5, 'never goes back');
    await t.rejects(store.compact(99), RevisionUnavailable);
  });

  t.test('a watcher that does not keep up is cut off', async (t) => {
    const store = await subject.open(t);
    const iterator = store.watch('/', store.revision(), new AbortController().signal)[Symbol.asyncIterator]();
    const first = iterator.next();
    for (let n = 0; n < watchLimit + 2; n += 1) await store.put('/a', bytes(String(n)), undefined);
    await first;
    for (let n = 0; n < watchLimit + 2; n += 1) await store.put('/a', bytes(String(n)), undefined);
    await t.rejects(iterator.next(), WatcherTooSlow);
  });

  if (subject.reopen) survives(t, subject.open, subject.reopen);
}

function survives(t: Test, open: StoreUnderTest['open'], reopen: (store: Store) => Promise<Store>): void {
  t.test('state, history and compaction survive a restart; watches resume', async (t) => {
    const store = await open(t);
    for (const key of ['/a', '/b', '/c', '/d']) await store.put(key, bytes('1'), 0);
    await store.put('/a', bytes('2'), undefined);
    await store.delete('/b', undefined);
    await store.compact(6);
    await store.put('/c', bytes('2'), undefined);
    await store.delete('/d', undefined);
    const before = await store.range('/');
    const events = await take(store, '/', 6, 3);

    const again = await reopen(store);
    t.same(await again.range('/'), before);
    t.equal(again.compactedRevision(), 6);
    t.same(await take(again, '/', 6, 3), events);
    t.same(
      (await again.range('/', { revision: 6 })).entries.map((entry) => `${entry.value}`),
      ['6:2', '3:1', '4:1', '5:1'],
    );
    t.match(await again.put('/d', bytes('3'), 0), { modRevision: 10 });
    t.same((await take(again, '/', 9, 1)).map(short), ['10 put /d -']);
  });

  t.test('the revision survives when only deletions were left of it', async (t) => {
    const store = await open(t);
    await store.put('/a', bytes('1'), 0);
    await store.delete('/a', undefined);
    await store.compact(3);
    const again = await reopen(store);
    t.equal(again.revision(), 3);
    t.match(await again.put('/a', bytes('1'), 0), { modRevision: 4 });
  });
}
