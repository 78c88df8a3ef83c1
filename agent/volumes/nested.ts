/**
 * Which volumes of a pod its containers use, and where mounts lie within mounts. Pure.
 */
import { posix } from 'node:path';
import type { Container, Pod } from '../../src/api/types.js';

export interface VolumeUse {
  mounts: ReadonlySet<string>;
  devices: ReadonlySet<string>;
}

const containersOf = ({ spec }: Pod): Pick<Container, 'volumeMounts' | 'volumeDevices'>[] => [
  ...(spec?.initContainers ?? []),
  ...(spec?.containers ?? []),
  ...(spec?.ephemeralContainers ?? []),
];

/** Names of volumes; what no container uses is not made. */
export function volumesInUse(pod: Pod): VolumeUse {
  const containers = containersOf(pod);
  return {
    mounts: new Set(containers.flatMap(({ volumeMounts = [] }) => volumeMounts.map(({ name }) => name))),
    devices: new Set(containers.flatMap(({ volumeDevices = [] }) => volumeDevices.map(({ name }) => name))),
  };
}

/**
 * Directories that a volume needs within it because a container mounts something else there: a runtime cannot make
 * them in what it has mounted read-only. Relative, without `..`, outermost ones only.
 */
export function mountPointsWithin(pod: Pod, volume: string): string[] {
  const found = containersOf(pod).flatMap(({ volumeMounts = [] }) => {
    const points = volumeMounts.map(({ mountPath }) => posix.normalize(`/${mountPath}`).replace(/\/+$/, ''));
    const own = volumeMounts.flatMap((mount, index) =>
      mount.name === volume && !mount.subPath && !mount.subPathExpr ? [points[index] ?? ''] : [],
    );
    return own.flatMap((root) =>
      points.flatMap((point) => (point.startsWith(`${root}/`) ? [point.slice(root.length + 1)] : [])),
    );
  });
  const all = [...new Set(found)].sort();
  return all.filter((path) => !all.some((other) => other !== path && path.startsWith(`${other}/`)));
}
