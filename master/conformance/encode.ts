/**
 * JSON objects -> `application/vnd.kubernetes.protobuf`, along the schema table, as client-go sends them: the counterpart of
 * `src/api/protobuf/decode.ts`. Imported by tests only. Values of a wrong type are left out.
 */
import type { ResourceType } from '../../src/api/kinds.js';
import { apiVersionOf } from '../../src/api/kinds.js';
import { builtinSchema, type ObjectType, type TypeNode } from '../../src/api/schema/table.js';

type Parts = Buffer[];

const varint = (value: bigint): Buffer => {
  const bytes: number[] = [];
  let left = BigInt.asUintN(64, value);
  while (left > 127n) {
    bytes.push(Number(left & 127n) | 128);
    left >>= 7n;
  }
  bytes.push(Number(left));
  return Buffer.from(bytes);
};
const tag = (number: number, wire: number): Buffer => varint(BigInt(number * 8 + wire));
const delimited = (number: number, bytes: Buffer): Buffer =>
  Buffer.concat([tag(number, 2), varint(BigInt(bytes.length)), bytes]);
const whole = (number: number, value: number | bigint): Buffer =>
  Buffer.concat([tag(number, 0), varint(BigInt(value))]);
const text = (number: number, value: string): Buffer => delimited(number, Buffer.from(value));

export function encodeProtobuf(
  type: Pick<ResourceType, 'group' | 'version' | 'kind'>,
  object: object,
): Buffer {
  const schema = builtinSchema.typeOf(type);
  if (!schema) throw new TypeError(`${type.kind} is not in the schema`);
  const meta = Buffer.concat([text(1, apiVersionOf(type)), text(2, type.kind)]);
  const raw = encodeObject(schema, object as Record<string, unknown>);
  return Buffer.concat([
    Buffer.from('k8s\0'),
    delimited(1, meta),
    delimited(2, raw),
    text(3, ''),
    text(4, ''),
  ]);
}

interface Level {
  parts: Parts;
  inlined: Map<number, Level>;
}
const level = (): Level => ({ parts: [], inlined: new Map() });

function encodeObject(type: ObjectType, object: Record<string, unknown>): Buffer {
  const root = level();
  for (const { name, number, via, type: node } of type.fields.values()) {
    const value = Object.hasOwn(object, name) ? object[name] : undefined;
    if (number === 0 || value === undefined || value === null) continue;
    let at = root;
    for (const step of via) {
      const inner = at.inlined.get(step) ?? level();
      at.inlined.set(step, inner);
      at = inner;
    }
    encodeValue(node, number, value, at.parts);
  }
  return bytesOf(root);
}

const bytesOf = ({ parts, inlined }: Level): Buffer =>
  Buffer.concat([...parts, ...[...inlined].map(([number, inner]) => delimited(number, bytesOf(inner)))]);

const isMap = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function encodeValue(type: TypeNode, number: number, value: unknown, parts: Parts): void {
  switch (type.kind) {
    case 'object':
      if (isMap(value)) parts.push(delimited(number, encodeObject(type, value)));
      return;
    case 'list': {
      if (!Array.isArray(value)) return;
      if (!type.isWrapped) {
        for (const item of value) encodeValue(type.item, number, item, parts);
        return;
      }
      const inner: Parts = [];
      for (const item of value) encodeValue(type.item, 1, item, inner);
      parts.push(delimited(number, Buffer.concat(inner)));
      return;
    }
    case 'map':
      if (!isMap(value)) return;
      for (const [key, item] of Object.entries(value)) {
        const entry: Parts = [text(1, key)];
        encodeValue(type.value, 2, item, entry);
        parts.push(delimited(number, Buffer.concat(entry)));
      }
      return;
    case 'union':
      if (isMap(value)) {
        const at = type.other.kind === 'scalar' ? 2 : 1;
        parts.push(delimited(number, delimited(at, encodeObject(type.object, value))));
      }
      return;
    case 'scalar':
      encodeScalar(type.scalar, number, value, parts);
  }
}

function encodeScalar(scalar: string, number: number, value: unknown, parts: Parts): void {
  switch (scalar) {
    case 'string':
      if (typeof value === 'string') parts.push(text(number, value));
      return;
    case 'bool':
      if (typeof value === 'boolean') parts.push(whole(number, value ? 1 : 0));
      return;
    case 'int32':
    case 'int64':
      if (Number.isSafeInteger(value)) parts.push(whole(number, value as number));
      return;
    case 'double': {
      if (typeof value !== 'number') return;
      const bytes = Buffer.alloc(8);
      bytes.writeDoubleLE(value);
      parts.push(tag(number, 1), bytes);
      return;
    }
    case 'bytes':
      if (typeof value === 'string') parts.push(delimited(number, Buffer.from(value, 'base64')));
      return;
    case 'Quantity':
      if (typeof value === 'string') parts.push(delimited(number, text(1, value)));
      return;
    case 'IntOrString':
      if (typeof value === 'number' && Number.isSafeInteger(value))
        parts.push(delimited(number, Buffer.concat([whole(1, 0), whole(2, value)])));
      else if (typeof value === 'string')
        parts.push(delimited(number, Buffer.concat([whole(1, 1), text(3, value)])));
      return;
    case 'Time':
    case 'MicroTime': {
      const at = typeof value === 'string' ? Date.parse(value) : Number.NaN;
      if (Number.isNaN(at)) return;
      const seconds = whole(1, Math.floor(at / 1000));
      parts.push(
        delimited(number, Buffer.concat([seconds, whole(2, (((at % 1000) + 1000) % 1000) * 1_000_000)])),
      );
      return;
    }
    case 'RawExtension':
    case 'FieldsV1':
    case 'JSON':
      parts.push(delimited(number, text(1, JSON.stringify(value))));
      return;
    default:
      return;
  }
}
