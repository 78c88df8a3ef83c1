/**
 * This host as a Node of the cluster, and its pods held to what the Node says is allocatable.
 */
import type { PodNetwork } from '../network/network.js';
import { enforcedLimits } from '../node/allocatable.js';
import { createEnforcement } from '../node/enforcement.js';
import type { Machine } from '../node/machine.js';
import { createNodeComponent, type NodeComponent } from '../node/node.js';
import type { Base } from './base.js';
import type { Caches } from './caches.js';
import type { Membership } from './membership.js';
import type { RunningPods } from './pods.js';
import type { NodeResources } from './resources.js';

export function startEnforcement(
  base: Base,
  machine: Machine,
  { cgroups }: NodeResources,
  { recorder }: Caches,
): Promise<void> {
  const { options, clock, log, start } = base;
  return start(
    createEnforcement({
      nodeName: options.nodeName,
      limits: enforcedLimits(machine, options),
      limitAll: cgroups.limitAll,
      recorder,
      clock,
      log,
    }),
  );
}

export interface NodeInput {
  membership: Membership;
  resources: NodeResources;
  caches: Caches;
  network: PodNetwork;
  running: RunningPods;
}

export function createNode(base: Base, input: NodeInput): NodeComponent {
  const { membership, resources, caches, network, running } = input;
  const { pods, eviction, shutdown } = running;
  return createNodeComponent({
    client: membership.client,
    options: base.options,
    runtime: resources.runtime,
    nodes: caches.nodes,
    address: membership.address,
    recorder: caches.recorder,
    checks: [network, pods, ...(shutdown ? [shutdown.check] : [])],
    pressures: () => eviction.pressures(),
    dataDirectory: base.directory,
    clock: base.clock,
    log: base.log,
  });
}
