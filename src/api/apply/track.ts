/**
 * What a write that is no apply does to the owners: the fields it changed are its own now, those it removed nobody's.
 * Pure.
 */
import type { Changes } from './compare.js';
import { difference, type Fields, intersection, isEmpty, leaf, union } from './fields.js';
import { capped, type Entry, isOwner, type Owner } from './managed.js';
import { shapeFields } from './reconcile.js';
import type { StructShape } from './shape.js';
import { tracked } from './untracked.js';

/** The versions in which an object can be had. */
export interface Versions {
  /** `undefined` for a version that is not served. */
  shape(apiVersion: string): StructShape | undefined;
  /** The object in another version that is served; the same object for its own. */
  convert(object: object, apiVersion: string): object | Promise<object>;
}

/** What changed, in any version that is served. */
export type ChangesIn = (apiVersion: string) => Changes | undefined;

/** An owner of fields that a write gives another value. */
export interface Conflict {
  entry: Entry;
  fields: Fields;
}

/** The owners with what the write takes from all but `self`, who loses nothing here. Sets of unknown versions go. */
export function takeFrom(
  entries: readonly Entry[],
  self: Owner | undefined,
  changesIn: ChangesIn,
): { entries: Entry[]; conflicts: Conflict[] } {
  const kept: Entry[] = [];
  const conflicts: Conflict[] = [];
  for (const entry of entries) {
    if (self !== undefined && isOwner(entry, self)) {
      kept.push(entry);
      continue;
    }
    const changes = changesIn(entry.apiVersion);
    if (!changes) continue;
    const lost = isEmpty(changes.written) ? leaf : intersection(entry.fields, changes.written);
    if (!isEmpty(lost)) conflicts.push({ entry, fields: lost });
    const left = difference(isEmpty(lost) ? entry.fields : difference(entry.fields, lost), changes.removed);
    if (isEmpty(left)) continue;
    kept.push(left === entry.fields ? entry : { ...entry, fields: left });
  }
  return { entries: kept, conflicts };
}

export interface Update {
  owner: Owner;
  time: string;
  changesIn: ChangesIn;
  versions: Pick<Versions, 'shape'>;
}

/** The owners after a create or an update. */
export function trackUpdate(entries: readonly Entry[], update: Update): readonly Entry[] {
  const { owner, time, changesIn } = update;
  const changes = changesIn(owner.apiVersion) ?? { written: leaf, removed: leaf };
  const own = tracked(changes.written);
  const shaped = shapeFields(entries, update.versions);
  const before = shaped.find((entry) => isOwner(entry, owner));
  if (isEmpty(own)) return capped(takeFrom(shaped, undefined, changesIn).entries);
  // What the owner had is in `before`: nothing needs to be taken from it.
  const { entries: left } = takeFrom(shaped, owner, changesIn);
  const fields = before ? union(difference(before.fields, changes.removed), own) : own;
  const others = left.filter((entry) => !isOwner(entry, owner));
  const { manager, operation, apiVersion, subresource } = owner;
  return capped([...others, { manager, operation, apiVersion, subresource, time, fields }]);
}
