/**
 * Gives the master's files to the user that it runs as. Called by `account.ts` at each `up`, as root, in directories of which
 * some are that user's by then: a link it put there must not lead root to a file of somebody else.
 */
import { chmodSync, chownSync, lchownSync, lstatSync, mkdirSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';

export interface Account {
  uid: number;
  gid: number;
}

/** The directory with all that is in it; made when it is missing. */
export function giveTree(directory: string, account: Account): void {
  const found = lstatSync(directory, { throwIfNoEntry: false });
  if (!found) {
    mkdirSync(dirname(directory), { recursive: true, mode: 0o755 });
    mkdirSync(directory, { mode: 0o700 });
  }
  // Once it is the user's, root must not walk there: the user could lead it elsewhere.
  if (found?.uid !== account.uid) give(directory, account);
}

/** The top last: until then it is root's. */
function give(path: string, account: Account): void {
  if (lstatSync(path).isDirectory()) for (const entry of readdirSync(path)) give(join(path, entry), account);
  lchownSync(path, account.uid, account.gid);
}

/** The user may put files into the directory; what is root's in a sticky one it cannot touch. */
export function shareDirectory(directory: string, { gid }: Account): void {
  mkdirSync(directory, { recursive: true });
  chownSync(directory, 0, gid);
  chmodSync(directory, 0o1775);
}

/** A file of root's that the user may read. Throws when it is not root's: then anybody could have put it there. */
export function letRead(file: string, { gid }: Account): void {
  const { uid } = lstatSync(file);
  if (uid !== 0)
    throw new Error(`${file} belongs to user ${uid}; look what it is, then run: chown -h 0 ${file}`);
  chownSync(file, 0, gid);
  chmodSync(file, 0o640);
}

/** One file, if there is one; of a link the link. */
export function giveFile(file: string, { uid, gid }: Account): void {
  if (lstatSync(file, { throwIfNoEntry: false })) lchownSync(file, uid, gid);
}
