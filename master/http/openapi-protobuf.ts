/**
 * 1. The protobuf form of the OpenAPI version 2 document, which is all that kubectl up to 1.28 understands. Pure.
 *
 * The messages are those of gnostic's `openapi.v2`; the numbers below are their field numbers. Values without a
 * message of their own (extensions, defaults) travel as YAML, of which JSON is a part. Called by `openapi.ts`.
 */
import protobuf from 'protobufjs/minimal.js';
import { bodyParameter, type Operation, type Parameter, type PathItem } from './openapi-paths.js';
import type { OpenApiSchema } from './openapi-schema.js';

type Writer = protobuf.Writer;
const BYTES = 2;

function text(w: Writer, number: number, value: string | undefined): void {
  if (value) w.uint32((number << 3) | BYTES).string(value);
}

function flag(w: Writer, number: number, value: boolean): void {
  if (value) w.uint32(number << 3).bool(true);
}

function message(w: Writer, number: number, write: (inner: Writer) => void): void {
  w.uint32((number << 3) | BYTES).fork();
  write(w);
  w.ldelim();
}

/** `NamedSchema`, `NamedAny`...: a map entry. */
function named(w: Writer, number: number, name: string, write: (inner: Writer) => void): void {
  message(w, number, (entry) => {
    text(entry, 1, name);
    message(entry, 2, write);
  });
}

const any = (value: unknown) => (w: Writer) => text(w, 2, `${JSON.stringify(value)}\n`);

function extensions(w: Writer, number: number, values: Record<string, unknown>): void {
  for (const [name, value] of Object.entries(values)) {
    if (name.startsWith('x-') && value !== undefined) named(w, number, name, any(value));
  }
}

const schema = (value: OpenApiSchema) => (w: Writer) => {
  text(w, 1, value.$ref);
  text(w, 2, value.format);
  text(w, 4, value.description);
  if (value.default !== undefined) message(w, 5, any(value.default));
  for (const name of value.required ?? []) text(w, 19, name);
  for (const option of value.enum ?? []) message(w, 20, any(option));
  const { additionalProperties, items, properties } = value;
  if (additionalProperties) message(w, 21, (inner) => message(inner, 1, schema(additionalProperties)));
  if (value.type) message(w, 22, (inner) => text(inner, 1, value.type));
  if (items) message(w, 23, (inner) => message(inner, 1, schema(items)));
  if (properties) {
    message(w, 25, (inner) => {
      for (const [name, property] of Object.entries(properties)) named(inner, 1, name, schema(property));
    });
  }
  extensions(w, 31, { ...value });
};

/** `ParametersItem`. The sub-messages for query and path differ in one number. */
const parameter = (value: Parameter) => (w: Writer) => {
  const body = value.schema;
  message(w, 1, (inner) => {
    if (body) {
      message(inner, 1, (b) => {
        text(b, 2, value.name);
        text(b, 3, value.in);
        flag(b, 4, value.required);
        message(b, 5, schema(body));
      });
      return;
    }
    message(inner, 2, (nonBody) => {
      const isQuery = value.in === 'query';
      message(nonBody, isQuery ? 3 : 4, (p) => {
        flag(p, 1, value.required);
        text(p, 2, value.in);
        text(p, 4, value.name);
        text(p, isQuery ? 6 : 5, value.type);
        flag(p, isQuery ? 20 : 19, true);
      });
    });
  });
};

const operation = (op: Operation) => (w: Writer) => {
  for (const tag of op.tags) text(w, 1, tag);
  text(w, 5, op.operationId);
  for (const type of op.produces) text(w, 6, type);
  for (const type of op.consumes) text(w, 7, type);
  const body = op.body ? [bodyParameter(op.body)] : [];
  for (const p of [...body, ...op.parameters]) message(w, 8, parameter(p));
  message(w, 9, (responses) => {
    for (const [code, { description, schema: answer }] of Object.entries(op.responses)) {
      named(responses, 1, code, (value) =>
        message(value, 1, (response) => {
          text(response, 1, description);
          if (answer) message(response, 2, (inner) => message(inner, 1, schema(answer)));
        }),
      );
    }
  });
  text(w, 10, 'https');
  extensions(w, 13, op.extensions);
};

const methodNumbers = { get: 2, put: 3, post: 4, delete: 5, patch: 8 } as const;

const pathItem = (item: PathItem) => (w: Writer) => {
  for (const [method, number] of Object.entries(methodNumbers)) {
    const op = item.operations[method as keyof typeof methodNumbers];
    if (op) message(w, number, operation(op));
  }
  for (const p of item.parameters) message(w, 9, parameter(p));
};

/** The document, encoded. */
export function encodeOpenApiV2(document: {
  title: string;
  version: string;
  paths: Record<string, PathItem>;
  definitions: Record<string, OpenApiSchema>;
}): Buffer {
  const w = protobuf.Writer.create();
  text(w, 1, '2.0');
  message(w, 2, (info) => {
    text(info, 1, document.title);
    text(info, 2, document.version);
  });
  message(w, 8, (paths) => {
    for (const [name, item] of Object.entries(document.paths)) named(paths, 2, name, pathItem(item));
  });
  message(w, 9, (definitions) => {
    for (const [name, value] of Object.entries(document.definitions))
      named(definitions, 1, name, schema(value));
  });
  return Buffer.from(w.finish());
}
