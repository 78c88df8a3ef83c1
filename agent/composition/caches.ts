/**
 * What this node knows of the cluster, kept up to date by watches, and its own voice: events.
 */
import { endpointSlices, nodes, pods, services } from '../../src/api/kinds.js';
import type { EndpointSlice, Node, Pod, Service } from '../../src/api/types.js';
import type { Client } from '../../src/client/client.js';
import { createEventRecorder, type EventRecorder } from '../../src/client/events.js';
import type { Informer } from '../../src/client/informer.js';
import { createInformers } from '../../src/client/informers.js';
import { createGate, type Gate } from '../pods/gate.js';
import { uidIndexers } from '../pods/pods.js';
import { sliceIndexers } from '../services/model.js';
import { createNodePods, type NodePods } from '../static/nodepods.js';
import type { Base } from './base.js';

export interface Caches {
  /** The pods of this node: those of the API and static ones. */
  ownPods: NodePods;
  /** What the API assigned to it, with the objects that stand for static pods. */
  assignedPods: Informer<Pod>;
  nodes: Informer<Node>;
  services: Informer<Service>;
  slices: Informer<EndpointSlice>;
  ownNode(): Node | undefined;
  recorder: EventRecorder;
  /** Calls to the runtime; events wait while it is crowded. */
  gate: Gate;
}

export async function startCaches({ options, clock, log, start }: Base, client: Client): Promise<Caches> {
  const { nodeName } = options;
  const informers = createInformers({ client, clock, log });
  const assignedPods = informers.get(pods, {
    fieldSelector: `spec.nodeName=${nodeName}`,
    indexers: uidIndexers,
  });
  const allNodes = informers.get(nodes);
  const allServices = informers.get(services);
  const slices = informers.get(endpointSlices, { indexers: sliceIndexers });
  await start(informers);

  const gate = createGate();
  const recorder = createEventRecorder({
    client,
    clock,
    log,
    component: 'kubelet',
    host: nodeName,
    isBusy: () => gate.isCrowded(),
  });
  await start(recorder);
  const ownNode = (): Node | undefined => allNodes.get({ name: nodeName });
  const ownPods = createNodePods(assignedPods);
  return {
    ...{ ownPods, assignedPods, nodes: allNodes, services: allServices },
    ...{ slices, ownNode, recorder, gate },
  };
}
