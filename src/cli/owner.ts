/**
 * Whose the store is: commands that root runs on the store of a master that is not root leave files that it could not open
 * any more. Called by `main.ts` before each command that takes a data directory; what lies in the store goes back to the
 * owner of its directory when the command ends.
 */
import { existsSync, lchownSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';

/** Does nothing where this is not root, or the store is root's. */
export function keepOwner(dataDir: string): void {
  const store = join(dataDir, 'master', 'store');
  if (process.geteuid?.() !== 0 || !existsSync(store)) return;
  const { uid, gid } = statSync(store);
  if (uid === 0) return;
  process.once('exit', () => {
    for (const name of readdirSync(store)) lchownSync(join(store, name), uid, gid);
  });
}
