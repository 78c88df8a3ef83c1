/** What a change of a node may mean for pods that wait. Pure. Heartbeats change nothing and wake nobody. */
import { isDeepStrictEqual } from 'node:util';
import type { Node } from '../../src/api/types.js';
import type { ClusterEvent } from './plugin.js';

/** What of a node scheduling looks at, by the event that a change of it is. */
const aspects: readonly { event: ClusterEvent; of(node: Node): unknown }[] = [
  { event: 'nodeLabels', of: (node) => node.metadata.labels },
  { event: 'nodeTaints', of: ({ spec }) => [spec?.unschedulable ?? false, spec?.taints ?? []] },
  { event: 'nodeResources', of: (node) => node.status?.allocatable },
];

export function nodeEvents(old: Node | undefined, current: Node | undefined): ClusterEvent[] {
  if (!current) return old ? ['nodeGone'] : [];
  if (!old) return ['nodeAdded'];
  return aspects.filter(({ of }) => !isDeepStrictEqual(of(old), of(current))).map(({ event }) => event);
}

/** Whether the snapshot has to take it in: any of the above, or other images. */
export const concernsSnapshot = (old: Node | undefined, current: Node): boolean =>
  nodeEvents(old, current).length > 0 || !isDeepStrictEqual(old?.status?.images, current.status?.images);
