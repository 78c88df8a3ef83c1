/**
 * Makes shared objects read-only where a mistake must show: in tests, and when WHERRY_FREEZE is set. In production the
 * cost of freezing every object is saved; the rule (copy before a change) is the same.
 */

export const freezesObjects = (env: NodeJS.ProcessEnv = process.env): boolean =>
  env['NODE_ENV'] === 'test' || (env['WHERRY_FREEZE'] ?? '') !== '';

/** Freezes `value` and all it holds; stops at what is frozen already. Returns the same value. */
export function deepFreeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value;
  Object.freeze(value);
  for (const inner of Object.values(value)) deepFreeze(inner);
  return value;
}
