/**
 * Equality of CEL values, for functions and types of ours. Pure.
 */
export function isCelEqual(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a === 'bigint' || typeof a === 'number') {
    // An integer equals a double of the same value.
    return (typeof b === 'bigint' || typeof b === 'number') && Number(a) === Number(b);
  }
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  if (Array.isArray(a))
    return Array.isArray(b) && a.length === b.length && a.every((item, i) => isCelEqual(item, b[i]));
  if (a instanceof Date) return b instanceof Date && a.getTime() === b.getTime();
  if (a.constructor !== b.constructor) return false;
  const { equals } = a as { equals?(other: unknown): boolean };
  if (typeof equals === 'function') return equals.call(a, b);
  const [left, right] = [a as Record<string, unknown>, b as Record<string, unknown>];
  const names = Object.keys(left);
  return (
    names.length === Object.keys(right).length &&
    names.every((name) => Object.hasOwn(right, name) && isCelEqual(left[name], right[name]))
  );
}
