/**
 * 5. Removes pods that nobody will ever remove otherwise: those of nodes that are gone, and the oldest of those that
 * ended, when too many of them pile up.
 */
import { isReason } from '../../src/api/errors.js';
import { nodes, pods } from '../../src/api/kinds.js';
import { keyOf, refOf } from '../../src/api/meta.js';
import type { Node, Pod } from '../../src/api/types.js';
import type { Change } from '../../src/client/cache.js';
import { type Controller, createController, on } from '../../src/client/controller.js';
import { ifFound } from '../../src/client/found.js';
import type { ReconcileResult } from '../../src/client/reconciler.js';
import { type ControllerContext, podInformer } from './context.js';
import { isTerminal } from './podstate.js';

export interface PodGcOptions {
  /** How many ended pods may stay; 12500 by default as in Kubernetes. */
  terminatedPodThreshold: number;
  /** How long a node must be gone before its pods are; 40 s by default: it may come back under its name. */
  orphanGraceMs: number;
}

/** The one key that stands for "count the ended pods"; no pod has it, for want of a slash. */
const countKey = 'terminated';

/** The oldest ended pods beyond the threshold. Pure. */
export function surplus(all: readonly Pod[], threshold: number): Pod[] {
  const ended = all.filter((pod) => isTerminal(pod) && !pod.metadata.deletionTimestamp);
  const age = (pod: Pod): string => `${pod.metadata.creationTimestamp ?? ''} ${keyOf(pod)}`;
  return ended.toSorted((a, b) => (age(a) < age(b) ? -1 : 1)).slice(0, Math.max(0, ended.length - threshold));
}

export function createPodGcController(context: ControllerContext, options: PodGcOptions): Controller {
  const { client, clock, log, informers } = context;
  const nodeCache = informers.get(nodes);
  const podCache = podInformer(informers);
  /** Since when we miss each node that pods name, monotonic. */
  const missingSince = new Map<string, number>();
  /** Ended pods in the cache; kept by the handler, so that counting costs nothing. */
  let ended = 0;

  async function reconcile(key: string): Promise<ReconcileResult> {
    if (key === countKey) {
      for (const pod of surplus(podCache.list(), options.terminatedPodThreshold)) await remove(pod);
      return undefined;
    }
    const pod = podCache.getByKey(key);
    const name = pod?.spec?.nodeName;
    if (!pod || !name || nodeCache.getByKey(name)) return undefined;
    const since = missingSince.get(name) ?? clock.monotonicMs();
    missingSince.set(name, since);
    const leftMs = since + options.orphanGraceMs - clock.monotonicMs();
    if (leftMs > 0) return { requeueAfterMs: leftMs };
    if (await isGone(name)) await remove(pod);
    return undefined;
  }

  async function isGone(name: string): Promise<boolean> {
    return (await ifFound(client.get(nodes, { name }))) === undefined;
  }

  /** By force: there is no agent that could confirm. */
  async function remove(pod: Pod): Promise<void> {
    try {
      const preconditions = { uid: pod.metadata.uid ?? '' };
      await client.delete(pods, refOf(pod), { gracePeriodSeconds: 0, preconditions });
      log.info({ pod: keyOf(pod), node: pod.spec?.nodeName }, 'removed a pod that nobody looks after');
    } catch (error) {
      if (!isReason(error, 'NotFound')) throw error;
    }
  }

  function keysOfPod({ key, old, current }: Change<Pod>): string[] {
    const [was, is] = [old !== undefined && isTerminal(old), current !== undefined && isTerminal(current)];
    ended += Number(is) - Number(was);
    const keys = is && !was && ended > options.terminatedPodThreshold ? [countKey] : [];
    const node = current?.spec?.nodeName;
    return node && node !== old?.spec?.nodeName && !nodeCache.getByKey(node) ? [...keys, key] : keys;
  }

  function keysOfNode({ key, current }: Change<Node>): string[] {
    if (!current) return podCache.byIndex('node', key).map(keyOf);
    missingSince.delete(key);
    return [];
  }

  return createController({
    name: 'podgc',
    reconciler: { reconcile },
    sources: [on(nodeCache, keysOfNode), on(podCache, keysOfPod)],
    workers: 4,
    clock,
    log,
  });
}
