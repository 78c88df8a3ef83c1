/**
 * Which pods a node cannot do without. Pure. Such pods are neither evicted nor refused for pressure, and others go to
 * make room for them. Called by admission.ts, preemption.ts and `agent/eviction`.
 */
import type { Pod } from '../../src/api/types.js';

/** `system-cluster-critical` and above. */
export const criticalPriority = 2_000_000_000;

const sourceAnnotation = 'kubernetes.io/config.source';
const mirrorAnnotation = 'kubernetes.io/config.mirror';

/** It comes from a file of this node, not from the API; its mirror in the API stands for the same pod. */
export function isStatic({ metadata }: Pod): boolean {
  const annotations = metadata.annotations ?? {};
  const source = annotations[sourceAnnotation];
  return (source !== undefined && source !== 'api') || annotations[mirrorAnnotation] !== undefined;
}

/** The classes that every cluster has; a pod that names one has its priority even where nobody filled it in. */
const systemClasses: Readonly<Record<string, number>> = {
  'system-cluster-critical': criticalPriority,
  'system-node-critical': criticalPriority + 1_000,
};

export const priorityOf = ({ spec }: Pod): number =>
  spec?.priority ?? systemClasses[spec?.priorityClassName ?? ''] ?? 0;

export const isCritical = (pod: Pod): boolean => isStatic(pod) || priorityOf(pod) >= criticalPriority;
