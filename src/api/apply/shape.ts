/**
 * A type of the schema as server-side apply sees it: what is one value, what is merged by field, by key or by item. Pure;
 * compiled once per type and only as deep as objects go.
 *
 * Lists are one value unless they are a `set` or a `map`; maps and structs are merged unless they are atomic; what has no
 * schema is deduced from the value: maps are merged, all else is one value.
 */
import type { Field, ObjectType, Scalar, TypeNode } from '../schema/table.js';
import { fieldElement } from './fields.js';

export type ScalarKind = 'string' | 'numeric' | 'boolean' | 'untyped';

export type Shape =
  | { kind: 'scalar'; scalar: ScalarKind }
  /** Anything, as one value. */
  | { kind: 'anything' }
  | { kind: 'deduced' }
  /** One value whose inside is only checked. */
  | { kind: 'atomic'; inside: StructShape | MapShape | ListShape }
  | { kind: 'set'; item: Shape }
  | KeyedShape
  | MapShape
  | StructShape;

export interface ListShape {
  kind: 'list';
  item: Shape;
}
export interface MapShape {
  kind: 'map';
  item: Shape;
}
export interface KeyedShape {
  kind: 'keyed';
  item: Shape;
  /** In the order of their names. */
  keys: readonly { name: string; default: unknown }[];
  /** As the schema lists them, for messages. */
  names: readonly string[];
}

export interface StructField {
  shape: Shape;
  /** `f:name`. */
  element: string;
  /** `"f:name":`, for writing `FieldsV1` at once. */
  text: string;
  /** Go prints this field of an otherwise empty struct as `{}` or `null`: it never appears or goes by itself. */
  always: boolean;
}

export class StructShape {
  readonly kind = 'struct';
  readonly preservesUnknown: boolean;
  /** Its schema may change while objects of it exist. */
  readonly isCustom: boolean;
  readonly #compile: () => ReadonlyMap<string, StructField>;
  #fields: ReadonlyMap<string, StructField> | undefined;

  constructor(
    { preservesUnknown, isCustom }: { preservesUnknown: boolean; isCustom: boolean },
    compile: () => ReadonlyMap<string, StructField>,
  ) {
    this.preservesUnknown = preservesUnknown;
    this.isCustom = isCustom;
    this.#compile = compile;
  }

  get fields(): ReadonlyMap<string, StructField> {
    this.#fields ??= this.#compile();
    return this.#fields;
  }
}

const numeric = new Set<Scalar>(['int32', 'int64', 'double']);
const strings = new Set<Scalar>(['string', 'bytes']);
const anyJson = new Set<Scalar>(['RawExtension', 'JSON', 'FieldsV1']);

/** Structs that Go types hold by value, so that even an empty object has them. */
const heldByValue = new Set([
  ...['metadata', 'spec', 'status', 'template', 'strategy', 'updateStrategy', 'jobTemplate', 'resources'],
  ...['loadBalancer', 'scaleTargetRef', 'daemonEndpoints', 'kubeletEndpoint', 'names', 'acceptedNames'],
]);
const heldByPointer = new Set(['ReplicationControllerSpec.template', 'PodSpec.resources']);

const goShapes = new WeakMap<ObjectType, StructShape>();
const plainShapes = new WeakMap<ObjectType, StructShape>();

/** The shape of a kind. Objects of custom kinds are plain JSON: nothing is in them that nobody wrote. */
export function shapeOf(type: ObjectType, isGo = type.custom === undefined): StructShape {
  return structOf(type, isGo);
}

function structOf(type: ObjectType, isGo: boolean): StructShape {
  const shapes = isGo ? goShapes : plainShapes;
  const known = shapes.get(type);
  if (known) return known;
  const shape = new StructShape({ preservesUnknown: type.preservesUnknown, isCustom: !isGo }, () => {
    const fields = new Map<string, StructField>();
    for (const field of type.fields.values())
      fields.set(field.name, {
        shape: fieldShape(field, isGo),
        element: fieldElement(field.name),
        text: `${JSON.stringify(fieldElement(field.name))}:`,
        always: isGo && isAlwaysThere(type, field),
      });
    return fields;
  });
  shapes.set(type, shape);
  return shape;
}

function isAlwaysThere(type: ObjectType, field: Field): boolean {
  if (field.type.kind === 'list') return field.required;
  if (field.type.kind !== 'object' || field.type.isAtomic || field.isAtomic) return false;
  return heldByValue.has(field.name) && !heldByPointer.has(`${type.name}.${field.name}`);
}

function fieldShape(field: Field, isGo: boolean): Shape {
  const { type } = field;
  if (type.kind !== 'list') {
    const shape = nodeShape(type, isGo);
    return field.isAtomic && (shape.kind === 'struct' || shape.kind === 'map') ? atomic(shape) : shape;
  }
  const item = nodeShape(type.item, isGo);
  if (field.listType === 'set') return { kind: 'set', item };
  if (field.listType === 'map') return keyed(field.listKeys ?? [], type.item, item);
  if (field.listType === undefined && field.patchStrategy === 'merge')
    return field.mergeKey ? keyed([field.mergeKey], type.item, item) : { kind: 'set', item };
  return atomic({ kind: 'list', item });
}

function keyed(names: readonly string[], type: TypeNode, item: Shape): KeyedShape {
  const fields = type.kind === 'object' ? type.fields : undefined;
  const keys = [...names].sort().map((name) => ({ name, default: fields?.get(name)?.default }));
  return { kind: 'keyed', item, keys, names };
}

const atomic = (inside: StructShape | MapShape | ListShape): Shape => ({ kind: 'atomic', inside });

const scalarShapes: Record<ScalarKind, Shape> = {
  string: { kind: 'scalar', scalar: 'string' },
  numeric: { kind: 'scalar', scalar: 'numeric' },
  boolean: { kind: 'scalar', scalar: 'boolean' },
  untyped: { kind: 'scalar', scalar: 'untyped' },
};
export const anything: Shape = { kind: 'anything' };
export const deduced: Shape = { kind: 'deduced' };

function nodeShape(type: TypeNode, isGo: boolean): Shape {
  switch (type.kind) {
    case 'object': {
      const struct = structOf(type, isGo);
      return type.isAtomic ? atomic(struct) : struct;
    }
    case 'list':
      return atomic({ kind: 'list', item: nodeShape(type.item, isGo) });
    case 'map':
      return { kind: 'map', item: nodeShape(type.value, isGo) };
    case 'union':
      return anything;
    case 'scalar':
      return scalarShape(type.scalar);
  }
}

function scalarShape(scalar: Scalar): Shape {
  if (scalar === 'any') return deduced;
  if (anyJson.has(scalar)) return anything;
  if (numeric.has(scalar)) return scalarShapes.numeric;
  if (strings.has(scalar)) return scalarShapes.string;
  return scalar === 'bool' ? scalarShapes.boolean : scalarShapes.untyped;
}
