/**
 * What a pod uses of what a node may run out of, as ranking, messages and limits read it. Filled by measure.ts.
 */

/** Bytes and inodes on a disk. */
export interface DiskUse {
  bytes: number;
  inodes: number;
}

export interface ContainerUse {
  name: string;
  /** Working set. */
  memoryBytes: number;
  /** Its own layer above the image; nothing tells its inodes. */
  layerBytes: number;
  logs: DiskUse;
}

export interface PodUse {
  /** Working set of the whole pod. */
  memoryBytes: number;
  processes: number;
  containers: readonly ContainerUse[];
  /** Volumes of the pod's own on the node's disk, by name. */
  volumes: ReadonlyMap<string, DiskUse>;
}

/** Which of it is on the file system in question: everything, unless images have one of their own. */
export interface DiskParts {
  layers: boolean;
  logsAndVolumes: boolean;
}

export function diskUse(use: PodUse, parts: DiskParts): DiskUse {
  const total = { bytes: 0, inodes: 0 };
  const add = ({ bytes, inodes }: DiskUse): void => {
    total.bytes += bytes;
    total.inodes += inodes;
  };
  for (const container of use.containers) {
    if (parts.layers) add({ bytes: container.layerBytes, inodes: 0 });
    if (parts.logsAndVolumes) add(container.logs);
  }
  if (parts.logsAndVolumes) for (const volume of use.volumes.values()) add(volume);
  return total;
}
