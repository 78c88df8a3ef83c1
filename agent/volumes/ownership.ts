/**
 * `fsGroup`: makes the files of a volume belong to the group of the pod, with the modes that Kubernetes documents.
 * Never called for hostPath and network shares, whose files are not the pod's.
 *
 * Links are neither followed nor changed, so nothing outside of the volume is reached. Mounts below are left alone.
 */
import { chmod, lchown, lstat, opendir } from 'node:fs/promises';
import { join } from 'node:path';

const setGroupId = 0o2000;
const groupMay = { readWrite: 0o660, read: 0o440, enter: 0o110 };

/** The mode that a file or directory with `mode` has once the group may use it. Pure. */
export const groupMode = (mode: number, how: { isDirectory: boolean; readOnly: boolean }): number =>
  (mode & 0o7777) |
  (how.readOnly ? groupMay.read : groupMay.readWrite) |
  (how.isDirectory ? groupMay.enter | setGroupId : 0);

export interface GroupOwnership {
  group: number;
  /** `fsGroupChangePolicy: OnRootMismatch`: nothing is done when the root of the volume is right already. */
  onRootMismatch: boolean;
}

/** The root changes last: an interrupted change is begun anew. */
export async function shareWithGroup(root: string, { group, onRootMismatch }: GroupOwnership): Promise<void> {
  const { dev, gid, mode } = await lstat(root);
  const wanted = groupMode(mode, { isDirectory: true, readOnly: false });
  if (onRootMismatch && gid === group && (mode & 0o7777) === wanted) return;
  await share(root, group, dev);
}

async function share(path: string, group: number, device: number): Promise<void> {
  const { dev, uid, gid, mode, isLink, isDirectory } = await look(path);
  if (isLink || dev !== device) return;
  if (isDirectory) {
    for await (const entry of await opendir(path)) await share(join(path, entry.name), group, device);
  }
  if (gid !== group) await lchown(path, uid, group);
  const wanted = groupMode(mode, { isDirectory, readOnly: false });
  // A change of owner may have taken the set-group-id bit away.
  if (gid !== group || (mode & 0o7777) !== wanted) await chmod(path, wanted);
}

async function look(path: string) {
  const found = await lstat(path);
  const { dev, uid, gid, mode } = found;
  return { dev, uid, gid, mode, isLink: found.isSymbolicLink(), isDirectory: found.isDirectory() };
}
