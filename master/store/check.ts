/**
 * Offline look at a store directory for `wherry store check`; the master must not run (LevelDB's lock sees to that).
 *
 * Reads every record, verifies its checksum, and that revisions behind the compacted one follow each other. With
 * `repair` the damaged records are removed and the history is closed, so that the master starts with what is readable. With a
 * cipher, encrypted values are opened too; `forget` removes those that do not open.
 */
import { type Cipher, ValueUnreadable } from './cipher.js';
import { Disk } from './disk.js';
import { type Decoded, decodeRecord, readRecord, StoreCorrupt } from './record.js';
import { damageIn } from './writeahead.js';

export interface StoreReport {
  /** Live entries. */
  entries: number;
  revision: number;
  compactedRevision: number;
  /** Records on disk, history included. */
  records: number;
  /** In words, for a human; empty when all is well. */
  problems: string[];
  /** Names of the records that were removed. */
  removed: string[];
  /** Records whose value is encrypted. */
  sealed: number;
}

export interface CheckOptions {
  /** Remove what is damaged. */
  repair?: boolean;
  /** Opens encrypted values; they are only looked at from outside when absent. */
  cipher?: Cipher;
  /** Remove what `cipher` cannot open. */
  forget?: boolean;
}

/** Rejects when the directory is no store or in use; without `repair` also when to open it would lose something. */
export async function checkStore(directory: string, options: CheckOptions = {}): Promise<StoreReport> {
  const disk = new Disk(directory);
  const damage = options.repair ? await damageIn(directory) : undefined;
  await disk.open({ mustExist: true, evenDamaged: damage !== undefined });
  try {
    return await inspect(disk, options, damage ? [damage.message] : []);
  } finally {
    await disk.close();
  }
}

/** How many objects of which kind (`secrets`, `deployments.apps`) do not open, each counted once. */
export async function unreadableIn(directory: string, cipher: Cipher): Promise<Map<string, number>> {
  const disk = new Disk(directory);
  await disk.open({ mustExist: true });
  const kinds = new Map<string, string>();
  try {
    for await (const batch of disk.rawRecords(0)) {
      for (const { name, record } of batch) {
        const { key } = readRecord(name, record);
        if (tryDecode(name, record, cipher) instanceof ValueUnreadable) kinds.set(key, kindOf(key));
        else kinds.delete(key);
      }
    }
  } finally {
    await disk.close();
  }
  const counts = new Map<string, number>();
  for (const kind of kinds.values()) counts.set(kind, (counts.get(kind) ?? 0) + 1);
  return counts;
}

/** The registry's keys are `/registry/<group or core>/<resource>/...`. */
function kindOf(key: string): string {
  const [, , group = '', resource = ''] = key.split('/');
  return group === 'core' ? resource : `${resource}.${group}`;
}

async function inspect(disk: Disk, options: CheckOptions, problems: string[]): Promise<StoreReport> {
  const compactedRevision = await disk.compactedRevision();
  const report: StoreReport = {
    entries: 0,
    revision: Math.max(1, compactedRevision),
    compactedRevision,
    records: 0,
    problems,
    removed: [],
    sealed: 0,
  };
  const live = new Map<string, boolean>();
  for await (const batch of disk.rawRecords(0)) {
    for (const { name, record } of batch) {
      report.records += 1;
      const decoded = tryDecode(name, record, options.cipher);
      if (decoded instanceof Error) {
        report.problems.push(decoded.message);
        if (decoded instanceof StoreCorrupt ? options.repair : options.forget) {
          await disk.remove(name);
          report.removed.push(name);
        }
        continue;
      }
      if (decoded.sealedBy !== undefined) report.sealed += 1;
      live.set(decoded.key, decoded.version.entry !== undefined);
      follow(report, decoded.version.revision);
    }
  }
  // A gap in the history would keep the master from starting: there is no history any more.
  if (options.repair ? report.problems.length > 0 : report.removed.length > 0) {
    await disk.write({ events: [], garbage: [], compactedRevision: report.revision }, true);
    report.compactedRevision = report.revision;
  }
  report.entries = [...live.values()].filter(Boolean).length;
  return report;
}

function follow(report: StoreReport, revision: number): void {
  if (revision <= report.compactedRevision) return;
  if (revision !== report.revision + 1)
    report.problems.push(`revisions ${report.revision + 1} to ${revision - 1} are missing`);
  report.revision = revision;
}

function tryDecode(name: string, record: Buffer, cipher?: Cipher): Decoded | StoreCorrupt | ValueUnreadable {
  try {
    return cipher ? decodeRecord(name, record, cipher) : readRecord(name, record);
  } catch (error) {
    if (error instanceof StoreCorrupt || error instanceof ValueUnreadable) return error;
    throw error;
  }
}
