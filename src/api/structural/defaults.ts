/**
 * Fills in the defaults that the schema of a custom kind gives. Pure, but works in place; idempotent.
 *
 * As Kubernetes documents it: a field that is absent gets its default, and so does a null where none may be. Defaults
 * inside an object that is absent are not reached, unless the object has a default itself.
 */
import { isObject, type SchemaNode } from './schema.js';

export function applyDefaults(value: unknown, node: SchemaNode | undefined): void {
  if (!node?.hasDefaults) return;
  if (Array.isArray(value)) {
    const item = node.items;
    if (!item) return;
    for (let i = 0; i < value.length; i++) {
      if (value[i] === null && replacesNull(item)) value[i] = structuredClone(item.default);
      applyDefaults(value[i], item);
    }
    return;
  }
  if (!isObject(value)) return;
  for (const [name, member] of node.properties) {
    if (member.default !== undefined) {
      const isMissing = !Object.hasOwn(value, name) || value[name] === undefined;
      if (isMissing || (value[name] === null && !member.nullable))
        value[name] = structuredClone(member.default);
    }
    if (member.hasDefaults) applyDefaults(value[name], member);
  }
  const { values } = node;
  if (!values) return;
  for (const name of Object.keys(value)) {
    if (node.properties.has(name)) continue;
    if (value[name] === null && replacesNull(values)) value[name] = structuredClone(values.default);
    applyDefaults(value[name], values);
  }
}

/** True when `applyDefaults` would change the value. */
export function lacksDefaults(value: unknown, node: SchemaNode | undefined): boolean {
  if (!node?.hasDefaults) return false;
  if (Array.isArray(value)) {
    const item = node.items;
    return value.some((one) => (one === null && item && replacesNull(item)) || lacksDefaults(one, item));
  }
  if (!isObject(value)) return false;
  for (const [name, member] of node.properties) {
    const found = Object.hasOwn(value, name) ? value[name] : undefined;
    const isOpen = found === undefined || (found === null && !member.nullable);
    if (isOpen ? member.default !== undefined : lacksDefaults(found, member)) return true;
  }
  const { values } = node;
  if (!values) return false;
  return Object.keys(value).some(
    (name) =>
      !node.properties.has(name) &&
      ((value[name] === null && replacesNull(values)) || lacksDefaults(value[name], values)),
  );
}

const replacesNull = (node: SchemaNode): boolean => node.default !== undefined && !node.nullable;
