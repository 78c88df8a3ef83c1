/**
 * The files that must not touch the disk, of all pods: a directory for each on one tmpfs of the agent. It is mounted
 * with the first pod that needs it, found again by the next process, and unmounted when the agent is taken off the host.
 */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type Mounter, noSwap } from './mounts.js';
import { removeOwnFiles } from './removal.js';

export interface MemoryDirectory {
  /** The directory of a pod; its volumes are made in it. `uid` is a safe name. */
  of(uid: string): Promise<string>;
  /** Idempotent. */
  remove(uid: string): Promise<void>;
}

/** `<data-dir>/agent/memory`, beside the pods. */
export const memoryDirectoryOf = (podsDirectory: string): string => join(podsDirectory, '..', 'memory');

export function createMemoryDirectory(path: string, mounter: Mounter): MemoryDirectory {
  let mounted: Promise<void> | undefined;

  async function mount(): Promise<void> {
    await mkdir(path, { recursive: true, mode: 0o750 });
    if (await mounter.isFileSystem(path)) return;
    const options = ['nosuid', 'nodev', 'mode=750', ...noSwap()];
    await mounter.mount({ type: 'tmpfs', source: 'tmpfs', path, options });
  }

  return {
    async of(uid) {
      mounted ??= mount().catch((error: unknown) => {
        mounted = undefined;
        throw error;
      });
      await mounted;
      return join(path, uid);
    },
    remove: (uid) => removeOwnFiles(join(path, uid)),
  };
}
