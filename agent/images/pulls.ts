/**
 * Pulls under way: whoever wants the same image with the same login shares one, and only so many run at a time.
 * Used by manager.ts.
 *
 * Invariant: a pull goes on as long as anyone waits for it; it is aborted when the last one gave up.
 */
import type { Clock } from '../../src/host/clock.js';
import type { PullAuth } from '../runtime/runtime.js';

type Pull = (reference: string, auth: PullAuth | undefined, signal: AbortSignal) => Promise<string>;

interface Shared {
  done: Promise<void>;
  /** When its turn came; `undefined` while it waits. */
  startedAt: number | undefined;
  stop: AbortController;
  waiting: number;
}

export interface SharedPullsOptions {
  pull: Pull;
  /** At a time; no bound when absent. */
  maxParallel: number | undefined;
  clock: Pick<Clock, 'monotonicMs'>;
}

export class SharedPulls {
  readonly #pull: Pull;
  readonly #clock: Pick<Clock, 'monotonicMs'>;
  #free: number;
  readonly #queue: (() => void)[] = [];
  readonly #running = new Map<string, Shared>();

  constructor({ pull, maxParallel, clock }: SharedPullsOptions) {
    this.#pull = pull;
    this.#clock = clock;
    this.#free = maxParallel ?? Number.POSITIVE_INFINITY;
  }

  /**
   * `key` names the image in its normal form. Resolves with how long the pull itself took, without waiting for its turn;
   * rejects with the signal's reason on abort.
   */
  async pull(
    key: string,
    request: { reference: string; auth: PullAuth | undefined },
    signal: AbortSignal,
  ): Promise<number> {
    signal.throwIfAborted();
    const askedAt = this.#clock.monotonicMs();
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
      await Promise.race([shared.done, aborted]);
      return this.#clock.monotonicMs() - Math.max(shared.startedAt ?? askedAt, askedAt);
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
    const shared: Shared = { done: Promise.resolve(), startedAt: undefined, stop, waiting: 0 };
    shared.done = this.#enter(stop.signal, async () => {
      shared.startedAt = this.#clock.monotonicMs();
      await this.#pull(reference, auth, stop.signal);
    }).finally(() => {
      if (this.#running.get(key) === shared) this.#running.delete(key);
    });
    shared.done.catch(() => undefined);
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
