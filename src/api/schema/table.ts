/**
 * The schema of every built-in kind, compiled on demand from the generated table. Pure; immutable but for the memo.
 *
 * One source for decoding (`check.ts`), strategic merge patch (`../patch/`), OpenAPI and the protobuf decoder. What a
 * CustomResourceDefinition brings becomes an `ObjectType` too, so all of them work on custom kinds alike.
 *
 * A row of the table, `{p, g, o, t, u, a, w, e, i, f}`: package, Go name (if it differs), is a top-level object, is
 * atomic, is a JSON union, alias of, is a protobuf message around the alias, enum values, inlined structs with their
 * protobuf numbers, fields. A field, `[type, number, required, {l, k, s, m, a, d, z}]`: list type, list map keys, patch
 * strategy, patch merge key, atomic, default, optional but keeps its zero.
 */
import { schemaText } from '../generated/schema.js';
import type { CheckResult } from './check.js';

export type Scalar =
  | 'string'
  | 'bool'
  | 'int32'
  | 'int64'
  | 'double'
  | 'bytes'
  | 'Quantity'
  | 'IntOrString'
  | 'Time'
  | 'MicroTime'
  | 'Duration'
  | 'RawExtension'
  | 'FieldsV1'
  | 'JSON'
  | 'any';

/** `goName` is how Go prints the type in decoding errors: `int32`, `v1.RestartPolicy`, `[]v1.Container`. */
export type TypeNode =
  | { kind: 'scalar'; goName: string; scalar: Scalar; enum?: readonly string[] | undefined }
  | { kind: 'list'; goName: string; item: TypeNode; isWrapped: boolean }
  | { kind: 'map'; goName: string; value: TypeNode }
  | { kind: 'union'; goName: string; object: ObjectType; other: TypeNode }
  | ObjectType;

export interface Field {
  name: string;
  type: TypeNode;
  /** Protobuf field number, 0 where it is not on the protobuf wire. */
  number: number;
  /** Numbers of the inlined messages around it on the protobuf wire, outermost first; JSON has no such levels. */
  via: readonly number[];
  required: boolean;
  listType: 'atomic' | 'set' | 'map' | undefined;
  listKeys: readonly string[] | undefined;
  /** Of strategic merge patch: lists are replaced, and maps merged, unless it says otherwise. */
  patchStrategy: 'merge' | 'replace' | undefined;
  retainKeys: boolean;
  mergeKey: string | undefined;
  isAtomic: boolean;
  default: unknown;
  /** A zero (`""`, 0, false) that was sent says something. Else it is the same as absent, and JSON clients omit it. */
  keepsZero: boolean;
}

export interface GroupVersionKind {
  group: string;
  version: string;
  kind: string;
}

interface TypeRow {
  p: number;
  g?: string;
  o?: 1;
  t?: 1;
  u?: 1;
  a?: string;
  w?: 1;
  e?: string[];
  i?: [string, number][];
  f?: Record<string, FieldRow>;
}
type FieldRow = [
  string,
  number,
  0 | 1,
  { l?: 'atomic' | 'set' | 'map'; k?: string[]; s?: string; m?: string; a?: 1; d?: unknown; z?: 1 }?,
];
interface Table {
  /** OpenAPI prefix, group, version. */
  packages: [string, string, string][];
  types: Record<string, TypeRow>;
}

/** What a kind of a CustomResourceDefinition does in a way of its own. */
export interface CustomType {
  /** Decodes in place like `check.ts`: only metadata can have a wrong type, unknown fields are pruned. */
  decode(object: unknown): CheckResult;
  /** The schema as OpenAPI publishes it, descriptions included; `reference` makes the `$ref` of a built-in type. */
  document(version: 2 | 3, reference: (type: ObjectType) => object): Readonly<Record<string, unknown>>;
}

export class ObjectType {
  readonly kind = 'object';
  /** Unique name, as in `types.ts`. */
  readonly name: string;
  /** `v1.PodSpec`. */
  readonly goName: string;
  /** `io.k8s.api.core.v1.PodSpec`, the name in OpenAPI documents. */
  readonly model: string;
  /** It has `apiVersion` and `kind`. */
  readonly isTopLevel: boolean;
  readonly isAtomic: boolean;
  /** Fields that are not in `fields` are kept (custom kinds). */
  readonly preservesUnknown: boolean;
  readonly custom: CustomType | undefined;
  readonly #compile: () => Map<string, Field>;
  #fields: ReadonlyMap<string, Field> | undefined;

  constructor(options: {
    name: string;
    goName: string;
    model: string;
    isTopLevel: boolean;
    isAtomic: boolean;
    fields: () => Map<string, Field>;
    preservesUnknown?: boolean | undefined;
    custom?: CustomType | undefined;
  }) {
    this.name = options.name;
    this.goName = options.goName;
    this.model = options.model;
    this.isTopLevel = options.isTopLevel;
    this.isAtomic = options.isAtomic;
    this.preservesUnknown = options.preservesUnknown ?? false;
    this.custom = options.custom;
    this.#compile = options.fields;
  }

  /** By JSON name, inlined structs flattened, `apiVersion` and `kind` included. */
  get fields(): ReadonlyMap<string, Field> {
    this.#fields ??= this.#compile();
    return this.#fields;
  }
}

const scalars = new Set<string>([
  ...['string', 'bool', 'int32', 'int64', 'double', 'bytes', 'any', 'Quantity', 'IntOrString'],
  ...['Time', 'MicroTime', 'Duration', 'RawExtension', 'FieldsV1', 'JSON'],
]);
const scalarGoNames: Record<string, string> = {
  double: 'float64',
  bytes: '[]uint8',
  Quantity: 'resource.Quantity',
  IntOrString: 'intstr.IntOrString',
  RawExtension: 'runtime.RawExtension',
  any: 'interface {}',
};
const unionOthers: Record<string, string> = {
  JSONSchemaPropsOrBool: 'bool',
  JSONSchemaPropsOrArray: '[]JSONSchemaProps',
  JSONSchemaPropsOrStringArray: '[]string',
};
/** Kinds of meta/v1 that are served as `v1`; the others are `meta.k8s.io/v1`. */
const metaKindsInCore = new Set([
  'Status',
  'APIVersions',
  'APIGroup',
  'APIGroupList',
  'APIResourceList',
  'List',
]);

export class Schema {
  readonly #text: string;
  readonly #nodes = new Map<string, TypeNode>();
  readonly #kinds = new Map<string, string>();
  #table: Table | undefined;

  constructor(text: string) {
    this.#text = text;
  }

  get #loaded(): Table {
    if (this.#table) return this.#table;
    const table: Table = JSON.parse(this.#text);
    for (const [name, row] of Object.entries(table.types)) {
      const [, group, version] = table.packages[row.p] ?? [];
      const kind = row.g ?? name;
      const isCore = row.p === 0 && metaKindsInCore.has(kind);
      if (row.o) this.#kinds.set(`${isCore ? '' : group}/${version}/${kind}`, name);
    }
    this.#table = table;
    return table;
  }

  /** The type of a kind, or undefined for one that is not built in. Option kinds (`DeleteOptions`) are in every group. */
  typeOf({ group, version, kind }: GroupVersionKind): ObjectType | undefined {
    const { types } = this.#loaded;
    const name =
      this.#kinds.get(`${group}/${version}/${kind}`) ??
      (/Options$/.test(kind) && types[kind]?.p === 0 ? kind : undefined);
    return name === undefined ? undefined : this.object(name);
  }

  /** All built-in kinds, lists included. */
  kinds(): GroupVersionKind[] {
    const { packages } = this.#loaded;
    if (packages.length === 0) return [];
    return [...this.#kinds.keys()].map((key) => {
      const [group = '', version = '', kind = ''] = key.split('/');
      return { group, version, kind };
    });
  }

  /** A struct by its name in `types.ts`. Throws for a name that is none. */
  object(name: string): ObjectType {
    const node = this.#node(name);
    if (node.kind !== 'object') throw new TypeError(`${name} is not a struct of the schema`);
    return node;
  }

  #node(type: string): TypeNode {
    const known = this.#nodes.get(type);
    if (known) return known;
    const node = this.#compile(type);
    this.#nodes.set(type, node);
    return node;
  }

  #compile(type: string): TypeNode {
    if (type.startsWith('[]')) {
      const item = this.#node(type.slice(2));
      return { kind: 'list', goName: `[]${item.goName}`, item, isWrapped: false };
    }
    if (type.startsWith('{}')) {
      const value = this.#node(type.slice(2));
      return { kind: 'map', goName: `map[string]${value.goName}`, value };
    }
    if (scalars.has(type))
      return { kind: 'scalar', goName: scalarGoNames[type] ?? type, scalar: type as Scalar };
    const { types, packages } = this.#loaded;
    const row = types[type];
    if (!row) throw new TypeError(`${type} is not in the schema`);
    const [prefix = '', , version = ''] = packages[row.p] ?? [];
    const goName = `${version}.${row.g ?? type}`;
    if (row.a !== undefined) {
      const target = this.#node(row.a);
      if (target.kind === 'scalar') return { ...target, goName, enum: row.e };
      if (target.kind === 'list') return { ...target, goName, isWrapped: row.w === 1 };
      if (target.kind === 'map') return { ...target, goName };
      return target;
    }
    if (row.u) {
      return {
        kind: 'union',
        goName,
        object: this.object('JSONSchemaProps'),
        other: this.#node(unionOthers[type] ?? 'any'),
      };
    }
    return new ObjectType({
      name: type,
      goName,
      model: `${prefix}.${row.g ?? type}`,
      isTopLevel: row.o === 1,
      isAtomic: row.t === 1,
      fields: () => this.#fieldsOf(row),
    });
  }

  #fieldsOf(row: TypeRow): Map<string, Field> {
    const fields = new Map<string, Field>();
    const add = (name: string, [type, number, required, options = {}]: FieldRow) => {
      const strategies = options.s?.split(',') ?? [];
      const strategy = strategies.find((s) => s !== 'retainKeys');
      fields.set(name, {
        name,
        type: this.#node(type),
        number,
        via: [],
        required: required === 1,
        listType: options.l,
        listKeys: options.k,
        patchStrategy: strategy === 'merge' || strategy === 'replace' ? strategy : undefined,
        retainKeys: strategies.includes('retainKeys'),
        mergeKey: options.m,
        isAtomic: options.a === 1,
        default: options.d,
        keepsZero: required === 1 || options.z === 1,
      });
    };
    if (row.o) for (const name of ['apiVersion', 'kind']) add(name, ['string', 0, 0]);
    for (const [inlined, number] of row.i ?? []) {
      for (const field of this.object(inlined).fields.values())
        fields.set(field.name, { ...field, via: [number, ...field.via] });
    }
    for (const [name, field] of Object.entries(row.f ?? {})) add(name, field);
    return fields;
  }
}

/** The kinds that come with Kubernetes. */
export const builtinSchema = new Schema(schemaText);
