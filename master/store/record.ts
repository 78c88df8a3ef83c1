/**
 * How a version lies on disk: one LevelDB pair per revision. Pure.
 *
 * Key: `v` + revision in 16 digits, so that LevelDB's order is revision order. Value: CRC-32 of what follows (4 bytes),
 * kind (1: 1 put, 0 delete), createRevision (8, float), key length (4), key, value. LevelDB checks its own blocks only
 * when asked; our checksum tells a damaged value from a good one whatever happened below.
 */
import { crc32 } from 'node:zlib';
import type { Version } from './mvcc.js';
import type { StoreEvent } from './store.js';

/** A pair that cannot be what we wrote. */
export class StoreCorrupt extends Error {
  override readonly name = 'StoreCorrupt';
}

const headerBytes = 17;

/** Behind the names of all records. */
export const recordsEnd = 'w';

export const recordKey = (revision: number): string => `v${String(revision).padStart(16, '0')}`;

export function encodeRecord(event: StoreEvent): Buffer {
  const key = Buffer.from(event.key);
  const value = event.entry?.value;
  const record = Buffer.allocUnsafe(headerBytes + key.length + (value?.length ?? 0));
  record.writeUInt8(value ? 1 : 0, 4);
  record.writeDoubleBE(event.entry?.createRevision ?? 0, 5);
  record.writeUInt32BE(key.length, 13);
  key.copy(record, headerBytes);
  value?.copy(record, headerBytes + key.length);
  record.writeUInt32BE(crc32(record.subarray(4)), 0);
  return record;
}

/** The value is a view into `record`. Throws `StoreCorrupt`. */
export function decodeRecord(name: string, record: Buffer): { key: string; version: Version } {
  const revision = Number(name.slice(1));
  if (!Number.isSafeInteger(revision) || name !== recordKey(revision))
    throw new StoreCorrupt(`${name} is no revision`);
  if (record.length < headerBytes || crc32(record.subarray(4)) !== record.readUInt32BE(0)) {
    throw new StoreCorrupt(`the record of revision ${revision} is damaged`);
  }
  const keyEnd = headerBytes + record.readUInt32BE(13);
  const key = record.toString('utf8', headerBytes, keyEnd);
  if (record.readUInt8(4) === 0) return { key, version: { revision, entry: undefined } };
  const entry = {
    key,
    value: record.subarray(keyEnd),
    modRevision: revision,
    createRevision: record.readDoubleBE(5),
  };
  return { key, version: { revision, entry } };
}
