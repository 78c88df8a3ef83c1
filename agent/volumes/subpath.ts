/**
 * Opens the sub-path of a volume without ever leaving the volume, whatever links a container put there meanwhile.
 *
 * Each component is opened relative to the descriptor of its parent and without following links; the descriptor that
 * comes out is what gets bound, never a path. Missing directories are made, as Kubernetes does.
 */
import { constants } from 'node:fs';
import { type FileHandle, mkdir, open, realpath } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { hasCode } from '../../src/host/files.js';

/** `O_PATH` of Linux, which Node does not name: a handle to name the file by, not to read it. */
const O_PATH = 0o10000000;
const step = O_PATH | constants.O_NOFOLLOW;

/** The caller closes the handle. Throws when a component is a symbolic link or not there and not to be made. */
export async function openSubPath(root: string, subPath: string): Promise<FileHandle> {
  if (subPath.startsWith('/') || subPath.split('/').includes('..')) {
    throw new Error(`subPath must be a relative path that does not contain '..': ${subPath}`);
  }
  const parts = (await resolveWithin(root, subPath)).split('/').filter((part) => part !== '' && part !== '.');
  // The root is the agent's own (or the hostPath that the pod asks for): its links are trusted.
  let handle = await open(root, O_PATH);
  for (const part of parts) {
    const parent = `/proc/self/fd/${handle.fd}`;
    try {
      const next = await openOrMake(`${parent}/${part}`);
      await handle.close();
      handle = next;
      const { isLink } = await kindOf(handle);
      if (isLink) throw new Error(`subPath leads over a symbolic link: ${subPath}`);
    } catch (error) {
      await handle.close();
      throw error;
    }
  }
  return handle;
}

/** The path relative to the root with links resolved (a configMap's files are links); outside of the root: an error. */
async function resolveWithin(root: string, subPath: string): Promise<string> {
  try {
    const path = relative(await realpath(root), await realpath(join(root, subPath)));
    if (path === '..' || path.startsWith('../'))
      throw new Error(`subPath leads out of the volume: ${subPath}`);
    return path;
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return subPath;
    throw error;
  }
}

async function openOrMake(path: string): Promise<FileHandle> {
  try {
    return await open(path, step);
  } catch (error) {
    if (!hasCode(error, 'ENOENT')) throw error;
    await mkdir(path, { mode: 0o750 }).catch((failure: unknown) => {
      if (!hasCode(failure, 'EEXIST')) throw failure;
    });
    return open(path, step);
  }
}

async function kindOf(handle: FileHandle): Promise<{ isLink: boolean }> {
  return { isLink: (await handle.stat()).isSymbolicLink() };
}
