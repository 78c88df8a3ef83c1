/**
 * JSON merge patch, RFC 7386. Pure. Called by `patch.ts`, and for the parts of an object that have no schema.
 */
import { copyOf, isMap, type JsonMap, ownValue } from './json.js';

/** The target with the patch merged in; neither is changed, nothing is shared. A null in the patch removes the key. */
export function mergePatch(target: unknown, patch: unknown): unknown {
  if (!isMap(patch)) return copyOf(patch);
  return mergeInto(isMap(target) ? copyOf(target) : {}, patch);
}

/** Changes `result`, which is nobody else's. */
function mergeInto(result: JsonMap, patch: JsonMap): JsonMap {
  for (const key of Object.keys(patch)) {
    const value = patch[key];
    if (key === '__proto__') continue;
    if (value === null) delete result[key];
    else if (isMap(value)) {
      const own = ownValue(result, key);
      result[key] = mergeInto(isMap(own) ? own : {}, value);
    } else result[key] = copyOf(value);
  }
  return result;
}
