/**
 * What LevelDB does not say of its own files. It drops damaged parts of its log without a word, and with them writes that
 * were acknowledged; without `CURRENT` it begins a new store and removes the files of the old one. Called by `disk.ts`
 * before LevelDB opens the directory, as the opening already throws away what it cannot read.
 *
 * The log is blocks of 32 KiB of fragments: CRC-32C of what follows the length, masked (4 bytes), length (2), type (1), data. A
 * write that a crash cut off ends with the file or lies in sectors that were never written, which read as zeros: that is no
 * damage, and nobody was told that it is there.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { hasCode, namesIn } from '../../src/host/files.js';
import { checksum, hasUnwritten, step, unmasked } from './blocks.js';
import { StoreCorrupt } from './record.js';
import { tableDamageAt } from './sstable.js';

const blockBytes = 32 * 1024;
const headerBytes = 7;

/** What is wrong with the files of a store, in words; nothing for a directory that is none. */
export async function damageIn(directory: string): Promise<StoreCorrupt | undefined> {
  const names = await namesIn(directory);
  const isStore = names.some((name) => /^(?:\d+\.(?:ldb|sst|log)|MANIFEST-\d+)$/.test(name));
  if (isStore && !names.includes('CURRENT'))
    return new StoreCorrupt(`${join(directory, 'CURRENT')} is missing beside the other files of the store`);
  for (const name of names.filter((one) => /^\d+\.(?:ldb|sst|log)$/.test(one)).sort()) {
    const path = join(directory, name);
    const bytes = await bytesOf(path);
    const at = bytes && (name.endsWith('.log') ? logDamageAt(bytes) : tableDamageAt(bytes));
    if (at !== undefined) return new StoreCorrupt(`${path} is damaged at byte ${at}`);
  }
  return undefined;
}

/** Nothing when it has gone meanwhile: then somebody else has the store open, and LevelDB says so. */
async function bytesOf(path: string): Promise<Buffer | undefined> {
  try {
    return await readFile(path);
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined;
    throw error;
  }
}

/** Where the first fragment is that was whole once; `undefined` for a log that is good or was cut off by a crash. */
export function logDamageAt(log: Buffer): number | undefined {
  let at = 0;
  while (at + headerBytes <= log.length) {
    const blockEnd = at - (at % blockBytes) + blockBytes;
    if (blockEnd - at < headerBytes) {
      at = blockEnd;
      continue;
    }
    const end = at + headerBytes + log.readUInt16LE(at + 4);
    if (end <= Math.min(blockEnd, log.length) && checksum(log, at + 6, end) === unmasked(log, at)) {
      at = end;
      continue;
    }
    const limit = Math.min(blockEnd, log.length);
    const isCutOff = end > log.length && blockEnd >= log.length && !isWhole(log, at);
    if (!isCutOff && !hasUnwritten(log, at, limit)) return at;
    // As LevelDB: what else is in the block cannot be told apart.
    at = blockEnd;
  }
  return undefined;
}

/** Whether a fragment that is longer than the file only says so. */
function isWhole(log: Buffer, at: number): boolean {
  const wanted = unmasked(log, at);
  let state = ~0;
  for (let next = at + 6; next < log.length; next += 1) {
    state = step(state, log[next] ?? 0);
    if (~state >>> 0 === wanted) return true;
  }
  return false;
}
