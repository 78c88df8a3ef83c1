/**
 * Which fields a write changed. Pure. Called for every update, so that what is equal costs one look and no memory.
 *
 * What appears or goes is in the set with all that is below it; of what stays, only the values that differ.
 */
import { isMap, type JsonMap, ownValue } from '../patch/json.js';
import { type Fields, fieldElement, leaf } from './fields.js';
import { groupItems, type MergedList } from './items.js';
import { deduced, type Shape, type StructShape } from './shape.js';

export interface Changes {
  /** Added or given another value. */
  written: Fields;
  removed: Fields;
}

type Building = Record<string, Fields>;

/** The difference of one value: a field of its own (`leaf`), or what differs below. */
interface Difference {
  written?: Fields | undefined;
  removed?: Fields | undefined;
}

const written: Difference = { written: leaf };

/**
 * What `next` changes. Fields of the object itself that `skip` names are not looked at. Throws `FieldsError` for lists
 * whose items cannot be told apart.
 */
export function compare(shape: StructShape, old: object, next: object, skip?: ReadonlySet<string>): Changes {
  const found = differenceOfMaps(shape, old as JsonMap, next as JsonMap, skip);
  return { written: found?.written ?? leaf, removed: found?.removed ?? leaf };
}

function differenceOf(shape: Shape, old: unknown, next: unknown): Difference | undefined {
  if (old === next) return undefined;
  if (old === undefined) return { written: wholeOf(shape, next) };
  if (next === undefined) return { removed: wholeOf(shape, old) };
  switch (shape.kind) {
    case 'struct':
    case 'map':
      if (isNothing(old) && isNothing(next)) return isSame(old, next) ? undefined : written;
      return differenceOfMaps(shape, mapOf(old), mapOf(next));
    case 'deduced':
      return differenceOfDeduced(old, next);
    case 'set':
    case 'keyed':
      return differenceOfLists(shape, old, next);
    default:
      return isSame(old, next) ? undefined : written;
  }
}

const none: JsonMap = {};
const mapOf = (value: unknown): JsonMap => (isMap(value) ? value : none);

/** Null, or a map or list without members. */
function isNothing(value: unknown): boolean {
  if (value === null) return true;
  if (Array.isArray(value)) return value.length === 0;
  if (!isMap(value)) return false;
  for (const key in value) if (value[key] !== undefined) return false;
  return true;
}

/** Null stands for an empty map where the other is a map. */
function differenceOfDeduced(old: unknown, next: unknown): Difference | undefined {
  const wasMap = isMap(old) || (old === null && isMap(next));
  const isMapNow = isMap(next) || (next === null && isMap(old));
  if (wasMap && isMapNow) {
    if (isNothing(old) && isNothing(next)) return isSame(old, next) ? undefined : written;
    return differenceOfMaps(deduced, mapOf(old), mapOf(next));
  }
  if (wasMap) return { written: leaf, removed: differenceOfMaps(deduced, mapOf(old), none)?.removed };
  if (isMapNow) {
    const below = differenceOfMaps(deduced, none, mapOf(next))?.written;
    return { written: below ? { '.': leaf, ...below } : leaf };
  }
  return isSame(old, next) ? undefined : written;
}

/** The shape and the name in the set of one member; `always` as in `StructField`. */
function memberOf(shape: Shape, name: string): { shape: Shape; element: string; always: boolean } {
  if (shape.kind === 'struct') {
    const field = shape.fields.get(name);
    if (field) return field;
  }
  const below = shape.kind === 'map' ? shape.item : deduced;
  return { shape: below, element: fieldElement(name), always: false };
}

function differenceOfMaps(
  shape: Shape,
  old: JsonMap,
  next: JsonMap,
  skip?: ReadonlySet<string>,
): Difference | undefined {
  let found: Building | undefined;
  let gone: Building | undefined;
  const note = (name: string, before: unknown, after: unknown): void => {
    if (before === after || skip?.has(name)) return;
    const member = memberOf(shape, name);
    const difference = member.always
      ? differenceOf(member.shape, before ?? emptyOf(after), after ?? emptyOf(before))
      : differenceOf(member.shape, before, after);
    if (difference?.written) {
      found ??= {};
      found[member.element] = difference.written;
    }
    if (difference?.removed) {
      gone ??= {};
      gone[member.element] = difference.removed;
    }
  };
  for (const name in next) note(name, ownValue(old, name), next[name]);
  for (const name in old) if (ownValue(next, name) === undefined) note(name, old[name], undefined);
  return found || gone ? { written: found, removed: gone } : undefined;
}

const emptyOf = (other: unknown): unknown => (Array.isArray(other) ? [] : {});

function differenceOfLists(shape: MergedList, old: unknown, next: unknown): Difference | undefined {
  const before = Array.isArray(old) ? old : [];
  const after = Array.isArray(next) ? next : [];
  if (before.length === 0 && after.length === 0) return isSame(old, next) ? undefined : written;
  if (isSame(before, after)) return undefined;
  const found: Building = {};
  const gone: Building = {};
  const left = groupItems(shape, before);
  const right = groupItems(shape, after);
  for (const element of new Set([...left.keys(), ...right.keys()])) {
    const difference = differenceOfItems(shape.item, left.get(element) ?? [], right.get(element) ?? []);
    if (difference?.written) found[element] = difference.written;
    if (difference?.removed) gone[element] = difference.removed;
  }
  const any = (fields: Building): Fields | undefined => (Object.keys(fields).length > 0 ? fields : undefined);
  return { written: any(found), removed: any(gone) };
}

/** Items that occur twice are one value together. */
function differenceOfItems(
  shape: Shape,
  before: readonly unknown[],
  after: readonly unknown[],
): Difference | undefined {
  if (before.length < 2 && after.length < 2) return differenceOf(shape, before[0], after[0]);
  if (before.length >= 2 && after.length >= 2) return isSame(before, after) ? undefined : written;
  if (before.length >= 2)
    return { removed: leaf, written: after.length > 0 ? wholeOf(shape, after[0]) : undefined };
  return { written: leaf, removed: before.length > 0 ? wholeOf(shape, before[0]) : undefined };
}

/** A value that was not there at all: it, and all that is below. */
export function wholeOf(shape: Shape, value: unknown): Fields {
  const below = belowOf(shape, value);
  return below ? { '.': leaf, ...below } : leaf;
}

function belowOf(shape: Shape, value: unknown): Building | undefined {
  const building: Building = {};
  if (shape.kind === 'set' || shape.kind === 'keyed') {
    if (!Array.isArray(value) || value.length === 0) return undefined;
    for (const [element, items] of groupItems(shape, value))
      building[element] = items.length > 1 ? leaf : wholeOf(shape.item, items[0]);
    return building;
  }
  if (!isMap(value) || !['struct', 'map', 'deduced'].includes(shape.kind)) return undefined;
  let isAny = false;
  for (const name of Object.keys(value)) {
    if (value[name] === undefined) continue;
    const member = memberOf(shape, name);
    building[member.element] = wholeOf(member.shape, value[name]);
    isAny = true;
  }
  return isAny ? building : undefined;
}

/** The same JSON, the order of keys aside; an undefined member counts as absent. */
export function isSame(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  if (Array.isArray(a) || Array.isArray(b)) {
    if (!Array.isArray(a) || !Array.isArray(b) || a.length !== b.length) return false;
    return a.every((item, i) => isSame(item, b[i]));
  }
  const left = a as JsonMap;
  const right = b as JsonMap;
  for (const key of Object.keys(left)) if (!isSame(left[key], right[key])) return false;
  for (const key of Object.keys(right))
    if (right[key] !== undefined && ownValue(left, key) === undefined) return false;
  return true;
}
