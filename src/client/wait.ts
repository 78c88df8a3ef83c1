/**
 * What the client library waits with: a promise that is settled from outside, one that an abort ends, and the abort
 * itself handed on to whoever works in the background.
 */
import { setMaxListeners } from 'node:events';
import type { Clock } from '../host/clock.js';

export interface Deferred<T> {
  promise: Promise<T>;
  resolve(value: T): void;
  reject(reason: unknown): void;
}

export function deferred<T = void>(): Deferred<T> {
  const parts: Partial<Deferred<T>> = {};
  const promise = new Promise<T>((resolve, reject) => {
    parts.resolve = resolve;
    parts.reject = reject;
  });
  return { promise, ...(parts as Pick<Deferred<T>, 'resolve' | 'reject'>) };
}

/** The promise, or a rejection with the signal's reason as soon as it aborts. */
export function orAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(signal.reason);
    if (signal.aborted) onAbort();
    signal.addEventListener('abort', onAbort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
  });
}

/** Sleeps that end quietly when their signal aborts; the caller looks at the signal next. */
export async function untilAborted(sleep: Promise<void>, signal: AbortSignal): Promise<void> {
  try {
    await sleep;
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}

/**
 * True when the promise settled within so many milliseconds, false when it did not or the signal aborted before. Never
 * rejects.
 */
export async function settlesWithin(
  promise: Promise<unknown>,
  ms: number,
  clock: Pick<Clock, 'sleep'>,
  signal: AbortSignal,
): Promise<boolean> {
  const enough = createStop();
  enough.follow(signal);
  let isSettled = false;
  const settle = (): void => {
    isSettled = true;
  };
  const waiting = untilAborted(clock.sleep(ms, enough.signal), enough.signal);
  await Promise.race([promise.then(settle, settle), waiting]);
  enough.abort();
  return isSettled;
}

export interface Stop extends AbortController {
  /** Aborts when the signal does, until this one has aborted or what is returned is called. */
  follow(signal: AbortSignal): () => void;
}

/**
 * An AbortController for work of its own that others may end too. Leaves nothing on a signal that lives longer, which
 * `AbortSignal.any` does in Node 20: with a probe per second that would be megabytes a day.
 */
export function createStop(): Stop {
  const stop = new AbortController();
  setMaxListeners(0, stop.signal);
  return Object.assign(stop, {
    follow(signal: AbortSignal) {
      // One signal stops any number of components: many listeners are no leak.
      setMaxListeners(0, signal);
      const onAbort = (): void => stop.abort(signal.reason);
      const release = (): void => signal.removeEventListener('abort', onAbort);
      if (signal.aborted) onAbort();
      else if (!stop.signal.aborted) {
        signal.addEventListener('abort', onAbort, { once: true });
        stop.signal.addEventListener('abort', release, { once: true });
      }
      return release;
    },
  });
}
