/**
 * Offline look at a store directory for `wherry store check`; the master must not run (LevelDB's lock sees to that).
 *
 * Reads every record, verifies its checksum, and that revisions behind the compacted one follow each other. With
 * `repair` the damaged records are removed and the history is closed, so that the master starts with what is readable.
 */
import { Disk } from './disk.js';
import type { Version } from './mvcc.js';
import { decodeRecord, StoreCorrupt } from './record.js';

export interface StoreReport {
  /** Live entries. */
  entries: number;
  revision: number;
  compactedRevision: number;
  /** Records on disk, history included. */
  records: number;
  /** In words, for a human; empty when all is well. */
  problems: string[];
  /** Names of the damaged records that `repair` removed. */
  removed: string[];
}

/** Rejects when the directory is no store or in use. */
export async function checkStore(
  directory: string,
  options: { repair?: boolean } = {},
): Promise<StoreReport> {
  const disk = new Disk(directory);
  await disk.open(true);
  try {
    return await inspect(disk, options.repair ?? false);
  } finally {
    await disk.close();
  }
}

async function inspect(disk: Disk, repair: boolean): Promise<StoreReport> {
  const compactedRevision = await disk.compactedRevision();
  const report: StoreReport = {
    entries: 0,
    revision: Math.max(1, compactedRevision),
    compactedRevision,
    records: 0,
    problems: [],
    removed: [],
  };
  const live = new Map<string, boolean>();
  for await (const batch of disk.rawRecords(0)) {
    for (const { name, record } of batch) {
      report.records += 1;
      const decoded = tryDecode(name, record);
      if (decoded instanceof StoreCorrupt) {
        report.problems.push(decoded.message);
        if (repair) {
          await disk.remove(name);
          report.removed.push(name);
        }
        continue;
      }
      live.set(decoded.key, decoded.version.entry !== undefined);
      follow(report, decoded.version.revision);
    }
  }
  // A gap in the history would keep the master from starting: there is no history any more.
  if (repair && report.problems.length > 0) {
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

function tryDecode(name: string, record: Buffer): { key: string; version: Version } | StoreCorrupt {
  try {
    return decodeRecord(name, record);
  } catch (error) {
    if (error instanceof StoreCorrupt) return error;
    throw error;
  }
}
