/**
 * Opens the sub-path of a volume without ever leaving the volume, whatever links a container puts there meanwhile.
 *
 *   1. links are resolved by name, as far as the path exists: where that leads out of the volume it ends here
 *   2. the way is walked from the root's descriptor, each component relative to the one before, following no link:
 *      what was swapped for a link since step 1 is an error
 *
 * The descriptor that comes out is what gets bound, never a path. Missing directories are made, with the mode of the
 * volume's root: who may write there may write here.
 */
import { constants } from 'node:fs';
import { chmod, type FileHandle, mkdir, open, readlink, realpath } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { hasCode, ifExists } from '../../src/host/files.js';

/** `O_PATH` of Linux, which Node does not name: a handle to name the file by, not to read it. It waits for nothing. */
const O_PATH = 0o10000000;
const step = O_PATH | constants.O_NOFOLLOW;

/** The caller closes the handle. Throws when a component is a symbolic link or not there and not to be made. */
export async function openSubPath(root: string, subPath: string): Promise<FileHandle> {
  if (subPath.startsWith('/')) throw new Error(`error SubPath \`${subPath}\` must not be an absolute path`);
  if (subPath.split('/').includes('..'))
    throw new Error(`unable to provision SubPath \`${subPath}\`: must not contain '..'`);
  // The root is the agent's own (or the hostPath that the pod asks for): its links are trusted.
  let handle = await open(root, O_PATH | constants.O_DIRECTORY);
  try {
    // Of the directory that was opened, wherever its name leads by now.
    const base = await readlink(pathOf(handle));
    const mode = (await handle.stat()).mode & 0o7777;
    for (const part of await resolveWithin(base, subPath)) {
      const next = await openOrMake(`${pathOf(handle)}/${part}`, mode);
      await handle.close();
      handle = next;
      if ((await handle.stat()).isSymbolicLink())
        throw new Error(`subPath leads over a symbolic link: ${subPath}`);
    }
    return handle;
  } catch (error) {
    await handle.close();
    throw error;
  }
}

const pathOf = (handle: FileHandle): string => `/proc/self/fd/${handle.fd}`;

/** The components below `base`, without links as far as they exist (a configMap's files are links). */
async function resolveWithin(base: string, subPath: string): Promise<string[]> {
  const parts = subPath.split('/').filter((part) => part !== '' && part !== '.');
  const missing: string[] = [];
  for (;;) {
    const found = await ifExists(realpath(join(base, ...parts)));
    if (found === undefined) {
      // The base itself was removed meanwhile: nothing is left to make anything in.
      const last = parts.pop();
      if (last === undefined) throw new Error(`the volume of subPath ${subPath} is gone`);
      missing.unshift(last);
      continue;
    }
    const path = relative(base, found);
    if (path === '..' || path.startsWith('../'))
      throw new Error(`subPath leads out of the volume: ${subPath}`);
    return [...path.split('/').filter((part) => part !== ''), ...missing];
  }
}

async function openOrMake(path: string, mode: number): Promise<FileHandle> {
  try {
    return await open(path, step);
  } catch (error) {
    if (!hasCode(error, 'ENOENT')) throw error;
  }
  const isMade = await make(path, mode);
  const handle = await open(path, step);
  try {
    // Through the descriptor: the name may be somebody's link by now. What is no directory was not made here.
    if (isMade && (await handle.stat()).isDirectory()) await chmod(pathOf(handle), mode);
    return handle;
  } catch (error) {
    await handle.close();
    throw error;
  }
}

/** False when somebody else made it first. */
async function make(path: string, mode: number): Promise<boolean> {
  try {
    await mkdir(path, { mode: mode & 0o777 });
    return true;
  } catch (error) {
    if (hasCode(error, 'EEXIST')) return false;
    throw error;
  }
}
