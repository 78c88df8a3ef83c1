/** Which StorageClass or IngressClass is the default of the cluster. Pure. Used by admission and by the volume binder. */
import type { KubeObject } from '../../../src/api/types.js';

/** The annotation has an older name, which Kubernetes still heeds. */
export const storageClassDefault: readonly string[] = [
  'storageclass.kubernetes.io/is-default-class',
  'storageclass.beta.kubernetes.io/is-default-class',
];
export const ingressClassDefault: readonly string[] = ['ingressclass.kubernetes.io/is-default-class'];

/** Of several that are marked the newest one; of those the first by name. */
export function defaultClass<T extends KubeObject>(
  classes: readonly T[],
  annotations: readonly string[],
): T | undefined {
  const [first] = classes
    .filter(({ metadata }) => annotations.some((key) => metadata.annotations?.[key] === 'true'))
    .sort((a, b) => madeAt(b) - madeAt(a) || ((a.metadata.name ?? '') < (b.metadata.name ?? '') ? -1 : 1));
  return first;
}

const madeAt = ({ metadata }: KubeObject): number => Date.parse(metadata.creationTimestamp ?? '') || 0;
