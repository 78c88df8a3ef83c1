/**
 * JSON values as patches handle them: copies, and the test for a map. Pure.
 *
 * A key `__proto__` is dropped wherever a patch is merged: no field of the API has that name, and assigning it would
 * change the prototype of the target.
 */
export type JsonMap = Record<string, unknown>;

export const isMap = (value: unknown): value is JsonMap =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** A deep copy that shares nothing. For JSON values only. */
export function copyOf<T>(value: T): T;
export function copyOf(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(copyOf);
  if (!isMap(value)) return value;
  const copy: JsonMap = {};
  for (const key in value) if (key !== '__proto__') copy[key] = copyOf(value[key]);
  return copy;
}

/** `undefined` for what is not JSON. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

export const ownValue = (map: JsonMap, key: string): unknown =>
  Object.hasOwn(map, key) ? map[key] : undefined;
