/**
 * 4 -> 6. Carries changes of the caches into the cluster state and the queue. Called by `scheduler.ts`.
 *
 * A pod that is assumed on a node counts there until the cache shows it bound (or gone); what the cache says wins.
 */
import { isDeepStrictEqual } from 'node:util';
import { keyOf } from '../../src/api/meta.js';
import type { Namespace, Node, Pod, Service } from '../../src/api/types.js';
import type { Change, Source } from '../../src/client/cache.js';
import type { Assumed } from './assumed.js';
import { concernsSnapshot, nodeEvents } from './nodechange.js';
import { isFinished, isPending, toPodInfo } from './podinfo.js';
import type { SchedulingQueue } from './queue.js';
import type { ClusterState } from './snapshot.js';

export interface FeedOptions {
  pods: Source<Pod>;
  nodes: Source<Node>;
  services: Source<Service>;
  namespaces: Source<Namespace>;
  state: ClusterState;
  queue: SchedulingQueue;
  assumed: Assumed;
}

/** Subscribes to all sources; returns what ends that. */
export function feed({ pods, nodes, services, namespaces, state, queue, assumed }: FeedOptions): () => void {
  function onNode({ key, old, current }: Change<Node>): void {
    if (!current) state.removeNode(key);
    else if (concernsSnapshot(old, current)) state.setNode(current);
    for (const event of nodeEvents(old, current)) queue.happened(event);
  }

  function onPod({ key, old, current }: Change<Pod>): void {
    // Deleted and made again under its name, while the watch was away.
    const isAnother = old !== undefined && current !== undefined && old.metadata.uid !== current.metadata.uid;
    if (!current || isAnother) forget(key, old);
    if (current) take(key, isAnother ? undefined : old, current);
  }

  function forget(key: string, old: Pod | undefined): void {
    const held = old?.spec?.nodeName !== undefined || assumed.has(key);
    assumed.delete(key);
    state.remove(key);
    queue.remove(key);
    if (held) queue.happened('podGone');
  }

  function take(key: string, old: Pod | undefined, pod: Pod): void {
    if (isFinished(pod)) {
      if (!old || !isFinished(old)) forget(key, old);
    } else if (pod.spec?.nodeName) takePlaced(key, old, pod, pod.spec.nodeName);
    else if (!isPending(pod)) forget(key, old);
    else if (!assumed.has(key) && !isSameToUs(old, pod)) queue.add(key, pod);
  }

  function takePlaced(key: string, old: Pod | undefined, pod: Pod, node: string): void {
    const isNew = !old?.spec?.nodeName;
    if (!isNew && isSameToUs(old, pod)) return;
    assumed.delete(key);
    queue.remove(key);
    state.place(toPodInfo(pod), node);
    queue.happened('podPlaced');
    if (!isNew) queue.happened('podGone');
  }

  const unsubscribe = [
    namespaces.onChange(({ key, current }) => {
      state.setNamespace(key, current && (current.metadata.labels ?? {}));
      queue.happened('namespaceLabels');
    }),
    services.onChange(({ key, current }) => state.setService(key, current)),
    nodes.onChange(onNode),
    pods.onChange(onPod),
  ];
  return () => {
    for (const off of unsubscribe) off();
  };
}

/** Only status changed, or something else that does not matter here. */
const isSameToUs = (old: Pod | undefined, pod: Pod): boolean =>
  old !== undefined &&
  keyOf(old) === keyOf(pod) &&
  old.metadata.deletionTimestamp === pod.metadata.deletionTimestamp &&
  isDeepStrictEqual(old.metadata.labels, pod.metadata.labels) &&
  isDeepStrictEqual(old.spec, pod.spec);
