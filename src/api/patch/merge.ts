/**
 * JSON merge patch, RFC 7386. Pure. Called by `patch.ts`, and for the parts of an object that have no schema.
 */
import { copyOf, isMap, type JsonMap, ownValue } from './json.js';

/** The target with the patch merged in; neither is changed, nothing is shared. A null in the patch removes the key. */
export function mergePatch(target: unknown, patch: unknown): unknown {
  if (!isMap(patch)) return copyOf(patch);
  const result: JsonMap = isMap(target) ? copyOf(target) : {};
  for (const key of Object.keys(patch)) {
    if (key === '__proto__') continue;
    if (patch[key] === null) delete result[key];
    else result[key] = mergePatch(ownValue(result, key), patch[key]);
  }
  return result;
}
