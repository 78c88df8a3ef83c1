/**
 * 2. DefaultStorageClass: a new claim that says nothing of its class gets the default one. Claims from before there was a
 * default get it from the volume binder.
 */
import { persistentVolumeClaims, storageClasses } from '../../../src/api/kinds.js';
import type { PersistentVolumeClaim } from '../../../src/api/types.js';
import type { Admission } from '../../registry/admission.js';
import { defaultClass, storageClassDefault } from '../../registry/kinds/defaultclass.js';
import type { PluginDeps } from '../plugin.js';
import { isOf } from './lookup.js';

const oldClassAnnotation = 'volume.beta.kubernetes.io/storage-class';

export function createDefaultStorageClass({ informers }: PluginDeps): Admission {
  const classes = informers.get(storageClasses);
  return {
    concerns: (resource, operation, subresource) =>
      operation === 'CREATE' && subresource === '' && isOf(resource, persistentVolumeClaims),
    async mutate({ object }) {
      const claim = object as PersistentVolumeClaim;
      const { spec, metadata } = claim;
      // An empty name is a choice: no class at all.
      if (spec?.storageClassName !== undefined || metadata.annotations?.[oldClassAnnotation] !== undefined)
        return claim;
      const storageClassName = defaultClass(classes.list(), storageClassDefault)?.metadata.name;
      return storageClassName ? { ...claim, spec: { ...spec, storageClassName } } : claim;
    },
    validate: async () => undefined,
  };
}
