/**
 * Limits of local ephemeral storage: of a container (its layer and logs), of a pod (everything of it on the node's disk)
 * and of an emptyDir. Pure; rules as documented ("Local ephemeral storage"). What is over one is evicted.
 */
import { podLimits } from '../../src/api/podresources.js';
import { fromBytes, toBytes } from '../../src/api/quantity.js';
import type { Pod, Volume } from '../../src/api/types.js';
import { containerStorageMessage, emptyDirMessage, podStorageMessage } from './messages.js';
import { type DiskParts, diskUse, type PodUse } from './usage.js';

const resource = 'ephemeral-storage';

const isOnDisk = ({ emptyDir }: Volume): boolean => emptyDir !== undefined && !emptyDir.medium;

/** The volumes whose files count as the pod's own use of the node's disk. */
export const localVolumes = (pod: Pod): Volume[] =>
  (pod.spec?.volumes ?? []).filter(
    (volume) => isOnDisk(volume) || volume.configMap !== undefined || volume.downwardAPI !== undefined,
  );

const limitedVolumes = (pod: Pod): Volume[] =>
  (pod.spec?.volumes ?? []).filter(
    (volume) => isOnDisk(volume) && toBytes(volume.emptyDir?.sizeLimit ?? '0') > 0,
  );

const storageLimitOf = (pod: Pod): number => podLimits(pod.spec ?? { containers: [] }).ephemeralStorage;

/** Only such pods are measured. */
export const hasStorageLimit = (pod: Pod): boolean =>
  storageLimitOf(pod) > 0 || limitedVolumes(pod).length > 0;

/** What an eviction for the first limit that is exceeded says; undefined while all are kept. */
export function exceededLimit(pod: Pod, use: PodUse, parts: DiskParts): string | undefined {
  for (const { name, emptyDir } of limitedVolumes(pod)) {
    const limit = emptyDir?.sizeLimit ?? '0';
    if ((use.volumes.get(name)?.bytes ?? 0) > toBytes(limit)) return emptyDirMessage(name, limit);
  }
  const limit = storageLimitOf(pod);
  if (limit > 0 && diskUse(use, parts).bytes > limit) return podStorageMessage(fromBytes(limit));
  for (const { name, resources } of pod.spec?.containers ?? []) {
    const own = resources?.limits?.[resource];
    const used = use.containers.find((container) => container.name === name);
    if (own === undefined || toBytes(own) === 0 || !used) continue;
    const bytes = used.logs.bytes + (parts.layers ? used.layerBytes : 0);
    if (bytes > toBytes(own)) return containerStorageMessage(name, own);
  }
  return undefined;
}
