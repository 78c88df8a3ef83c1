import fc from 'fast-check';
import t from 'tap';
import { createFakeClock, settled } from '../testing/clock.js';
import { backoffMs } from './backoff.js';
import { createWorkQueue } from './workqueue.js';

void t.test('a key waits once and is never processed twice at a time', async (t) => {
  const queue = createWorkQueue({ clock: createFakeClock() });
  queue.add('a');
  queue.add('a');
  queue.add('b');
  t.equal(queue.length, 2);
  t.equal(await queue.get(), 'a');
  queue.add('a');
  queue.add('a');
  t.equal(queue.length, 1, 'a is processed, so it is not handed out');
  t.equal(await queue.get(), 'b');
  queue.done('a');
  t.equal(await queue.get(), 'a', 'again after done, once');
  queue.done('a');
  t.equal(queue.length, 0);
});

void t.test('delayed adds share one timer and keep the earliest time', async (t) => {
  const clock = createFakeClock();
  const queue = createWorkQueue({ clock });
  queue.addAfter('a', 100);
  queue.addAfter('a', 50);
  queue.addAfter('a', 500);
  queue.addAfter('b', 70);
  t.equal(clock.pending, 1);
  await clock.advance(50);
  t.equal(queue.length, 1);
  await clock.advance(20);
  t.equal(queue.length, 2);
  await clock.advance(1_000);
  t.equal(queue.length, 2);
  t.equal(clock.pending, 0, 'nothing left to wait for');
});

void t.test('backoff grows per key until forgotten', async (t) => {
  const clock = createFakeClock();
  const queue = createWorkQueue({ clock });
  const delays: number[] = [];
  for (let i = 0; i < 4; i++) {
    const from = clock.monotonicMs();
    queue.addRateLimited('a');
    while (queue.length === 0) await clock.advance(1);
    delays.push(clock.monotonicMs() - from);
    queue.done((await queue.get()) ?? '');
  }
  t.strictSame(delays, [5, 10, 20, 40]);
  queue.forget('a');
  t.equal(queue.failures('a'), 0);
  t.equal(backoffMs(60, { minMs: 5, maxMs: 1_000_000 }), 1_000_000);
});

void t.test('shutdown wakes those who wait and refuses what comes', async (t) => {
  const clock = createFakeClock();
  const queue = createWorkQueue({ clock });
  const waiting = [queue.get(), queue.get()];
  queue.addAfter('later', 10);
  queue.shutDown();
  t.strictSame(await Promise.all(waiting), [undefined, undefined]);
  queue.add('a');
  t.equal(await queue.get(), undefined);
  t.equal(clock.pending, 0);
});

type Step = { do: 'add' | 'delay'; key: string; ms: number } | { do: 'get' | 'done' | 'tick' };
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    do: fc.constantFrom('add' as const, 'delay' as const),
    key: fc.constantFrom('a', 'b', 'c'),
    ms: fc.integer({ min: 1, max: 30 }),
  }),
  fc.record({ do: fc.constantFrom('get' as const, 'done' as const, 'tick' as const) }),
);

void t.test('whatever the order, every add is followed by a processing that starts after it', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
      const clock = createFakeClock();
      const queue = createWorkQueue({ clock });
      /** Keys added and not yet handed out since. */
      const owed = new Set<string>();
      const active: string[] = [];
      const take = async (): Promise<void> => {
        const key = (await queue.get()) ?? '';
        if (active.includes(key)) throw new Error(`${key} has two workers`);
        active.push(key);
        owed.delete(key);
      };
      for (const s of steps) {
        if (s.do === 'add' || s.do === 'delay') {
          owed.add(s.key);
          if (s.do === 'add') queue.add(s.key);
          else queue.addAfter(s.key, s.ms);
        } else if (s.do === 'tick') await clock.advance(7);
        else if (s.do === 'done') queue.done(active.shift() ?? '');
        else if (queue.length > 0) await take();
      }
      await clock.advance(100);
      while (active.length > 0 || queue.length > 0) {
        if (queue.length > 0) await take();
        else queue.done(active.shift() ?? '');
      }
      await settled();
      if (owed.size > 0) throw new Error(`lost: ${[...owed].join()}`);
    }),
    { numRuns: 100 },
  );
});
