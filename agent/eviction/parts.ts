/**
 * Makes eviction, image garbage collection and admission and ties them together. Used by `agent/main.ts` only.
 */
import { statfs } from 'node:fs/promises';
import type { Node, Pod } from '../../src/api/types.js';
import type { EventRecorder } from '../../src/client/events.js';
import type { Clock } from '../../src/host/clock.js';
import type { Logger } from '../../src/host/log.js';
import { createAdmission } from '../admission/admission.js';
import { createImageGc, type ImageGc } from '../images/gc.js';
import { readUsage } from '../node/machine.js';
import type { AdmitPod, PodEnd } from '../pods/needs.js';
import { forbiddenSysctls } from '../pods/sysctls.js';
import type { Runtime, RuntimeFeatures } from '../runtime/runtime.js';
import type { Stats } from '../server/stats.js';
import { readMachineUsage, type UsageReader } from '../server/stats-usage.js';
import { createClearing } from './clearing.js';
import type { ReclaimFlags } from './flags.js';
import { createEviction, type Eviction } from './manager.js';
import { createMeasure } from './measure.js';
import { createObserve } from './observe.js';
import { withAllocatable } from './signals.js';

export interface ReclaimOptions extends ReclaimFlags {
  runtime: Runtime;
  features: Pick<RuntimeFeatures, 'appArmor' | 'strictSupplementalGroups'>;
  /** All pods of this node. */
  pods(): readonly Pod[];
  end(uid: string, end: PodEnd): void;
  /** Whether nothing runs any more of a pod that was ended, and its volumes are gone. */
  hasLeft(uid: string): boolean;
  node(): Node | undefined;
  /** The pressures of the node changed. */
  onChange(): void;
  stats: Stats;
  reader: Pick<UsageReader, 'read'>;
  /** Directory of the cgroup of all pods; limited to what is allocatable when `isAllocatableEnforced`. */
  podsCgroup: string;
  isAllocatableEnforced: boolean;
  allowedSysctls: readonly string[];
  /** `<data-dir>/agent`. */
  dataDirectory: string;
  podsDirectory: string;
  recorder: EventRecorder;
  clock: Clock;
  log: Logger;
}

export interface ReclaimParts {
  eviction: Eviction;
  imageGc: ImageGc;
  admit: AdmitPod;
}

export function createReclaim(options: ReclaimOptions): ReclaimParts {
  const { runtime, node, recorder, clock, log, pods, end, podsDirectory, dataDirectory } = options;
  const imageGc = createImageGc({
    runtime,
    policy: options.imageGc,
    disk: async () => {
      const { bsize, blocks, bavail } = await statfs(await runtime.imageDirectory());
      return { availableBytes: bavail * bsize, capacityBytes: blocks * bsize };
    },
    references: () =>
      pods().flatMap(({ spec }) => (spec?.volumes ?? []).flatMap(({ image }) => image?.reference ?? [])),
    node,
    recorder,
    clock,
    log,
  });
  const clearUp = createClearing({ runtime, images: imageGc, pods, log });
  const { thresholds, transitionMs, maxPodGraceSeconds } = options.eviction;
  const eviction = createEviction({
    rules: {
      thresholds: options.isAllocatableEnforced ? withAllocatable(thresholds) : thresholds,
      transitionMs,
    },
    maxPodGraceSeconds,
    observe: createObserve({
      dataDirectory,
      imageDirectory: () => runtime.imageDirectory(),
      cgroup: (directory) => options.reader.read(directory),
      podsCgroup: options.podsCgroup,
      machine: readMachineUsage,
      processes: async () => (await readUsage(dataDirectory)).processes,
    }),
    measure: createMeasure({ runtime, stats: options.stats, podsDirectory }),
    pods,
    end,
    hasLeft: options.hasLeft,
    clearUp,
    node,
    recorder,
    onChange: options.onChange,
    clock,
    log,
  });
  const admit = createAdmission({
    node,
    pressures: () => eviction.pressures(),
    forbiddenSysctls: (pod) => forbiddenSysctls(pod, options.allowedSysctls),
    features: options.features,
    end,
    recorder,
    log,
  });
  return { eviction, imageGc, admit };
}
