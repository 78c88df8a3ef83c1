/**
 * Reads what is available on this host, for every eviction signal: a few small files and two statfs, no processes.
 * Called by manager.ts every few seconds.
 *
 * Memory as documented: capacity without the working set of the root cgroup (all that is used but inactive file pages).
 * The root of cgroup v2 has no usage of its own; there /proc/meminfo tells.
 */
import { stat, statfs } from 'node:fs/promises';
import type { Usage as HostUsage } from '../node/machine.js';
import type { Usage as CgroupUsage } from '../server/stats-usage.js';
import type { Observation, Observations } from './pressure.js';
import type { Signal } from './signals.js';

export interface ObserveOptions {
  /** On the file system of pods, their volumes and our records. */
  dataDirectory: string;
  /** On the file system of images and layers; asked once. */
  imageDirectory(): Promise<string>;
  /** Usage of a cgroup by its directory below the mount points; '' is the root. */
  cgroup(directory: string): Promise<CgroupUsage | undefined>;
  /** The cgroup of all pods. */
  podsCgroup: string;
  /** Of the machine as a whole. */
  machine(): Promise<CgroupUsage>;
  processes(): Promise<HostUsage['processes']>;
}

export interface Observed {
  observations: Observations;
  /** Images and layers have a file system of their own. */
  hasImageFs: boolean;
}

export type Observe = () => Promise<Observed>;

export function createObserve(options: ObserveOptions): Observe {
  let imageDirectory: string | undefined;

  async function memory(): Promise<[Signal, Observation][]> {
    const [machine, root, pods] = await Promise.all([
      options.machine(),
      options.cgroup(''),
      options.cgroup(options.podsCgroup),
    ]);
    const capacity = machine.memoryLimitBytes ?? 0;
    const used = root && root.memoryBytes > 0 ? root.workingSetBytes : machine.workingSetBytes;
    const found: [Signal, Observation][] = [
      ['memory.available', { available: Math.max(capacity - used, 0), capacity }],
    ];
    const limit = pods?.memoryLimitBytes;
    if (pods && limit !== undefined && limit < capacity) {
      const available = Math.max(limit - pods.workingSetBytes, 0);
      found.push(['allocatableMemory.available', { available, capacity: limit }]);
    }
    return found;
  }

  return async () => {
    imageDirectory ??= await options.imageDirectory();
    const [memories, { limit, used }, nodeFs, imageFs, nodeStat, imageStat] = await Promise.all([
      memory(),
      options.processes(),
      fileSystem('nodefs', options.dataDirectory),
      fileSystem('imagefs', imageDirectory),
      stat(options.dataDirectory),
      stat(imageDirectory),
    ]);
    return {
      observations: new Map([
        ...memories,
        ...nodeFs,
        ...imageFs,
        ['pid.available', { available: limit - used, capacity: limit }],
      ]),
      hasImageFs: nodeStat.dev !== imageStat.dev,
    };
  };
}

async function fileSystem(name: 'nodefs' | 'imagefs', path: string): Promise<[Signal, Observation][]> {
  const { bsize, blocks, bavail, files, ffree } = await statfs(path);
  const found: [Signal, Observation][] = [
    [`${name}.available`, { available: bavail * bsize, capacity: blocks * bsize }],
  ];
  // Some file systems (btrfs) do not count inodes.
  if (files > 0) found.push([`${name}.inodesFree`, { available: ffree, capacity: files }]);
  return found;
}
