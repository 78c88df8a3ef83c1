/**
 * The store without a disk: for tests and tools. Same core, same contract suite as `file.ts`; a write is visible at
 * once, and history is kept until `compact` is called.
 */
import { type Health, healthyNow } from '../../src/host/component.js';
import { Mvcc } from './mvcc.js';
import type { Entry, Expected, Range, RangeOptions, Stamp, Store, StoreEvent } from './store.js';

export interface MemoryStoreOptions {
  stamp?: Stamp;
  /** Events a watcher may have waiting before it is cut off. */
  watchLimit?: number;
}

export class MemoryStore implements Store {
  readonly name = 'store';
  readonly #mvcc: Mvcc;

  constructor(options: MemoryStoreOptions = {}) {
    this.#mvcc = new Mvcc({
      stamp: options.stamp ?? ((value) => value),
      watchLimit: options.watchLimit ?? 8192,
      compactedRevision: 0,
    });
  }

  async start(): Promise<void> {
    await Promise.resolve();
  }

  async stop(): Promise<void> {
    this.#mvcc.endWatches();
    await Promise.resolve();
  }

  healthy(): Health {
    return healthyNow;
  }

  revision(): number {
    return this.#mvcc.revision;
  }

  compactedRevision(): number {
    return this.#mvcc.compactedRevision;
  }

  async get(key: string): Promise<Entry | undefined> {
    return this.#mvcc.get(key);
  }

  async range(prefix: string, options: RangeOptions = {}): Promise<Range> {
    return this.#mvcc.range(prefix, options);
  }

  async put(key: string, value: Buffer, expected: Expected): Promise<Entry> {
    const event = this.#mvcc.preparePut(key, value, expected);
    this.#mvcc.publish([event]);
    return event.entry as Entry;
  }

  async delete(key: string, expected: Expected): Promise<number> {
    const event: StoreEvent = this.#mvcc.prepareDelete(key, expected);
    this.#mvcc.publish([event]);
    return event.revision;
  }

  watch(prefix: string, after: number, signal: AbortSignal): AsyncIterable<readonly StoreEvent[]> {
    return this.#mvcc.watch(prefix, after, signal);
  }

  async compact(revision: number): Promise<void> {
    this.#mvcc.compact(revision);
  }
}
