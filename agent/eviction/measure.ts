/**
 * Measures what pods use, for ranking and for storage limits. Called by manager.ts, and only when something depends on
 * it: memory and processes are reads of cgroup files, the disk is a walk over everything the pods wrote.
 */
import { lstat, readdir } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { Pod } from '../../src/api/types.js';
import { hasCode } from '../../src/host/files.js';
import { attemptOf, containerNameOf, podUid } from '../pods/names.js';
import type { ContainerState, Runtime } from '../runtime/runtime.js';
import type { PodSample, Stats } from '../server/stats.js';
import { measureDirectory } from './diskwalk.js';
import { localVolumes } from './storagelimits.js';
import type { ContainerUse, DiskUse, PodUse } from './usage.js';

export interface MeasureOptions {
  runtime: Pick<Runtime, 'listContainers' | 'writableLayerBytes'>;
  stats: Stats;
  /** `<data-dir>/agent/pods`. */
  podsDirectory: string;
}

export interface Measure {
  /** Memory and processes; disks are left at 0. */
  memory(): Promise<ReadonlyMap<string, PodUse>>;
  /** Disks; memory and processes are left at 0. */
  disk(pods: readonly Pod[], signal: AbortSignal): Promise<ReadonlyMap<string, PodUse>>;
}

const nothing: DiskUse = { bytes: 0, inodes: 0 };

export function createMeasure({ runtime, stats, podsDirectory }: MeasureOptions): Measure {
  async function diskOf(pod: Pod, layers: ReadonlyMap<string, number>, signal: AbortSignal): Promise<PodUse> {
    const states = await runtime.listContainers({ podUid: podUid(pod) });
    const containers: ContainerUse[] = [];
    for (const state of latest(states)) {
      const layerBytes = layers.get(state.id) ?? 0;
      const logs = state.logPath === undefined ? nothing : await logsAt(state.logPath);
      containers.push({ name: containerNameOf(state), memoryBytes: 0, layerBytes, logs });
    }
    const volumes = new Map<string, DiskUse>();
    for (const { name } of localVolumes(pod)) {
      const path = join(podsDirectory, podUid(pod), 'volumes', name);
      volumes.set(name, await measureDirectory(path, signal));
    }
    return { memoryBytes: 0, processes: 0, containers, volumes };
  }

  return {
    async memory() {
      const { pods } = await stats.sample();
      return new Map(pods.map((sample) => [podUid(sample.pod), memoryOf(sample)]));
    },
    async disk(pods, signal) {
      const layers = await runtime.writableLayerBytes();
      const uses = new Map<string, PodUse>();
      // One after the other: this is background work that reads every directory of the pods.
      for (const pod of pods) uses.set(podUid(pod), await diskOf(pod, layers, signal));
      return uses;
    },
  };
}

const memoryOf = ({ usage, containers }: PodSample): PodUse => ({
  memoryBytes: usage.workingSetBytes,
  processes: usage.processes,
  containers: containers.map(({ name, usage: own }) => ({
    name,
    memoryBytes: own.workingSetBytes,
    layerBytes: 0,
    logs: nothing,
  })),
  volumes: new Map(),
});

/** The newest attempt of every container. */
function latest(states: readonly ContainerState[]): ContainerState[] {
  const byName = new Map<string, ContainerState>();
  for (const state of states) {
    const known = byName.get(containerNameOf(state));
    if (!known || attemptOf(known) < attemptOf(state)) byName.set(containerNameOf(state), state);
  }
  return [...byName.values()];
}

/** The file and what was rotated away from it, which has its name and something behind it. */
async function logsAt(path: string): Promise<DiskUse> {
  const directory = dirname(path);
  const names = await readdir(directory).catch(unlessGone);
  const use = { ...nothing };
  for (const name of names ?? []) {
    if (!name.startsWith(basename(path))) continue;
    const stats = await lstat(join(directory, name)).catch(unlessGone);
    if (!stats) continue;
    use.bytes += stats.blocks * 512;
    use.inodes += 1;
  }
  return use;
}

function unlessGone(error: unknown): undefined {
  if (!hasCode(error, 'ENOENT')) throw error;
}
