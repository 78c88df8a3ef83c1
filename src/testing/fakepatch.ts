/**
 * Patches as the fake client applies them: JSON patch and JSON merge patch. Strategic merge and server-side apply need
 * the schema, which is the registry's; asking the fake for them throws.
 */
import jsonpatch from 'fast-json-patch';
import { badRequest } from '../api/errors.js';
import type { KubeObject } from '../api/types.js';
import type { Patch } from '../client/client.js';

export function applyFakePatch<T extends KubeObject>(object: T, patch: Patch): T {
  if (patch.type === 'merge') return mergePatch(object, patch.body) as T;
  if (patch.type !== 'json') throw badRequest(`the fake client knows no ${patch.type} patch`);
  try {
    return jsonpatch.applyPatch(structuredClone(object), patch.body as jsonpatch.Operation[], true)
      .newDocument;
  } catch (error) {
    throw badRequest('the patch does not apply', error);
  }
}

/** RFC 7386: null removes, objects merge, everything else replaces. */
function mergePatch(target: unknown, patch: unknown): unknown {
  if (typeof patch !== 'object' || patch === null || Array.isArray(patch)) return patch;
  const base = typeof target === 'object' && target !== null && !Array.isArray(target) ? target : {};
  const result: Record<string, unknown> = { ...base };
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) delete result[name];
    else result[name] = mergePatch(result[name], value);
  }
  return result;
}
