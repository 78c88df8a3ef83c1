/**
 * 2. What a webhook or a policy made of an object, decoded like a body: types checked, unknown fields dropped, defaults
 * filled in, so that the next one sees what would be stored.
 */
import { defaultsFor } from '../../src/api/defaults/defaults.js';
import { internalError } from '../../src/api/errors.js';
import { checkObject, checkType } from '../../src/api/schema/check.js';
import { decodeError } from '../../src/api/schema/strict.js';
import type { KubeObject } from '../../src/api/types.js';
import type { Resource } from '../resources/resource.js';
import { isStoredVersion } from './subject.js';

/** Takes `object` over. Rejects with 500, as for everything a webhook breaks. */
export function decodeMutated(row: Resource, object: KubeObject, before: KubeObject | undefined): KubeObject {
  // A Scale or a Binding is checked by whoever asked.
  if (before?.kind !== row.type.kind) return object;
  const { errors } = row.schema ? checkType(row.schema, object) : checkObject(row.type, object);
  if (errors.length > 0) throw internalError(decodeError(row.type, errors));
  if (!isStoredVersion(row)) return object;
  defaultsFor(row.type)(object);
  return row.strategy.default?.(object) ?? object;
}
