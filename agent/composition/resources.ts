/**
 * What containers run on: the runtime, and the cgroups that hold them to their limits.
 */
import type { Pod } from '../../src/api/types.js';
import { run as exec } from '../../src/host/exec.js';
import { type CgroupDriver, type CgroupName, cgroupParent, parseRoot, podCgroup } from '../cgroups/layout.js';
import { qosClassOf } from '../cgroups/limits.js';
import { type CgroupManager, createPodCgroups } from '../cgroups/manager.js';
import { readOomScoreFloor } from '../cgroups/oom.js';
import type { PodCgroups } from '../pods/needs.js';
import { type OpenRuntime, openRuntime } from '../runtime/open.js';
import type { Runtime, RuntimeFeatures, RuntimeVersion } from '../runtime/runtime.js';
import { RuntimeOperations } from '../server/operations.js';
import { type Base, closing } from './base.js';

export interface NodeResources {
  runtime: Runtime;
  /** Calls to the runtime, counted. */
  operations: RuntimeOperations;
  /** What a runtime that networks its pods itself offers for it. */
  runtimeNetwork: OpenRuntime['network'];
  features: RuntimeFeatures;
  cgroups: CgroupManager & PodCgroups;
  /** Where the cgroup of all pods is, and whose it is. */
  cgroupTree: { root: CgroupName; driver: CgroupDriver };
}

export type OpenedRuntime = Pick<NodeResources, 'runtime' | 'operations' | 'runtimeNetwork'>;

/** Asks the runtime nothing yet. */
export async function openNodeRuntime({ options, clock, log, start }: Base): Promise<OpenedRuntime> {
  const opened = await openRuntime({
    name: options.runtime,
    socketPath: options.runtimeEndpoint,
    node: options.nodeName,
    logDirectory: options.logDirectory,
    log,
    clock,
    oomScoreFloor: await readOomScoreFloor(log),
  });
  const { network: runtimeNetwork } = opened;
  const operations = new RuntimeOperations();
  const runtime = operations.observe(opened.runtime);
  await start(closing('runtime', () => opened.close()));
  for (const part of opened.parts) await start(part);
  return { runtime, operations, runtimeNetwork };
}

/** `version`: what the runtime says of itself. */
export async function openResources(
  { options }: Base,
  opened: OpenedRuntime,
  { cgroupDriver: driver, features }: RuntimeVersion,
): Promise<NodeResources> {
  const root = parseRoot(options.cgroupRoot);
  const manager = await createPodCgroups({
    root: options.cgroupRoot,
    driver,
    exec,
    policy: {
      cfsQuota: options.cpuCfsQuota,
      podMaxPids: options.podMaxPids,
      reservesMemory: options.memoryReservationPolicy === 'TieredReservation',
    },
  });
  const parentOf = (pod: Pod): string =>
    cgroupParent(podCgroup(root, qosClassOf(pod), pod.metadata.uid ?? ''), driver);
  return {
    ...opened,
    features,
    cgroups: { ...manager, parentOf },
    cgroupTree: { root, driver },
  };
}
