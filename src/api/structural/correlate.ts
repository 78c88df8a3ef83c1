/**
 * Which part of the old object a part of the new one corresponds to, for ratcheting and transition rules. Pure.
 *
 * Members of objects correspond by name, unless the map is atomic; items of a list only when it is a map, by its keys.
 */
import { isObject, type SchemaNode } from './schema.js';

/** The old value of something, or undefined where there is none to compare with. */
export interface Old {
  value: unknown;
  /** Asked at most once per place: comparing is as long as the value. */
  isSame(value: unknown): boolean;
}

export function oldValue(value: unknown): Old {
  let answer: boolean | undefined;
  return { value, isSame: (next) => (answer ??= isSameValue(value, next)) };
}

export function oldMember(node: SchemaNode, old: Old | undefined, name: string): Old | undefined {
  if (!old || node.isAtomicMap || !isObject(old.value) || !Object.hasOwn(old.value, name)) return undefined;
  return oldValue(old.value[name]);
}

/** Finds the old items of a list by their keys; undefined for a list whose items cannot be told apart. */
export function oldItems(
  node: SchemaNode,
  old: Old | undefined,
): ((item: unknown) => Old | undefined) | undefined {
  const list = old?.value;
  if (node.listType !== 'map' || !Array.isArray(list)) return undefined;
  const byKey = new Map<string, unknown>();
  for (const item of list) byKey.set(listKey(node, item), item);
  return (item) => {
    const key = listKey(node, item);
    return byKey.has(key) ? oldValue(byKey.get(key)) : undefined;
  };
}

/** The keys of an item of a list map, as text; a key that is absent gets its default. */
export function listKey(node: SchemaNode, item: unknown): string {
  if (!isObject(item)) return JSON.stringify(item);
  return JSON.stringify(
    node.listKeys.map((name) => item[name] ?? node.items?.properties.get(name)?.default ?? null),
  );
}

/** The same JSON, whatever the order of members. */
export function isSameValue(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (Array.isArray(a)) {
    return Array.isArray(b) && a.length === b.length && a.every((item, i) => isSameValue(item, b[i]));
  }
  if (!isObject(a) || !isObject(b)) return false;
  const names = Object.keys(a);
  return (
    names.length === Object.keys(b).length &&
    names.every((name) => Object.hasOwn(b, name) && isSameValue(a[name], b[name]))
  );
}
