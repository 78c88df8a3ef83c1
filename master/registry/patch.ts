/**
 * 2. PATCH: applies a patch to the present object and writes the result like an update. A lost race applies it again
 * to the newer object, unless the patch itself names a resourceVersion.
 */
import { ApiError } from '../../src/api/errors.js';
import type { ObjectRef } from '../../src/api/meta.js';
import type { KubeObject } from '../../src/api/types.js';
import type { Patch } from '../../src/client/client.js';
import type { Resource } from '../resources/resource.js';
import type { Environment } from './environment.js';
import type { RequestContext, WriteResult } from './registry.js';

export function patch<T extends KubeObject>(
  _env: Environment,
  _resource: Resource<T>,
  _ref: ObjectRef,
  change: Patch,
  _context: RequestContext,
  _subresource?: string,
): Promise<WriteResult<T>> {
  throw new ApiError('UnsupportedMediaType', `patch type ${change.type} is not supported`);
}
