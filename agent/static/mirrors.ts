/**
 * Keeps an object in the API for every static pod, so that it can be seen there: made when it is missing, made anew when
 * its file changed, confirmed and made anew when somebody deletes it (which does not stop the pod), removed with its file.
 * The status comes through the writer of statuses. Started by `agent/main.ts`; does nothing while the master is away.
 */

import { isReason } from '../../src/api/errors.js';
import { pods as podType } from '../../src/api/kinds.js';
import { keyOf, parseKey } from '../../src/api/meta.js';
import type { Node, Pod } from '../../src/api/types.js';
import type { Source } from '../../src/client/cache.js';
import type { Client } from '../../src/client/client.js';
import { type Controller, createController, on } from '../../src/client/controller.js';
import type { ReconcileResult } from '../../src/client/reconciler.js';
import type { Clock } from '../../src/host/clock.js';
import type { Logger } from '../../src/host/log.js';
import { annotations, isMirror } from './annotations.js';
import type { NodePods } from './nodepods.js';

export interface MirrorsOptions {
  client: Pick<Client, 'create' | 'delete'>;
  nodePods: NodePods;
  /** The pods that the API assigned to this node, mirrors included. */
  assigned: Source<Pod>;
  nodes: Source<Node>;
  nodeName: string;
  clock: Clock;
  log: Logger;
}

export function createMirrors(options: MirrorsOptions): Controller {
  const { client, nodePods, assigned, nodes, nodeName, clock, log } = options;

  async function remove(mirror: Pod, signal: AbortSignal): Promise<void> {
    const { uid = '' } = mirror.metadata;
    try {
      await client.delete(podType, parseKey(keyOf(mirror)), {
        gracePeriodSeconds: 0,
        preconditions: { uid },
        signal,
      });
    } catch (error) {
      if (!isReason(error, 'NotFound') && !isReason(error, 'Conflict')) throw error;
    }
  }

  /** What the API has comes back as a change, which leads here again. */
  async function reconcile(key: string, { signal }: { signal: AbortSignal }): Promise<ReconcileResult> {
    const pod = nodePods.staticPod(key);
    const present = assigned.getByKey(key);
    if (present && isMirror(present)) {
      const isRight = present.metadata.annotations?.[annotations.mirror] === pod?.metadata.uid;
      if (!isRight || present.metadata.deletionTimestamp !== undefined) await remove(present, signal);
      return undefined;
    }
    if (!pod || present) return undefined;
    const node = nodes.get({ name: nodeName });
    // It registers itself: that is a change as well.
    if (!node) return undefined;
    await client.create(podType, toMirror(pod, node), { signal });
    return undefined;
  }

  return createController({
    name: 'mirror-pods',
    reconciler: { reconcile },
    sources: [
      on(nodePods),
      on(assigned, ({ key, current, old }) => (isMirrorChange(current, old) ? [key] : [])),
      on(nodes, ({ current, old }) =>
        current?.metadata.name === nodeName && current.metadata.uid !== old?.metadata.uid
          ? nodePods.staticPods().map(keyOf)
          : [],
      ),
    ],
    workers: 2,
    clock,
    log,
    backoff: { minMs: 500, maxMs: 60_000 },
  });
}

const isMirrorChange = (...pods: readonly (Pod | undefined)[]): boolean =>
  pods.some((pod) => pod && isMirror(pod));

/** The object that stands for the pod; the node owns it. Pure. */
export function toMirror(pod: Pod, node: Node): Pod {
  const { uid = '', ...metadata } = pod.metadata;
  const { name = '', uid: nodeUid = '' } = node.metadata;
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      ...metadata,
      annotations: { ...metadata.annotations, [annotations.mirror]: uid },
      ownerReferences: [{ apiVersion: 'v1', kind: 'Node', name, uid: nodeUid, controller: true }],
    },
    spec: pod.spec,
  };
}
