/**
 * Merging an applied configuration into a live object, and taking fields out of one. Pure; results share what stays with
 * what came in.
 */
import { isMap, type JsonMap, ownValue } from '../patch/json.js';
import { below, type Fields, fieldElement, isField } from './fields.js';
import { itemElement, type MergedList } from './items.js';
import { deduced, type Shape, type StructShape } from './shape.js';

/** Nothing goes in a merge; where both have a value, the configuration's stays. */
export function merge(shape: StructShape, live: object, config: object): JsonMap {
  return (mergeValue(shape, live, config) ?? {}) as JsonMap;
}

const isNothing = (value: unknown): boolean =>
  value === undefined ||
  value === null ||
  (Array.isArray(value) ? value.length === 0 : isMap(value) && Object.keys(value).length === 0);

function mergeValue(shape: Shape, live: unknown, config: unknown): unknown {
  switch (shape.kind) {
    case 'struct':
    case 'map':
      return isNothing(live) && isNothing(config) ? given(live, config) : mergeMaps(shape, live, config);
    case 'deduced': {
      const isMaps = isMap(config) || ((config ?? null) === null && isMap(live));
      const isEmpty = isNothing(config) && (!isMap(live) || isNothing(live));
      return isMaps && !isEmpty ? mergeMaps(shape, live, config) : given(live, config);
    }
    case 'set':
    case 'keyed':
      return isNothing(live) && isNothing(config) ? given(live, config) : mergeLists(shape, live, config);
    default:
      return given(live, config);
  }
}

const given = (live: unknown, config: unknown): unknown => (config === undefined ? live : config);

const mapOf = (value: unknown): JsonMap => (isMap(value) ? value : {});

function inside(shape: Shape, name: string): Shape {
  if (shape.kind === 'map') return shape.item;
  return (shape.kind === 'struct' ? shape.fields.get(name)?.shape : undefined) ?? deduced;
}

function mergeMaps(shape: Shape, live: unknown, config: unknown): unknown {
  const left = mapOf(live);
  const right = mapOf(config);
  const out: JsonMap = { ...left };
  for (const name of Object.keys(right)) {
    const value = mergeValue(inside(shape, name), ownValue(left, name), right[name]);
    if (value !== undefined) define(out, name, value);
  }
  return Object.keys(out).length > 0 ? out : undefined;
}

/** `__proto__` may be the name of a label. */
function define(map: JsonMap, name: string, value: unknown): void {
  if (name === '__proto__')
    Object.defineProperty(map, name, { value, enumerable: true, configurable: true, writable: true });
  else map[name] = value;
}

interface Item {
  element: string;
  value: unknown;
}

const itemsOf = (shape: MergedList, list: unknown): Item[] =>
  Array.isArray(list) ? list.map((value) => ({ element: itemElement(shape, value), value })) : [];

/**
 * The items of both: those only one has keep their place among their neighbours, those of both come in the order of the
 * configuration. An item that the live list has twice is replaced, not merged.
 */
function mergeLists(shape: MergedList, live: unknown, config: unknown): unknown {
  const left = itemsOf(shape, live);
  const right = itemsOf(shape, config);
  const byElement = (items: readonly Item[]): Map<string, unknown> => {
    const values = new Map<string, unknown>();
    for (const { element, value } of items) values.set(element, values.has(element) ? null : value);
    return values;
  };
  const inLeft = byElement(left);
  const inRight = byElement(right);
  const shared = right.map(({ element }) => element).filter((element) => inLeft.has(element));
  const merged = new Set<string>();
  const out: unknown[] = [];
  const take = (element: string, mine: unknown): void => {
    const value = mergeValue(shape.item, mine, inRight.get(element));
    if (value !== undefined) out.push(value);
  };
  const takeRight = (element: string): void => {
    merged.add(element);
    const mine = inLeft.get(element);
    take(element, mine === null ? undefined : mine);
    if (shared[0] === element) shared.shift();
  };
  for (let l = 0, r = 0; l < left.length || r < right.length; ) {
    const mine = left[l];
    const theirs = right[r];
    if (mine && theirs) {
      if (mine.element === theirs.element) {
        takeRight(theirs.element);
        l++;
        r++;
        continue;
      }
      if (inRight.has(mine.element) && shared[0] !== undefined && shared[0] !== mine.element) {
        l++;
        continue;
      }
    }
    if (mine) {
      if (!inRight.has(mine.element)) {
        take(mine.element, mine.value);
        l++;
        continue;
      }
      if (merged.has(mine.element)) l++;
    }
    if (theirs) {
      takeRight(theirs.element);
      r++;
    }
  }
  return out.length > 0 ? out : undefined;
}

/** Without the fields and items in the set. What has nothing left becomes null. */
export function removeFields(shape: Shape, value: unknown, gone: Fields): unknown {
  if (shape.kind === 'set' || shape.kind === 'keyed') return removeItems(shape, value, gone);
  if (typeof value !== 'object') return value;
  if (!isMap(value) || shape.kind === 'atomic' || shape.kind === 'anything') return null;
  const kept: JsonMap = {};
  for (const name of Object.keys(value)) {
    const element = fieldElement(name);
    if (isField(gone, element)) continue;
    const deeper = below(gone, element);
    define(kept, name, deeper ? removeFields(inside(shape, name), value[name], deeper) : value[name]);
  }
  return Object.keys(kept).length > 0 ? kept : null;
}

function removeItems(shape: MergedList, value: unknown, gone: Fields): unknown {
  if (!Array.isArray(value)) return null;
  const kept: unknown[] = [];
  for (const item of value) {
    const element = itemElement(shape, item);
    if (isField(gone, element)) continue;
    const deeper = below(gone, element);
    kept.push(deeper ? removeFields(shape.item, item, deeper) : item);
  }
  return kept.length > 0 ? kept : null;
}
