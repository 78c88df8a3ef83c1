/**
 * 2. Removes objects whose kind has `storageTtlSeconds` (events) when their time has come.
 *
 * All objects of a kind live equally long, so the order of their writes is the order of their ends: a Map in insertion
 * order is the whole queue, and one timer waits for its head. Nothing runs while nothing is due.
 */
import type { Clock } from '../../src/host/clock.js';
import type { Logger } from '../../src/host/log.js';
import { CompareFailed, type Store } from '../store/store.js';

interface Due {
  atMs: number;
  modRevision: number;
}

/** Things due within this time go in one sweep. */
const sweepMs = 5_000;

export class Expiry {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #log: Logger;
  /** One queue per TTL: within it, the head is due first. */
  readonly #queues = new Map<number, Map<string, Due>>();
  #cancel: (() => void) | undefined;
  #stopped = false;
  #sweeping: Promise<void> = Promise.resolve();

  constructor(store: Store, clock: Clock, log: Logger) {
    this.#store = store;
    this.#clock = clock;
    this.#log = log;
  }

  /** The key was written just now (or `ageMs` ago); every write renews its time. */
  written(key: string, modRevision: number, ttlSeconds: number, ageMs = 0): void {
    let queue = this.#queues.get(ttlSeconds);
    if (!queue) {
      queue = new Map();
      this.#queues.set(ttlSeconds, queue);
    }
    queue.delete(key);
    queue.set(key, { atMs: this.#clock.monotonicMs() + ttlSeconds * 1000 - ageMs, modRevision });
    this.#arm();
  }

  removed(key: string): void {
    for (const queue of this.#queues.values()) queue.delete(key);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#cancel?.();
    this.#cancel = undefined;
    await this.#sweeping;
  }

  #arm(): void {
    if (this.#cancel || this.#stopped) return;
    const heads = [...this.#queues.values()].flatMap((queue) => [...first(queue)]);
    if (heads.length === 0) return;
    const delayMs = Math.min(...heads.map((due) => due.atMs)) - this.#clock.monotonicMs();
    this.#cancel = this.#clock.after(Math.max(delayMs, 0) + sweepMs, () => {
      this.#sweeping = this.#sweep();
    });
  }

  async #sweep(): Promise<void> {
    const now = this.#clock.monotonicMs();
    const gone: Promise<void>[] = [];
    for (const queue of this.#queues.values()) {
      for (const [key, due] of queue) {
        if (due.atMs > now) break;
        queue.delete(key);
        gone.push(this.#remove(key, due.modRevision));
      }
    }
    await Promise.all(gone);
    this.#cancel = undefined;
    this.#arm();
  }

  async #remove(key: string, modRevision: number): Promise<void> {
    try {
      await this.#store.delete(key, modRevision);
    } catch (error) {
      // Written again or deleted meanwhile: whoever did that has taken over.
      if (!(error instanceof CompareFailed))
        this.#log.warn({ err: error, key }, 'expired object could not be removed');
    }
  }
}

function* first(queue: Map<string, Due>): Iterable<Due> {
  for (const due of queue.values()) {
    yield due;
    return;
  }
}
