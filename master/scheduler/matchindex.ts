/**
 * Answers "how many pods that match this are on each node" without looking at every pod every time.
 *
 * The first time a query is asked, all placed pods are looked at; from then on its counts follow additions and
 * removals. Queries are those of spread constraints, affinity terms and Services; replicas ask the same ones. Bounded:
 * the query asked longest ago is forgotten. Called by the snapshot.
 */
import type { PodInfo } from './podinfo.js';

export interface PodQuery {
  /** Equal keys mean equal queries. */
  key: string;
  /** Only pods of these are looked at; all when absent. */
  namespaces?: ReadonlySet<string>;
  matches(pod: PodInfo): boolean;
}

/** Pods by name of their node; nodes without any are absent. */
export type NodeCounts = ReadonlyMap<string, number>;

export interface MatchIndex {
  counts(query: PodQuery): NodeCounts;
  add(pod: PodInfo, node: string): void;
  remove(pod: PodInfo, node: string): void;
}

interface Tracked {
  query: PodQuery;
  counts: Map<string, number>;
}

const maxQueries = 512;

/** `placed` yields every placed pod with its node. */
export function createMatchIndex(placed: () => Iterable<readonly [PodInfo, string]>): MatchIndex {
  /** In the order they were last asked. */
  const tracked = new Map<string, Tracked>();

  function track(query: PodQuery): Tracked {
    const made: Tracked = { query, counts: new Map() };
    for (const [pod, node] of placed()) if (concerns(query, pod)) change(made.counts, node, 1);
    return made;
  }

  function update(pod: PodInfo, node: string, by: 1 | -1): void {
    for (const { query, counts } of tracked.values()) if (concerns(query, pod)) change(counts, node, by);
  }

  return {
    counts(query) {
      const entry = tracked.get(query.key) ?? track(query);
      tracked.delete(query.key);
      tracked.set(query.key, entry);
      if (tracked.size > maxQueries) {
        const [oldest] = tracked.keys();
        if (oldest !== undefined) tracked.delete(oldest);
      }
      return entry.counts;
    },
    add: (pod, node) => update(pod, node, 1),
    remove: (pod, node) => update(pod, node, -1),
  };
}

const concerns = (query: PodQuery, pod: PodInfo): boolean =>
  (query.namespaces?.has(pod.namespace) ?? true) && query.matches(pod);

/** A count that comes to nothing leaves the map. */
export function change(counts: Map<string, number>, node: string, by: 1 | -1): void {
  const next = (counts.get(node) ?? 0) + by;
  if (next === 0) counts.delete(node);
  else counts.set(node, next);
}
