/**
 * 2. Objects as bytes. An object is serialised once per write, with apiVersion, kind and metadata first and without a
 * resourceVersion; the store calls `stamp` to put the revision in. Every reader then gets that one buffer, and
 * `decode` hands out one shared object per buffer, which nobody may change.
 */
import type { KubeObject } from '../../src/api/types.js';
import type { Stored } from './registry.js';

const opening = Buffer.from('"metadata":{');

/** What a buffer means, kept on the buffer: a WeakMap of as many would cost every garbage collection. */
const decoded = Symbol('decoded');
type Decodable = Buffer & { [decoded]?: KubeObject };

/**
 * Fresh bytes of an object, not yet stamped. Drops what the server does not keep: managedFields and selfLink. The object
 * may be shared from now on: it must not change any more.
 */
export function serialise(object: KubeObject): Buffer {
  const { apiVersion, kind, metadata, ...rest } = object;
  const { resourceVersion: _version, managedFields: _managed, selfLink: _link, ...kept } = metadata;
  const plain = withoutUndefined({ apiVersion, kind, metadata: kept, ...rest }) as KubeObject;
  const bytes: Decodable = Buffer.from(JSON.stringify(plain));
  bytes[decoded] = plain;
  return bytes;
}

/** `Stamp` of the store: inserts `"resourceVersion":"N",` right behind `"metadata":{`, which no string can contain. */
export function stamp(value: Buffer, revision: number): Buffer {
  const at = value.indexOf(opening) + opening.length;
  const stamped = insertVersion(value, at, at, revision);
  const object = (value as Decodable)[decoded];
  if (object) stamped[decoded] = withVersion(object, revision);
  return stamped;
}

/** Replaces what lies between `start` and `end`. In memory of its own: a share of node's pool would hold eight KiB. */
function insertVersion(value: Buffer, start: number, end: number, revision: number): Decodable {
  const version = `"resourceVersion":"${revision}",`;
  const made = Buffer.allocUnsafeSlow(value.length + version.length - (end - start));
  value.copy(made, 0, 0, start);
  made.write(version, start, 'latin1');
  value.copy(made, start + version.length, end);
  return made;
}

/** The same object at another revision, as the DELETED event of its last state carries it. */
export function restamp(stored: Stored, revision: number): Stored {
  const start = stored.bytes.indexOf(opening) + opening.length;
  const end = stored.bytes.indexOf('",', start) + 2;
  const bytes = insertVersion(stored.bytes, start, end, revision);
  return { bytes, object: withVersion(stored.object, revision) };
}

const withVersion = (object: KubeObject, revision: number): KubeObject => ({
  ...object,
  metadata: { ...object.metadata, resourceVersion: String(revision) },
});

/** The object behind stamped bytes; the same one for every caller. */
export function decode(bytes: Buffer): KubeObject {
  const known = (bytes as Decodable)[decoded];
  if (known) return known;
  const object = JSON.parse(bytes.toString()) as KubeObject;
  (bytes as Decodable)[decoded] = object;
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
  for (const key of Object.keys(left)) if (!isSameJson(left[key], right[key])) return false;
  for (const key of Object.keys(right)) if (right[key] !== undefined && left[key] === undefined) return false;
  return true;
}

/** A deep copy of plain data without undefined members; much cheaper than `structuredClone`. */
export function copyJson(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(copyJson);
  const from = value as Record<string, unknown>;
  const copy: Record<string, unknown> = {};
  for (const key of Object.keys(from)) {
    const child = from[key];
    if (child !== undefined) copy[key] = copyJson(child);
  }
  return copy;
}

/** The same data without undefined members; shares whatever has none. */
function withoutUndefined(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return withoutUndefinedItems(value);
  const from = value as Record<string, unknown>;
  const copy: Record<string, unknown> = {};
  let isSame = true;
  for (const key of Object.keys(from)) {
    const child = from[key];
    const clean = withoutUndefined(child);
    if (clean !== undefined) copy[key] = clean;
    if (clean !== child || child === undefined) isSame = false;
  }
  return isSame ? value : copy;
}

function withoutUndefinedItems(items: readonly unknown[]): readonly unknown[] {
  const clean = items.map(withoutUndefined);
  return clean.some((item, index) => item !== items[index]) ? clean : items;
}
