/**
 * Gives back what pods left that nobody knows any more: directories with their mounts, cgroups, addresses. A crash
 * between the last container and the last directory leaves such things. Run at the start and every few minutes.
 */
import { namesIn } from '../../src/host/files.js';
import type { PodNetwork } from '../network/network.js';
import type { PodCgroups, PodVolumes } from './needs.js';
import type { PodRecord } from './record.js';

export interface GarbageOptions {
  podsDirectory: string;
  records: ReadonlyMap<string, PodRecord>;
  /** Whether the API has the pod, for this node. */
  hasObject(uid: string): boolean;
  volumes: PodVolumes;
  cgroups: PodCgroups;
  network: PodNetwork;
  removePodDirectory(uid: string): Promise<void>;
}

export async function collectGarbage(options: GarbageOptions): Promise<void> {
  const { records, network } = options;
  const isUnknown = (uid: string): boolean => !records.has(uid) && !options.hasObject(uid);
  const found = new Set([...(await namesIn(options.podsDirectory)), ...(await options.cgroups.listPods())]);
  for (const uid of found) {
    if (isUnknown(uid)) await giveBack(uid, options);
  }
  await network.collectGarbage(
    new Set([...records.values()].flatMap((record) => [...record.sandboxes.keys()])),
  );
}

/** Volumes, files and cgroup of a pod in which nothing runs any more. Idempotent. */
export async function giveBack(
  uid: string,
  {
    volumes,
    removePodDirectory,
    cgroups,
  }: Pick<GarbageOptions, 'volumes' | 'removePodDirectory' | 'cgroups'>,
): Promise<void> {
  await volumes.tearDown(uid);
  await removePodDirectory(uid);
  await cgroups.removePod(uid);
}
