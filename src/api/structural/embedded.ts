/**
 * Metadata inside of custom objects: their own, and that of embedded resources. Pure.
 *
 * Fields of ObjectMeta that do not decode are errors; fields it does not have are removed, and reported.
 */
import type { FieldError } from '../errors.js';
import { dns1035LabelErrors } from '../names.js';
import { checkType } from '../schema/check.js';
import { builtinSchema } from '../schema/table.js';
import { child, isObject, type JsonObject, memberOf, type SchemaNode } from './schema.js';

interface Found {
  unknown: string[];
  errors: FieldError[];
}

/** Decodes apiVersion, kind and metadata of an object in place. */
export function coerceMeta(object: JsonObject, path: string): Found {
  const found: Found = { unknown: [], errors: [] };
  for (const name of ['apiVersion', 'kind']) {
    const value = object[name];
    if (value !== undefined && typeof value !== 'string') {
      const field = child(path, name);
      found.errors.push({ type: 'TypeInvalid', field, value, detail: `${field}: must be a string` });
    }
  }
  const { metadata } = object;
  if (metadata === undefined) return found;
  const { unknown, errors } = checkType(builtinSchema.object('ObjectMeta'), metadata);
  const place = child(path, 'metadata');
  found.unknown.push(...unknown.map((name) => `${place}.${name}`));
  found.errors.push(
    ...errors.map((error) => ({ ...error, field: error.field === '' ? place : `${place}.${error.field}` })),
  );
  return found;
}

/** The same for every embedded resource below. */
export function coerceEmbedded(value: unknown, node: SchemaNode | undefined, path: string): Found {
  const found: Found = { unknown: [], errors: [] };
  walkEmbedded(value, node, path, (object, place) => {
    const { unknown, errors } = coerceMeta(object, place);
    found.unknown.push(...unknown);
    found.errors.push(...errors);
  });
  return found;
}

/** What an embedded resource must have: a kind, an apiVersion, a sound metadata. */
export function validateEmbedded(value: unknown, node: SchemaNode | undefined, path = ''): FieldError[] {
  const errors: FieldError[] = [];
  walkEmbedded(value, node, path, (object, place) => {
    for (const name of ['apiVersion', 'kind'] as const) {
      const given = object[name];
      const field = `${place}.${name}`;
      if (given === undefined) errors.push({ type: 'Required', field });
      else if (given === '') errors.push({ type: 'Invalid', field, value: '', detail: 'must not be empty' });
      else if (name === 'kind' && typeof given === 'string') {
        const problems = dns1035LabelErrors(given.toLowerCase());
        const detail = `may have mixed case, but should otherwise match: ${problems.join(',')}`;
        if (problems.length > 0) errors.push({ type: 'Invalid', field, value: given, detail });
      }
    }
  });
  return errors;
}

function walkEmbedded(
  value: unknown,
  node: SchemaNode | undefined,
  path: string,
  visit: (object: JsonObject, path: string) => void,
): void {
  if (!node?.hasEmbedded) return;
  if (Array.isArray(value)) {
    value.forEach((item, i) => {
      walkEmbedded(item, node.items, `${path}[${i}]`, visit);
    });
  } else if (isObject(value)) {
    if (node.embedded) visit(value, path);
    for (const name of Object.keys(value))
      walkEmbedded(value[name], memberOf(node, name), child(path, name), visit);
  }
}
