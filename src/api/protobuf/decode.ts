/**
 * 1. Bodies in `application/vnd.kubernetes.protobuf` -> the plain JSON value that the same object has as JSON. Pure.
 *
 * Called by the HTTP layer; client-go sends typed objects of built-in kinds this way. The body is `k8s\0` and an
 * envelope (`runtime.Unknown`: apiVersion, kind, bytes), the bytes are walked along the schema table. Go writes the
 * zero of every field that is no pointer; those that JSON clients would omit are dropped here (`Field.keepsZero`).
 * Fields the schema does not have are skipped, as Kubernetes does. What comes out is not checked yet.
 */
import { type ApiError, badRequest } from '../errors.js';
import { builtinSchema, type ObjectType, type TypeNode } from '../schema/table.js';
import { zeroValue } from '../schema/values.js';
import { eachField, readScalar, runTypeOf } from './scalars.js';
import { Wire, WireError } from './wire.js';

type Fields = Record<string, unknown>;

/** By field number; inlined structs are messages of their own whose fields land in the same object. */
type Plan = ReadonlyMap<number, Slot | { inlined: Plan }>;
type MutablePlan = Map<number, Slot | { inlined: MutablePlan }>;

interface Slot {
  name: string;
  type: TypeNode;
  keepsZero: boolean;
}

const magic = [0x6b, 0x38, 0x73, 0];

/** Compiled once per struct, on its first use. */
const plans = new WeakMap<ObjectType, Plan>();

/** The object with its `apiVersion` and `kind`. Throws `BadRequest` for anything else than a whole object of a built-in kind. */
export function decodeProtobuf(bytes: Uint8Array): Fields {
  if (magic.some((byte, i) => bytes[i] !== byte))
    throw undecodable(
      'provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]',
    );
  try {
    const { apiVersion, kind, raw } = readEnvelope(new Wire(bytes.subarray(magic.length)));
    const object: Fields = { apiVersion, kind };
    readFields(new Wire(raw), planOf(typeOf(apiVersion, kind)), object);
    return object;
  } catch (error) {
    // RangeError is what the reader throws at the end of its bytes.
    if (error instanceof WireError || error instanceof RangeError) throw undecodable(error.message, error);
    throw error;
  }
}

const undecodable = (why: string, cause?: unknown): ApiError =>
  badRequest(`the protobuf body cannot be decoded: ${why}`, cause);

interface Envelope {
  apiVersion: string;
  kind: string;
  raw: Uint8Array;
}

function readEnvelope(wire: Wire): Envelope {
  const envelope: Envelope = { apiVersion: '', kind: '', raw: new Uint8Array() };
  for (let number = wire.next(); number !== 0; number = wire.next()) {
    if (number === 1) {
      eachField(wire, (inner) => {
        if (inner === 1) envelope.apiVersion = wire.string();
        else if (inner === 2) envelope.kind = wire.string();
        else wire.skip();
      });
    } else if (number === 2) {
      envelope.raw = wire.bytes();
    } else if (number === 3) {
      const encoding = wire.string();
      if (encoding !== '') throw new WireError(`content encoding ${JSON.stringify(encoding)} is not known`);
    } else {
      wire.skip();
    }
  }
  return envelope;
}

function typeOf(apiVersion: string, kind: string): ObjectType {
  if (kind === '') throw badRequest("Object 'Kind' is missing in the protobuf body");
  if (apiVersion === '') throw badRequest("Object 'apiVersion' is missing in the protobuf body");
  const slash = apiVersion.indexOf('/');
  const group = slash < 0 ? '' : apiVersion.slice(0, slash);
  const type = builtinSchema.typeOf({ group, version: apiVersion.slice(slash + 1), kind });
  if (!type)
    throw badRequest(
      `no kind ${JSON.stringify(kind)} is registered for version ${JSON.stringify(apiVersion)}`,
    );
  return type;
}

function planOf(type: ObjectType): Plan {
  const known = plans.get(type);
  if (known) return known;
  const plan: MutablePlan = new Map();
  for (const { name, type: fieldType, number, via, keepsZero } of type.fields.values()) {
    if (number === 0) continue;
    via.reduce(inlinedPlan, plan).set(number, { name, type: fieldType, keepsZero });
  }
  plans.set(type, plan);
  return plan;
}

function inlinedPlan(plan: MutablePlan, number: number): MutablePlan {
  const found = plan.get(number);
  if (found && 'inlined' in found) return found.inlined;
  const inlined: MutablePlan = new Map();
  plan.set(number, { inlined });
  return inlined;
}

/** Up to the end of the message that `wire` is in. A message that comes in pieces is merged, the last scalar wins. */
function readFields(wire: Wire, plan: Plan, into: Fields): void {
  for (let number = wire.next(); number !== 0; number = wire.next()) {
    const slot = plan.get(number);
    if (slot === undefined) {
      wire.skip();
    } else if ('inlined' in slot) {
      const outer = wire.enter();
      readFields(wire, slot.inlined, into);
      wire.leave(outer);
    } else {
      const value = readValue(wire, slot.type, into[slot.name]);
      if (value === undefined || (!slot.keepsZero && isZero(value))) delete into[slot.name];
      else into[slot.name] = value;
    }
  }
}

const isZero = (value: unknown): boolean => value === '' || value === 0 || value === false;

/** `before` is what the field had already. */
function readValue(wire: Wire, type: TypeNode, before: unknown): unknown {
  switch (type.kind) {
    case 'scalar':
      return readScalar(wire, type.scalar);
    case 'object':
      return readObject(wire, type, isFields(before) ? before : {});
    case 'list': {
      const list: unknown[] = Array.isArray(before) ? before : [];
      if (!type.isWrapped) readItem(wire, type.item, list);
      else {
        eachField(wire, (number) => {
          if (number === 1) readItem(wire, type.item, list);
          else wire.skip();
        });
      }
      return list;
    }
    case 'map': {
      const map: Fields = isFields(before) ? before : {};
      readEntry(wire, type.value, map);
      return map;
    }
    case 'union':
      return readUnion(wire, type);
  }
}

const isFields = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function readObject(wire: Wire, type: ObjectType, into: Fields): Fields {
  const outer = wire.enter();
  readFields(wire, planOf(type), into);
  wire.leave(outer);
  return into;
}

function readItem(wire: Wire, type: TypeNode, list: unknown[]): void {
  const runType = type.kind === 'scalar' ? runTypeOf(type.scalar) : undefined;
  if (runType === undefined || !wire.isPacked()) {
    list.push(readValue(wire, type, undefined) ?? zeroValue(type));
    return;
  }
  const outer = wire.enter();
  wire.expectInRun(runType);
  while (!wire.isAtEnd()) list.push(readValue(wire, type, undefined));
  wire.leave(outer);
}

function readEntry(wire: Wire, type: TypeNode, map: Fields): void {
  let key = '';
  let value: unknown;
  eachField(wire, (number) => {
    if (number === 1) key = wire.string();
    else if (number === 2) value = readValue(wire, type, value);
    else wire.skip();
  });
  if (key === '__proto__') throw badRequest('the body has a key "__proto__", which is not allowed');
  map[key] = value ?? zeroValue(type);
}

/** A schema or, in its place, a bool or a list; the list wins, and the bool counts without a schema, as in Go. */
function readUnion(wire: Wire, { object, other }: Extract<TypeNode, { kind: 'union' }>): unknown {
  const isBool = other.kind === 'scalar';
  const [schemaNumber, otherNumber] = isBool ? [2, 1] : [1, 2];
  let schema: Fields | undefined;
  let value: unknown = isBool ? false : undefined;
  eachField(wire, (number) => {
    if (number === schemaNumber) schema = readObject(wire, object, schema ?? {});
    else if (number === otherNumber) value = readValue(wire, other, value);
    else wire.skip();
  });
  return isBool ? (schema ?? value) : (value ?? schema);
}
