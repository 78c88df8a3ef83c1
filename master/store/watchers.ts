/**
 * Hands every published event to the watchers of its prefix. Pure; used by `mvcc.ts`.
 *
 * A watcher buffers what its consumer has not taken, by reference; when more than its limit waits, it is cut off and
 * its consumer gets `WatcherTooSlow`. Events are grouped by distinct prefix, so cost grows with prefixes, not watchers,
 * for events that nobody watches.
 */
import { type StoreEvent, WatcherTooSlow } from './store.js';

class Watcher {
  #buffer: StoreEvent[];
  readonly #limit: number;
  #ended = false;
  #error: Error | undefined;
  #wake: (() => void) | undefined;

  constructor(replay: StoreEvent[], limit: number) {
    this.#buffer = replay;
    this.#limit = replay.length + limit;
  }

  push(event: StoreEvent): void {
    if (this.#ended) return;
    if (this.#buffer.length >= this.#limit) {
      this.#error = new WatcherTooSlow(`more than ${this.#limit} events wait for this watcher`);
      this.#buffer = [];
      this.end();
      return;
    }
    this.#buffer.push(event);
    this.#notify();
  }

  end(): void {
    this.#ended = true;
    this.#notify();
  }

  /** All that waits, as soon as there is something; `undefined` at the end. */
  async next(): Promise<readonly StoreEvent[] | undefined> {
    while (this.#buffer.length === 0) {
      if (this.#error) throw this.#error;
      if (this.#ended) return undefined;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    const batch = this.#buffer;
    this.#buffer = [];
    return batch;
  }

  #notify(): void {
    const wake = this.#wake;
    this.#wake = undefined;
    wake?.();
  }
}

export class Watchers {
  readonly #byPrefix = new Map<string, Set<Watcher>>();
  readonly #limit: number;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Yields `replay`, then what is published from the first `next()` on. Ends with `signal` or `endAll`. */
  async *subscribe(
    prefix: string,
    replay: () => StoreEvent[],
    signal: AbortSignal,
  ): AsyncGenerator<readonly StoreEvent[]> {
    if (signal.aborted) return;
    const watcher = new Watcher(replay(), this.#limit);
    const group = this.#byPrefix.get(prefix) ?? new Set();
    this.#byPrefix.set(prefix, group.add(watcher));
    const onAbort = (): void => watcher.end();
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      for (let batch = await watcher.next(); batch && !signal.aborted; batch = await watcher.next())
        yield batch;
    } finally {
      signal.removeEventListener('abort', onAbort);
      group.delete(watcher);
      if (group.size === 0 && this.#byPrefix.get(prefix) === group) this.#byPrefix.delete(prefix);
    }
  }

  publish(events: readonly StoreEvent[]): void {
    for (const [prefix, group] of this.#byPrefix) {
      for (const event of events) {
        if (!event.key.startsWith(prefix)) continue;
        for (const watcher of group) watcher.push(event);
      }
    }
  }

  endAll(): void {
    for (const group of this.#byPrefix.values()) for (const watcher of group) watcher.end();
  }
}
