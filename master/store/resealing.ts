/**
 * Which records on disk are not as the cipher wants them: clear ones of before encryption, ones of a former key. They are
 * written anew by and by, between other writes; when none is left, what they replaced is purged from the disk.
 *
 * Owned by `file.ts`, whose one writing loop takes from here: a record can then not come back after its removal.
 */
import type { Cipher } from './cipher.js';
import type { Disk } from './disk.js';
import { type Decoded, isStale, readRecord } from './record.js';

/** Records in one batch, beside the writes of others. */
const batchSize = 256;

export class Resealing {
  readonly #cipher: Cipher | undefined;
  readonly #disk: Disk;
  #stale: number[] = [];
  /** Records were written anew since the last purge. */
  #isDirty = false;
  /** Scans and purges. */
  #running = 0;
  /** Records in the batch that is being written. */
  #taken = 0;

  constructor(disk: Disk, cipher: Cipher | undefined) {
    this.#disk = disk;
    this.#cipher = cipher;
  }

  get hasWork(): boolean {
    return this.#stale.length > 0;
  }

  /** 0 when everything on disk is as the cipher wants it and nothing else is left there. */
  get waiting(): number {
    return this.#stale.length + this.#taken + this.#running + (this.#isDirty ? 1 : 0);
  }

  note(record: Decoded): void {
    if (this.#cipher && isStale(record, this.#cipher)) this.#stale.push(record.version.revision);
  }

  /** Revisions for the next batch; `giveBack` those of a batch that failed. */
  take(): number[] {
    const revisions = this.#stale.splice(0, batchSize);
    this.#taken = revisions.length;
    return revisions;
  }

  giveBack(revisions: readonly number[]): void {
    this.#taken = 0;
    this.#stale.push(...revisions);
  }

  /** Told of every batch that was written. */
  wrote(revisions: readonly number[]): void {
    this.#taken = 0;
    if (revisions.length > 0) this.#isDirty = true;
  }

  /** Looks through the whole disk, after the cipher changed. */
  async scan(): Promise<void> {
    this.#running += 1;
    try {
      for await (const batch of this.#disk.rawRecords(0))
        for (const { name, record } of batch) this.note(readRecord(name, record));
    } finally {
      this.#running -= 1;
    }
  }

  /** What records replaced that were written anew. */
  async purge(): Promise<void> {
    if (!this.#isDirty || this.hasWork) return;
    this.#running += 1;
    this.#isDirty = false;
    try {
      await this.#disk.purge();
    } catch (error) {
      this.#isDirty = true;
      throw error;
    } finally {
      this.#running -= 1;
    }
  }
}
