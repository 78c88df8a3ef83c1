/**
 * Local PersistentVolumes: a directory of this node, used where it is; or a block device, whose file system (made when
 * there is none) is mounted for each pod, or which is handed to containers as it is (`volumeMode: Block`).
 */
import { mkdir, stat } from 'node:fs/promises';
import type { LocalVolumeSource } from '../../src/api/types.js';
import { type Exec, ExecError } from '../../src/host/exec.js';
import { hasCode } from '../../src/host/files.js';
import type { Mounter } from './mounts.js';
import type { Placement, Plug, PlugRequest } from './placement.js';

export interface LocalVolume extends LocalVolumeSource {
  mountOptions?: readonly string[] | undefined;
  isBlock: boolean;
}

const defaultFileSystem = 'ext4';
/** Making a file system writes all over the device. */
const formatTimeoutMs = 30 * 60_000;

export function createLocal({ mounter, exec }: { mounter: Mounter; exec: Exec }): Plug<LocalVolume> {
  const turns = new Map<string, Promise<unknown>>();

  async function format(device: string, type: string): Promise<void> {
    const args = type.startsWith('ext') ? ['-F', '-m0', device] : [device];
    const result = await exec(`mkfs.${type}`, args, { timeoutMs: formatTimeoutMs });
    if (result.code !== 0) throw new ExecError(`mkfs.${type}`, args, result);
  }

  /** Two pods that come together must not both find the device empty. */
  function inTurn(device: string, work: () => Promise<void>): Promise<void> {
    const turn = (turns.get(device) ?? Promise.resolve()).then(work, work);
    const settled = turn
      .catch(() => undefined)
      .finally(() => {
        if (turns.get(device) === settled) turns.delete(device);
      });
    turns.set(device, settled);
    return turn;
  }

  async function mountDevice(
    {
      device,
      fsType,
      mountOptions,
    }: { device: string; fsType: string | undefined; mountOptions: readonly string[] },
    { path, readOnly }: PlugRequest,
  ): Promise<void> {
    if (await mounter.isMounted(path)) return;
    const present = await fileSystemOn(exec, device);
    if (present === undefined && readOnly)
      throw new Error(`cannot mount unformatted disk ${device} as we are manipulating it in read-only mode`);
    if (present === undefined) await format(device, fsType || defaultFileSystem);
    await mkdir(path, { recursive: true, mode: 0o750 });
    const type = fsType || present || defaultFileSystem;
    await mounter.mount({ type, source: device, path, options: mountOptions });
  }

  return async ({ path, fsType, mountOptions = [], isBlock }, request): Promise<Placement> => {
    const { readOnly } = request;
    if (!path.startsWith('/') || path.split('/').includes('..'))
      throw new Error(`invalid path: ${path}: must be absolute and not contain '..'`);
    if (fsType && !/^[a-z0-9]+$/.test(fsType)) throw new Error(`invalid fsType: ${fsType}`);
    const found = await stat(path).catch((error: unknown) => {
      throw hasCode(error, 'ENOENT') ? new Error(`path "${path}" does not exist`, { cause: error }) : error;
    });
    if (isBlock) {
      if (!found.isBlockDevice())
        throw new Error(`local volume ${path} has volumeMode Block and is no block device`);
      return { hostPath: path, readOnly, isDevice: true };
    }
    if (found.isDirectory()) {
      if (mountOptions.length === 0) return { hostPath: path, readOnly };
      if (!(await mounter.isMounted(request.path))) {
        await mkdir(request.path, { recursive: true, mode: 0o750 });
        await mounter.bind(path, request.path);
      }
      // The kernel takes them only now; an earlier life may have ended in between.
      await mounter.remount(request.path, mountOptions);
      return { hostPath: request.path, readOnly };
    }
    if (!found.isBlockDevice()) throw new Error('only directory and block device are supported');
    await inTurn(path, () => mountDevice({ device: path, fsType, mountOptions }, request));
    // Only here: another pod may have the same device writable.
    if (readOnly) await mounter.remount(request.path, ['ro']);
    return { hostPath: request.path, readOnly };
  };
}

/** Its type; undefined for a device that is surely empty. Rejects when there is anything else on it. */
async function fileSystemOn(exec: Exec, device: string): Promise<string | undefined> {
  const args = ['--probe', '--match-tag', 'TYPE', '--match-tag', 'PTTYPE', '--output', 'export', device];
  const { code, stdout, stderr } = await exec('blkid', args);
  // 2: nothing was found (blkid(8)).
  if (code === 2 && stdout.trim() === '' && stderr.trim() === '') return undefined;
  if (code !== 0) throw new ExecError('blkid', args, { code, stdout, stderr });
  const type = /^TYPE=(.+)$/m.exec(stdout)?.[1];
  if (!type) throw new Error(`device ${device} has no file system but something else on it: it is not used`);
  return type;
}
