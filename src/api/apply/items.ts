/**
 * The items of a list that is merged: each has an element that says which it is, by its keys or its value. Pure.
 */
import { isMap, type JsonMap, ownValue } from '../patch/json.js';
import { FieldsError, keyElement, valueElement } from './fields.js';
import type { Shape } from './shape.js';

export type MergedList = Extract<Shape, { kind: 'set' | 'keyed' }>;

/** The element of an item. Throws `FieldsError` for one that cannot be told from others. */
export function itemElement(list: MergedList, item: unknown): string {
  if (list.kind === 'set') {
    if (isMap(item)) throw new FieldsError("associative list without keys has an element that's a map type");
    if (Array.isArray(item)) throw new FieldsError('not supported: associative list with lists as elements');
    if (item === null || item === undefined)
      throw new FieldsError("associative list without keys has an element that's an explicit null");
    return valueElement(item);
  }
  if (item === null) throw new FieldsError('associative list with keys may not have a null element');
  if (!isMap(item)) throw new FieldsError('associative list with keys may not have non-map elements');
  return keysOf(list, item);
}

function keysOf(list: Extract<MergedList, { kind: 'keyed' }>, item: JsonMap): string {
  const keys: [string, unknown][] = [];
  for (const { name, default: fallback } of list.keys) {
    const own = ownValue(item, name);
    const value = own === undefined ? fallback : own;
    if (value !== undefined) keys.push([name, value]);
  }
  if (keys.length === 0) {
    const names = list.names.map((name) => JSON.stringify(name)).join(' ');
    throw new FieldsError(
      `associative list with keys has an element that omits all key fields [${names}] (and doesn't have default values for any key fields)`,
    );
  }
  return keyElement(keys);
}

/** The items by their element, in order; those that occur twice together. */
export function groupItems(list: MergedList, items: readonly unknown[]): Map<string, unknown[]> {
  const groups = new Map<string, unknown[]>();
  for (const item of items) {
    const element = itemElement(list, item);
    const group = groups.get(element);
    if (group) group.push(item);
    else groups.set(element, [item]);
  }
  return groups;
}
