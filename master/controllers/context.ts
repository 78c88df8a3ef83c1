/**
 * 5. What every controller is made from. `createControllers` (index.ts) builds it once; tests build it over the fake
 * client. Informers are shared, so asking for one here costs nothing when another controller has it already.
 */

import { pods, replicaSets } from '../../src/api/kinds.js';
import { controllerOf } from '../../src/api/meta.js';
import type { KubeObject, Pod, ReplicaSet } from '../../src/api/types.js';
import type { Client } from '../../src/client/client.js';
import type { EventRecorder } from '../../src/client/events.js';
import type { Informer } from '../../src/client/informer.js';
import type { Informers } from '../../src/client/informers.js';
import type { Clock } from '../../src/host/clock.js';
import type { Logger } from '../../src/host/log.js';

export interface ControllerContext {
  client: Client;
  informers: Informers;
  clock: Clock;
  log: Logger;
  /** A recorder that reports as this component. */
  recorder(component: string): EventRecorder;
}

/** By the uid of the managing owner; objects without one are under their namespace, behind `orphan/`. */
const byController = (object: KubeObject): string[] => [
  controllerOf(object)?.uid ?? `orphan/${object.metadata.namespace ?? ''}`,
];

/** Pods, indexed by managing owner and by node. */
export const podInformer = (informers: Informers): Informer<Pod> =>
  informers.get(pods, { indexers: { controller: byController, node: (pod) => [pod.spec?.nodeName ?? ''] } });

export const replicaSetInformer = (informers: Informers): Informer<ReplicaSet> =>
  informers.get(replicaSets, { indexers: { controller: byController } });

/** What `owner` has, and what it might adopt, from an informer with the `controller` index. */
export const ownedOrOrphaned = <T extends KubeObject>(cache: Informer<T>, owner: KubeObject): T[] => [
  ...cache.byIndex('controller', owner.metadata.uid ?? ''),
  ...cache.byIndex('controller', `orphan/${owner.metadata.namespace ?? ''}`),
];
