/**
 * 3. The store in memory: every live entry, the versions back to the compacted revision, and the event log. Pure.
 *
 * A write has two steps. `prepare*` checks it against the newest state, prepared writes included, and gives it its
 * revision; `publish` makes it visible to readers and watchers. What lies between (an fsync) is the caller's business;
 * when that fails, `rollback` forgets all prepared writes and their revisions.
 *
 * Invariants: published revisions have no gap; the log holds exactly the events behind the compacted revision; each
 * key's versions ascend, and at most the first of them is not behind the compacted revision.
 */
import { StoreCorrupt } from './record.js';
import { SortedMap } from './sortedmap.js';
import {
  CompareFailed,
  type Entry,
  type Expected,
  type Range,
  type RangeOptions,
  RevisionUnavailable,
  type Stamp,
  type StoreEvent,
} from './store.js';
import { Watchers } from './watchers.js';

/** One write of a key; a deletion has no entry. */
export interface Version {
  revision: number;
  entry: Entry | undefined;
}

export interface MvccOptions {
  stamp: Stamp;
  /** Events a watcher may have waiting before it is cut off. */
  watchLimit: number;
  /** Where the history begins; 0 in a new store. */
  compactedRevision: number;
}

/** A new store is at revision 1, as in etcd: 0 means "any" to Kubernetes clients. */
const firstRevision = 1;

export class Mvcc {
  readonly #stamp: Stamp;
  readonly #keys = new SortedMap<Version[]>();
  readonly #watchers: Watchers;
  readonly #pending = new Map<string, Version>();
  #log: StoreEvent[] = [];
  #logBytes = 0;
  #revision: number;
  #preparedRevision: number;
  #compacted: number;

  constructor(options: MvccOptions) {
    this.#stamp = options.stamp;
    this.#watchers = new Watchers(options.watchLimit);
    this.#compacted = options.compactedRevision;
    this.#revision = Math.max(firstRevision, options.compactedRevision);
    this.#preparedRevision = this.#revision;
  }

  get revision(): number {
    return this.#revision;
  }

  get compactedRevision(): number {
    return this.#compacted;
  }

  /** Bytes of values that the event log refers to; live entries may be among them. */
  get logBytes(): number {
    return this.#logBytes;
  }

  get(key: string): Entry | undefined {
    return this.#keys.get(key)?.at(-1)?.entry;
  }

  range(prefix: string, options: RangeOptions): Range {
    const revision = options.revision ?? this.#revision;
    this.#requireAvailable(revision);
    const limit = options.limit ?? Number.POSITIVE_INFINITY;
    const entries: Entry[] = [];
    let remaining = 0;
    const behind = options.after === undefined ? prefix : `${options.after}\u0000`;
    this.#keys.scan(behind > prefix ? behind : prefix, (key, versions) => {
      if (!key.startsWith(prefix)) return false;
      const entry = entryAt(versions, revision);
      if (entry && entries.length < limit) entries.push(entry);
      else if (entry) remaining += 1;
      return true;
    });
    return { entries, revision, remaining };
  }

  watch(prefix: string, after: number, signal: AbortSignal): AsyncIterable<readonly StoreEvent[]> {
    const replay = (): StoreEvent[] => {
      this.#requireAvailable(after);
      return this.#log.slice(this.#logIndex(after)).filter((event) => event.key.startsWith(prefix));
    };
    return this.#watchers.subscribe(prefix, replay, signal);
  }

  endWatches(): void {
    this.#watchers.endAll();
  }

  /** Whether a prepared write of this key waits to be published. */
  isPending(key: string): boolean {
    return this.#pending.has(key);
  }

  /** Throws `CompareFailed`, whose `current` is the newest entry, prepared ones included. */
  preparePut(key: string, value: Buffer, expected: Expected): StoreEvent {
    const previous = this.#newest(key);
    if (expected !== undefined && expected !== (previous?.modRevision ?? 0))
      throw new CompareFailed(key, previous);
    const revision = this.#preparedRevision + 1;
    const stamped = this.#stamp(value, revision);
    const entry: Entry = {
      key,
      value: stamped,
      modRevision: revision,
      createRevision: previous?.createRevision ?? revision,
    };
    return this.#prepared({ type: 'put', key, revision, entry, previous });
  }

  /** Throws `CompareFailed`, also when there is nothing to delete. */
  prepareDelete(key: string, expected: Expected): StoreEvent {
    const previous = this.#newest(key);
    if (!previous || (expected !== undefined && expected !== previous.modRevision))
      throw new CompareFailed(key, previous);
    return this.#prepared({
      type: 'delete',
      key,
      revision: this.#preparedRevision + 1,
      entry: undefined,
      previous,
    });
  }

  /** Makes prepared writes visible; the caller must pass all of them, in order, over one or more calls. */
  publish(events: readonly StoreEvent[]): void {
    for (const event of events) {
      this.#append(event);
      if (this.#pending.get(event.key)?.revision === event.revision) this.#pending.delete(event.key);
    }
    this.#watchers.publish(events);
  }

  /** Forgets every prepared write that was not published. */
  rollback(): void {
    this.#pending.clear();
    this.#preparedRevision = this.#revision;
  }

  /**
   * Takes in a version read from disk; they must come in revision order. Returns the event when it is behind the
   * compacted revision, and the revisions that turned out to be history nobody can ask for any more.
   */
  restore(key: string, version: Version): { event: StoreEvent | undefined; garbage: number[] } {
    const versions = this.#keys.get(key);
    if (version.revision > this.#compacted) {
      const { revision, entry } = version;
      const event: StoreEvent = {
        type: entry ? 'put' : 'delete',
        key,
        revision,
        entry,
        previous: versions?.at(-1)?.entry,
      };
      this.#append(event);
      this.#preparedRevision = this.#revision;
      return { event, garbage: [] };
    }
    const garbage = versions?.map((old) => old.revision) ?? [];
    if (version.entry) this.#keys.set(key, [version]);
    else {
      this.#keys.delete(key);
      garbage.push(version.revision);
    }
    return { event: undefined, garbage };
  }

  /** Tells watchers of events that `restore` returned. */
  announce(events: readonly StoreEvent[]): void {
    this.#watchers.publish(events);
  }

  /** Forgets history up to and including `revision`; returns the revisions of the versions that are gone. */
  compact(revision: number): number[] {
    if (revision <= this.#compacted) return [];
    if (revision > this.#revision) throw new RevisionUnavailable('future', revision, this.#revision);
    const count = this.#logIndex(revision);
    const forgotten = this.#log.slice(0, count);
    this.#log = this.#log.slice(count);
    this.#compacted = revision;
    const garbage: number[] = [];
    for (const event of forgotten) {
      this.#logBytes -= sizeOf(event);
      for (const old of this.#trim(event.key)) garbage.push(old);
    }
    return garbage;
  }

  /** The last published revision that the oldest `share` (0 to 1) of the log reaches. */
  revisionAtShare(share: number): number {
    return this.#compacted === this.#revision
      ? this.#revision
      : (this.#log[Math.ceil(this.#log.length * share) - 1]?.revision ?? this.#compacted);
  }

  #newest(key: string): Entry | undefined {
    const pending = this.#pending.get(key);
    return pending ? pending.entry : this.get(key);
  }

  #prepared(event: StoreEvent): StoreEvent {
    this.#preparedRevision = event.revision;
    this.#pending.set(event.key, { revision: event.revision, entry: event.entry });
    return event;
  }

  #append(event: StoreEvent): void {
    if (event.revision !== this.#revision + 1) {
      throw new StoreCorrupt(`revision ${event.revision} does not follow ${this.#revision}`);
    }
    const version: Version = { revision: event.revision, entry: event.entry };
    const versions = this.#keys.get(event.key);
    if (versions) versions.push(version);
    else this.#keys.set(event.key, [version]);
    this.#log.push(event);
    this.#logBytes += sizeOf(event);
    this.#revision = event.revision;
  }

  /** Drops the versions of a key that no revision from the compacted one on can see. */
  #trim(key: string): number[] {
    const versions = this.#keys.get(key);
    if (!versions) return [];
    const firstBehind = versions.findIndex((version) => version.revision > this.#compacted);
    const visible = (firstBehind < 0 ? versions.length : firstBehind) - 1;
    const drop = versions[visible]?.entry === undefined ? visible + 1 : visible;
    const dropped = versions.splice(0, Math.max(drop, 0)).map((version) => version.revision);
    if (versions.length === 0) this.#keys.delete(key);
    return dropped;
  }

  /** Index in the log of the first event behind `revision`. */
  #logIndex(revision: number): number {
    return Math.max(revision - (this.#log[0]?.revision ?? this.#revision + 1) + 1, 0);
  }

  #requireAvailable(revision: number): void {
    if (revision < this.#compacted) throw new RevisionUnavailable('compacted', revision, this.#compacted);
    if (revision > this.#revision) throw new RevisionUnavailable('future', revision, this.#revision);
  }
}

function entryAt(versions: readonly Version[], revision: number): Entry | undefined {
  for (let index = versions.length - 1; index >= 0; index -= 1) {
    const version = versions[index];
    if (version && version.revision <= revision) return version.entry;
  }
  return undefined;
}

/** About what an event keeps in memory: a value as bytes and decoded, and what stands around them. */
const sizeOf = (event: StoreEvent): number => 2 * ((event.entry ?? event.previous)?.value.length ?? 0) + 1024;
