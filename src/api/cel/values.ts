/**
 * Between JSON and the values of CEL: integers are BigInt there, and maps have no prototype. Pure.
 */
import { Optional } from '@marcbachmann/cel-js';
import { Duration, UnsignedInt } from '@marcbachmann/cel-js/evaluator';

const isPlain = (value: object): boolean => {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
};

/** What `toCel` made: made again it is the same, so that a caller may do it once for many expressions. */
const made = new WeakSet<object>();

/** Any JSON value as a dynamic one; what is no plain JSON is left alone. */
export function toCel(value: unknown): unknown {
  if (typeof value === 'number') return Number.isInteger(value) ? BigInt(value) : value;
  if (typeof value !== 'object' || value === null || made.has(value)) return value;
  if (!Array.isArray(value) && !isPlain(value)) return value;
  const converted = Array.isArray(value) ? value.map(toCel) : mapToCel(value as Record<string, unknown>);
  made.add(converted);
  return converted;
}

function mapToCel(value: Record<string, unknown>): Record<string, unknown> {
  const map = Object.create(null) as Record<string, unknown>;
  for (const key of Object.keys(value)) if (value[key] !== undefined) map[key] = toCel(value[key]);
  return map;
}

/** The JSON of a result. */
export function fromCel(value: unknown): unknown {
  if (typeof value === 'bigint') return Number(value);
  if (value instanceof Date) return value.toISOString().replace('.000Z', 'Z');
  if (value instanceof UnsignedInt) return Number(value.valueOf());
  if (value instanceof Duration) return value.toString();
  if (value instanceof Optional) return value.hasValue() ? fromCel(value.value()) : undefined;
  if (value instanceof Uint8Array) return btoa(String.fromCharCode(...value));
  if (Array.isArray(value)) return value.map(fromCel);
  if (value instanceof Set) return [...value].map(fromCel);
  if (value instanceof Map)
    return Object.fromEntries([...value].map(([key, item]) => [String(key), fromCel(item)]));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, fromCel(item)]));
}
