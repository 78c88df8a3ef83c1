/** The finalizers that keep storage objects in use, by `<resource>.<group>`. Pure data, with the names of Kubernetes. */
export const claimProtection = 'kubernetes.io/pvc-protection';
export const volumeProtection = 'kubernetes.io/pv-protection';
export const attributesClassProtection = 'kubernetes.io/vac-protection';

export const protectionFinalizers: ReadonlyMap<string, string> = new Map([
  ['persistentvolumeclaims.', claimProtection],
  ['persistentvolumes.', volumeProtection],
  ['volumeattributesclasses.storage.k8s.io', attributesClassProtection],
]);
