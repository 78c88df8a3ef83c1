/**
 * Takes a role's own data off the host. Called by `wherry cleanup` and `down --purge` with the directory that the
 * configuration names, which a mistake there may make any directory: so only what a role makes is removed, by its names, and
 * only where a file says that the role has been there. What else there is stays and is told.
 */
import {
  existsSync,
  lstatSync,
  readdirSync,
  realpathSync,
  rmdirSync,
  rmSync,
  statSync,
  unlinkSync,
} from 'node:fs';
import { join } from 'node:path';
import { hasCode } from './files.js';

export interface OwnData {
  /** What the role makes in its directory. `name.*` are files half written. */
  names: readonly string[];
  /** Paths of which one at least is there where the role has run. */
  marks: readonly string[];
}

/** What is in a directory; every empty disk of ext4 has a `lost+found`. */
export const contentOf = (directory: string): string[] =>
  readdirSync(directory).filter((entry) => entry !== 'lost+found');

/** Removes what is the role's; the answer is what was left, nothing when all of it is gone. */
export function removeOwn(path: string, { names, marks }: OwnData): string[] {
  if (!statSync(path, { throwIfNoEntry: false })?.isDirectory()) return [];
  const directory = realpathSync(path);
  const entries = contentOf(directory);
  const isOurs = marks.some((mark) => existsSync(join(directory, mark)));
  if (!isOurs && entries.length > 0) return [directory];
  const isOwn = (entry: string): boolean =>
    names.some((name) => entry === name || entry.startsWith(`${name}.`));
  for (const entry of entries) if (isOwn(entry)) rmSync(join(directory, entry), { recursive: true });
  return entries.filter((entry) => !isOwn(entry)).map((entry) => join(directory, entry));
}

/** The directory if it is empty, and a link that leads to it. One that a disk is mounted on stays, empty. */
export function removeEmpty(path: string): void {
  const found = lstatSync(path, { throwIfNoEntry: false });
  const target = statSync(path, { throwIfNoEntry: false });
  if (target && (!target.isDirectory() || contentOf(path).length > 0)) return;
  try {
    if (target) rmdirSync(realpathSync(path));
  } catch (error) {
    if (!hasCode(error, 'EBUSY', 'ENOTEMPTY')) throw error;
  }
  if (found?.isSymbolicLink()) unlinkSync(path);
}
