/**
 * 2. Objects as bytes. An object is serialised once per write, with apiVersion, kind and metadata first and without a
 * resourceVersion; the store calls `stamp` to put the revision in. Every reader then gets that one buffer, and
 * `decode` hands out one shared object per buffer, which nobody may change.
 */
import type { KubeObject } from '../../src/api/types.js';
import type { Stored } from './registry.js';

const openingText = '"metadata":{';
const opening = Buffer.from(openingText);
const versionKey = Buffer.from('"resourceVersion":"');
const ownersKey = '"managedFields":';
const ownersStart = Buffer.from(`${ownersKey}[`);

/** What a buffer means, kept on the buffer: a WeakMap of as many would cost every garbage collection. */
const decoded = Symbol('decoded');
type Decodable = Buffer & { [decoded]?: KubeObject };

/**
 * Fresh bytes of an object, not yet stamped, with `owners` as its managedFields. Drops what the server does not keep, such
 * as selfLink. The object may be shared from now on: it must not change any more.
 *
 * The owners of fields are in the bytes only, since hardly anybody looks at them and they are as large as the object:
 * decoded objects have no managedFields (`managedOf`).
 */
export function serialise(object: KubeObject, owners: string | undefined): Buffer {
  const { apiVersion, kind, metadata, ...rest } = object;
  const { resourceVersion: _version, managedFields: _managed, selfLink: _link, ...kept } = metadata;
  const plain = withoutUndefined({ apiVersion, kind, metadata: kept, ...rest }) as KubeObject;
  const bytes: Decodable = Buffer.from(withOwners(JSON.stringify(plain), owners));
  bytes[decoded] = plain;
  return bytes;
}

/** The bytes of an object as another version shows it, resourceVersion and all. */
export function serialiseShown(object: KubeObject, owners: string | undefined): Buffer {
  const { apiVersion, kind, metadata, ...rest } = object;
  return Buffer.from(withOwners(JSON.stringify({ apiVersion, kind, metadata, ...rest }), owners));
}

/** The JSON of an object, with its owners. */
export function withOwners(json: string, owners: string | undefined): string {
  if (owners === undefined) return json;
  const at = json.indexOf(openingText) + openingText.length;
  return `${json.slice(0, at)}${ownersKey}${owners},${json.slice(at)}`;
}

/** The managedFields in stored bytes, as JSON. */
export function managedOf(bytes: Buffer): string | undefined {
  const range = ownersRange(bytes);
  return range && bytes.toString('utf8', range.start + ownersKey.length, range.end);
}

/** Where `"managedFields":[...]` is, which comes first in metadata, or behind the resourceVersion. */
function ownersRange(bytes: Buffer): { start: number; end: number } | undefined {
  let start = bytes.indexOf(opening) + opening.length;
  if (bytes.compare(versionKey, 0, versionKey.length, start, start + versionKey.length) === 0)
    start = bytes.indexOf('",', start + versionKey.length) + 2;
  if (bytes.compare(ownersStart, 0, ownersStart.length, start, start + ownersStart.length) !== 0)
    return undefined;
  return { start, end: endOfList(bytes, start + ownersKey.length) };
}

const quote = 0x22;
const backslash = 0x5c;
const openBracket = 0x5b;
const closeBracket = 0x5d;

/** Behind the list that begins at `start`. */
function endOfList(bytes: Buffer, start: number): number {
  let depth = 0;
  for (let i = start; i < bytes.length; i++) {
    const byte = bytes[i];
    if (byte === quote) {
      for (i++; i < bytes.length && bytes[i] !== quote; i++) if (bytes[i] === backslash) i++;
    } else if (byte === openBracket) depth++;
    else if (byte === closeBracket && --depth === 0) return i + 1;
  }
  throw new RangeError('stored bytes that are cut off');
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
  const owners = ownersRange(bytes);
  const text = owners
    ? bytes.toString('utf8', 0, owners.start) + bytes.toString('utf8', owners.end + 1)
    : bytes.toString();
  const object = JSON.parse(text) as KubeObject;
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
  for (const key in left) if (!isSameJson(left[key], right[key])) return false;
  for (const key in right) {
    // A label may be called `constructor`, which every object inherits.
    const isMissing = left[key] === undefined || !Object.hasOwn(left, key);
    if (isMissing && right[key] !== undefined) return false;
  }
  return true;
}

/** A deep copy of plain data without undefined members; much cheaper than `structuredClone`. */
export function copyJson(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(copyJson);
  const from = value as Record<string, unknown>;
  const copy: Record<string, unknown> = {};
  for (const key in from) {
    const child = from[key];
    if (child !== undefined) copy[key] = copyJson(child);
  }
  return copy;
}

/** The same data without undefined members; shares whatever has none, which is nearly everything. */
function withoutUndefined(value: unknown): unknown {
  if (value === undefined || !hasUndefined(value)) return value;
  if (Array.isArray(value)) return value.map(withoutUndefined);
  const from = value as Record<string, unknown>;
  const copy: Record<string, unknown> = {};
  for (const key in from) if (from[key] !== undefined) copy[key] = withoutUndefined(from[key]);
  return copy;
}

function hasUndefined(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return value === undefined;
  if (Array.isArray(value)) return value.some(hasUndefined);
  for (const key in value) if (hasUndefined((value as Record<string, unknown>)[key])) return true;
  return false;
}
