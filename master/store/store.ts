/**
 * 3. Contract: the revisioned key-value store under the registry; etcd v3 semantics.
 *
 * Keys are strings such as `/registry/pods/default/web`, ordered by code unit. Every write gets the next global
 * revision. A write that resolved is on disk. Readers and watchers see only what is on disk, in revision order.
 * Implementations: `file` (default), `memory` (tests), `etcd` (several masters). All pass `contract.ts`.
 *
 * Values are bytes. `stamp`, given at construction, puts the revision into the bytes exactly once per write, so that
 * the same buffer serves every get, list and watch; implementations never look inside a value otherwise.
 */
import type { Component } from '../../src/host/component.js';

export interface Entry {
  key: string;
  /** Stamped bytes; the same Buffer instance for every reader of this revision while it is in memory. */
  value: Buffer;
  /** Revision of the last write of this key. */
  modRevision: number;
  /** Revision of the write that created it. */
  createRevision: number;
}

export interface StoreEvent {
  type: 'put' | 'delete';
  key: string;
  revision: number;
  /** The entry after a put; absent after a delete. */
  entry: Entry | undefined;
  /** The entry before; absent when the put created the key. */
  previous: Entry | undefined;
}

export interface Range {
  entries: Entry[];
  /** The revision of the state that was read. */
  revision: number;
  /** Keys of the prefix behind the last returned one; 0 when the listing is complete. */
  remaining: number;
}

export interface RangeOptions {
  /** Read the state as of this revision; the present when absent. */
  revision?: number;
  limit?: number;
  /** Start behind this key. */
  after?: string;
}

/** `0` expects that the key does not exist; a number that its modRevision is that; `undefined` anything. */
export type Expected = number | undefined;

/** The write did not happen, because the key is not in the expected state. */
export class CompareFailed extends Error {
  override readonly name = 'CompareFailed';
  /** What is there instead; absent when the key does not exist. */
  readonly current: Entry | undefined;

  constructor(key: string, current: Entry | undefined) {
    super(`compare failed on ${key}`);
    this.current = current;
  }
}

/** The revision asked for is no longer (or not yet) there. */
export class RevisionUnavailable extends Error {
  override readonly name = 'RevisionUnavailable';
  readonly kind: 'compacted' | 'future';
  /** The oldest revision that can be read, or the newest. */
  readonly bound: number;

  constructor(kind: 'compacted' | 'future', asked: number, bound: number) {
    super(
      `revision ${asked} is ${kind === 'compacted' ? `compacted, oldest is ${bound}` : `in the future, newest is ${bound}`}`,
    );
    this.kind = kind;
    this.bound = bound;
  }
}

/** The store cannot take writes (disk full, sync failed); reads go on. */
export class StoreReadOnly extends Error {
  override readonly name = 'StoreReadOnly';
}

export interface Store extends Component {
  /** Revision of the newest durable write; grows by one per write. */
  revision(): number;
  /** Oldest revision that `range` and `watch` still serve. */
  compactedRevision(): number;
  get(key: string): Promise<Entry | undefined>;
  range(prefix: string, options?: RangeOptions): Promise<Range>;
  /** Resolves with the durable entry. Rejects with `CompareFailed`, `StoreReadOnly`. */
  put(key: string, value: Buffer, expected: Expected): Promise<Entry>;
  /** Resolves with the revision of the deletion; rejects with `CompareFailed` (also when the key does not exist). */
  delete(key: string, expected: Expected): Promise<number>;
  /**
   * Events of keys under `prefix` with revision > `after`, in order, without gap or repeat, in batches. Throws
   * `RevisionUnavailable` when `after` is compacted, `WatcherTooSlow` when the consumer falls behind.
   */
  watch(prefix: string, after: number, signal: AbortSignal): AsyncIterable<readonly StoreEvent[]>;
  /** Forgets history up to and including `revision`; the present stays. */
  compact(revision: number): Promise<void>;
}

/** The consumer did not keep up and was cut off; it must list again. */
export class WatcherTooSlow extends Error {
  override readonly name = 'WatcherTooSlow';
}

/** Puts the revision into freshly serialised bytes. */
export type Stamp = (value: Buffer, revision: number) => Buffer;
