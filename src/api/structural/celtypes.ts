/**
 * What the expressions of a schema see: each object of the schema as a type with its fields, and values made for it. Pure.
 *
 * What is not in the schema is not seen, and neither is metadata beyond names. A null is the same as nothing.
 */
import { Duration } from '@marcbachmann/cel-js/evaluator';
import { isCelEqual } from '../cel/equality.js';
import { escapeProperty } from '../cel/names.js';
import type { CelType, ObjectShape } from '../cel/program.js';
import { toCel } from '../cel/values.js';
import { isObject, type SchemaNode } from './schema.js';

export interface CelView {
  type: CelType;
  /** A value of the schema, as an expression sees it. */
  convert(value: unknown): unknown;
}

type Scalar = Readonly<Record<string, CelView>>;

const same = (value: unknown): unknown => value;

const scalars: Scalar = {
  string: { type: 'string', convert: same },
  boolean: { type: 'bool', convert: same },
  integer: {
    type: 'int',
    convert: (value) => (typeof value === 'number' ? BigInt(Math.trunc(value)) : value),
  },
  number: { type: 'double', convert: same },
};

const formats: Scalar = {
  byte: {
    type: 'bytes',
    convert: (value) => Uint8Array.from(atob(String(value)), (char) => char.charCodeAt(0)),
  },
  date: { type: 'google.protobuf.Timestamp', convert: (value) => new Date(`${String(value)}T00:00:00Z`) },
  'date-time': { type: 'google.protobuf.Timestamp', convert: (value) => new Date(String(value)) },
  duration: { type: 'google.protobuf.Duration', convert: (value) => durationOf(String(value)) },
};

const unitNanos: Readonly<Record<string, number>> = {
  ...{ ns: 1, us: 1e3, µs: 1e3, μs: 1e3, ms: 1e6, s: 1e9, m: 60e9, h: 3600e9 },
};

function durationOf(text: string): Duration {
  const sign = text.startsWith('-') ? -1 : 1;
  let nanos = 0;
  for (const [, amount, unit = ''] of text.matchAll(/(\d+\.?\d*|\.\d+)\s*(ns|us|µs|μs|ms|s|m|h)/g))
    nanos += Number(amount) * (unitNanos[unit] ?? 0);
  const total = BigInt(Math.trunc(sign * nanos));
  return new Duration(total / 1_000_000_000n, Number(total % 1_000_000_000n));
}

const dynamic: CelView = { type: 'dyn', convert: toCel };

/** Adds the types that are needed to `shapes`. Undefined for what expressions cannot see. */
export function celView(
  node: SchemaNode,
  name: string,
  shapes: ObjectShape[],
  isRoot = false,
): CelView | undefined {
  if (node.intOrString) return dynamic;
  if (node.type === 'array') return listView(node, name, shapes);
  if (node.type !== 'object')
    return (node.type === 'string' ? formats[node.props.format ?? ''] : undefined) ?? scalars[node.type];
  if (node.isMap && node.properties.size === 0) return mapView(node, name, shapes);
  return objectView(node, name, shapes, isRoot || node.embedded);
}

function listView(node: SchemaNode, name: string, shapes: ObjectShape[]): CelView | undefined {
  const item = node.items && celView(node.items, `${name}.item`, shapes);
  if (!item) return undefined;
  return {
    type: `list<${item.type}>`,
    convert: (value) =>
      Array.isArray(value) ? value.map((one) => (one === null ? null : item.convert(one))) : value,
  };
}

function mapView(node: SchemaNode, name: string, shapes: ObjectShape[]): CelView | undefined {
  const item = node.values ? celView(node.values, `${name}.value`, shapes) : dynamic;
  if (!item) return undefined;
  return {
    type: `map<string, ${item.type}>`,
    convert(value) {
      if (!isObject(value)) return value;
      const map = Object.create(null) as Record<string, unknown>;
      for (const key of Object.keys(value)) if (value[key] !== null) map[key] = item.convert(value[key]);
      return map;
    },
  };
}

function objectView(node: SchemaNode, name: string, shapes: ObjectShape[], hasMeta: boolean): CelView {
  const views = new Map<string, { field: string; view: CelView }>();
  for (const [property, member] of node.properties) {
    const field = escapeProperty(property);
    const view = celView(member, `${name}.${property}`, shapes);
    if (field !== undefined && view) views.set(property, { field, view });
  }
  if (hasMeta) {
    for (const property of ['apiVersion', 'kind'])
      views.set(property, { field: property, view: scalars['string'] ?? dynamic });
    views.set('metadata', { field: 'metadata', view: metaView(`${name}.metadata`, shapes) });
  }
  return shapeView(name, views, shapes);
}

function metaView(name: string, shapes: ObjectShape[]): CelView {
  const text = scalars['string'] ?? dynamic;
  const names = ['name', 'generateName'].map((field) => [field, { field, view: text }] as const);
  return shapeView(name, new Map(names), shapes);
}

function shapeView(
  name: string,
  views: ReadonlyMap<string, { field: string; view: CelView }>,
  shapes: ObjectShape[],
): CelView {
  class Instance {}
  const fields = Object.fromEntries([...views.values()].map(({ field, view }) => [field, view.type]));
  shapes.push({ name, ctor: Instance, fields, equals: isCelEqual });
  return {
    type: name,
    convert(value) {
      if (!isObject(value)) return value;
      const instance = new Instance() as Record<string, unknown>;
      for (const [property, { field, view }] of views) {
        const given = Object.hasOwn(value, property) ? value[property] : undefined;
        if (given !== undefined && given !== null) instance[field] = view.convert(given);
      }
      return instance;
    },
  };
}
