/**
 * The pods of this node, and what may refuse or end them: admission, eviction, a shutdown of the host.
 */
import { join } from 'node:path';
import type { Component } from '../../src/host/component.js';
import { run as exec } from '../../src/host/exec.js';
import { directoryOf } from '../cgroups/layout.js';
import { qosClassOf } from '../cgroups/limits.js';
import type { Eviction } from '../eviction/manager.js';
import { createReclaim } from '../eviction/parts.js';
import { createImages } from '../images/parts.js';
import { createLogLinks } from '../logs/links.js';
import type { PodNetwork } from '../network/network.js';
import { createPods, type Pods } from '../pods/pods.js';
import { createStats, type Stats } from '../server/stats.js';
import { UsageReader } from '../server/stats-usage.js';
import { createShutdown } from '../shutdown/parts.js';
import type { NodeShutdown } from '../shutdown/shutdown.js';
import type { Base } from './base.js';
import type { Caches } from './caches.js';
import type { Membership } from './membership.js';
import type { NodeResources } from './resources.js';
import { startStatics } from './statics.js';

export interface PodsInput {
  membership: Membership;
  resources: NodeResources;
  caches: Caches;
  network: PodNetwork;
  /** Something changed that the node's status says. */
  onNodeChange(): void;
}

export interface RunningPods {
  pods: Pods;
  stats: Stats;
  eviction: Eviction;
  shutdown: NodeShutdown | undefined;
  /** Started once the node is registered. */
  later: readonly Component[];
}

export async function startPods(base: Base, input: PodsInput): Promise<RunningPods> {
  const { options, clock, log, directory, start, signal } = base;
  const { membership, caches, network, onNodeChange } = input;
  const { runtime, features, cgroups, cgroupTree } = input.resources;
  const { ownPods, services, ownNode, recorder, gate } = caches;
  const { client, address } = membership;
  const images = await createImages({ flags: options, runtime, client, recorder, directory, clock, log });
  const reader = await UsageReader.create();
  const stats = createStats({
    reader,
    pods: () => ownPods.list(),
    cgroups: cgroupTree,
    dataDirectory: directory,
    clock,
    signal,
  });
  const podsDirectory = join(directory, 'pods');
  const common = {
    runtime,
    pods: () => ownPods.list(),
    end: (uid: string, end: Parameters<Pods['end']>[1]) => pods.end(uid, end),
    onChange: onNodeChange,
    clock,
    log,
  };
  const { eviction, imageGc, admit } = createReclaim({
    ...common,
    hasLeft: (uid) => pods.hasLeft(uid),
    eviction: options.eviction,
    imageGc: options.imageGc,
    features,
    node: ownNode,
    stats,
    reader,
    podsCgroup: directoryOf(cgroupTree.root, cgroupTree.driver),
    isAllocatableEnforced: options.enforceNodeAllocatable.includes('pods'),
    allowedSysctls: options.podConfig.allowedUnsafeSysctls,
    dataDirectory: directory,
    podsDirectory,
    recorder,
  });
  const shutdown = createShutdown({ ...common, options, signal });
  const pods = createPods({
    client,
    source: ownPods,
    statics: ownPods,
    services: () => services.list(),
    runtime,
    network,
    cgroups,
    images,
    recorder,
    gate,
    exec,
    clock,
    log,
    nodeName: options.nodeName,
    config: options.podConfig,
    node: { runtimeName: options.runtime, hostIPs: address.ips, qosClassOf },
    allocatable: () => ownNode()?.status?.allocatable ?? {},
    nodeLabels: () => ownNode()?.metadata.labels ?? {},
    podsDirectory,
    admit: (pod, active) => shutdown?.admit(pod, active) ?? admit(pod, active),
    logLinks: createLogLinks({ directory: options.logDirectory, log }),
  });
  await startStatics(base, client, caches);
  await start(pods);
  return { pods, stats, eviction, shutdown, later: [eviction, imageGc, ...(shutdown ? [shutdown] : [])] };
}
