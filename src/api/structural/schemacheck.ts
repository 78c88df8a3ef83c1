/**
 * The rest of what Kubernetes asks of the schema of a CustomResourceDefinition: no unsupported keyword, list and map types
 * that fit, defaults that are valid themselves, rules that compile. Pure.
 */
import type { FieldError } from '../errors.js';
import type { JSONSchemaProps } from '../types.js';
import { forbidden, invalid, required } from './check.js';
import { validateLists } from './lists.js';
import { prune } from './prune.js';
import { compileSchema, isObject, type JsonObject, type SchemaNode } from './schema.js';
import { validateSchema } from './validate.js';

const types = ['array', 'boolean', 'integer', 'number', 'object', 'string'];
const unsupported = [
  ['id', 'id'],
  ['additionalItems', 'additionalItems'],
  ['patternProperties', 'patternProperties'],
  ['definitions', 'definitions'],
  ['dependencies', 'dependencies'],
  ['$ref', '$ref'],
] as const;
const metaFields = new Set(['metadata', 'kind', 'apiVersion']);

interface Place {
  isRoot: boolean;
  /** Inside apiVersion, kind or metadata of the object or an embedded one. */
  insideMeta: boolean;
  /** Why no default may stand here. */
  noDefaults: string | undefined;
}

const nested = (place: Place): Place => ({ ...place, isRoot: false });

export function keywordErrors(
  schema: JSONSchemaProps,
  path: string,
  place: Place = { isRoot: true, insideMeta: false, noDefaults: undefined },
): FieldError[] {
  const errors: FieldError[] = [];
  const type = schema.type ?? '';
  if (type === 'null') {
    const detail = 'type cannot be set to null, use nullable as an alternative';
    errors.push(forbidden(`${path}.type`, detail));
  }
  if (type !== '' && !types.includes(type))
    errors.push({ type: 'NotSupported', field: `${path}.type`, value: type, detail: supported(types) });
  if (schema.default !== undefined && place.noDefaults !== undefined)
    errors.push(forbidden(`${path}.default`, `must not be set ${place.noDefaults}`));
  for (const [name, text] of unsupported) {
    const given: unknown = schema[name];
    const isEmpty =
      given === undefined || given === '' || (isObject(given) && Object.keys(given).length === 0);
    if (!isEmpty) errors.push(forbidden(`${path}.${name}`, `${text} is not supported`));
  }
  if (Array.isArray(schema.items) && schema.items.length > 0)
    errors.push(forbidden(`${path}.items`, 'items must be a schema object and not an array'));
  if (place.insideMeta && schema['x-kubernetes-embedded-resource']) {
    const detail = 'must not be used inside of resource meta';
    errors.push(forbidden(`${path}.x-kubernetes-embedded-resource`, detail));
  }
  if (schema.uniqueItems) {
    const detail = 'uniqueItems cannot be set to true since the runtime complexity becomes quadratic';
    errors.push(forbidden(`${path}.uniqueItems`, detail));
  }
  errors.push(...childErrors(schema, path, place));
  if (schema['x-kubernetes-preserve-unknown-fields'] === false) {
    const field = `${path}.x-kubernetes-preserve-unknown-fields`;
    errors.push(invalid(field, false, 'must be true or undefined'));
  }
  errors.push(...mapTypeErrors(schema, path), ...listTypeErrors(schema, path));
  return errors;
}

const supported = (values: readonly string[]): string =>
  `supported values: ${values.map((value) => JSON.stringify(value)).join(', ')}`;

function childErrors(schema: JSONSchemaProps, path: string, place: Place): FieldError[] {
  const errors: FieldError[] = [];
  const { additionalProperties, properties = {}, items } = schema;
  if (additionalProperties !== undefined) {
    if (Object.keys(properties).length > 0 && additionalProperties !== true) {
      const detail = 'additionalProperties and properties are mutual exclusive';
      errors.push(forbidden(`${path}.additionalProperties`, detail));
    }
    const reason = place.insideMeta
      ? 'inside additionalProperties applying to object metadata'
      : place.noDefaults;
    if (isObject(additionalProperties)) {
      const below = { ...nested(place), noDefaults: reason };
      errors.push(...keywordErrors(additionalProperties, `${path}.additionalProperties`, below));
    }
  }
  for (const [name, child] of Object.entries(properties)) {
    const isMeta =
      metaFields.has(name) && (place.isRoot || schema['x-kubernetes-embedded-resource'] === true);
    const below = {
      isRoot: false,
      insideMeta: place.insideMeta || isMeta,
      noDefaults: isMeta && place.isRoot ? `in top-level ${name}` : place.noDefaults,
    };
    errors.push(...keywordErrors(child, `${path}.properties[${name}]`, below));
  }
  if (schema.not) errors.push(...keywordErrors(schema.not, `${path}.not`, nested(place)));
  for (const name of ['allOf', 'oneOf', 'anyOf'] as const) {
    schema[name]?.forEach((one, i) => {
      errors.push(...keywordErrors(one, `${path}.${name}[${i}]`, nested(place)));
    });
  }
  if (items && !Array.isArray(items)) errors.push(...keywordErrors(items, `${path}.items`, nested(place)));
  return errors;
}

function mapTypeErrors(schema: JSONSchemaProps, path: string): FieldError[] {
  const mapType = schema['x-kubernetes-map-type'];
  if (mapType === undefined) return [];
  const errors = typeFor(schema, path, 'object', 'x-kubernetes-map-type');
  if (mapType !== 'atomic' && mapType !== 'granular') {
    const detail = supported(['atomic', 'granular']);
    errors.push({ type: 'NotSupported', field: `${path}.x-kubernetes-map-type`, value: mapType, detail });
  }
  return errors;
}

function typeFor(schema: JSONSchemaProps, path: string, wanted: string, keyword: string): FieldError[] {
  if (schema.type === wanted) return [];
  const detail = `must be ${wanted} if ${keyword} is specified`;
  return [schema.type ? invalid(`${path}.type`, schema.type, detail) : required(`${path}.type`, detail)];
}

function listTypeErrors(schema: JSONSchemaProps, path: string): FieldError[] {
  const listType = schema['x-kubernetes-list-type'];
  const keys = schema['x-kubernetes-list-map-keys'] ?? [];
  const items = schema.items && !Array.isArray(schema.items) ? schema.items : undefined;
  const errors: FieldError[] = [];
  const field = `${path}.x-kubernetes-list-type`;
  if (listType !== undefined && schema.type !== 'array')
    errors.push(...typeFor(schema, path, 'array', 'x-kubernetes-list-type'));
  else if (listType === 'set' && items) errors.push(...setItemErrors(items, path));
  if (listType !== undefined && !['atomic', 'set', 'map'].includes(listType)) {
    const detail = supported(['atomic', 'set', 'map']);
    errors.push({ type: 'NotSupported', field, value: listType, detail });
  }
  if (keys.length > 0 && listType !== 'map') {
    const detail = 'must be map if x-kubernetes-list-map-keys is non-empty';
    errors.push(listType === undefined ? required(field, detail) : invalid(field, listType, detail));
  }
  if (listType === 'map') errors.push(...listMapErrors(schema, items, keys, path));
  if (items?.nullable && (listType === 'set' || listType === 'map')) {
    const detail = `cannot be nullable when x-kubernetes-list-type is ${listType}`;
    errors.push(forbidden(`${path}.items.nullable`, detail));
  }
  return errors;
}

function setItemErrors(items: JSONSchemaProps, path: string): FieldError[] {
  const detail = 'must be atomic as item of a list with x-kubernetes-list-type=set';
  const listType = items['x-kubernetes-list-type'];
  if (items.type === 'array' && listType !== undefined && listType !== 'atomic')
    return [invalid(`${path}.items.x-kubernetes-list-type`, listType, detail)];
  if (items.type === 'object' && items['x-kubernetes-map-type'] !== 'atomic')
    return [invalid(`${path}.items.x-kubernetes-map-type`, listType ?? null, detail)];
  return [];
}

function listMapErrors(
  schema: JSONSchemaProps,
  items: JSONSchemaProps | undefined,
  keys: readonly string[],
  path: string,
): FieldError[] {
  const errors: FieldError[] = [];
  const field = `${path}.x-kubernetes-list-map-keys`;
  if (keys.length === 0) errors.push(required(field, 'must not be empty if x-kubernetes-list-type is map'));
  if (schema.items === undefined)
    errors.push(required(`${path}.items`, 'must have a schema if x-kubernetes-list-type is map'));
  if (!items) return errors;
  if (items.type !== 'object') {
    const detail = "must be object if parent array's x-kubernetes-list-type is map";
    return [...errors, invalid(`${path}.items.type`, items.type ?? '', detail)];
  }
  keys.forEach((key, i) => {
    const property = items.properties?.[key];
    const place = `${path}.items.properties[${key}]`;
    if (!property) errors.push(invalid(field, keys, 'entries must all be names of item properties'));
    else if (property.type === 'array' || property.type === 'object') {
      const detail = "must be a scalar type if parent array's x-kubernetes-list-type is map";
      errors.push(invalid(`${place}.type`, items.type, detail));
    }
    if (keys.indexOf(key) < i) errors.push(invalid(field, keys, 'must not contain duplicate entries'));
    if (property && property.default === undefined && !items.required?.includes(key)) {
      const detail =
        'this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property';
      errors.push(required(`${place}.default`, detail));
    }
    if (property?.nullable) {
      const detail = 'this property is in x-kubernetes-list-map-keys, so it cannot be nullable';
      errors.push(forbidden(`${place}.nullable`, detail));
    }
  });
  return errors;
}

/** Every default must be valid, and must not hold what the schema would prune. */
export function defaultErrors(node: SchemaNode, path: string): FieldError[] {
  const errors: FieldError[] = [];
  const field = `${path}.default`;
  if (node.default !== undefined) {
    const { default: given } = node;
    const copy = structuredClone(given);
    if (hasUnknown(copy, node)) errors.push(invalid(field, given, 'must not have unknown fields'));
    errors.push(...validateSchema(node, given, field), ...validateLists(node, given, field));
  }
  if (node.items) errors.push(...defaultErrors(node.items, `${path}.items`));
  if (node.values) errors.push(...defaultErrors(node.values, `${path}.additionalProperties`));
  for (const [name, member] of node.properties)
    errors.push(...defaultErrors(member, `${path}.properties[${name}]`));
  return errors;
}

/** Prunes the copy to find out. */
function hasUnknown(value: unknown, node: SchemaNode): boolean {
  const wrapped: JsonObject = { spec: value };
  const around = compileSchema({ type: 'object', properties: { spec: node.props } });
  return prune(wrapped, around).length > 0;
}
