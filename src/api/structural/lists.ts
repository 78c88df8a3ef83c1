/**
 * Lists that are sets or maps must not hold anything twice. Pure; paths and words of kube-apiserver.
 */
import type { FieldError } from '../errors.js';
import { child, isObject, memberOf, type SchemaNode } from './schema.js';

export function validateLists(node: SchemaNode | undefined, value: unknown, path = ''): FieldError[] {
  if (!node?.hasListTypes) return [];
  if (Array.isArray(value)) {
    const below = value.flatMap((item, i) => validateLists(node.items, item, `${path}[${i}]`));
    if (node.listType === 'set') return [...duplicates(value, path), ...below];
    return node.listType === 'map' ? [...mapErrors(node, value, path), ...below] : below;
  }
  if (!isObject(value)) return [];
  return Object.keys(value).flatMap((name) => {
    const place = node.properties.has(name) ? child(path, name) : `${path}[${name}]`;
    return validateLists(memberOf(node, name), value[name], place);
  });
}

function mapErrors(node: SchemaNode, list: readonly unknown[], path: string): FieldError[] {
  const bad = list.findIndex((item) => item !== null && !isObject(item));
  if (bad >= 0) {
    const detail = 'must be an object for an array of list-type map';
    return [{ type: 'Invalid', field: `${path}[${bad}]`, value: list[bad], detail }];
  }
  const keys = list.map((item) =>
    Object.fromEntries(
      node.listKeys.flatMap((name) =>
        isObject(item) && Object.hasOwn(item, name) ? [[name, item[name]]] : [],
      ),
    ),
  );
  return duplicates(keys, path);
}

/** One error per value, at its second place. */
function duplicates(list: readonly unknown[], path: string): FieldError[] {
  const seen = new Map<string, number>();
  return list.flatMap((item, i): FieldError[] => {
    const text = JSON.stringify(item) ?? 'null';
    const times = seen.get(text) ?? 0;
    seen.set(text, times + 1);
    return times === 1 ? [{ type: 'Duplicate', field: `${path}[${i}]`, value: item }] : [];
  });
}
