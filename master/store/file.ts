/**
 * 3. The default store: everything in memory (`mvcc.ts`), every write in LevelDB (`disk.ts`) before it is visible.
 *
 *   put/delete -> prepared in memory -> queue -> ONE synced batch at a time -> published -> caller resolves
 *
 * All writes that arrive while a batch is being synced share the next one. Invariants: what was published is on disk;
 * after a failed batch nothing prepared survives in memory and no write is taken (`StoreReadOnly`), reads go on. A full
 * disk is left again by reopening LevelDB, which rewrites its log into a synced table: what of the failed batch turns
 * out to be there is published then (its callers were told that the write failed, which may happen with any database;
 * they must read again). Any other error stays until a restart: a failed fsync must not be repeated.
 */
import type { Clock } from '../../src/host/clock.js';
import { type Health, healthyNow } from '../../src/host/component.js';
import type { Logger } from '../../src/host/log.js';
import type { Cipher } from './cipher.js';
import { Disk, isDamage, isNoSpace } from './disk.js';
import { Mvcc } from './mvcc.js';
import { StoreCorrupt } from './record.js';
import { Resealing } from './resealing.js';
import { Retention } from './retention.js';
import {
  CompareFailed,
  type Entry,
  type Expected,
  type Range,
  type RangeOptions,
  type Stamp,
  type Store,
  type StoreEvent,
  StoreReadOnly,
} from './store.js';

export interface FileStoreOptions {
  directory: string;
  stamp: Stamp;
  clock: Clock;
  log: Logger;
  /** What values look like on disk; clear when absent. */
  cipher?: Cipher;
  /** How long history is kept; 5 minutes by default. */
  historyMs?: number;
  /** History is cut in half when the objects it refers to take more than this; 24 MiB by default. */
  historyBytes?: number;
  /** Events a watcher may have waiting before it is cut off; 8192 by default. */
  watchLimit?: number;
}

/** What waits for the next batch; one without event only waits for those before it. */
interface Write {
  event: StoreEvent | undefined;
  resolve(): void;
  reject(error: Error): void;
}

interface Fault {
  error: unknown;
  /** Earliest time of the next attempt to reopen; never when absent. */
  retryAtMs: number | undefined;
}

/** Writes and deletions of one batch; bounds how long a single sync and its memory can get. */
const maxBatch = 2048;
const reopenEveryMs = 1000;

export class FileStore implements Store {
  readonly name = 'store';
  readonly #options: FileStoreOptions;
  readonly #disk: Disk;
  readonly #retention: Retention;
  readonly #resealing: Resealing;
  readonly #historyBytes: number;
  #mvcc: Mvcc;
  #queue: Write[] = [];
  #garbage: number[] = [];
  #compactedToWrite: number | undefined;
  #flushing: Promise<void> | undefined;
  #purging: Promise<void> | undefined;
  #recovering: Promise<void> | undefined;
  #fault: Fault | undefined;
  #cancelTimer: (() => void) | undefined;
  #state: 'new' | 'open' | 'stopped' = 'new';

  constructor(options: FileStoreOptions) {
    this.#options = options;
    this.#disk = new Disk(options.directory, options.cipher);
    this.#resealing = new Resealing(this.#disk, options.cipher);
    this.#retention = new Retention(options.historyMs ?? 5 * 60_000);
    this.#historyBytes = options.historyBytes ?? 24 * 1024 * 1024;
    this.#mvcc = this.#newMvcc(0);
  }

  async start(): Promise<void> {
    try {
      await this.#disk.open();
      this.#mvcc = this.#newMvcc(await this.#disk.compactedRevision());
      await this.#load(0);
    } catch (error) {
      await this.#disk.close();
      throw isDamage(error) ? damaged(this.#options.directory, error) : error;
    }
    this.#state = 'open';
    if (this.#mvcc.revision > this.#mvcc.compactedRevision) this.#noteWrites();
    this.#flush();
  }

  /** Writes that were accepted are finished; later ones are refused. Watches end. */
  async stop(): Promise<void> {
    this.#state = 'stopped';
    this.#cancelTimer?.();
    await this.#recovering?.catch(() => undefined);
    await this.#flushing;
    await this.#purging;
    this.#mvcc.endWatches();
    await this.#disk.close();
  }

  healthy(): Health {
    if (this.#state !== 'open') return { ok: false, reason: 'the store is not open' };
    return this.#fault ? { ok: false, reason: `read only: ${messageOf(this.#fault.error)}` } : healthyNow;
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
    const { entry } = await this.#submit(key, () => this.#mvcc.preparePut(key, value, expected));
    if (!entry) throw new Error('a put has an entry');
    return entry;
  }

  async delete(key: string, expected: Expected): Promise<number> {
    return (await this.#submit(key, () => this.#mvcc.prepareDelete(key, expected))).revision;
  }

  watch(prefix: string, after: number, signal: AbortSignal): AsyncIterable<readonly StoreEvent[]> {
    return this.#mvcc.watch(prefix, after, signal);
  }

  async compact(revision: number): Promise<void> {
    if (this.#state !== 'open') throw new StoreReadOnly('the store is not open');
    this.#compactTo(revision);
    await this.#enqueue(undefined);
  }

  /** After the cipher changed: writes anew what is on disk in another way. Resolves when it is known what that is. */
  async reseal(): Promise<void> {
    if (this.#state !== 'open') return;
    await this.#resealing.scan();
    this.#flush();
  }

  /** Values on disk that still have to be written anew, or purged; 0 when all is as the cipher wants it. */
  get valuesToReseal(): number {
    return this.#resealing.waiting;
  }

  async #submit(key: string, prepare: () => StoreEvent): Promise<StoreEvent> {
    if (this.#state !== 'open') throw new StoreReadOnly('the store is not open');
    if (this.#fault) await this.#recover(this.#fault);
    try {
      const event = prepare();
      await this.#enqueue(event);
      return event;
    } catch (error) {
      // The write that won may not be on disk yet: the caller must find it when it reads again.
      if (error instanceof CompareFailed && this.#mvcc.isPending(key)) await this.#enqueue(undefined);
      throw error;
    }
  }

  /** Resolves when the event, or without one everything queued before, is on disk and published. */
  #enqueue(event: StoreEvent | undefined): Promise<void> {
    if (this.#fault) return Promise.reject(readOnly(this.#fault));
    return new Promise((resolve, reject) => {
      this.#queue.push({ event, resolve, reject });
      this.#flush();
    });
  }

  /** Starts the one writing loop unless it runs or must not. It never rejects. */
  #flush(): void {
    if (this.#flushing || this.#fault || this.#recovering) return;
    this.#flushing = this.#writeAll();
  }

  async #writeAll(): Promise<void> {
    // Callers of this very tick join the first batch.
    await Promise.resolve();
    while (!this.#fault && this.#hasWork()) await this.#writeBatch();
    // In the same turn in which no work was seen: a write that comes later must start a new loop.
    this.#flushing = undefined;
    if (!this.#fault) this.#purge();
  }

  /** Beside further writes. */
  #purge(): void {
    this.#purging ??= this.#resealing
      .purge()
      .catch((err: unknown) =>
        this.#options.log.error({ err }, 'replaced values cannot be purged from the store'),
      )
      .finally(() => {
        this.#purging = undefined;
      });
  }

  #hasWork(): boolean {
    return (
      this.#queue.length > 0 ||
      this.#garbage.length > 0 ||
      this.#compactedToWrite !== undefined ||
      this.#resealing.hasWork
    );
  }

  async #writeBatch(): Promise<void> {
    const writes = this.#queue.splice(0, maxBatch);
    const garbage = this.#garbage.splice(0, maxBatch);
    const compactedRevision = this.#compactedToWrite;
    this.#compactedToWrite = undefined;
    const reseal = this.#resealing.take();
    const events: StoreEvent[] = [];
    for (const { event } of writes) if (event) events.push(event);
    try {
      const isEmpty = events.length + garbage.length + reseal.length === 0 && compactedRevision === undefined;
      if (!isEmpty) await this.#disk.write({ events, garbage, compactedRevision, reseal });
    } catch (error) {
      this.#garbage.push(...garbage);
      this.#resealing.giveBack(reseal);
      this.#compactedToWrite ??= compactedRevision;
      this.#fail(error, writes);
      return;
    }
    this.#resealing.wrote(reseal);
    this.#mvcc.publish(events);
    for (const write of writes) write.resolve();
    if (events.length > 0) this.#noteWrites();
  }

  #fail(error: unknown, writes: readonly Write[]): void {
    const retryAtMs = isNoSpace(error) ? this.#options.clock.monotonicMs() : undefined;
    const fault: Fault = { error, retryAtMs };
    this.#fault = fault;
    this.#mvcc.rollback();
    const refused = [...writes, ...this.#queue];
    this.#queue = [];
    for (const write of refused) write.reject(readOnly(fault));
    this.#options.log.error({ err: error, recoverable: retryAtMs !== undefined }, 'store is read only');
  }

  /** Resolves when the store takes writes again; rejects with `StoreReadOnly`. At most one attempt a second. */
  async #recover(fault: Fault): Promise<void> {
    if (!this.#recovering) {
      const nowMs = this.#options.clock.monotonicMs();
      if (fault.retryAtMs === undefined || nowMs < fault.retryAtMs) throw readOnly(fault);
      fault.retryAtMs = nowMs + reopenEveryMs;
      this.#recovering = this.#reopen(fault).finally(() => {
        this.#recovering = undefined;
      });
    }
    await this.#recovering;
    this.#flush();
  }

  async #reopen(fault: Fault): Promise<void> {
    try {
      await this.#flushing;
      await this.#disk.close();
      await this.#disk.open();
      this.#mvcc.announce(await this.#load(this.#mvcc.revision));
      await this.#disk.write(
        { events: [], garbage: [], compactedRevision: this.#mvcc.compactedRevision },
        true,
      );
    } catch (error) {
      fault.error = error;
      if (!isNoSpace(error)) fault.retryAtMs = undefined;
      throw readOnly(fault);
    }
    this.#fault = undefined;
    this.#options.log.info({ revision: this.#mvcc.revision }, 'store takes writes again');
  }

  /** Reads what is on disk behind `revision` into memory. */
  async #load(revision: number): Promise<StoreEvent[]> {
    const events: StoreEvent[] = [];
    for await (const batch of this.#disk.records(revision)) {
      for (const record of batch) {
        const { key, version } = record;
        this.#resealing.note(record);
        const restored = this.#mvcc.restore(key, version);
        if (restored.event) events.push(restored.event);
        this.#garbage.push(...restored.garbage);
      }
    }
    return events;
  }

  #noteWrites(): void {
    this.#retention.note(this.#mvcc.revision, this.#options.clock.monotonicMs());
    if (this.#mvcc.logBytes > this.#historyBytes) this.#compactTo(this.#mvcc.revisionAtShare(0.5));
    this.#armTimer();
  }

  /** The only timer of the store; there is none while there is nothing to forget. */
  #armTimer(): void {
    const nextMs = this.#retention.nextMs();
    if (this.#cancelTimer || nextMs === undefined || this.#state === 'stopped') return;
    const { clock } = this.#options;
    this.#cancelTimer = clock.after(nextMs - clock.monotonicMs(), () => {
      this.#cancelTimer = undefined;
      const revision = this.#retention.expire(clock.monotonicMs());
      if (revision !== undefined) this.#compactTo(revision);
      this.#armTimer();
    });
  }

  #compactTo(revision: number): void {
    if (revision <= this.#mvcc.compactedRevision) return;
    for (const old of this.#mvcc.compact(revision)) this.#garbage.push(old);
    this.#compactedToWrite = revision;
    this.#flush();
  }

  #newMvcc(compactedRevision: number): Mvcc {
    const { stamp, watchLimit = 8192 } = this.#options;
    return new Mvcc({ stamp, watchLimit, compactedRevision });
  }
}

const damaged = (directory: string, cause: Error): StoreCorrupt =>
  new StoreCorrupt(
    `the store in ${directory} is damaged: ${cause.message}; put a backup back, or see what \`wherry store check\` says`,
    { cause },
  );

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

const readOnly = (fault: Fault): StoreReadOnly =>
  new StoreReadOnly(`the store takes no writes: ${messageOf(fault.error)}`, { cause: fault.error });
