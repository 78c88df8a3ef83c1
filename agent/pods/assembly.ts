/**
 * Makes the parts that work on pods and ties them together: who calls back whom. Used by `pods.ts` only.
 */
import type { Pod, Service } from '../../src/api/types.js';
import type { Source } from '../../src/client/cache.js';
import type { Client } from '../../src/client/client.js';
import type { EventRecorder } from '../../src/client/events.js';
import type { Clock } from '../../src/host/clock.js';
import type { Exec } from '../../src/host/exec.js';
import type { Logger } from '../../src/host/log.js';
import type { LogLinks } from '../logs/links.js';
import type { PodNetwork } from '../network/network.js';
import { createProbeManager, type ProbeManager } from '../probes/manager.js';
import { createProbeRunner } from '../probes/runner.js';
import type { Runtime } from '../runtime/runtime.js';
import type { NodePods } from '../static/nodepods.js';
import type { ReferencedObjects } from '../volumes/objects.js';
import { createPodVolumes } from '../volumes/podvolumes.js';
import { createExecutors, type Execute } from './executors.js';
import { createFeatureReader } from './features.js';
import { createGate, type Gate } from './gate.js';
import { createHooks } from './hooks.js';
import { createHostFiles } from './hostfiles.js';
import { createKill } from './kill.js';
import { createLastWords, type LastWords } from './lastwords.js';
import { containerPath } from './names.js';
import type { AdmitPod, PodCgroups, PodEvents, PodImages, PodVolumes } from './needs.js';
import { type PodConfig, podConfigDefaults } from './nodeconfig.js';
import { createPostStart } from './poststart.js';
import { createPreparation } from './preparation.js';
import { onProbeFailure, onProbeVerdict } from './probing.js';
import type { PodRecord } from './record.js';
import { createResizing } from './resizing.js';
import { createSandboxPreparation } from './sandbox.js';
import { createStartup } from './startup.js';
import type { NodeFacts } from './status.js';
import { createStatusWriter, type StatusWriter } from './statuswriter.js';
import { createVolumeJobs } from './volumejobs.js';

export interface PodsOptions {
  client: Client;
  /** The pods assigned to this node, indexed with `uidIndexers`. */
  source: Source<Pod>;
  services(): readonly Service[];
  runtime: Runtime;
  network: PodNetwork;
  cgroups: PodCgroups;
  images: PodImages;
  recorder: EventRecorder;
  exec: Exec;
  clock: Clock;
  log: Logger;
  nodeName: string;
  node: NodeFacts;
  /** What the node offers, for `resourceFieldRef` without a limit. */
  allocatable(): Readonly<Record<string, string>>;
  /** Labels of this node's object, for volumes that are on some nodes only. */
  nodeLabels?(): Readonly<Record<string, string>>;
  /** `<data-dir>/agent/pods`. */
  podsDirectory: string;
  /** Static pods among those of the source: where their status goes, and who wants to know it besides. */
  statics?: Pick<NodePods, 'objectOf' | 'noteStatus'>;
  /** Whether this node takes a pod; every pod when absent. */
  admit?: AdmitPod;
  /** Links to the logs of containers, for collectors. */
  logLinks?: LogLinks;
  /** Bounds the calls to the runtime under way at a time; one of eight places when absent. */
  gate?: Gate;
  /** What the agent's flags say about pods. */
  config?: Partial<PodConfig>;
}

/** What the parts need of their surroundings. */
export interface Surroundings {
  podOf(uid: string): Pod | undefined;
  recordOf(uid: string): PodRecord | undefined;
  enqueue(uid: string): void;
  enqueueAfter(uid: string, ms: number): void;
  signal: AbortSignal;
  log: Logger;
}

export interface PodParts {
  execute: Execute;
  probes: ProbeManager;
  statuses: StatusWriter;
  volumes: PodVolumes;
  objects: ReferencedObjects;
  lastWords: LastWords;
  events: PodEvents;
  /** Calls to the runtime wait for their turn: this is no time for a look that can wait. */
  isCrowded(): boolean;
  removePodDirectory(uid: string): Promise<void>;
}

export function assemble(options: PodsOptions, around: Surroundings): PodParts {
  const { client, clock, runtime, cgroups, images, network, nodeName, node } = options;
  const { enqueue, enqueueAfter, log, podOf } = around;
  const events = podEvents(options.recorder);
  const gate = options.gate ?? createGate();

  const lookAtVolumes = (uid: string): void => {
    const record = around.recordOf(uid);
    if (record) {
      record.areVolumesStale = true;
      // What could not be found may be there now.
      for (const [name, { reason }] of record.obstacles) {
        if (reason === 'CreateContainerConfigError') record.obstacles.delete(name);
      }
    }
    enqueue(uid);
  };
  const facts = { hostIPs: node.hostIPs, nodeName, allocatable: options.allocatable };
  const config: PodConfig = { ...podConfigDefaults, ...options.config };
  const hostFiles = createHostFiles({ podsDirectory: options.podsDirectory, config });
  const features = createFeatureReader(runtime, clock);
  const { volumes, objects } = createPodVolumes({
    client,
    clock,
    log,
    exec: options.exec,
    images,
    features,
    facts,
    node: () => ({ name: nodeName, labels: options.nodeLabels?.() ?? {} }),
    podsDirectory: options.podsDirectory,
    onChange: lookAtVolumes,
  });

  const runner = createProbeRunner({ runtime, clock });
  const probing = { events, podOf, recordOf: around.recordOf, enqueue };
  const probes = createProbeManager({
    runner,
    clock,
    onVerdict: (report, success) => onProbeVerdict(report, success, probing),
    onFailure: (report, output, how) => onProbeFailure(report, { output, how }, probing),
  });
  const runHook = createHooks({ runner, clock });
  const kill = createKill({ runtime, events, runHook, clock, enqueueAfter, signal: around.signal });
  const preparation = createPreparation({
    images,
    volumes,
    cgroups,
    objects,
    hostFiles,
    features,
    config,
    clock,
    nodeName,
    enqueue,
    hostIPs: node.hostIPs,
    services: options.services,
    allocatable: options.allocatable,
  });
  const volumeJobs = createVolumeJobs(volumes, { clock, recordOf: around.recordOf, enqueue });
  const startup = createStartup({
    runtime,
    network,
    volumes: volumeJobs,
    cgroups,
    hostFiles,
    events,
    gate,
    clock,
    nodeName,
    prepare: preparation.prepare,
    prepareSandbox: createSandboxPreparation({ client, features, cgroups, config, nodeName }),
    hostIPs: node.hostIPs,
    afterStart: createPostStart({ runHook, kill, events, enqueue, signal: around.signal, log }),
  });
  const statuses = createStatusWriter({ client, podOf, objectOf: options.statics?.objectOf, clock, log });
  const removePodDirectory = async (uid: string): Promise<void> => {
    preparation.cancel(uid);
    images.forget(uid);
    await options.logLinks?.remove(uid);
    await hostFiles.remove(uid);
  };
  const execute = createExecutors({
    runtime,
    network,
    volumes: volumeJobs,
    cgroups,
    startup,
    kill,
    resize: createResizing({ runtime, cgroups, events, clock }),
    events,
    gate,
    clock,
    deleteObject: (pod, record) => statuses.deleteObject(pod, record.status),
    removePodDirectory,
  });
  return {
    execute,
    probes,
    statuses,
    volumes: { ...volumes, tearDown: volumeJobs.tearDown },
    objects,
    lastWords: createLastWords({ runtime, hostFiles, clock }),
    events,
    isCrowded: gate.isCrowded,
    removePodDirectory,
  };
}

/** Events about a pod or one of its containers. */
const podEvents = (recorder: EventRecorder): PodEvents => ({
  record(pod, type, reason, message, container) {
    const object = { ...pod, apiVersion: 'v1', kind: 'Pod' };
    recorder.event(
      object,
      type,
      reason,
      message,
      container === undefined ? undefined : containerPath(pod, container),
    );
  },
});
