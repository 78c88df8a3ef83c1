/**
 * What the client library waits with: a promise that is settled from outside, one that an abort ends, and the abort
 * itself handed on to whoever works in the background.
 */
import { setMaxListeners } from 'node:events';

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

/** An AbortController for background work: `follow` makes it abort when the given signal does. */
export function createStop(): AbortController & { follow(signal: AbortSignal): void } {
  const stop = new AbortController();
  setMaxListeners(0, stop.signal);
  return Object.assign(stop, {
    follow(signal: AbortSignal) {
      // One signal stops any number of components: many listeners are no leak.
      setMaxListeners(0, signal);
      if (signal.aborted) stop.abort(signal.reason);
      signal.addEventListener('abort', () => stop.abort(signal.reason), { once: true, signal: stop.signal });
    },
  });
}
