/**
 * What an apply takes away: fields the same manager applied before, does not apply now, and nobody else owns. Pure.
 */
import { fieldsOf } from './configuration.js';
import { difference, type Fields, intersection, isEmpty, leaf, union } from './fields.js';
import type { Entry } from './managed.js';
import { removeFields } from './merge.js';
import { insideOf } from './reconcile.js';
import type { Shape, StructShape } from './shape.js';
import type { Versions } from './track.js';

/** `entries` with the new set of the applying manager, whose version is that of `merged`; `last` is what it had. */
export async function prune(
  merged: object,
  versions: Versions,
  { entries, last, apiVersion }: { entries: readonly Entry[]; last: Entry | undefined; apiVersion: string },
): Promise<object> {
  const shape = last && !isEmpty(last.fields) ? versions.shape(last.apiVersion) : undefined;
  if (!last || !shape) return merged;
  const whole = await versions.convert(merged, last.apiVersion);
  const lastFields = withNamed(shape, last.fields);
  const bare = removed(shape, whole, lastFields);
  const owned = await addBackOwned(whole, bare, versions, { entries, first: last.apiVersion });
  const ownedFields = withNamed(shape, fieldsOf(shape, await versions.convert(owned, last.apiVersion)));
  const gone = difference(withNamed(shape, fieldsOf(shape, whole)), ownedFields);
  return versions.convert(removed(shape, whole, intersection(gone, lastFields)), apiVersion);
}

const removed = (shape: StructShape, object: object, gone: Fields): object =>
  (removeFields(shape, object, gone) ?? {}) as object;

/** Puts back what anybody owns, version by version, that of the last apply first. */
async function addBackOwned(
  whole: object,
  bare: object,
  versions: Versions,
  { entries, first }: { entries: readonly Entry[]; first: string },
): Promise<object> {
  const byVersion = new Map<string, Fields>();
  for (const { apiVersion, fields } of entries)
    byVersion.set(apiVersion, union(byVersion.get(apiVersion) ?? leaf, fields));
  const order = [...byVersion.keys()].sort((a, b) => Number(b === first) - Number(a === first));
  let pruned = bare;
  for (const version of order) {
    const shape = versions.shape(version);
    if (!shape) continue;
    const merged = await versions.convert(whole, version);
    const there = withNamed(shape, fieldsOf(shape, await versions.convert(pruned, version)));
    const keep = union(there, withNamed(shape, byVersion.get(version) ?? leaf));
    pruned = removed(shape, merged, difference(withNamed(shape, fieldsOf(shape, merged)), keep));
  }
  return pruned;
}

/** The set with the structs that hold its fields. */
export function withNamed(shape: Shape, fields: Fields): Fields {
  const out: Record<string, Fields> = {};
  const struct = shape.kind === 'atomic' ? shape.inside : shape;
  for (const [element, below] of Object.entries(fields)) {
    if (isEmpty(below)) {
      out[element] = below;
      continue;
    }
    const node = withNamed(insideOf(shape, element), below);
    const isNamed =
      struct.kind === 'struct' && element.startsWith('f:') && struct.fields.has(element.slice(2));
    out[element] = isNamed && !('.' in node) ? { '.': leaf, ...node } : node;
  }
  return out;
}
