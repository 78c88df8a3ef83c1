/**
 * 5. Deletes pods from nodes whose NoExecute taints they do not tolerate, when their tolerationSeconds have passed. The
 * agent of a dead node cannot confirm, so its pods stay Terminating; their controllers replace them at once.
 */
import { nodes, pods } from '../../src/api/kinds.js';
import { keyOf, parseKey } from '../../src/api/meta.js';
import type { Node, Pod, Taint, Toleration } from '../../src/api/types.js';
import type { Change } from '../../src/client/cache.js';
import { type Controller, createController, on } from '../../src/client/controller.js';
import { ifFound } from '../../src/client/found.js';
import type { ReconcileResult } from '../../src/client/reconciler.js';
import { type ControllerContext, podInformer } from './context.js';

/** Taints that every pod bears for a while when it says nothing about them. */
const bearable = ['node.kubernetes.io/not-ready', 'node.kubernetes.io/unreachable'];

/** Documented matching: an empty key with Exists tolerates all, an empty effect all effects. */
export function tolerates(toleration: Toleration, taint: Taint): boolean {
  if (toleration.effect && toleration.effect !== taint.effect) return false;
  if (toleration.key && toleration.key !== taint.key) return false;
  if (toleration.operator === 'Exists') return true;
  return Boolean(toleration.key) && (toleration.value ?? '') === (taint.value ?? '');
}

/**
 * How long the pod may stay on a node with these taints, counted from when the taint was added: `Infinity` for ever,
 * 0 not at all. `defaultSeconds` stands in for an absent toleration of a node that is down.
 */
export function stayMs(pod: Pod, taint: Taint, defaultSeconds: number): number {
  const matching = (pod.spec?.tolerations ?? []).filter((toleration) => tolerates(toleration, taint));
  if (matching.length === 0) return bearable.includes(taint.key) ? defaultSeconds * 1_000 : 0;
  const limits = matching.flatMap(({ tolerationSeconds }) =>
    tolerationSeconds === undefined ? [] : [tolerationSeconds],
  );
  return limits.length === 0 ? Number.POSITIVE_INFINITY : Math.max(0, Math.min(...limits)) * 1_000;
}

/** Milliseconds from `now` until the pod must go; `Infinity` when it may stay. `addedMs` is when each taint came. */
export function evictInMs(
  pod: Pod,
  taints: readonly Taint[],
  options: { defaultSeconds: number; now: Date; addedMs: (taint: Taint) => number },
): number {
  const ends = taints
    .filter((taint) => taint.effect === 'NoExecute')
    .map((taint) => options.addedMs(taint) + stayMs(pod, taint, options.defaultSeconds));
  return Math.max(0, Math.min(Number.POSITIVE_INFINITY, ...ends) - options.now.getTime());
}

const taintsOf = (node: Node | undefined): Taint[] =>
  (node?.spec?.taints ?? []).filter((taint) => taint.effect === 'NoExecute');

export function createTaintEvictionController(
  context: ControllerContext,
  options: { defaultEvictionSeconds: number },
): Controller {
  const { client, clock, log, informers } = context;
  const recorder = context.recorder('taint-eviction-controller');
  const nodeCache = informers.get(nodes);
  const podCache = podInformer(informers);
  /** When we first saw a taint that carries no time of its own, wall time in ms, by node and taint. */
  const firstSeen = new Map<string, number>();

  const taintKey = (node: string, taint: Taint): string => `${node} ${taint.key}=${taint.value ?? ''}`;

  function addedMs(node: string, taint: Taint): number {
    if (taint.timeAdded) return Date.parse(taint.timeAdded);
    const key = taintKey(node, taint);
    const since = firstSeen.get(key) ?? clock.now().getTime();
    firstSeen.set(key, since);
    return since;
  }

  async function reconcile(key: string): Promise<ReconcileResult> {
    const pod = podCache.getByKey(key);
    const node = pod?.spec?.nodeName;
    if (!pod || !node || pod.metadata.deletionTimestamp) return undefined;
    const taints = taintsOf(nodeCache.getByKey(node));
    const { defaultEvictionSeconds: defaultSeconds } = options;
    const ms = evictInMs(pod, taints, {
      defaultSeconds,
      now: clock.now(),
      addedMs: (taint) => addedMs(node, taint),
    });
    if (ms > 0) return ms === Number.POSITIVE_INFINITY ? undefined : { requeueAfterMs: ms };
    recorder.event(pod, 'Normal', 'TaintManagerEviction', `Marking for deletion Pod ${key}`);
    await ifFound(client.delete(pods, parseKey(key), { preconditions: { uid: pod.metadata.uid ?? '' } }));
    return undefined;
  }

  /** All pods of a node whose NoExecute taints changed. */
  function keysOfNode({ key, old, current }: Change<Node>): string[] {
    const [before, after] = [taintsOf(old), taintsOf(current)];
    for (const taint of before) {
      if (!after.some((one) => taintKey(key, one) === taintKey(key, taint)))
        firstSeen.delete(taintKey(key, taint));
    }
    if (JSON.stringify(before) === JSON.stringify(after)) return [];
    return podCache.byIndex('node', key).map(keyOf);
  }

  /** A pod that comes to a node with such taints, or changes what it tolerates. */
  function keysOfPod({ key, old, current }: Change<Pod>): string[] {
    const node = current?.spec?.nodeName;
    if (!node || taintsOf(nodeCache.getByKey(node)).length === 0) return [];
    const isSame =
      old?.spec?.nodeName === node &&
      JSON.stringify(old.spec?.tolerations) === JSON.stringify(current?.spec?.tolerations);
    return isSame ? [] : [key];
  }

  return createController({
    name: 'tainteviction',
    reconciler: { reconcile },
    sources: [on(nodeCache, keysOfNode), on(podCache, keysOfPod)],
    workers: 8,
    clock,
    log,
  });
}
