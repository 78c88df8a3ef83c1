/**
 * The marks of static pods and of the objects in the API that stand for them (mirror pods), as kubelet writes them. Pure.
 */
import type { Pod } from '../../src/api/types.js';

export const annotations = {
  source: 'kubernetes.io/config.source',
  hash: 'kubernetes.io/config.hash',
  seen: 'kubernetes.io/config.seen',
  /** On the object in the API that stands for a static pod: the static pod's uid. */
  mirror: 'kubernetes.io/config.mirror',
} as const;

export const isMirror = (pod: Pod): boolean => pod.metadata.annotations?.[annotations.mirror] !== undefined;

export const isFromFile = (pod: Pod): boolean => pod.metadata.annotations?.[annotations.source] === 'file';
