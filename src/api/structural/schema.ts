/**
 * The schema of a CustomResourceDefinition, compiled once for pruning, defaulting and validation. Pure; immutable.
 *
 * A `SchemaNode` is made of any JSONSchemaProps; that it is structural is checked by `check.ts` before a schema is served.
 */
import type { JSONSchemaProps, ValidationRule } from '../types.js';

export type JsonObject = Record<string, unknown>;

export interface SchemaNode {
  /** As it was given: descriptions and the value keywords. */
  props: JSONSchemaProps;
  /** '' where the schema says none. */
  type: string;
  nullable: boolean;
  intOrString: boolean;
  /** Unknown fields are kept, down to where properties are named again. */
  preserves: boolean;
  /** A whole Kubernetes object: apiVersion, kind and metadata are implied. */
  embedded: boolean;
  listType: 'atomic' | 'set' | 'map' | undefined;
  listKeys: readonly string[];
  isAtomicMap: boolean;
  default: unknown;
  properties: ReadonlyMap<string, SchemaNode>;
  /** additionalProperties was given, as a schema or as true. */
  isMap: boolean;
  /** The schema of the values of a map. */
  values: SchemaNode | undefined;
  items: SchemaNode | undefined;
  allOf: readonly SchemaNode[];
  anyOf: readonly SchemaNode[];
  oneOf: readonly SchemaNode[];
  not: SchemaNode | undefined;
  rules: readonly ValidationRule[];
  /** A rule stands here or below: without one the walk for rules is not made. */
  hasRules: boolean;
  hasDefaults: boolean;
  /** A list that is a set or a map stands here or below. */
  hasListTypes: boolean;
  hasEmbedded: boolean;
}

export const isObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const listTypeOf = (props: JSONSchemaProps): SchemaNode['listType'] => {
  const given = props['x-kubernetes-list-type'];
  return given === 'atomic' || given === 'set' || given === 'map' ? given : undefined;
};

const all = (list: readonly JSONSchemaProps[] | undefined): SchemaNode[] => (list ?? []).map(compileSchema);

export function compileSchema(props: JSONSchemaProps): SchemaNode {
  const properties = new Map(
    Object.entries(props.properties ?? {}).map(([name, child]) => [name, compileSchema(child)] as const),
  );
  const { additionalProperties, items } = props;
  const values = isObject(additionalProperties) ? compileSchema(additionalProperties) : undefined;
  const item = items && !Array.isArray(items) ? compileSchema(items) : undefined;
  const allOf = all(props.allOf);
  const children = [...properties.values(), ...allOf];
  if (values) children.push(values);
  if (item) children.push(item);
  const rules = props['x-kubernetes-validations'] ?? [];
  const embedded = props['x-kubernetes-embedded-resource'] === true;
  const listType = listTypeOf(props);
  return {
    props,
    type: props.type ?? '',
    nullable: props.nullable === true,
    intOrString: props['x-kubernetes-int-or-string'] === true,
    preserves: props['x-kubernetes-preserve-unknown-fields'] === true,
    embedded,
    listType,
    listKeys: props['x-kubernetes-list-map-keys'] ?? [],
    isAtomicMap: props['x-kubernetes-map-type'] === 'atomic',
    default: props.default,
    properties,
    isMap: additionalProperties !== undefined && additionalProperties !== false,
    values,
    items: item,
    allOf,
    anyOf: all(props.anyOf),
    oneOf: all(props.oneOf),
    not: props.not && compileSchema(props.not),
    rules,
    hasRules: rules.length > 0 || children.some((child) => child.hasRules),
    hasDefaults: children.some((child) => child.default !== undefined || child.hasDefaults),
    hasListTypes: listType === 'set' || listType === 'map' || children.some((child) => child.hasListTypes),
    hasEmbedded: embedded || children.some((child) => child.hasEmbedded),
  };
}

/** The schema of one member of an object; undefined where it has none. */
export const memberOf = (node: SchemaNode, name: string): SchemaNode | undefined =>
  node.properties.get(name) ?? node.values;

/** `spec.a`, `[0]`, `[key]` and so on; a path that is still empty has no dot. */
export const child = (path: string, name: string): string => (path === '' ? name : `${path}.${name}`);
