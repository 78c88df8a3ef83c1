/**
 * Whether a table file of LevelDB is what was written. LevelDB could check its blocks itself but cannot be asked to from here,
 * and a changed bit may be another key, or a deletion, that looks good. Pure. Called by `writeahead.ts`.
 *
 *   block, 1 byte compression, CRC-32C of both, masked; ...; index block; footer of 48 bytes: handles, magic number
 *
 * Every block but those of filters, which are not used, is named by the index. A table that a crash cut off is in no version
 * of the store, and LevelDB removes it; it says itself when one that it needs is cut off.
 */
import { checksum, hasUnwritten, unmasked } from './blocks.js';

const footerBytes = 48;
const magic = 0xdb4775248b80fb57n;
const snappy = 1;

interface Handle {
  at: number;
  size: number;
}

/** Where the first damage is; `undefined` when there is none. */
export function tableDamageAt(file: Buffer): number | undefined {
  const footer = file.length - footerBytes;
  if (footer < 0 || file.readBigUInt64LE(file.length - 8) !== magic) return undefined;
  const cursor = { bytes: file, at: footer };
  readHandle(cursor);
  const index = readHandle(cursor);
  const blocks = isGood(file, index) ? handlesIn(contentOf(file, index)) : [index];
  return blocks.find((block) => !isGood(file, block) && !isUnwritten(file, block))?.at;
}

function isGood(file: Buffer, { at, size }: Handle): boolean {
  const end = at + size + 1;
  return end + 4 <= file.length && checksum(file, at, end) === unmasked(file, end);
}

const isUnwritten = (file: Buffer, { at, size }: Handle): boolean =>
  hasUnwritten(file, at, Math.min(at + size, file.length));

function contentOf(file: Buffer, { at, size }: Handle): Buffer {
  const content = file.subarray(at, at + size);
  return file[at + size] === snappy ? unpacked(content) : content;
}

/** The values of a block of entries: shared, unshared and value length, key, value; behind them the restarts, and how many. */
function handlesIn(block: Buffer): Handle[] {
  const end = block.length - 4 - 4 * block.readUInt32LE(block.length - 4);
  const cursor = { bytes: block, at: 0 };
  const handles: Handle[] = [];
  while (cursor.at < end) {
    readNumber(cursor);
    const keyBytes = readNumber(cursor);
    const valueBytes = readNumber(cursor);
    const value = cursor.at + keyBytes;
    handles.push(readHandle({ bytes: block, at: value }));
    cursor.at = value + valueBytes;
  }
  return handles;
}

interface Cursor {
  bytes: Buffer;
  at: number;
}

function readHandle(cursor: Cursor): Handle {
  const at = readNumber(cursor);
  return { at, size: readNumber(cursor) };
}

/** Seven bits a byte, the lowest first. */
function readNumber(cursor: Cursor): number {
  let value = 0;
  for (let factor = 1; ; factor *= 128) {
    const byte = cursor.bytes[cursor.at++] ?? 0;
    value += (byte & 127) * factor;
    if (byte < 128) return value;
  }
}

/** Snappy: literals, and copies of what was written before. */
function unpacked(packed: Buffer): Buffer {
  const cursor = { bytes: packed, at: 0 };
  const out = Buffer.alloc(readNumber(cursor));
  let end = 0;
  while (cursor.at < packed.length) {
    const tag = packed[cursor.at++] ?? 0;
    const kind = tag & 3;
    if (kind === 0) {
      const short = tag >> 2;
      const more = Math.max(0, short - 59);
      const length = (more === 0 ? short : packed.readUIntLE(cursor.at, more)) + 1;
      cursor.at += more;
      packed.copy(out, end, cursor.at, cursor.at + length);
      cursor.at += length;
      end += length;
      continue;
    }
    const bytes = kind === 3 ? 4 : kind;
    const length = kind === 1 ? ((tag >> 2) & 7) + 4 : (tag >> 2) + 1;
    const back = packed.readUIntLE(cursor.at, bytes) + (kind === 1 ? (tag >> 5) * 256 : 0);
    cursor.at += bytes;
    for (const until = end + length; end < until; end += 1) out[end] = out[end - back] ?? 0;
  }
  return out;
}
