/**
 * The scalars of the API and their JSON forms: what each accepts, and the canonical value that is stored. Pure.
 *
 * Called by `check.ts` only. Messages are those of the Go decoders of each type.
 */
import { canonicalQuantity, QuantityError } from '../quantity.js';
import type { Scalar, TypeNode } from './table.js';

/** The value does not fit. With `found`, the caller words it (`cannot unmarshal <found> into ...`). */
export class WrongValue extends Error {
  override readonly name = 'WrongValue';
  readonly found: string | undefined;
  constructor(message: string, found?: string, options?: ErrorOptions) {
    super(message, options);
    this.found = found;
  }
}

const INT32_MAX = 2 ** 31 - 1;

/** What Go's decoder calls a JSON value of this type. */
export const jsonType = (value: unknown): string =>
  Array.isArray(value) ? 'array' : typeof value === 'boolean' ? 'bool' : typeof value;

const mismatch = (value: unknown): WrongValue => new WrongValue('wrong type', jsonType(value));

function integer(value: unknown, max: number): number {
  if (typeof value !== 'number') throw mismatch(value);
  if (!Number.isInteger(value) || value > max || value < -max - 1)
    throw new WrongValue('out of range', `number ${value}`);
  return value;
}

function quantity(value: unknown): string {
  try {
    return canonicalQuantity(
      typeof value === 'string' || typeof value === 'number' ? value : JSON.stringify(value),
    );
  } catch (error) {
    if (error instanceof QuantityError) throw new WrongValue(error.message, undefined, { cause: error });
    throw error;
  }
}

/** Types with a decoder of their own forget the field; Go then names the plain type. */
const inner = (value: unknown, goType: string): WrongValue =>
  new WrongValue(`json: cannot unmarshal ${jsonType(value)} into Go value of type ${goType}`);

function intOrString(value: unknown): unknown {
  if (typeof value === 'string') return value;
  if (typeof value !== 'number') throw inner(value, 'int32');
  if (Number.isInteger(value) && Math.abs(value) <= INT32_MAX) return value;
  throw new WrongValue(`json: cannot unmarshal number ${value} into Go value of type int32`);
}

const canonicalTime = /^\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])T([01]\d|2[0-3]):[0-5]\d:[0-5]\dZ$/;
const rfc3339 = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d+))?(Z|[-+]\d\d:\d\d)$/;

function time(value: unknown, fractionDigits: 0 | 6): string {
  if (typeof value !== 'string') throw inner(value, 'string');
  if (fractionDigits === 0 && canonicalTime.test(value)) return value;
  const [, seconds, fraction = '', zone] = rfc3339.exec(value) ?? [];
  const millis = Date.parse(`${seconds}${zone}`);
  if (seconds === undefined || Number.isNaN(millis)) {
    const layout = fractionDigits === 0 ? '2006-01-02T15:04:05Z07:00' : '2006-01-02T15:04:05.000000Z07:00';
    throw new WrongValue(
      `parsing time ${JSON.stringify(value)} as "${layout}": cannot parse ${JSON.stringify(value)} as "2006"`,
    );
  }
  const whole = new Date(millis).toISOString().slice(0, 19);
  return fractionDigits === 0 ? `${whole}Z` : `${whole}.${fraction.slice(0, 6).padEnd(6, '0')}Z`;
}

function base64(value: unknown): string {
  if (typeof value !== 'string') throw mismatch(value);
  const text = /[\r\n]/.test(value) ? value.replace(/[\r\n]/g, '') : value;
  const bad = /[^A-Za-z0-9+/]/.exec(text.replace(/={1,2}$/, ''))?.index;
  if (bad !== undefined) throw new WrongValue(`illegal base64 data at input byte ${bad}`);
  if (text.length % 4 !== 0)
    throw new WrongValue(`illegal base64 data at input byte ${text.length - (text.length % 4)}`);
  return text;
}

function duration(value: unknown): string {
  if (typeof value !== 'string') throw inner(value, 'string');
  if (/^[-+]?(0|(\d+(\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h))+$/.test(value)) return value;
  throw new WrongValue(`time: invalid duration ${JSON.stringify(value)}`);
}

/** The value as it is stored. Throws `WrongValue`. */
export function scalarValue(scalar: Scalar, value: unknown): unknown {
  switch (scalar) {
    case 'string':
      if (typeof value !== 'string') throw mismatch(value);
      return value;
    case 'bool':
      if (typeof value !== 'boolean') throw mismatch(value);
      return value;
    case 'int32':
      return integer(value, INT32_MAX);
    case 'int64':
      return integer(value, 2 ** 63);
    case 'double':
      if (typeof value !== 'number') throw mismatch(value);
      return value;
    case 'bytes':
      return base64(value);
    case 'Quantity':
      return quantity(value);
    case 'IntOrString':
      return intOrString(value);
    case 'Time':
      return time(value, 0);
    case 'MicroTime':
      return time(value, 6);
    case 'Duration':
      return duration(value);
    case 'RawExtension':
    case 'FieldsV1':
    case 'JSON':
    case 'any':
      return value;
  }
}

/** What Go leaves in place of a null in a list or map. */
export function zeroValue(type: TypeNode): unknown {
  if (type.kind === 'object' || type.kind === 'map') return {};
  if (type.kind === 'list') return [];
  if (type.kind === 'union') return null;
  const zeros: Partial<Record<Scalar, unknown>> = { string: '', bool: false, bytes: '', Quantity: '0' };
  if (type.scalar in zeros) return zeros[type.scalar];
  return ['int32', 'int64', 'double', 'IntOrString'].includes(type.scalar) ? 0 : null;
}
