/**
 * Server-side apply: merges what a manager wants to own into the live object. Pure.
 *
 * Called by the registry for PATCH with `application/apply-patch+yaml`. The result is not yet defaulted or validated.
 */
import { type Changes, compare, isSame } from './compare.js';
import { fieldsOf } from './configuration.js';
import { ApplyConflict } from './conflict.js';
import { type Fields, leaf, recursiveDifference } from './fields.js';
import { allowedByLastApplied, withLastApplied, withoutAllowed } from './lastapplied.js';
import { type Entry, isOwner, type Owner } from './managed.js';
import { merge } from './merge.js';
import { prune } from './prune.js';
import { shapeFields } from './reconcile.js';
import { takeFrom, trackUpdate, type Versions } from './track.js';
import { tracked } from './untracked.js';

export interface Apply {
  /** In the version of `owner`; only its type for an object that does not exist yet. */
  live: object;
  entries: readonly Entry[];
  config: object;
  owner: Owner;
  force: boolean;
  time: string;
  versions: Versions;
  /** Members of the object that this request does not write, such as `status`. */
  skip: ReadonlySet<string>;
}

export interface Applied {
  /** `undefined` when the object stays as it is; its owners may change all the same. */
  object: object | undefined;
  entries: readonly Entry[];
}

const beforeFirstApply = 'before-first-apply';
/** The only manager for which the annotation of client-side apply is looked at. */
const kubectl = 'kubectl';

/** Throws `ApplyConflict`, and `FieldsError` for lists whose items cannot be told apart. */
export async function apply(request: Apply): Promise<Applied> {
  const withOwners = { ...request, entries: ownersBefore(request) };
  const applied = await (request.owner.manager === kubectl
    ? applyAsKubectl(withOwners)
    : applyOnce(withOwners));
  if (request.owner.manager !== kubectl) return applied;
  const object = withLastApplied(applied.object ?? request.live, request.config);
  return object === undefined ? applied : { ...applied, object };
}

/** A conflict about nothing but what kubectl applied on the client before is none. */
async function applyAsKubectl(request: Apply): Promise<Applied> {
  try {
    return await applyOnce(request);
  } catch (error) {
    if (!(error instanceof ApplyConflict)) throw error;
    const shape = request.versions.shape(request.owner.apiVersion);
    const allowed = shape && allowedByLastApplied(shape, request.live, request.owner.apiVersion);
    if (!allowed) throw error;
    const left = withoutAllowed(error.conflicts, allowed);
    if (left.length > 0) throw new ApplyConflict(left);
    return applyOnce({ ...request, force: true });
  }
}

/** An object that nobody tracked belongs to whoever was there before. */
function ownersBefore({ live, entries, owner, time, versions, skip }: Apply): readonly Entry[] {
  const shape = versions.shape(owner.apiVersion);
  if (entries.length > 0 || !shape) return entries;
  return trackUpdate([], {
    owner: { ...owner, manager: beforeFirstApply, operation: 'Update' },
    time,
    changesIn: () => compare(shape, {}, live, skip),
    versions,
  });
}

async function applyOnce(request: Apply): Promise<Applied> {
  const { live, config, owner, force, time, versions, skip } = request;
  const shape = versions.shape(owner.apiVersion);
  if (!shape) throw new TypeError(`${owner.apiVersion} is not served`);
  const entries = shapeFields(request.entries, versions);
  const last = entries.find((entry) => isOwner(entry, owner));
  const others = entries.filter((entry) => entry !== last);
  const fields = recursiveDifference(fieldsOf(shape, config), setOf(skip));
  const mine: Entry = { ...owner, time: last?.time, fields };
  const merged = merge(shape, live, config);
  const object = await prune(merged, versions, {
    ...{ entries: [...others, mine], last, apiVersion: owner.apiVersion },
  });
  const taken = takeFrom(
    [...others, mine],
    owner,
    await changesBetween(live, object, { entries: others, versions, skip }),
  );
  if (taken.conflicts.length > 0 && !force) throw new ApplyConflict(taken.conflicts);
  const isUnchanged = isSame(live, object);
  return {
    object: isUnchanged ? undefined : object,
    entries: taken.entries.flatMap((entry) => {
      if (!isOwner(entry, owner)) return [entry];
      const own = tracked(entry.fields);
      return Object.keys(own).length === 0
        ? []
        : [{ ...entry, fields: own, time: isUnchanged ? entry.time : time }];
    }),
  };
}

const setOf = (names: ReadonlySet<string>): Fields =>
  names.size === 0 ? leaf : Object.fromEntries([...names].map((name) => [`f:${name}`, leaf]));

/** What changed, in every version that the entries are in. */
export async function changesBetween(
  old: object,
  next: object,
  { entries, versions, skip }: { entries: readonly Entry[]; versions: Versions; skip: ReadonlySet<string> },
): Promise<(apiVersion: string) => Changes | undefined> {
  const known = new Map<string, Changes | undefined>();
  for (const { apiVersion } of entries) {
    const shape = known.has(apiVersion) ? undefined : versions.shape(apiVersion);
    if (!shape) continue;
    const before = await versions.convert(old, apiVersion);
    known.set(apiVersion, compare(shape, before, await versions.convert(next, apiVersion), skip));
  }
  return (apiVersion) => known.get(apiVersion);
}
