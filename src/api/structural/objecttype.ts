/**
 * A custom kind as the `ObjectType` that decoding, patches, server-side apply and OpenAPI work with. Pure.
 */
import { badRequest } from '../errors.js';
import type { CheckResult } from '../schema/check.js';
import { builtinSchema, type Field, ObjectType, type TypeNode } from '../schema/table.js';
import { documentOf } from './document.js';
import { coerceEmbedded, coerceMeta } from './embedded.js';
import { prune, pruneNulls } from './prune.js';
import { isObject, type SchemaNode } from './schema.js';

export interface CustomKind {
  group: string;
  version: string;
  kind: string;
}

const scalar = (name: 'string' | 'bool' | 'int64' | 'double' | 'IntOrString' | 'any'): TypeNode => ({
  kind: 'scalar',
  goName: name,
  scalar: name,
});

/** `io.example.stable.v1.CronTab`, as definitions of custom kinds are called in OpenAPI. */
export const modelOf = ({ group, version, kind }: CustomKind): string =>
  `${group.split('.').reverse().join('.')}.${version}.${kind}`;

export function customObjectType(kind: CustomKind, node: SchemaNode): ObjectType {
  return new ObjectType({
    name: modelOf(kind),
    goName: `${kind.version}.${kind.kind}`,
    model: modelOf(kind),
    isTopLevel: true,
    isAtomic: node.isAtomicMap,
    preservesUnknown: node.preserves,
    fields: () => fieldsOf(node, true),
    custom: {
      decode: (object) => decode(node, object),
      document: (version, reference) => documentOf(node.props, version, reference),
    },
  });
}

/** The list of a custom kind, which only OpenAPI asks for. */
export function customListType(kind: CustomKind, listKind: string, item: ObjectType): ObjectType {
  const list = { ...kind, kind: listKind };
  return new ObjectType({
    name: modelOf(list),
    goName: `${kind.version}.${listKind}`,
    model: modelOf(list),
    isTopLevel: true,
    isAtomic: false,
    fields: () =>
      new Map([
        ...typeNames(),
        ['metadata', field('metadata', builtinSchema.object('ListMeta'))],
        ['items', { ...field('items', listOf(item)), required: true }],
      ]),
  });
}

function decode(node: SchemaNode, object: unknown): CheckResult {
  if (!isObject(object)) throw badRequest('the object provided is unrecognized: it is not a JSON object');
  const own = coerceMeta(object, '');
  const embedded = coerceEmbedded(object, node, '');
  const pruned = prune(object, node);
  for (const name of ['metadata', 'apiVersion', 'kind']) if (object[name] === null) delete object[name];
  pruneNulls(object, node);
  return {
    unknown: [...own.unknown, ...embedded.unknown, ...pruned],
    errors: [...own.errors, ...embedded.errors],
  };
}

function field(name: string, type: TypeNode): Field {
  return {
    ...{ name, type, number: 0, via: [], required: false, listType: undefined, listKeys: undefined },
    ...{ patchStrategy: undefined, retainKeys: false, mergeKey: undefined, isAtomic: false },
    ...{ default: undefined, keepsZero: true },
  };
}

const listOf = (item: TypeNode): TypeNode => ({
  kind: 'list',
  goName: `[]${item.goName}`,
  item,
  isWrapped: false,
});

const typeNames = (): [string, Field][] =>
  ['apiVersion', 'kind'].map((name) => [name, field(name, scalar('string'))]);

function fieldsOf(node: SchemaNode, isRoot: boolean): Map<string, Field> {
  const fields = new Map<string, Field>();
  for (const [name, member] of node.properties) {
    fields.set(name, {
      ...field(name, typeOf(member, name)),
      required: node.props.required?.includes(name) ?? false,
      listType: member.listType ?? (member.type === 'array' ? 'atomic' : undefined),
      listKeys: member.listType === 'map' ? member.listKeys : undefined,
      isAtomic: member.isAtomicMap,
      default: member.default,
    });
  }
  if (isRoot || node.embedded) {
    for (const [name, known] of typeNames()) fields.set(name, known);
    fields.set('metadata', field('metadata', builtinSchema.object('ObjectMeta')));
  }
  return fields;
}

function typeOf(node: SchemaNode, name: string): TypeNode {
  if (node.intOrString) return scalar('IntOrString');
  switch (node.type) {
    case 'string':
      return scalar('string');
    case 'boolean':
      return scalar('bool');
    case 'integer':
      return scalar('int64');
    case 'number':
      return scalar('double');
    case 'array':
      return listOf(node.items ? typeOf(node.items, name) : scalar('any'));
    case 'object':
      break;
    default:
      return scalar('any');
  }
  if (node.properties.size === 0 && node.isMap && !node.embedded) {
    const value = node.values ? typeOf(node.values, name) : scalar('any');
    return { kind: 'map', goName: `map[string]${value.goName}`, value };
  }
  return new ObjectType({
    ...{ name, goName: name, model: name },
    isTopLevel: node.embedded,
    isAtomic: node.isAtomicMap,
    preservesUnknown: node.preserves,
    fields: () => fieldsOf(node, false),
  });
}
