/**
 * What pods use of the disk, for `/stats/summary` and `/metrics/cadvisor`. Made by the agent's composition root.
 *
 * Measuring walks over everything the pods wrote: it is done when somebody asks, at most every half a minute, and who
 * asks meanwhile gets the last answer.
 */
import type { Pod } from '../../src/api/types.js';
import type { Clock } from '../../src/host/clock.js';
import type { Measure } from '../eviction/measure.js';
import type { Usage as HostUsage } from '../node/machine.js';
import { type FileSystem, readFileSystem } from './stats.js';

export interface DiskPart {
  bytes: number;
  /** Absent where they are not counted. */
  inodes?: number | undefined;
}

export interface PodDisk {
  containers: readonly { name: string; layer: DiskPart; logs: DiskPart }[];
  /** Those that live on the node's disk, by name. */
  volumes: ReadonlyMap<string, DiskPart>;
}

export interface DiskSample {
  /** By uid. */
  pods: ReadonlyMap<string, PodDisk>;
  /** That of images and writable layers. */
  imageFs: FileSystem;
  processes: HostUsage['processes'];
}

export interface DiskStatsOptions {
  measure: Pick<Measure, 'disk'>;
  imageDirectory(): Promise<string>;
  processes(): Promise<HostUsage['processes']>;
  pods(): readonly Pod[];
  clock: Pick<Clock, 'monotonicMs'>;
  signal: AbortSignal;
}

const lifetimeMs = 30_000;

/** Rejects when the runtime does not answer. */
export function createDiskStats(options: DiskStatsOptions): () => Promise<DiskSample> {
  const { clock, measure, signal } = options;
  let last: { atMs: number; sample: Promise<DiskSample> } | undefined;

  async function take(): Promise<DiskSample> {
    const running = options.pods().filter(({ status }) => status?.phase === 'Running');
    const [uses, imageFs, processes] = await Promise.all([
      measure.disk(running, signal),
      options.imageDirectory().then(readFileSystem),
      options.processes(),
    ]);
    const pods = new Map<string, PodDisk>();
    for (const [uid, { containers, volumes }] of uses) {
      const parts = containers.map(({ name, layerBytes, logs }) => ({
        name,
        layer: { bytes: layerBytes },
        logs,
      }));
      pods.set(uid, { containers: parts, volumes });
    }
    return { pods, imageFs, processes };
  }

  return () => {
    const atMs = clock.monotonicMs();
    if (last && atMs - last.atMs < lifetimeMs) return last.sample;
    const sample = take();
    last = { atMs, sample };
    sample.catch(() => {
      last = undefined;
    });
    return sample;
  };
}
