/**
 * 2. Objects as bytes. An object is serialised once per write, with apiVersion, kind and metadata first and without a
 * resourceVersion; the store calls `stamp` to put the revision in. Every reader then gets that one buffer, and
 * `decode` hands out one shared object per buffer, which nobody may change.
 */
import type { KubeObject } from '../../src/api/types.js';
import type { Stored } from './registry.js';

const opening = '"metadata":{';

/** What a buffer means, for as long as somebody holds it. A cache keyed by identity, so sharing it is harmless. */
const decoded = new WeakMap<Buffer, KubeObject>();

/** Fresh bytes of an object, not yet stamped. Drops what the server does not keep: managedFields and selfLink. */
export function serialise(object: KubeObject): Buffer {
  const { apiVersion, kind, metadata, ...rest } = object;
  const { resourceVersion: _version, managedFields: _managed, selfLink: _link, ...kept } = metadata;
  const plain = copyJson({ apiVersion, kind, metadata: kept, ...rest }) as KubeObject;
  const bytes = Buffer.from(JSON.stringify(plain));
  decoded.set(bytes, plain);
  return bytes;
}

/** `Stamp` of the store: inserts `"resourceVersion":"N",` right behind `"metadata":{`, which no string can contain. */
export function stamp(value: Buffer, revision: number): Buffer {
  const at = value.indexOf(opening) + opening.length;
  const version = Buffer.from(`"resourceVersion":"${revision}",`);
  const stamped = Buffer.concat([value.subarray(0, at), version, value.subarray(at)]);
  const object = decoded.get(value);
  if (object) decoded.set(stamped, withVersion(object, revision));
  return stamped;
}

/** The same object at another revision, as the DELETED event of its last state carries it. */
export function restamp(stored: Stored, revision: number): Stored {
  const start = stored.bytes.indexOf(opening) + opening.length;
  const end = stored.bytes.indexOf('",', start) + 2;
  const version = Buffer.from(`"resourceVersion":"${revision}",`);
  const bytes = Buffer.concat([stored.bytes.subarray(0, start), version, stored.bytes.subarray(end)]);
  return { bytes, object: withVersion(stored.object, revision) };
}

const withVersion = (object: KubeObject, revision: number): KubeObject => ({
  ...object,
  metadata: { ...object.metadata, resourceVersion: String(revision) },
});

/** The object behind stamped bytes; the same one for every caller. */
export function decode(bytes: Buffer): KubeObject {
  const known = decoded.get(bytes);
  if (known) return known;
  const object = JSON.parse(bytes.toString()) as KubeObject;
  decoded.set(bytes, object);
  return object;
}

/** True when both serialise to the same JSON, key order aside; an undefined member counts as absent. */
export function isSameJson(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  if (Array.isArray(a) || Array.isArray(b)) {
    if (!Array.isArray(a) || !Array.isArray(b) || a.length !== b.length) return false;
    return a.every((item, index) => isSameJson(item, b[index]));
  }
  const left = a as Record<string, unknown>;
  const right = b as Record<string, unknown>;
  return (
    Object.keys(left).every((key) => isSameJson(left[key], right[key])) &&
    Object.keys(right).every((key) => right[key] === undefined || left[key] !== undefined)
  );
}

/** A deep copy of plain data without undefined members; much cheaper than `structuredClone`. */
export function copyJson(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(copyJson);
  const copy: Record<string, unknown> = {};
  for (const [key, child] of Object.entries(value)) {
    if (child !== undefined) copy[key] = copyJson(child);
  }
  return copy;
}
