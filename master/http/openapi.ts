/**
 * 1. `/openapi/v2` and `/openapi/v3`: what kubectl explains, validates and applies by. Pure.
 *
 * Made from the schema for the kinds that are served; a document is built when it is first asked for, and kept as the
 * bytes that are sent. Called by `documents.ts`.
 */
import { createHash } from 'node:crypto';
import { gitVersion } from '../../src/api/version.js';
import { type Describe, describer } from './openapi-descriptions.js';
import { groupPath, type OpenApiRow, pathItemJson, pathsOf } from './openapi-paths.js';
import { encodeOpenApiV2 } from './openapi-protobuf.js';
import { Definitions } from './openapi-schema.js';

export type { OpenApiRow } from './openapi-paths.js';

/** The names by which clients ask for the protobuf form of `/openapi/v2`; up to kubectl 1.28 by the first. */
export const openapiV2ProtobufAccepted = [
  'application/com.github.proto-openapi.spec.v2@v1.0+protobuf',
  'application/com.github.proto-openapi.spec.v2.v1.0+protobuf',
] as const;

/** The content type of the answer. Never the first name: Go takes the `@` for a malformed media type. */
export const openapiV2Protobuf = openapiV2ProtobufAccepted[1];

const info = { title: 'Kubernetes', version: gitVersion };

const pathsFor = (rows: readonly OpenApiRow[], definitions: Definitions) =>
  Object.assign({}, ...rows.map((row) => pathsOf(row, definitions))) as ReturnType<typeof pathsOf>;

/** Every served kind in one document. */
export function openapiV2(
  rows: readonly OpenApiRow[],
  describe?: Describe,
): { json: Buffer; protobuf: Buffer } {
  const definitions = new Definitions(2, describe);
  const paths = pathsFor(rows, definitions);
  const pathsJson = Object.fromEntries(
    Object.entries(paths).map(([path, item]) => [path, pathItemJson(item, 2)]),
  );
  return {
    json: Buffer.from(JSON.stringify({ swagger: '2.0', info, paths: pathsJson, definitions })),
    protobuf: encodeOpenApiV2({ ...info, paths, definitions: definitions.toJSON() }),
  };
}

/** All that the documents say of a row, the schema of a custom kind included. */
const rowText = ({ schema, ...row }: OpenApiRow): unknown => [
  row,
  schema?.custom?.document(3, ({ model }) => ({ model })),
];

/** The list of group versions. The hash in the URL changes with the server's version and its kinds. */
export function openapiV3Index(rows: readonly OpenApiRow[]): Buffer {
  const hash = createHash('sha256')
    .update(JSON.stringify([gitVersion, rows.map(rowText)]))
    .digest('hex')
    .toUpperCase();
  const paths = [...new Set(rows.map(groupPath))].sort();
  const entries = paths.map((path) => [path, { serverRelativeURL: `/openapi/v3/${path}?hash=${hash}` }]);
  return Buffer.from(JSON.stringify({ paths: Object.fromEntries(entries) }));
}

/** The document of `api/v1` or `apis/apps/v1`; undefined when no kind of it is served. */
export function openapiV3(
  rows: readonly OpenApiRow[],
  path: string,
  describe?: Describe,
): Buffer | undefined {
  const served = rows.filter((row) => groupPath(row) === path);
  if (served.length === 0) return undefined;
  const definitions = new Definitions(3, describe);
  const paths = Object.entries(pathsFor(served, definitions)).map(([name, item]) => [
    name,
    pathItemJson(item, 3),
  ]);
  const document = {
    openapi: '3.0.0',
    info,
    paths: Object.fromEntries(paths),
    components: { schemas: definitions },
  };
  return Buffer.from(JSON.stringify(document));
}

/** The documents of a fixed list of kinds, each built once. */
export class OpenApiDocuments {
  readonly #rows: readonly OpenApiRow[];
  readonly #descriptions: Buffer | undefined;
  readonly #v3 = new Map<string, Buffer | undefined>();
  #v2: { json: Buffer; protobuf: Buffer } | undefined;
  #index: Buffer | undefined;

  /** `descriptions` as the build wrote them; parsed for each document that is made and not kept. */
  constructor(rows: readonly OpenApiRow[], descriptions?: Buffer) {
    this.#descriptions = descriptions;
    // Only what the documents and their hash depend on; a row of the server has much more.
    this.#rows = rows.map(({ group, version, kind, resource, namespaced, subresources = [], ...more }) => {
      const { verbs, schema, listKind } = more;
      return { group, version, kind, resource, namespaced, subresources, verbs, schema, listKind };
    });
  }

  get #version2(): { json: Buffer; protobuf: Buffer } {
    this.#v2 ??= openapiV2(this.#rows, describer(this.#descriptions));
    return this.#v2;
  }

  /** Swagger 2.0 as JSON. */
  v2(): Buffer {
    return this.#version2.json;
  }

  /** Swagger 2.0 as protobuf, of content type `openapiV2Protobuf`. */
  v2Protobuf(): Buffer {
    return this.#version2.protobuf;
  }

  v3Index(): Buffer {
    this.#index ??= openapiV3Index(this.#rows);
    return this.#index;
  }

  /** Undefined for a path without a document. */
  v3(path: string): Buffer | undefined {
    if (!this.#v3.has(path)) {
      const document = openapiV3(this.#rows, path, describer(this.#descriptions));
      if (!document) return undefined;
      this.#v3.set(path, document);
    }
    return this.#v3.get(path);
  }
}
