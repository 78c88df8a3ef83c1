/**
 * Removes what the schema of a custom kind does not name, and nulls where none may be. Pure, but works in place.
 *
 * As Kubernetes documents it: `x-kubernetes-preserve-unknown-fields` keeps unknown fields, but inside named properties
 * pruning goes on; apiVersion, kind and metadata of an embedded resource stay; a null of a field that is neither nullable
 * nor has a default is the same as no field. Idempotent.
 */
import { child, isObject, type JsonObject, memberOf, type SchemaNode } from './schema.js';

const metaFields = new Set(['apiVersion', 'kind', 'metadata']);

/** A hostile body shall not make an answer larger than itself. */
const MAX_PATHS = 100;

/** Prunes an object of the kind; returns the paths of what was removed, sorted, the first 100. */
export function prune(root: JsonObject, node: SchemaNode): string[] {
  const removed: string[] = [];
  for (const name of Object.keys(root)) {
    if (metaFields.has(name)) continue;
    pruneMember(root, name, node, '', removed);
  }
  return removed.sort();
}

function pruneMember(
  object: JsonObject,
  name: string,
  node: SchemaNode,
  path: string,
  removed: string[],
  keeps = node.preserves,
): void {
  const known = node.properties.get(name);
  // Of a map that says nothing of its values, whatever those are made of is unknown.
  if (known || node.isMap) pruneValue(object[name], known ?? node.values, child(path, name), removed);
  else if (!keeps) {
    if (removed.length < MAX_PATHS) removed.push(child(path, name));
    delete object[name];
  }
}

/** `inherits`: the list that the value is an item of preserves unknown fields. */
function pruneValue(
  value: unknown,
  node: SchemaNode | undefined,
  path: string,
  removed: string[],
  inherits = false,
): void {
  const keeps = inherits || node?.preserves === true;
  if (keeps && !node) return;
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i++) pruneValue(value[i], node?.items, `${path}[${i}]`, removed, keeps);
  } else if (isObject(value)) {
    for (const name of Object.keys(value)) {
      if (!node) {
        if (removed.length < MAX_PATHS) removed.push(child(path, name));
        delete value[name];
      } else if (!(node.embedded && metaFields.has(name)))
        pruneMember(value, name, node, path, removed, keeps);
    }
  }
}

/** Removes the nulls of fields that are not nullable and have no default. */
export function pruneNulls(value: unknown, node: SchemaNode | undefined): void {
  if (!node) return;
  if (Array.isArray(value)) {
    for (const item of value) pruneNulls(item, node.items);
  } else if (isObject(value)) {
    for (const name of Object.keys(value)) {
      const member = memberOf(node, name);
      if (!member) continue;
      if (value[name] === null) {
        if (!member.nullable && member.default === undefined) delete value[name];
      } else pruneNulls(value[name], member);
    }
  }
}
