import t from 'tap';
import { node, pod } from '../../src/testing/builders.js';
import { createFakeClock, settled } from '../../src/testing/clock.js';
import { concernsSnapshot, nodeEvents } from './nodechange.js';
import { createSchedulingQueue, type SchedulingQueue } from './queue.js';
import { host } from './testing.js';

const aged = (second: number, priority = 0) =>
  pod('p', { meta: { creationTimestamp: `2026-01-01T00:00:0${second}Z` }, spec: { priority } });

/** What is ready now, taken in order. */
async function takeAll(queue: SchedulingQueue): Promise<string[]> {
  const keys: string[] = [];
  while (queue.ready > 0) keys.push((await queue.next()) ?? '');
  return keys;
}

void t.test('by priority, then age', async (t) => {
  const queue = createSchedulingQueue(createFakeClock());
  queue.add('young', aged(5));
  queue.add('old', aged(1));
  queue.add('gone', aged(0));
  queue.add('urgent', aged(9, 10));
  queue.add('old', aged(1));
  queue.remove('gone');
  t.strictSame(await takeAll(queue), ['urgent', 'old', 'young']);
  const next = queue.next();
  queue.add('late', aged(1));
  t.equal(await next, 'late', 'whoever waits is woken');
  queue.add('late', aged(1));
  t.equal(queue.ready, 0, 'a taken pod is not handed out twice');
});

void t.test('a refused pod waits for what may help, and at least for its back-off', async (t) => {
  const clock = createFakeClock();
  const queue = createSchedulingQueue(clock);
  queue.add('p', aged(1));
  await queue.next();
  queue.refused('p', new Set(['podGone']));
  await clock.advance(20_000);
  queue.happened('nodeLabels');
  t.equal(queue.ready, 0, 'another event');
  queue.happened('podGone');
  t.strictSame(await takeAll(queue), ['p'], 'at once, the back-off is over');
  queue.refused('p', new Set(['podGone']));
  queue.happened('podGone');
  t.equal(queue.ready, 0, 'refused twice: two seconds');
  await clock.advance(1_999);
  t.equal(queue.ready, 0);
  await clock.advance(1);
  t.strictSame(await takeAll(queue), ['p']);
  queue.refused('p', new Set(['podGone']));
  queue.add('p', aged(1));
  t.strictSame(await takeAll(queue), ['p'], 'a pod that changed itself does not wait');
});

void t.test('without any event there is a slow retry; nothing else runs', async (t) => {
  const clock = createFakeClock();
  const queue = createSchedulingQueue(clock);
  queue.add('p', aged(1));
  await queue.next();
  queue.refused('p', new Set(['nodeAdded']));
  t.equal(clock.pending, 1, 'one timer');
  await clock.advance(299_999);
  t.equal(queue.ready, 0);
  await clock.advance(1);
  t.equal(queue.ready, 1);
  t.equal(clock.pending, 0);
});

void t.test('a failed pod comes back by itself, up to ten seconds later', async (t) => {
  const clock = createFakeClock();
  const queue = createSchedulingQueue(clock);
  queue.add('p', aged(1));
  for (const seconds of [1, 2, 4, 8, 10, 10]) {
    await queue.next();
    queue.failed('p');
    await clock.advance(seconds * 1_000 - 1);
    t.equal(queue.ready, 0);
    await clock.advance(1);
    t.equal(queue.ready, 1);
  }
  await queue.next();
  queue.failed('p');
  queue.remove('p');
  await clock.advance(600_000);
  t.equal(queue.ready + queue.waiting, 0, 'gone is gone');
});

void t.test('a stop wakes who waits', async (t) => {
  const queue = createSchedulingQueue(createFakeClock());
  const next = queue.next();
  queue.shutDown();
  t.equal(await next, undefined);
  queue.add('p', aged(1));
  await settled();
  t.equal(await queue.next(), undefined);
});

void t.test('which changes of a node matter', (t) => {
  const old = host('n');
  const ready = node('n', { ready: 'True' }).status?.conditions ?? [];
  const beat = { ...old, status: { ...old.status, conditions: ready } };
  t.strictSame(nodeEvents(old, beat), [], 'a heartbeat does not');
  t.notOk(concernsSnapshot(old, beat));
  t.strictSame(nodeEvents(undefined, old), ['nodeAdded']);
  t.strictSame(nodeEvents(old, undefined), ['nodeGone']);
  t.strictSame(nodeEvents(old, host('n', { labels: { a: 'b' } })), ['nodeLabels']);
  t.strictSame(nodeEvents(old, host('n', { spec: { unschedulable: true } })), ['nodeTaints']);
  t.strictSame(nodeEvents(old, host('n', { cpu: '8' })), ['nodeResources']);
  t.strictSame(nodeEvents(old, host('n', { images: { nginx: 1 } })), []);
  t.ok(concernsSnapshot(old, host('n', { images: { nginx: 1 } })));
  t.end();
});
