/**
 * 6. Where a pod goes: a pure function of the pod and the snapshot. Called by `scheduler.ts` once for every attempt.
 *
 *   nodes -> filters -> candidates -> scores x weights -> the best; of equals the first from `startAt` on
 *
 * In large clusters the search ends when enough nodes will do, and the next one starts where it ended, so that all
 * nodes get their turn.
 */
import type { NodeInfo } from './nodeinfo.js';
import type { ClusterEvent, NodeFilter } from './plugin.js';
import { filters, scores } from './plugins/plugins.js';
import type { PodInfo } from './podinfo.js';
import type { Snapshot } from './snapshot.js';

export interface Placement {
  node: string;
  candidates: readonly NodeInfo[];
  /** Weighted sums, one for each candidate; empty when there was only one. */
  scores: Float64Array;
  nextStart: number;
}

export interface Rejection {
  node: string;
  reasons: readonly string[];
}

export interface Refusal {
  node: undefined;
  /** One for every node. */
  rejections: readonly Rejection[];
  /** What may change the outcome. */
  helpedBy: ReadonlySet<ClusterEvent>;
  /** In kube-scheduler's words. */
  message: string;
  nextStart: number;
}

export type Decision = Placement | Refusal;

const alwaysEnough = 100;

/**
 * How many nodes that will do are enough, as kube-scheduler adapts it: all of up to 100, then half of the nodes and
 * less the more there are, but at least 5 % and at least 100.
 */
export function enoughNodes(total: number): number {
  if (total < alwaysEnough) return total;
  const percentage = Math.max(50 - Math.floor(total / 125), 5);
  return Math.max(Math.floor((total * percentage) / 100), alwaysEnough);
}

export function schedule(pod: PodInfo, snapshot: Snapshot, startAt = 0): Decision {
  const total = snapshot.nodes.length;
  const search = filterNodes(pod, snapshot, startAt);
  const nextStart = total === 0 ? 0 : (startAt + search.seen) % total;
  const { candidates, rejections, helpedBy } = search;
  const [first] = candidates;
  if (!first) return { node: undefined, rejections, helpedBy, message: messageOf(rejections), nextStart };
  if (candidates.length === 1)
    return { node: first.name, candidates, scores: new Float64Array(0), nextStart };
  const totals = scoreNodes(pod, snapshot, candidates);
  const best = totals.reduce((at, score, i) => (score > (totals[at] ?? 0) ? i : at), 0);
  return { node: candidates[best]?.name ?? first.name, candidates, scores: totals, nextStart };
}

interface Search {
  candidates: NodeInfo[];
  rejections: Rejection[];
  helpedBy: Set<ClusterEvent>;
  /** How many nodes were looked at. */
  seen: number;
}

function filterNodes(pod: PodInfo, snapshot: Snapshot, startAt: number): Search {
  const { nodes } = snapshot;
  const active = filters.flatMap(({ prepare, helpedBy }) => {
    const test: NodeFilter | undefined = prepare(pod, snapshot);
    return test ? [{ test, helpedBy }] : [];
  });
  const enough = enoughNodes(nodes.length);
  const search: Search = { candidates: [], rejections: [], helpedBy: new Set(['nodeAdded']), seen: 0 };
  for (; search.seen < nodes.length && search.candidates.length < enough; search.seen++) {
    const node = nodes[(startAt + search.seen) % nodes.length];
    if (!node) continue;
    let reasons: readonly string[] | undefined;
    for (const { test, helpedBy } of active) {
      reasons = test(node);
      if (!reasons) continue;
      for (const event of helpedBy) search.helpedBy.add(event);
      break;
    }
    if (reasons) search.rejections.push({ node: node.name, reasons });
    else search.candidates.push(node);
  }
  return search;
}

function scoreNodes(pod: PodInfo, snapshot: Snapshot, candidates: readonly NodeInfo[]): Float64Array {
  const totals = new Float64Array(candidates.length);
  const round = new Float64Array(candidates.length);
  for (const { prepare, weight } of scores) {
    const scorer = prepare(pod, snapshot, candidates);
    if (!scorer) continue;
    for (const [i, node] of candidates.entries()) round[i] = scorer.score(node);
    scorer.normalize?.(round);
    for (let i = 0; i < totals.length; i++) totals[i] = (totals[i] ?? 0) + weight * (round[i] ?? 0);
  }
  return totals;
}

/** `0/3 nodes are available: 1 node(s) were unschedulable, 2 Insufficient cpu.` */
function messageOf(rejections: readonly Rejection[]): string {
  if (rejections.length === 0) return 'no nodes available to schedule pods';
  // Most nodes share their list of reasons with others.
  const lists = new Map<readonly string[], number>();
  for (const { reasons } of rejections) lists.set(reasons, (lists.get(reasons) ?? 0) + 1);
  const counts = new Map<string, number>();
  for (const [reasons, count] of lists)
    for (const reason of reasons) counts.set(reason, (counts.get(reason) ?? 0) + count);
  const parts = [...counts].map(([reason, count]) => `${count} ${reason}`).sort();
  return `0/${rejections.length} nodes are available: ${parts.join(', ')}.`;
}
