/**
 * Answers of the master that hold for a while: who asks for the same at the same time shares one question. Used by
 * access.ts.
 *
 * Invariant: an answer is never given longer than its time; a question that failed is forgotten. Bounded: the oldest go.
 */
import type { Clock } from '../../src/host/clock.js';

interface Entry<T> {
  answer: Promise<T>;
  /** Monotonic milliseconds; infinite while the question is under way. */
  until: number;
}

const maxEntries = 4096;

export class AnswerCache<T> {
  readonly #clock: Pick<Clock, 'monotonicMs'>;
  readonly #lifetimeMs: (answer: T) => number;
  readonly #entries = new Map<string, Entry<T>>();

  constructor(clock: Pick<Clock, 'monotonicMs'>, lifetimeMs: (answer: T) => number) {
    this.#clock = clock;
    this.#lifetimeMs = lifetimeMs;
  }

  get(key: string, ask: () => Promise<T>): Promise<T> {
    const known = this.#entries.get(key);
    if (known && known.until > this.#clock.monotonicMs()) return known.answer;
    const entry: Entry<T> = { answer: ask(), until: Number.POSITIVE_INFINITY };
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    for (const oldest of this.#entries.keys()) {
      if (this.#entries.size <= maxEntries) break;
      this.#entries.delete(oldest);
    }
    entry.answer.then(
      (answer) => {
        entry.until = this.#clock.monotonicMs() + this.#lifetimeMs(answer);
      },
      () => {
        if (this.#entries.get(key) === entry) this.#entries.delete(key);
      },
    );
    return entry.answer;
  }
}
