/**
 * The LevelDB directory under the `file` store: what is read and written, and what its errors mean. No policy here.
 *
 * LevelDB writes a batch whole or not at all and locks the directory against a second process. `meta` holds the format
 * and the compacted revision; everything else are the records of `record.ts`, one per revision.
 */
import { ClassicLevel } from 'classic-level';
import { ensureDirectory } from '../../src/host/files.js';
import type { Cipher } from './cipher.js';
import { type Decoded, decodeRecord, encodeRecord, recordKey, recordsEnd, StoreCorrupt } from './record.js';
import type { StoreEvent } from './store.js';
import { damageIn } from './writeahead.js';

const format = 1;

interface Meta {
  format: number;
  compactedRevision: number;
}

export interface Batch {
  events: readonly StoreEvent[];
  /** Revisions whose records go away. */
  garbage: readonly number[];
  /** Written when present. */
  compactedRevision?: number | undefined;
  /** Revisions whose records are written anew, as the cipher wants them now. */
  reseal?: readonly number[];
}

export interface RawRecord {
  name: string;
  record: Buffer;
}

/** Records read from disk per step. */
const readBatch = 1000;

export class Disk {
  readonly #directory: string;
  readonly #cipher: Cipher | undefined;
  #db: ClassicLevel<string, Buffer> | undefined;

  constructor(directory: string, cipher?: Cipher) {
    this.#directory = directory;
    this.#cipher = cipher;
  }

  /**
   * Creates the directory (0700) unless `mustExist`. Rejects when another process has it open, and with `StoreCorrupt` before
   * anything is lost that damage has not lost yet; `evenDamaged`, LevelDB drops what it cannot read.
   */
  async open({ mustExist = false, evenDamaged = false } = {}): Promise<void> {
    if (!mustExist) await ensureDirectory(this.#directory, 0o700);
    // Before there is a `ClassicLevel`: it opens by itself.
    if (!evenDamaged) await this.#refuseDamage();
    // Everything is served from memory: LevelDB's own cache would only hold it twice.
    const db = new ClassicLevel<string, Buffer>(this.#directory, {
      keyEncoding: 'utf8',
      valueEncoding: 'buffer',
      cacheSize: 256 * 1024,
      createIfMissing: !mustExist,
    });
    try {
      await db.open();
    } catch (error) {
      const cause = error instanceof Error && error.cause ? error.cause : error;
      throw new Error(`cannot open the store in ${this.#directory}: ${describe(cause)}`, { cause });
    }
    this.#db = db;
  }

  async #refuseDamage(): Promise<void> {
    let damage: StoreCorrupt | undefined;
    try {
      damage = await damageIn(this.#directory);
    } catch (cause) {
      throw new Error(`cannot open the store in ${this.#directory}: ${describe(cause)}`, { cause });
    }
    if (damage) throw damage;
  }

  async close(): Promise<void> {
    const db = this.#db;
    this.#db = undefined;
    await db?.close();
  }

  /** 0 in a new store. Rejects for a format that this version does not know. */
  async compactedRevision(): Promise<number> {
    const bytes = await this.#open().get('meta');
    if (!bytes) return 0;
    const meta = JSON.parse(bytes.toString()) as Meta;
    if (meta.format !== format)
      throw new Error(
        `the store in ${this.#directory} has format ${meta.format}, this program knows ${format}: start the version that wrote it`,
      );
    return meta.compactedRevision;
  }

  /** All records behind `revision`, in order, undecoded. */
  async *rawRecords(revision: number): AsyncGenerator<RawRecord[]> {
    const iterator = this.#open().iterator({ gt: recordKey(revision), lt: recordsEnd });
    try {
      for (
        let found = await iterator.nextv(readBatch);
        found.length > 0;
        found = await iterator.nextv(readBatch)
      ) {
        yield found.map(([name, record]) => ({ name, record }));
      }
    } finally {
      await iterator.close();
    }
  }

  /** As `rawRecords`, decoded. Throws `StoreCorrupt` or `ValueUnreadable` at the first that is. */
  async *records(revision: number): AsyncGenerator<Decoded[]> {
    for await (const batch of this.rawRecords(revision)) {
      yield batch.map(({ name, record }) => decodeRecord(name, record, this.#cipher));
    }
  }

  /** One atomic batch; on disk when it resolves if it holds events or `sync` is asked for. */
  async write(batch: Batch, sync = batch.events.length > 0): Promise<void> {
    const resealed = batch.reseal?.length ? await this.#resealed(batch.reseal) : [];
    // Chained: LevelDB takes each operation as it comes, for half of what an array of them costs.
    const chain = this.#open().batch();
    if (batch.compactedRevision !== undefined) {
      const meta: Meta = { format, compactedRevision: batch.compactedRevision };
      chain.put('meta', Buffer.from(JSON.stringify(meta)));
    }
    for (const event of batch.events) chain.put(recordKey(event.revision), encodeRecord(event, this.#cipher));
    for (const { name, record } of resealed) chain.put(name, record);
    for (const revision of batch.garbage) chain.del(recordKey(revision));
    await chain.write({ sync });
  }

  /** Those that are still there. */
  async #resealed(revisions: readonly number[]): Promise<RawRecord[]> {
    const names = revisions.map(recordKey);
    const found = await this.#open().getMany(names);
    return names.flatMap((name, index) => {
      const record = found[index];
      if (!record) return [];
      const { key, version } = decodeRecord(name, record, this.#cipher);
      return [{ name, record: encodeRecord({ key, ...version }, this.#cipher) }];
    });
  }

  /** What was overwritten or removed leaves the disk for good; LevelDB else keeps it for as long as it likes. */
  async purge(): Promise<void> {
    await this.#open().compactRange('', recordsEnd);
  }

  /** Removes a record by its raw name; for repair. */
  async remove(name: string): Promise<void> {
    await this.#open().batch([{ type: 'del', key: name }], { sync: true });
  }

  #open(): ClassicLevel<string, Buffer> {
    if (!this.#db) throw new Error('the store is not open');
    return this.#db;
  }
}

/** Space may come back; any other write error means that the disk cannot be trusted. */
export const isNoSpace = (error: unknown): boolean =>
  error instanceof Error &&
  /No space left on device|Disk quota exceeded/.test(`${error.message} ${describe(error.cause)}`);

/** What was read cannot be what was written; from LevelDB's words too, which has no codes for all of it. */
export const isDamage = (error: unknown): error is Error =>
  error instanceof StoreCorrupt ||
  (error instanceof Error &&
    /Corruption: |IO error: .*Invalid argument/.test(`${error.message} ${describe(error.cause)}`));

function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return 'code' in error && error.code === 'LEVEL_LOCKED' ? 'another process has it open' : error.message;
}
