/**
 * What LevelDB's files are checked with: CRC-32C, which Node does not have, and what a loss of power leaves of a write that
 * nobody was told of. Pure. Called by `writeahead.ts` and `sstable.ts`.
 */
const sectorBytes = 512;

const table = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit += 1) value = value & 1 ? (value >>> 1) ^ 0x82f63b78 : value >>> 1;
  return value;
});

/** One byte further, from `~0` on; the complement of the state is the checksum. */
export const step = (state: number, byte: number): number =>
  (table[(state ^ byte) & 0xff] ?? 0) ^ (state >>> 8);

export function checksum(bytes: Buffer, from: number, to: number): number {
  let state = ~0;
  for (let at = from; at < to; at += 1) state = step(state, bytes[at] ?? 0);
  return ~state >>> 0;
}

/** A checksum as LevelDB stores it: turned and shifted, as it may itself be part of what is checked. */
export function unmasked(bytes: Buffer, at: number): number {
  const turned = (bytes.readUInt32LE(at) - 0xa282ead8) >>> 0;
  return ((turned >>> 17) | (turned << 15)) >>> 0;
}

/** Whether a sector that begins in this part holds nothing but zeros: the disk never got it. */
export function hasUnwritten(bytes: Buffer, from: number, to: number): boolean {
  for (let at = Math.ceil(from / sectorBytes) * sectorBytes; at < to; at += sectorBytes)
    if (bytes.subarray(at, at + sectorBytes).every((byte) => byte === 0)) return true;
  return false;
}
