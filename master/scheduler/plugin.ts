/**
 * What a plugin of the scheduler is. Both kinds are pure: `prepare` does once per pod what does not depend on the node,
 * and returns undefined when the pod (or the cluster) gives the plugin nothing to do, which is the common case.
 */
import type { NodeInfo } from './nodeinfo.js';
import type { PodInfo } from './podinfo.js';
import type { Snapshot } from './snapshot.js';

/** What can happen that gives a pod that fitted nowhere another chance. */
export type ClusterEvent =
  | 'nodeAdded'
  | 'nodeGone'
  | 'nodeLabels'
  | 'nodeTaints'
  | 'nodeResources'
  | 'podPlaced'
  | 'podGone'
  | 'namespaceLabels';

/** Why not, in kube-scheduler's words; undefined when the node will do. */
export type NodeFilter = (node: NodeInfo) => readonly string[] | undefined;

export interface Filter {
  /** kube-scheduler's name of the plugin. */
  name: string;
  /** What may turn its refusal; `nodeAdded` may turn any. */
  helpedBy: readonly ClusterEvent[];
  prepare(pod: PodInfo, snapshot: Snapshot): NodeFilter | undefined;
}

export interface Scorer {
  /** Any number; higher is better once normalized. */
  score(node: NodeInfo): number;
  /** Brings the scores of all candidates into 0..100, in place; absent when they are already. */
  normalize?(scores: Float64Array): void;
}

export interface Score {
  name: string;
  /** Scores of 0..100 are multiplied with this. */
  weight: number;
  prepare(pod: PodInfo, snapshot: Snapshot, candidates: readonly NodeInfo[]): Scorer | undefined;
}

export const maxScore = 100;

/** The highest becomes 100, or 0 when `reversed`; no score stays above another one it was below. */
export function scaleToMax(scores: Float64Array, reversed = false): void {
  const max = scores.reduce((a, b) => Math.max(a, b), 0);
  for (const [i, score] of scores.entries()) {
    const scaled = max === 0 ? 0 : (score * maxScore) / max;
    scores[i] = reversed ? maxScore - scaled : scaled;
  }
}

/** The lowest becomes 0, the highest 100; all 0 when they are equal. */
export function scaleToRange(scores: Float64Array): void {
  const max = scores.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
  const min = scores.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY);
  for (const [i, score] of scores.entries())
    scores[i] = max === min ? 0 : ((score - min) * maxScore) / (max - min);
}
