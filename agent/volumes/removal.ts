/**
 * Removes a directory tree of ours without ever leaving its file system. Called by `mounts.ts` once everything below
 * is unmounted: should something be mounted there all the same, its content is refused, not removed.
 */
import { lstat, opendir, rmdir, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { hasCode, ifExists } from '../../src/host/files.js';

/** Idempotent. Links are removed, never followed. Rejects when another file system is below, with its path. */
export async function removeOwnFiles(path: string): Promise<void> {
  const root = await ifExists(lstat(path));
  if (root) await remove(path, root.isDirectory(), root.dev);
}

async function remove(path: string, isDirectory: boolean, device: number): Promise<void> {
  if (!isDirectory && (await unlinked(path))) return;
  const found = await ifExists(lstat(path));
  if (!found) return;
  if (found.dev !== device)
    throw new Error(`${path} is on another file system: it is not removed before it is unmounted`);
  // Read as it goes: an emptyDir may hold more names than memory should.
  for await (const entry of await opendir(path)) {
    await remove(join(path, entry.name), entry.isDirectory(), device);
  }
  await ifExists(rmdir(path));
}

/** False for a directory; not every file system tells in a listing what is one. */
async function unlinked(path: string): Promise<boolean> {
  try {
    await ifExists(unlink(path));
    return true;
  } catch (error) {
    if (hasCode(error, 'EISDIR')) return false;
    throw error;
  }
}
