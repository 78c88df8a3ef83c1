/**
 * How a version lies on disk: one LevelDB pair per revision. Pure.
 *
 * Key: `v` + revision in 16 digits, so that LevelDB's order is revision order. Value: CRC-32 of what follows (4 bytes),
 * kind (1: 2 put of a sealed value, 1 put, 0 delete), createRevision (8, float), key length (4), key, value. LevelDB checks
 * its own blocks only when asked; our checksum tells a damaged value from a good one whatever happened below, and without the
 * key of a sealed one.
 */
import { crc32 } from 'node:zlib';
import { type Cipher, sealedBy, ValueUnreadable } from './cipher.js';
import type { Version } from './mvcc.js';
import type { StoreEvent } from './store.js';

/** A pair that cannot be what we wrote. */
export class StoreCorrupt extends Error {
  override readonly name = 'StoreCorrupt';
}

const headerBytes = 17;
const kinds = { delete: 0, put: 1, sealed: 2 } as const;

/** Behind the names of all records. */
export const recordsEnd = 'w';

export const recordKey = (revision: number): string => `v${String(revision).padStart(16, '0')}`;

/** Without a cipher, values are clear. */
export function encodeRecord(
  { key: name, revision, entry }: Pick<StoreEvent, 'key' | 'revision' | 'entry'>,
  cipher?: Cipher,
): Buffer {
  const key = Buffer.from(name);
  const isSealed = entry !== undefined && cipher?.keyFor(name) !== undefined;
  const value = isSealed ? cipher.seal({ key: name, revision }, entry.value) : entry?.value;
  const record = Buffer.allocUnsafe(headerBytes + key.length + (value?.length ?? 0));
  record.writeUInt8(value ? (isSealed ? kinds.sealed : kinds.put) : kinds.delete, 4);
  record.writeDoubleBE(entry?.createRevision ?? 0, 5);
  record.writeUInt32BE(key.length, 13);
  key.copy(record, headerBytes);
  value?.copy(record, headerBytes + key.length);
  record.writeUInt32BE(crc32(record.subarray(4)), 0);
  return record;
}

export interface Decoded {
  key: string;
  version: Version;
  /** Name of the key that its value is sealed with. */
  sealedBy: string | undefined;
}

/** A clear value is a view into `record`. Throws `StoreCorrupt`, and `ValueUnreadable` for a sealed one that does not open. */
export function decodeRecord(name: string, record: Buffer, cipher?: Cipher): Decoded {
  const decoded = readRecord(name, record);
  const { key, version } = decoded;
  if (decoded.sealedBy === undefined || !version.entry) return decoded;
  if (!cipher) throw new ValueUnreadable(`the value of ${key} is encrypted`);
  const value = cipher.open({ key, revision: version.revision }, version.entry.value);
  return { ...decoded, version: { revision: version.revision, entry: { ...version.entry, value } } };
}

/** As `decodeRecord`, but leaves a sealed value sealed. */
export function readRecord(name: string, record: Buffer): Decoded {
  const revision = Number(name.slice(1));
  if (!Number.isSafeInteger(revision) || name !== recordKey(revision))
    throw new StoreCorrupt(`${name} is no revision`);
  if (record.length < headerBytes || crc32(record.subarray(4)) !== record.readUInt32BE(0)) {
    throw new StoreCorrupt(`the record of revision ${revision} is damaged`);
  }
  const keyEnd = headerBytes + record.readUInt32BE(13);
  const key = record.toString('utf8', headerBytes, keyEnd);
  const kind = record.readUInt8(4);
  if (kind === kinds.delete) return { key, version: { revision, entry: undefined }, sealedBy: undefined };
  const entry = {
    key,
    value: record.subarray(keyEnd),
    modRevision: revision,
    createRevision: record.readDoubleBE(5),
  };
  return {
    key,
    version: { revision, entry },
    sealedBy: kind === kinds.sealed ? sealedBy(entry.value) : undefined,
  };
}

/** Whether a record is not on disk as it would be written now. */
export const isStale = ({ key, version, sealedBy: by }: Decoded, cipher: Cipher): boolean =>
  version.entry !== undefined && cipher.keyFor(key) !== by;
