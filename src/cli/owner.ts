/** Working in a directory of a master that is not root: what root writes there, the master could not open any more. */
import { stat } from 'node:fs/promises';

/** Runs it with the rights of the directory's owner, if this is root and the owner somebody else. */
export async function asOwnerOf<T>(directory: string, run: () => Promise<T>): Promise<T> {
  const { uid, gid } = await stat(directory);
  if (process.geteuid?.() !== 0 || uid === 0) return run();
  process.setegid?.(gid);
  process.seteuid?.(uid);
  try {
    return await run();
  } finally {
    process.seteuid?.(0);
    process.setegid?.(0);
  }
}
