/**
 * emptyDir volumes: a directory of the pod's own on disk, in memory or on huge pages. It lives as long as the pod: what
 * is there stays as it is, whatever was restarted meanwhile.
 */
import { chmod, mkdir, rename, stat } from 'node:fs/promises';
import { podLimits } from '../../src/api/podresources.js';
import { toBytes } from '../../src/api/quantity.js';
import type { EmptyDirVolumeSource, Pod } from '../../src/api/types.js';
import { ifExists } from '../../src/host/files.js';
import { type Mounter, noSwap } from './mounts.js';
import { groupMode, shareWithGroup } from './ownership.js';
import type { Plug, PlugRequest } from './placement.js';

export interface EmptyDirOptions {
  mounter: Mounter;
  allocatable(): Readonly<Record<string, string>>;
}

const anyoneMay = 0o777;
const ownerMay = 0o755;
const sticky = 0o1000;

export function createEmptyDir({ mounter, allocatable }: EmptyDirOptions): Plug<EmptyDirVolumeSource> {
  /** With the pod's group from the first moment on: a crash leaves no volume that it cannot write to. */
  function mountMedium({ medium = '', sizeLimit }: EmptyDirVolumeSource, { pod, path }: PlugRequest) {
    const group = pod.spec?.securityContext?.fsGroup;
    const accessOf = (mode: number): string[] =>
      group === undefined
        ? [`mode=${mode.toString(8)}`]
        : [`mode=${groupMode(mode, { isDirectory: true, readOnly: false }).toString(8)}`, `gid=${group}`];
    if (medium === 'Memory') {
      const size = memorySize(pod, sizeLimit, allocatable());
      const options = [...accessOf(sticky | anyoneMay), ...noSwap()];
      if (size !== undefined) options.push(`size=${size}`);
      return mounter.mount({ type: 'tmpfs', source: 'tmpfs', path, options });
    }
    const options = [...accessOf(ownerMay), `pagesize=${hugePageSize(pod, medium)}`];
    return mounter.mount({ type: 'hugetlbfs', source: 'nodev', path, options });
  }

  return async (source, request) => {
    const { pod, path } = request;
    const group = pod.spec?.securityContext?.fsGroup;
    if (!(await isDirectory(path))) {
      // Shown under its name only when it is complete: a crash leaves nothing half-made.
      const draft = draftOf(path);
      await mkdir(draft, { recursive: true });
      await chmod(draft, anyoneMay);
      if (group !== undefined) await shareWithGroup(draft, { group, onRootMismatch: false });
      await rename(draft, path);
    }
    if (source.medium && !(await mounter.isFileSystem(path))) await mountMedium(source, request);
    // hugetlbfs takes no set-group-id bit as an option.
    if (source.medium?.startsWith('HugePages') && group !== undefined)
      await shareWithGroup(path, { group, onRootMismatch: true });
    return { hostPath: path, readOnly: false };
  };
}

/** No volume can have this name. */
const draftOf = (path: string): string => `${path}..new`;

/**
 * Bytes a volume in memory may hold: what the pod may use by its limits, else what the node offers to pods; `sizeLimit`
 * when that is less. Undefined leaves it at the kernel's half of the memory. Pure.
 */
export function memorySize(
  pod: Pod,
  sizeLimit: string | undefined,
  allocatable: Readonly<Record<string, string>>,
): number | undefined {
  const ofNode = allocatable['memory'] === undefined ? undefined : toBytes(allocatable['memory']);
  const bounds = [memoryLimit(pod), ofNode, sizeLimit === undefined ? 0 : toBytes(sizeLimit)];
  const known = bounds.filter((bytes) => bytes !== undefined && bytes > 0) as number[];
  return known.length === 0 ? undefined : Math.min(...known);
}

/** A pod is limited as a whole when it says so, or when every container of it is. */
function memoryLimit({ spec }: Pod): number | undefined {
  if (!spec) return undefined;
  const containers = [...spec.containers, ...(spec.initContainers ?? [])];
  const isLimited =
    spec.resources?.limits?.['memory'] !== undefined ||
    containers.every(({ resources }) => resources?.limits?.['memory'] !== undefined);
  return isLimited ? podLimits(spec).memory : undefined;
}

const hugePages = 'hugepages-';

/** Bytes of a page of `HugePages` or `HugePages-<size>`: a container of the pod has to have asked for such. Pure. */
export function hugePageSize({ spec }: Pod, medium: string): number {
  if (medium !== 'HugePages' && !/^HugePages-\w+$/.test(medium))
    throw new Error(`unknown storage medium "${medium}"`);
  const names = [...(spec?.initContainers ?? []), ...(spec?.containers ?? [])].flatMap(({ resources }) =>
    Object.keys({ ...resources?.limits, ...resources?.requests }).filter((name) =>
      name.startsWith(hugePages),
    ),
  );
  const asked = new Set(names.map((name) => toBytes(name.slice(hugePages.length))));
  if (medium === 'HugePages' && asked.size > 1)
    throw new Error(`medium: ${medium} can't be used if container requests multiple huge page sizes`);
  const size = medium === 'HugePages' ? [...asked][0] : toBytes(medium.slice('HugePages-'.length));
  if (size === undefined || !asked.has(size)) {
    throw new Error(
      `medium ${medium}: hugePages storage requested, but there is no resource request for huge pages`,
    );
  }
  return size;
}

const isDirectory = async (path: string): Promise<boolean> =>
  (await ifExists(stat(path)))?.isDirectory() ?? false;
