/**
 * The network of this node's pods, the routes to those of other nodes, and Services.
 */
import type { PodNetwork } from '../network/network.js';
import { createPodNetwork } from '../network/pods.js';
import { createRoutes } from '../network/router.js';
import { createRuntimeNetwork } from '../network/runtime-network.js';
import type { NodeAddress } from '../node/nodeaddress.js';
import { createIptables } from '../services/iptables.js';
import { createServiceProxy } from '../services/sync.js';
import { type Base, inBackground } from './base.js';
import type { Caches } from './caches.js';
import type { NodeResources } from './resources.js';

export interface NetworkInput {
  address: NodeAddress;
  resources: NodeResources;
  caches: Caches;
}

export async function startNetwork(base: Base, input: NetworkInput): Promise<PodNetwork> {
  const { options, clock, log, directory, start } = base;
  const { nodeName, clusterCidr } = options;
  const { address, resources } = input;
  const { nodes, services, slices } = input.caches;
  const firewall = createIptables({ clock });
  const networkOptions = {
    nodeName,
    nodeIp: address.current(),
    clusterCidr,
    dataDirectory: directory,
    nodes,
    firewall,
    clock,
    log,
    confDirectory: options.cniConfDir,
  };
  const { runtimeNetwork } = resources;
  const network = runtimeNetwork
    ? createRuntimeNetwork({ ...networkOptions, runtime: runtimeNetwork })
    : createPodNetwork(networkOptions);
  await start(network);
  const routes = createRoutes({ nodeName, nodeIp: address.current, nodes, clock, log });
  await start(inBackground(routes, log));
  const proxy = { nodeName, clusterCidr, services, endpointSlices: slices, firewall, clock, log };
  await start(inBackground(createServiceProxy(proxy), log));
  return network;
}
