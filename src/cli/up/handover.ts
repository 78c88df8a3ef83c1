/**
 * Gives the master's files to the user that it runs as. Called by `account.ts` at each `up`, as root, in directories of which
 * some are that user's by then: a link it put there must not lead root to a file of somebody else.
 */
import {
  chmodSync,
  chownSync,
  lchownSync,
  lstatSync,
  mkdirSync,
  readlinkSync,
  realpathSync,
  statSync,
} from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { contentOf } from '../../host/removal.js';

export interface Account {
  uid: number;
  gid: number;
}

/**
 * Where the files are: the directory, or what a link leads to that an administrator put in its place. Everything up to there
 * has to be root's, so that nobody can lead root elsewhere, now or at the next `up`; and what is given away has to be the
 * master's already, or hold nothing but `names`. Throws with what is not so.
 */
export function followLink(path: string, { uid }: Account, names: readonly string[]): string {
  const link = lstatSync(path, { throwIfNoEntry: false });
  if (!link?.isSymbolicLink()) return path;
  const place = join(realpathSync(dirname(path)), basename(path));
  const target = resolve(dirname(place), readlinkSync(place));
  const refuse = (why: string): Error => new Error(`${path} is a link to ${target}: ${why}`);
  const found = statSync(target, { throwIfNoEntry: false });
  if (!found) throw refuse(`that is not there; mount or make it, or remove the link`);
  if (!found.isDirectory()) throw refuse('that is no directory');
  if (realpathSync(target) !== target) throw refuse(`link to ${realpathSync(target)} itself`);
  for (const directory of [...above(place), ...above(target)]) {
    const { uid: owner, mode } = statSync(directory);
    if (owner !== 0) throw refuse(`${directory} belongs to user ${owner}, who could replace it`);
    if ((mode & 0o022) !== 0 && (mode & 0o1000) === 0)
      throw refuse(`others could replace it; run: chmod go-w ${directory}`);
  }
  for (const { uid: owner } of [link, found])
    if (owner !== 0 && owner !== uid)
      throw refuse(`it belongs to user ${owner}; run: chown -h 0 ${path} ${target}`);
  const strange = contentOf(target).find((entry) => !names.includes(entry));
  if (found.uid === 0 && strange !== undefined)
    throw refuse(`${strange} in it is not the master's; give it a directory of its own`);
  return target;
}

/** All directories above it. */
const above = (path: string): string[] =>
  path === dirname(path) ? [] : [dirname(path), ...above(dirname(path))];

/** The directory with all that is in it; made when it is missing. */
export function giveTree(directory: string, account: Account): void {
  const found = lstatSync(directory, { throwIfNoEntry: false });
  if (!found) {
    mkdirSync(dirname(directory), { recursive: true, mode: 0o755 });
    mkdirSync(directory, { mode: 0o700 });
  }
  if (found?.isDirectory() && found.uid !== account.uid) chmodSync(directory, 0o700);
  // Once it is the user's, root must not walk there: the user could lead it elsewhere.
  if (found?.uid !== account.uid) give(directory, account);
}

/** The top last: until then it is root's. */
function give(path: string, account: Account): void {
  if (lstatSync(path).isDirectory()) for (const entry of contentOf(path)) give(join(path, entry), account);
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
