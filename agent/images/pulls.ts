/**
 * Pulls under way: whoever wants the same image with the same login shares one, and only so many run at a time.
 * Used by manager.ts.
 *
 * Invariant: a pull goes on as long as anyone waits for it; it is aborted when the last one gave up.
 */
import type { PullAuth } from '../runtime/runtime.js';

type Pull = (reference: string, auth: PullAuth | undefined, signal: AbortSignal) => Promise<string>;

interface Shared {
  done: Promise<string>;
  stop: AbortController;
  waiting: number;
}

export class SharedPulls {
  readonly #pull: Pull;
  #free: number;
  readonly #queue: (() => void)[] = [];
  readonly #running = new Map<string, Shared>();

  constructor(pull: Pull, maxParallel: number) {
    this.#pull = pull;
    this.#free = maxParallel;
  }

  /** `key` names the image in its normal form. Resolves with the image id; rejects with the signal's reason on abort. */
  async pull(
    key: string,
    request: { reference: string; auth: PullAuth | undefined },
    signal: AbortSignal,
  ): Promise<string> {
    signal.throwIfAborted();
    const { reference, auth } = request;
    const sharedKey = JSON.stringify([key, auth?.username, auth?.password]);
    const shared = this.#running.get(sharedKey) ?? this.#begin(sharedKey, reference, auth);
    shared.waiting += 1;
    let giveUp: () => void = () => undefined;
    const aborted = new Promise<never>((_, reject) => {
      giveUp = () => reject(signal.reason);
    });
    signal.addEventListener('abort', giveUp, { once: true });
    try {
      return await Promise.race([shared.done, aborted]);
    } finally {
      signal.removeEventListener('abort', giveUp);
      shared.waiting -= 1;
      if (shared.waiting === 0) {
        shared.stop.abort();
        if (this.#running.get(sharedKey) === shared) this.#running.delete(sharedKey);
      }
    }
  }

  #begin(key: string, reference: string, auth: PullAuth | undefined): Shared {
    const stop = new AbortController();
    const done = this.#enter(stop.signal, () => this.#pull(reference, auth, stop.signal)).finally(() => {
      if (this.#running.get(key) === shared) this.#running.delete(key);
    });
    done.catch(() => undefined);
    const shared: Shared = { done, stop, waiting: 0 };
    this.#running.set(key, shared);
    return shared;
  }

  async #enter<T>(signal: AbortSignal, run: () => Promise<T>): Promise<T> {
    if (this.#free > 0) this.#free -= 1;
    else await new Promise<void>((resolve) => this.#queue.push(resolve));
    try {
      signal.throwIfAborted();
      return await run();
    } finally {
      const next = this.#queue.shift();
      if (next) next();
      else this.#free += 1;
    }
  }
}
