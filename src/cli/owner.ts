/**
 * Root in the directories of a master that is not root. Called by the commands that write there, `store` and `secrets`:
 * they do it with the rights of the master's user, so that nothing is left that the master could not open, and a link that
 * its user put in the way leads nowhere where that user could not go. Not for two calls at a time: a process has one user.
 */
import { statSync } from 'node:fs';

/**
 * Runs it with the rights of the directory's owner if this is root and the owner somebody else. The directory lies in one
 * of root's. Code has to be loaded before: where the program lies the owner may not be able to read it.
 */
export async function asOwnerOf<T>(directory: string, run: () => Promise<T>): Promise<T> {
  const owner = process.geteuid?.() === 0 ? statSync(directory, { throwIfNoEntry: false }) : undefined;
  if (!owner || owner.uid === 0) return run();
  const [group, groups] = [process.getegid?.() ?? 0, process.getgroups?.() ?? []];
  process.setgroups?.([owner.gid]);
  process.setegid?.(owner.gid);
  process.seteuid?.(owner.uid);
  try {
    return await run();
  } finally {
    process.seteuid?.(0);
    process.setegid?.(group);
    process.setgroups?.(groups);
  }
}
