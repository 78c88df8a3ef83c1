/**
 * Where the cgroups of pods are, and what they are called, for both drivers. Pure. Called by manager.ts, tree.ts and
 * slices.ts.
 *
 *   cgroupfs   /kubepods/burstable/pod<uid>
 *   systemd    kubepods-burstable-pod<uid with _ for ->.slice   (a dash nests slices)
 *
 * Guaranteed pods live directly under the root, as with kubelet.
 */
import type { QosClass } from '../../src/api/qos.js';

export type CgroupDriver = 'cgroupfs' | 'systemd';

/** Names from the root down: `['kubepods', 'burstable', 'pod1-2']`. */
export type CgroupName = readonly string[];

/** `kubepods` or `prefix/kubepods`, from the flag `--cgroup-root`. Throws on what no cgroup can be called. */
export function parseRoot(text: string): CgroupName {
  const parts = text.split('/').filter(Boolean);
  if (parts.length === 0 || parts.some((part) => !/^\w[\w.-]*$/.test(part))) {
    throw new Error(`cgroup root ${JSON.stringify(text)} is not a path of plain names`);
  }
  return parts;
}

export const qosCgroup = (root: CgroupName, qos: 'Burstable' | 'BestEffort'): CgroupName => [
  ...root,
  qos.toLowerCase(),
];

export const podCgroup = (root: CgroupName, qos: QosClass, uid: string): CgroupName => [
  ...(qos === 'Guaranteed' ? root : qosCgroup(root, qos)),
  `pod${uid}`,
];

/** What the runtime wants as a container's parent. */
export const cgroupParent = (name: CgroupName, driver: CgroupDriver): string =>
  driver === 'cgroupfs' ? `/${name.join('/')}` : sliceName(name);

const escapePart = (part: string): string => part.replaceAll('-', '_');

/** `kubepods-burstable-podab_cd.slice` */
export const sliceName = (name: CgroupName): string => `${name.map(escapePart).join('-')}.slice`;

/** The directory of a cgroup below the mount point. */
export const directoryOf = (name: CgroupName, driver: CgroupDriver): string =>
  driver === 'cgroupfs'
    ? name.join('/')
    : name.map((_, index) => sliceName(name.slice(0, index + 1))).join('/');

/** The uid in the name of a pod's directory; `undefined` for any other directory. */
export function uidOfDirectory(name: string, driver: CgroupDriver): string | undefined {
  if (driver === 'cgroupfs') return /^pod(.+)$/.exec(name)?.[1];
  return /-pod([^-]+)\.slice$/.exec(name)?.[1]?.replaceAll('_', '-');
}
