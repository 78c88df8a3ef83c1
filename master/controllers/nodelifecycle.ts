/**
 * 5. Watches over the nodes' signs of life: an agent renews its Lease every 10 s and posts its status; when both stay
 * silent for the grace period the node becomes Unknown and tainted. Decisions are in `nodeplan.ts`; evicting pods for
 * taints is `tainteviction.ts`.
 *
 * Silence is measured on the monotonic clock from when *we* saw the last sign, never by the times in the objects: a
 * master that starts, or a host whose clock jumps, gives every node a full grace period. A Lease renewal is only noted;
 * one timer per node, set to the end of its grace, does the rest.
 */
import { isReason } from '../../src/api/errors.js';
import { leases, nodes, pods } from '../../src/api/kinds.js';
import { findCondition, refOf } from '../../src/api/meta.js';
import type { Lease, Node } from '../../src/api/types.js';
import type { Change } from '../../src/client/cache.js';
import { type Controller, createController, on } from '../../src/client/controller.js';
import type { ReconcileResult } from '../../src/client/reconciler.js';
import { type ControllerContext, podInformer } from './context.js';
import { plan, unreadied } from './nodeplan.js';

const leaseNamespace = 'kube-node-lease';

export interface NodeLifecycleOptions {
  /** Silence after which a node is Unknown; 40 s by default. */
  nodeMonitorGracePeriodMs: number;
  /** The same for a node that never reported; 60 s by default. */
  nodeStartupGracePeriodMs: number;
}

const readyOf = (node: Node | undefined): string | undefined =>
  findCondition(node?.status?.conditions, 'Ready')?.status;

/** What the agent itself writes at each sign of life; our own changes of conditions are not one. */
const heartbeatOf = (node: Node): string =>
  JSON.stringify((node.status?.conditions ?? []).map((c) => c.lastHeartbeatTime));

export function createNodeLifecycleController(
  context: ControllerContext,
  options: NodeLifecycleOptions,
): Controller {
  const { client, clock, log, informers } = context;
  const recorder = context.recorder('node-controller');
  const cache = informers.get(nodes);
  const leaseCache = informers.get(leases, { namespace: leaseNamespace });
  const podCache = podInformer(informers);
  /** When we saw the last sign of each node, monotonic. */
  const seenMs = new Map<string, number>();

  const note = (name: string): void => void seenMs.set(name, clock.monotonicMs());

  /** Notes the sign; wakes the node only when it counted as silent. */
  function keysOfLease({ old, current }: Change<Lease>): string[] {
    const name = current?.metadata.name;
    if (!name || old?.spec?.renewTime === current.spec?.renewTime) return [];
    note(name);
    return readyOf(cache.getByKey(name)) === 'Unknown' ? [name] : [];
  }

  function keysOfNode({ key, old, current }: Change<Node>): string[] {
    if (!current) {
      seenMs.delete(key);
      return [];
    }
    if (!old || heartbeatOf(old) !== heartbeatOf(current)) note(key);
    // Whether anybody is alive decides about everybody's eviction.
    if (old && (readyOf(old) === 'Unknown') !== (readyOf(current) === 'Unknown')) return names();
    return [key];
  }

  const names = (): string[] => cache.list().map((node) => node.metadata.name ?? '');

  async function reconcile(name: string): Promise<ReconcileResult> {
    const node = cache.getByKey(name);
    if (!node || node.metadata.deletionTimestamp) return undefined;
    const steps = plan({
      node,
      silentMs: clock.monotonicMs() - (seenMs.get(name) ?? clock.monotonicMs()),
      graceMs:
        readyOf(node) === undefined ? options.nodeStartupGracePeriodMs : options.nodeMonitorGracePeriodMs,
      isEveryOtherSilent: cache.list().every((one) => one === node || readyOf(one) === 'Unknown'),
      now: clock.now(),
    });
    if (steps.conditions) {
      await client.update(
        nodes,
        { ...node, status: { ...node.status, conditions: steps.conditions } },
        { subresource: 'status' },
      );
      recorder.event(node, 'Normal', 'NodeNotReady', `Node ${name} status is now: NodeNotReady`);
      // Our own change calls us again, with the version that the taints need.
      return undefined;
    }
    if (steps.taints) {
      const { uid, resourceVersion } = node.metadata;
      const body = {
        metadata: { uid, resourceVersion },
        spec: { taints: steps.taints.length > 0 ? steps.taints : null },
      };
      await client.patch(nodes, { name }, { type: 'merge', body });
    }
    if (steps.isUnknown) await withdrawReadiness(name);
    return steps.nextMs === undefined ? undefined : { requeueAfterMs: steps.nextMs };
  }

  async function withdrawReadiness(name: string): Promise<void> {
    for (const pod of unreadied(podCache.byIndex('node', name), clock.now())) {
      try {
        await client.update(pods, pod, { subresource: 'status' });
        recorder.event(pod, 'Warning', 'NodeNotReady', 'Node is not ready');
      } catch (error) {
        if (!isReason(error, 'NotFound'))
          throw new Error(`${refOf(pod).name} could not be marked`, { cause: error });
      }
    }
  }

  return createController({
    name: 'nodelifecycle',
    reconciler: { reconcile },
    sources: [on(cache, keysOfNode), on(leaseCache, keysOfLease)],
    workers: 4,
    clock,
    log,
  });
}
