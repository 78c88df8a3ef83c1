/**
 * 2. StorageObjectInUseProtection: claims, volumes and classes of volume attributes get a finalizer when they are made, so
 * that none vanishes while something uses it. `controllers/storageprotection.ts` takes it away.
 */

import type { Admission } from '../../registry/admission.js';
import { resourceKey } from '../../registry/environment.js';
import { protectionFinalizers } from '../../registry/kinds/protection.js';

export const createStorageObjectInUseProtection = (): Admission => ({
  concerns: ({ type }, operation, subresource) =>
    operation === 'CREATE' && subresource === '' && protectionFinalizers.has(resourceKey(type)),
  async mutate({ resource, object }) {
    const finalizer = protectionFinalizers.get(resourceKey(resource.type));
    if (!object || !finalizer) return object;
    const { finalizers = [] } = object.metadata;
    if (finalizers.includes(finalizer)) return object;
    return { ...object, metadata: { ...object.metadata, finalizers: [...finalizers, finalizer] } };
  },
  validate: async () => undefined,
});
