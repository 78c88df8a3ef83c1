/**
 * Whether a schema is structural, by the rules and in the words of Kubernetes. Pure; called when a
 * CustomResourceDefinition is written.
 *
 * Structural: every field has a type outside of allOf, anyOf, oneOf and not, which may only restrict values; metadata is
 * implied and may restrict no more than name and generateName.
 */
import { compileRegexp, RegexpError } from '../cel/regexp.js';
import type { FieldError } from '../errors.js';
import type { JSONSchemaProps } from '../types.js';
import { isSameValue } from './correlate.js';
import { isObject } from './schema.js';

type Level = 'root' | 'item' | 'field';

export const required = (field: string, detail: string): FieldError => ({ type: 'Required', field, detail });
export const forbidden = (field: string, detail: string): FieldError => ({
  type: 'Forbidden',
  field,
  detail,
});
export const invalid = (field: string, value: unknown, detail: string): FieldError => ({
  type: 'Invalid',
  field,
  value,
  detail,
});

/** Sorted, as kube-apiserver answers them. */
export function structuralErrors(schema: JSONSchemaProps, path: string): FieldError[] {
  const errors: FieldError[] = [];
  checkNode(schema, 'root', path, errors);
  checkCompleteness(schema, path, errors);
  return errors.sort((a, b) => (`${a.field}${a.detail}` < `${b.field}${b.detail}` ? -1 : 1));
}

const itemsOf = (schema: JSONSchemaProps): JSONSchemaProps | undefined =>
  schema.items && !Array.isArray(schema.items) ? schema.items : undefined;
const valuesOf = (schema: JSONSchemaProps): JSONSchemaProps | undefined =>
  isObject(schema.additionalProperties) ? schema.additionalProperties : undefined;

function checkNode(schema: JSONSchemaProps, level: Level, path: string, errors: FieldError[]): void {
  const items = itemsOf(schema);
  const values = valuesOf(schema);
  const type = schema.type ?? '';
  const embedded = schema['x-kubernetes-embedded-resource'] === true;
  const intOrString = schema['x-kubernetes-int-or-string'] === true;
  const preserves = schema['x-kubernetes-preserve-unknown-fields'] === true;
  const hasMap = schema.additionalProperties !== undefined;
  if (type === 'array' && !items) errors.push(required(`${path}.items`, 'must be specified'));
  if (items) checkNode(items, 'item', `${path}.items`, errors);
  const properties = schema.properties ?? {};
  for (const [name, child] of Object.entries(properties))
    checkNode(child, 'field', `${path}.properties[${name}]`, errors);
  if (hasMap && level === 'root')
    errors.push(forbidden(`${path}.additionalProperties`, 'must not be used at the root'));
  if (values) checkNode(values, 'field', `${path}.additionalProperties`, errors);
  if (intOrString && preserves) {
    const detail = 'must be false if x-kubernetes-int-or-string is true';
    errors.push(invalid(`${path}.x-kubernetes-preserve-unknown-fields`, true, detail));
  }
  if (intOrString && embedded) {
    const detail = 'must be false if x-kubernetes-int-or-string is true';
    errors.push(invalid(`${path}.x-kubernetes-embedded-resource`, true, detail));
  }
  checkValues(schema, level, path, errors, {
    skipsAnyOf: isIntOrStringChoice(schema.anyOf),
    skipsFirstAllOf: isIntOrStringChoice(schema.allOf?.[0]?.anyOf),
  });
  if (embedded && type !== 'object') {
    const detail = 'must be object if x-kubernetes-embedded-resource is true';
    errors.push(type === '' ? required(`${path}.type`, detail) : invalid(`${path}.type`, type, detail));
  } else if (type === '' && !intOrString && !preserves) {
    const place = {
      root: 'at the root',
      item: 'for specified array items',
      field: 'for specified object fields',
    };
    errors.push(required(`${path}.type`, `must not be empty ${place[level]}`));
  }
  if (embedded && hasMap) {
    const detail = 'must not be used if x-kubernetes-embedded-resource is set';
    errors.push(forbidden(`${path}.additionalProperties`, detail));
  }
  if (level === 'root' && type !== '' && type !== 'object')
    errors.push(invalid(`${path}.type`, type, 'must be object at the root'));
  checkMetadata(schema, level, path, errors);
  if (embedded && !preserves && Object.keys(properties).length === 0) {
    const detail =
      'must not be empty if x-kubernetes-embedded-resource is true without x-kubernetes-preserve-unknown-fields';
    errors.push(required(`${path}.properties`, detail));
  }
}

function checkMetadata(schema: JSONSchemaProps, level: Level, path: string, errors: FieldError[]): void {
  const isObjectRoot = level === 'root' || schema['x-kubernetes-embedded-resource'] === true;
  const { kind, apiVersion, metadata } = schema.properties ?? {};
  if (!isObjectRoot) return;
  if (kind && kind.type !== 'string')
    errors.push(invalid(`${path}.properties[kind].type`, kind.type ?? '', 'must be string'));
  if (apiVersion && apiVersion.type !== 'string')
    errors.push(invalid(`${path}.properties[apiVersion].type`, apiVersion.type ?? '', 'must be string'));
  if (!metadata) return;
  const place = `${path}.properties[metadata]`;
  if (metadata.type !== 'object')
    errors.push(invalid(`${place}.type`, metadata.type ?? '', 'must be object'));
  if (level !== 'root') return;
  const { type: _type, default: _default, properties = {}, description: _text, ...rest } = metadata;
  const names = Object.keys(properties).filter((name) => name !== 'name' && name !== 'generateName');
  const more = Object.values(rest).some((value) => value !== undefined && value !== false);
  if (names.length > 0 || more || (metadata.description ?? '') !== '') {
    const detail =
      'must not specify anything other than name and generateName, but metadata is implicitly specified';
    errors.push(forbidden(place, detail));
  }
}

const isIntOrStringChoice = (choices: readonly JSONSchemaProps[] | undefined): boolean =>
  isSameValue(choices, [{ type: 'integer' }, { type: 'string' }]);

interface Skips {
  skipsAnyOf: boolean;
  skipsFirstAllOf: boolean;
}

const noSkips: Skips = { skipsAnyOf: false, skipsFirstAllOf: false };

function checkValues(
  schema: JSONSchemaProps,
  level: Level,
  path: string,
  errors: FieldError[],
  skips: Skips,
): void {
  const nested = (list: readonly JSONSchemaProps[] | undefined, name: string): void => {
    list?.forEach((one, i) => {
      const skipsAnyOf = name === 'allOf' && i === 0 && skips.skipsFirstAllOf;
      checkNested(one, level, `${path}.${name}[${i}]`, errors, { skipsAnyOf, skipsFirstAllOf: false });
    });
  };
  if (!skips.skipsAnyOf) nested(schema.anyOf, 'anyOf');
  nested(schema.allOf, 'allOf');
  nested(schema.oneOf, 'oneOf');
  if (schema.not) checkNested(schema.not, level, `${path}.not`, errors, noSkips);
  if (!schema.pattern) return;
  try {
    compileRegexp(schema.pattern);
  } catch (error) {
    if (!(error instanceof RegexpError)) throw error;
    const detail = `must be a valid regular expression, but isn't: ${error.message}`;
    errors.push(invalid(`${path}.pattern`, schema.pattern, detail));
  }
}

const forbiddenNested = [
  ['type', 'empty'],
  ['default', 'undefined'],
  ['title', 'empty'],
  ['description', 'empty'],
  ['nullable', 'false'],
  ['x-kubernetes-preserve-unknown-fields', 'false'],
  ['x-kubernetes-embedded-resource', 'false'],
  ['x-kubernetes-int-or-string', 'false'],
  ['x-kubernetes-list-map-keys', 'empty'],
  ['x-kubernetes-list-type', 'undefined'],
  ['x-kubernetes-map-type', 'undefined'],
] as const;

/** Under allOf, anyOf, oneOf, not: only what restricts values. */
function checkNested(
  schema: JSONSchemaProps,
  level: Level,
  path: string,
  errors: FieldError[],
  skips: Skips,
): void {
  checkValues(schema, level, path, errors, skips);
  const items = itemsOf(schema);
  if (items) checkNested(items, level, `${path}.items`, errors, noSkips);
  for (const [name, child] of Object.entries(schema.properties ?? {}))
    checkNested(child, 'field', `${path}.properties[${name}]`, errors, noSkips);
  for (const [name, wanted] of forbiddenNested) {
    const given: unknown = schema[name];
    const isEmpty = given === undefined || given === '' || given === false;
    if (!isEmpty && !(Array.isArray(given) && given.length === 0))
      errors.push(forbidden(`${path}.${name}`, `must be ${wanted} to be structural`));
  }
  if (schema.additionalProperties !== undefined)
    errors.push(forbidden(`${path}.additionalProperties`, 'must be undefined to be structural'));
  if ((schema['x-kubernetes-validations'] ?? []).length > 0)
    errors.push(forbidden(`${path}.x-kubernetes-validations`, 'must be empty to be structural'));
  if (schema.properties?.['metadata'])
    errors.push(forbidden(`${path}.properties[metadata]`, 'must not be specified in a nested context'));
}

/** Whatever a nested schema names must be named outside of it too. */
function checkCompleteness(schema: JSONSchemaProps, path: string, errors: FieldError[]): void {
  requireNested(schema, schema, path, path, errors);
  const items = itemsOf(schema);
  if (items) checkCompleteness(items, `${path}.items`, errors);
  const values = valuesOf(schema);
  if (values) checkCompleteness(values, `${path}.additionalProperties`, errors);
  for (const [name, child] of Object.entries(schema.properties ?? {}))
    checkCompleteness(child, `${path}.properties[${name}]`, errors);
}

/** `path` is where something has to be named, `place` where it was. */
function requireNested(
  outer: JSONSchemaProps,
  schema: JSONSchemaProps,
  path: string,
  place: string,
  errors: FieldError[],
): void {
  for (const name of ['allOf', 'anyOf', 'oneOf'] as const) {
    schema[name]?.forEach((one, i) => {
      requireNamed(outer, one, path, `${place}.${name}[${i}]`, errors);
    });
  }
  if (schema.not) requireNamed(outer, schema.not, path, `${place}.not`, errors);
}

function requireNamed(
  outer: JSONSchemaProps | undefined,
  nested: JSONSchemaProps,
  path: string,
  place: string,
  errors: FieldError[],
): void {
  if (!outer) {
    errors.push(required(path, `because it is defined in ${place}`));
    return;
  }
  requireNested(outer, nested, path, place, errors);
  const items = itemsOf(nested);
  if (items) requireNamed(itemsOf(outer), items, `${path}.items`, `${place}.items`, errors);
  for (const [name, child] of Object.entries(nested.properties ?? {})) {
    const suffix = `.properties[${name}]`;
    requireNamed(outer.properties?.[name], child, `${path}${suffix}`, `${place}${suffix}`, errors);
  }
}
