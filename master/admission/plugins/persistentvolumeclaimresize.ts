/** 2. PersistentVolumeClaimResize: a claim may grow only when it is bound and its class says that its volumes can. */
import { persistentVolumeClaims, storageClasses } from '../../../src/api/kinds.js';
import { compareQuantities } from '../../../src/api/quantity.js';
import type { PersistentVolumeClaim } from '../../../src/api/types.js';
import type { Admission } from '../../registry/admission.js';
import type { PluginDeps } from '../plugin.js';
import { createLookup, isOf } from './lookup.js';
import { refused } from './refusal.js';

type Claim = PersistentVolumeClaim;

export function createPersistentVolumeClaimResize(deps: PluginDeps): Admission {
  const lookUp = createLookup(deps, storageClasses, deps.informers.get(storageClasses));

  async function mayGrow(claim: Claim, old: Claim): Promise<boolean> {
    const name = classOf(claim);
    if (!name || name !== classOf(old)) return false;
    return (await lookUp({ name }))?.allowVolumeExpansion ?? false;
  }

  return {
    concerns: (resource, operation, subresource) =>
      operation === 'UPDATE' && subresource === '' && isOf(resource, persistentVolumeClaims),
    mutate: async ({ object }) => object,
    async validate(request) {
      const [claim, old] = [request.object as Claim, request.oldObject as Claim];
      if (compareQuantities(sizeOf(claim), sizeOf(old)) <= 0) return;
      if (old.status?.phase !== 'Bound')
        throw refused(request, 'Only bound persistent volume claims can be expanded');
      if (!(await mayGrow(claim, old)))
        throw refused(
          request,
          'only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc must support resize',
        );
    },
  };
}

const classOf = ({ metadata, spec }: Claim): string =>
  metadata.annotations?.['volume.beta.kubernetes.io/storage-class'] ?? spec?.storageClassName ?? '';

const sizeOf = ({ spec }: Claim): string => spec?.resources?.requests?.['storage'] ?? '0';
