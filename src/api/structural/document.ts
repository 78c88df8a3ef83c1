/**
 * The schema of a custom kind as OpenAPI documents publish it. Pure; called by `objecttype.ts`.
 *
 * Version 3 publishes it as it is. Version 2 has no words for anyOf, oneOf, not and nullable, and clients check objects
 * by what it says: such parts are published as if they allowed everything, as kube-apiserver does.
 */
import { builtinSchema, type ObjectType } from '../schema/table.js';
import type { JSONSchemaProps } from '../types.js';
import { isObject } from './schema.js';

type Document = Record<string, unknown>;
type Reference = (type: ObjectType) => object;

const descriptions = {
  apiVersion:
    'APIVersion defines which group and version of the API this object follows, such as apps/v1. The server answers in the version asked for.',
  kind: 'The kind of this object. It cannot be changed.',
  metadata: "Standard object's metadata: name, labels, annotations and what else all objects have.",
};

/** Keywords that are published as they are given. */
const kept = [
  ...[
    'type',
    'format',
    'title',
    'description',
    'default',
    'enum',
    'required',
    'pattern',
    'example',
    'externalDocs',
  ],
  ...['maximum', 'exclusiveMaximum', 'minimum', 'exclusiveMinimum', 'multipleOf', 'uniqueItems'],
  ...['maxLength', 'minLength', 'maxItems', 'minItems', 'maxProperties', 'minProperties'],
  ...['x-kubernetes-preserve-unknown-fields', 'x-kubernetes-embedded-resource', 'x-kubernetes-int-or-string'],
  ...[
    'x-kubernetes-list-type',
    'x-kubernetes-list-map-keys',
    'x-kubernetes-map-type',
    'x-kubernetes-validations',
  ],
] as const;

export function documentOf(schema: JSONSchemaProps, version: 2 | 3, reference: Reference): Document {
  // What preserves everything at its root names no property at all: old clients refuse what the named ones leave out.
  if (version === 2 && schema['x-kubernetes-preserve-unknown-fields']) {
    const { description } = schema;
    return { ...(description && { description }), type: 'object' };
  }
  const document = nodeOf(schema, version, reference);
  return { ...document, type: 'object', ...objectParts(propertiesOf(document), version, reference) };
}

const propertiesOf = ({ properties }: Document): Document => (isObject(properties) ? properties : {});

function objectParts(properties: Document, version: 2 | 3, reference: Reference): Document {
  const metadata = reference(builtinSchema.object('ObjectMeta'));
  const { metadata: description } = descriptions;
  return {
    properties: {
      ...properties,
      apiVersion: { type: 'string', description: descriptions.apiVersion },
      kind: { type: 'string', description: descriptions.kind },
      metadata: version === 3 ? { allOf: [metadata], description } : { ...metadata, description },
    },
  };
}

function nodeOf(schema: JSONSchemaProps, version: 2 | 3, reference: Reference): Document {
  const node: Document = {};
  for (const name of kept) if (schema[name] !== undefined && schema[name] !== '') node[name] = schema[name];
  const below = (one: JSONSchemaProps): Document => nodeOf(one, version, reference);
  if (version === 3) {
    if (schema.nullable) node['nullable'] = true;
    for (const name of ['allOf', 'anyOf', 'oneOf'] as const)
      if (schema[name]?.length) node[name] = schema[name].map(below);
    if (schema.not) node['not'] = below(schema.not);
  } else if (schema['x-kubernetes-preserve-unknown-fields'] || schema.nullable) {
    // Whatever is there is fine, null included.
    return stripped(node);
  } else if (schema['x-kubernetes-int-or-string']) delete node['type'];
  const { properties, additionalProperties, items } = schema;
  if (properties)
    node['properties'] = Object.fromEntries(
      Object.entries(properties).map(([name, one]) => [name, below(one)]),
    );
  if (isObject(additionalProperties)) node['additionalProperties'] = below(additionalProperties);
  else if (additionalProperties !== undefined && version === 3)
    node['additionalProperties'] = additionalProperties;
  if (items && !Array.isArray(items)) node['items'] = below(items);
  if (schema['x-kubernetes-embedded-resource'] && version === 3) {
    node['properties'] = propertiesOf({ ...node, ...objectParts(propertiesOf(node), version, reference) });
  }
  return node;
}

/** What remains of a part that everything is fine for. */
function stripped(node: Document): Document {
  const { description, 'x-kubernetes-preserve-unknown-fields': preserves } = node;
  return {
    ...(description !== undefined && { description }),
    ...(preserves !== undefined && { 'x-kubernetes-preserve-unknown-fields': preserves }),
  };
}
