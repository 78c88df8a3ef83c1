/**
 * 1. The definitions of OpenAPI documents, made from the schema: every type that a list of kinds reaches. Pure.
 *
 * Version 2 (Swagger) and 3 differ in where definitions are and how a property refers to one. Called by `openapi.ts`.
 */

import {
  builtinSchema,
  type Field,
  type GroupVersionKind,
  type ObjectType,
  type Scalar,
  type TypeNode,
} from '../../src/api/schema/table.js';
import type { Describe } from './openapi-descriptions.js';

/** A schema object of OpenAPI, in the parts that we write. */
export interface OpenApiSchema {
  $ref?: string;
  description?: string;
  allOf?: OpenApiSchema[];
  oneOf?: OpenApiSchema[];
  type?: string;
  format?: string;
  default?: unknown;
  enum?: readonly string[];
  items?: OpenApiSchema;
  additionalProperties?: OpenApiSchema;
  properties?: Record<string, OpenApiSchema>;
  required?: string[];
  [extension: `x-${string}`]: unknown;
}

export type OpenApiVersion = 2 | 3;

const machinery = 'io.k8s.apimachinery.pkg';

/** Scalars with a definition of their own. */
const scalarModels: Partial<Record<Scalar, { name: string; v2: OpenApiSchema; v3?: OpenApiSchema }>> = {
  Quantity: {
    name: `${machinery}.api.resource.Quantity`,
    v2: { type: 'string' },
    v3: { oneOf: [{ type: 'string' }, { type: 'number' }] },
  },
  IntOrString: {
    name: `${machinery}.util.intstr.IntOrString`,
    v2: { type: 'string', format: 'int-or-string' },
    v3: { format: 'int-or-string', oneOf: [{ type: 'integer' }, { type: 'string' }] },
  },
  Time: { name: `${machinery}.apis.meta.v1.Time`, v2: { type: 'string', format: 'date-time' } },
  MicroTime: { name: `${machinery}.apis.meta.v1.MicroTime`, v2: { type: 'string', format: 'date-time' } },
  Duration: { name: `${machinery}.apis.meta.v1.Duration`, v2: { type: 'string' } },
  FieldsV1: { name: `${machinery}.apis.meta.v1.FieldsV1`, v2: { type: 'object' } },
  RawExtension: { name: `${machinery}.runtime.RawExtension`, v2: { type: 'object' } },
  JSON: { name: 'io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSON', v2: {} },
};

const plainScalars: Partial<Record<Scalar, OpenApiSchema>> = {
  string: { type: 'string' },
  bool: { type: 'boolean' },
  int32: { type: 'integer', format: 'int32' },
  int64: { type: 'integer', format: 'int64' },
  double: { type: 'number', format: 'double' },
  bytes: { type: 'string', format: 'byte' },
  any: { type: 'object' },
};

/** The body of a PATCH: an array or an object, so anything. */
export const patchModel = `${machinery}.apis.meta.v1.Patch`;

export class Definitions {
  /** By model name; grows as types are referred to. */
  readonly schemas = new Map<string, OpenApiSchema>();
  readonly #version: OpenApiVersion;
  readonly #describe: Describe;

  constructor(version: OpenApiVersion, describe: Describe = () => undefined) {
    this.#version = version;
    this.#describe = describe;
  }

  /** Adds the type with all it reaches, and returns the reference to it. */
  refer(type: ObjectType): OpenApiSchema {
    if (!this.schemas.has(type.model)) {
      const [description] = this.#describe(type.model) ?? [];
      const schema: OpenApiSchema = { ...(description && { description }), type: 'object' };
      this.schemas.set(type.model, schema);
      this.#fill(schema, type);
    }
    return this.#reference(type.model);
  }

  /** Adds the type of a kind, marked with the kinds it serves as; nothing for a kind that has none. */
  addKind(gvk: GroupVersionKind, custom?: ObjectType): OpenApiSchema | undefined {
    const type = custom ?? builtinSchema.typeOf(gvk);
    if (!type) return undefined;
    const reference = this.refer(type);
    const schema = this.schemas.get(type.model) ?? {};
    const { group, version, kind } = gvk;
    const known = schema['x-kubernetes-group-version-kind'];
    const marks = Array.isArray(known) ? known : [];
    if (!marks.some((m) => m.group === group && m.version === version)) {
      schema['x-kubernetes-group-version-kind'] = [...marks, { group, kind, version }];
    }
    return reference;
  }

  addPatch(): OpenApiSchema {
    this.schemas.set(patchModel, this.#version === 2 ? { type: 'object' } : {});
    return this.#reference(patchModel);
  }

  #reference(model: string): OpenApiSchema {
    return { $ref: this.#version === 2 ? `#/definitions/${model}` : `#/components/schemas/${model}` };
  }

  #fill(schema: OpenApiSchema, type: ObjectType): void {
    if (type.custom) {
      Object.assign(
        schema,
        type.custom.document(this.#version, (other) => this.refer(other)),
      );
      return;
    }
    const fields = [...type.fields.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
    const [, texts = {}] = this.#describe(type.model) ?? [];
    schema.properties = Object.fromEntries(
      fields.map((field) => [field.name, this.#property(field, texts[field.name])]),
    );
    const required = fields.filter((field) => field.required).map((field) => field.name);
    if (required.length > 0) schema.required = required;
    if (type.isAtomic) schema['x-kubernetes-map-type'] = 'atomic';
  }

  #property(field: Field, description: string | undefined): OpenApiSchema {
    const strategies = [field.patchStrategy, field.retainKeys ? 'retainKeys' : undefined]
      .filter(Boolean)
      .join(',');
    const extras: OpenApiSchema = {
      ...(description && { description }),
      ...(field.default !== undefined && { default: field.default }),
      ...(field.listType && { 'x-kubernetes-list-type': field.listType }),
      ...(field.listKeys && { 'x-kubernetes-list-map-keys': field.listKeys }),
      ...(field.mergeKey && { 'x-kubernetes-patch-merge-key': field.mergeKey }),
      ...(strategies && { 'x-kubernetes-patch-strategy': strategies }),
      ...(field.isAtomic && { 'x-kubernetes-map-type': 'atomic' }),
    };
    const schema = this.#node(field.type);
    // In version 3, what stands beside a reference is ignored; such a property wraps it.
    const isWrapped = this.#version === 3 && schema.$ref !== undefined;
    return { ...(isWrapped ? { allOf: [schema] } : schema), ...extras };
  }

  #node(type: TypeNode): OpenApiSchema {
    switch (type.kind) {
      case 'object':
        return this.refer(type);
      case 'list':
        return { type: 'array', items: this.#node(type.item) };
      case 'map':
        return { type: 'object', additionalProperties: this.#node(type.value) };
      case 'union':
        return {};
      case 'scalar':
        return this.#scalar(type.scalar, type.enum);
    }
  }

  #scalar(scalar: Scalar, values: readonly string[] | undefined): OpenApiSchema {
    const model = scalarModels[scalar];
    if (!model) return { ...plainScalars[scalar], ...(values && { enum: values }) };
    this.schemas.set(model.name, this.#version === 3 ? (model.v3 ?? model.v2) : model.v2);
    return this.#reference(model.name);
  }

  /** As it stands in the document. */
  toJSON(): Record<string, OpenApiSchema> {
    return Object.fromEntries([...this.schemas].sort(([a], [b]) => (a < b ? -1 : 1)));
  }
}
