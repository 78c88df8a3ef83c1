/** Pods that have been given a node, and whose cache does not show it yet. By key. */
import type { PodInfo } from './podinfo.js';

export interface Assumption {
  pod: PodInfo;
  node: string;
}

export type Assumed = Map<string, Assumption>;
