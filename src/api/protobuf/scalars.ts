/**
 * The scalars of the API on the protobuf wire -> their JSON forms. Pure. Called by `decode.ts` only.
 *
 * Several are messages there: a Quantity holds its text, a Time its seconds, raw JSON its bytes. Values are not judged
 * beyond what JSON could not say; the registry checks every body alike.
 */
import type { Scalar } from '../schema/table.js';
import { type Wire, WireError, wireTypes } from './wire.js';

/** Undefined where JSON would say null: the zero time, empty raw JSON. Throws `WireError`. */
export function readScalar(wire: Wire, scalar: Scalar): unknown {
  switch (scalar) {
    case 'string':
      return wire.string();
    case 'bool':
      return wire.bool();
    case 'int32':
      return wire.int32();
    case 'int64':
      return wire.int64();
    case 'double':
      return wire.double();
    case 'bytes':
      return Buffer.from(wire.bytes()).toString('base64');
    case 'Quantity':
      return readQuantity(wire);
    case 'IntOrString':
      return readIntOrString(wire);
    case 'Time':
      return readTime(wire, false);
    case 'MicroTime':
      return readTime(wire, true);
    case 'Duration':
      return readDuration(wire);
    case 'RawExtension':
    case 'FieldsV1':
    case 'JSON':
      return readRawJson(wire);
    case 'any':
      throw new WireError('a value that protobuf cannot carry');
  }
}

const runTypes: Partial<Record<Scalar, number>> = {
  bool: wireTypes.varint,
  int32: wireTypes.varint,
  int64: wireTypes.varint,
  double: wireTypes.fixed64,
};

/** The wire type of one value in a packed run; undefined for what cannot be packed. */
export const runTypeOf = (scalar: Scalar): number | undefined => runTypes[scalar];

/** Reads the message that the field holds, field by field; `read` takes the value or skips it. */
export function eachField(wire: Wire, read: (number: number) => void): void {
  const outer = wire.enter();
  for (let number = wire.next(); number !== 0; number = wire.next()) read(number);
  wire.leave(outer);
}

function readQuantity(wire: Wire): string {
  let text = '0';
  eachField(wire, (number) => {
    if (number === 1) text = wire.string();
    else wire.skip();
  });
  return text;
}

function readIntOrString(wire: Wire): number | string {
  let type = 0;
  let int = 0;
  let text = '';
  eachField(wire, (number) => {
    if (number === 1) type = wire.int64();
    else if (number === 2) int = wire.int32();
    else if (number === 3) text = wire.string();
    else wire.skip();
  });
  if (type !== 0 && type !== 1) throw new WireError('impossible IntOrString.Type');
  return type === 0 ? int : text;
}

/** Go's zero time is 0001-01-01T00:00:00Z, and as a message it is empty. */
const zeroTimeSeconds = -62_135_596_800;
const maxTimeSeconds = 253_402_300_799;

/** Time has whole seconds and MicroTime microseconds; what is finer is cut off, as Kubernetes does. */
function readTime(wire: Wire, isMicro: boolean): string | undefined {
  let seconds: number | undefined;
  let nanos: number | undefined;
  eachField(wire, (number) => {
    if (number === 1) seconds = wire.int64();
    else if (number === 2) nanos = wire.int32();
    else wire.skip();
  });
  if (seconds === undefined && nanos === undefined) return undefined;
  seconds ??= 0;
  const micros = isMicro ? Math.trunc((nanos ?? 0) / 1000) : 0;
  if (seconds === zeroTimeSeconds && micros === 0) return undefined;
  if (seconds < zeroTimeSeconds || seconds > maxTimeSeconds || micros < 0 || micros > 999_999)
    throw new WireError('a time out of range');
  const whole = new Date(seconds * 1000).toISOString().slice(0, 19);
  return isMicro ? `${whole}.${String(micros).padStart(6, '0')}Z` : `${whole}Z`;
}

function readDuration(wire: Wire): string {
  let nanos = 0;
  eachField(wire, (number) => {
    if (number === 1) nanos = wire.int64();
    else wire.skip();
  });
  return `${nanos}ns`;
}

function readRawJson(wire: Wire): unknown {
  let text = '';
  eachField(wire, (number) => {
    if (number === 1) text = wire.string();
    else wire.skip();
  });
  if (text === '') return undefined;
  try {
    return JSON.parse(text) ?? undefined;
  } catch (error) {
    throw new WireError(`raw JSON: ${error instanceof Error ? error.message : String(error)}`, {
      cause: error,
    });
  }
}
