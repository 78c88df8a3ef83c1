/** What is waited with leaves nothing on signals that live longer. */
import { getEventListeners } from 'node:events';
import t from 'tap';
import { createFakeClock } from '../testing/clock.js';
import { createStop, deferred, settlesWithin } from './wait.js';

const listeners = (signal: AbortSignal): number => getEventListeners(signal, 'abort').length;

t.test('a stop follows another signal until it is released or has aborted', async (t) => {
  const outer = new AbortController();
  const [released, aborted, follower] = [createStop(), createStop(), createStop()];
  const release = released.follow(outer.signal);
  aborted.follow(outer.signal);
  follower.follow(outer.signal);
  release();
  aborted.abort();
  t.equal(listeners(outer.signal), 1);
  aborted.follow(outer.signal);
  t.equal(listeners(outer.signal), 1, 'one that has aborted follows nobody');
  const reason = new Error('over');
  outer.abort(reason);
  t.equal(follower.signal.reason, reason);
  t.notOk(released.signal.aborted);
  const late = createStop();
  late.follow(outer.signal);
  t.equal(late.signal.reason, reason);
  t.equal(listeners(outer.signal), 0);
});

t.test('waiting for a while', async (t) => {
  const clock = createFakeClock();
  const outer = new AbortController();
  const [first, second, third] = [deferred(), deferred(), deferred()];
  const inTime = settlesWithin(first.promise, 1000, clock, outer.signal);
  first.reject(new Error('settled all the same'));
  t.equal(await inTime, true);
  const tooLate = settlesWithin(second.promise, 1000, clock, outer.signal);
  await clock.advance(1000);
  t.equal(await tooLate, false);
  t.equal(listeners(outer.signal), 0);
  const cutOff = settlesWithin(third.promise, 1000, clock, outer.signal);
  outer.abort();
  t.equal(await cutOff, false);
});
