/**
 * Whether files are as private as what is in them. Asked by whoever reads a key, a token or a kubeconfig, and at the start
 * for directories that hold them: one that others can read or replace is a secret no more, so the start is refused. Every
 * refusal names the file, what is wrong with it and the command that mends it.
 */
import { type Stats, statSync } from 'node:fs';
import { dirname } from 'node:path';

/** Throws when group or others may touch the file, or when it belongs to somebody else. */
export function checkPrivate(path: string): void {
  checkOwner(path, statSync(path));
  checkUnread(path);
}

/** Throws when group or others may touch the file, whoever's it is. */
export function checkUnread(path: string): void {
  const stats = statSync(path);
  if ((stats.mode & 0o077) !== 0)
    throw new Error(`${path} has mode ${modeOf(stats)}, others may touch it; run: chmod 600 ${path}`);
}

/** Throws when others may write the file, as whoever writes it decides what we do. Its group may read it. */
export function checkTrusted(path: string): void {
  const stats = statSync(path);
  checkOwner(path, stats);
  if ((stats.mode & 0o022) !== 0)
    throw new Error(`${path} has mode ${modeOf(stats)}, others may write it; run: chmod go-w ${path}`);
}

/** Throws when others may put files into the directory, or take some away. With the sticky bit they can do neither. */
export function checkDirectory(path: string): void {
  const stats = statSync(path);
  checkOwner(path, stats);
  if ((stats.mode & 0o022) !== 0 && (stats.mode & 0o1000) === 0)
    throw new Error(
      `${path} has mode ${modeOf(stats)}, others may replace what is in it; run: chmod go-w ${path}`,
    );
}

/** Ours or root's. Root also reads what belongs to the user of the directory: that is how it looks after the master's files. */
function checkOwner(path: string, { uid }: Stats): void {
  const own = process.geteuid?.() ?? 0;
  if (uid === own || uid === 0) return;
  if (own === 0 && uid === statSync(dirname(path)).uid) return;
  if (own === 0 && statSync(path).isDirectory()) return;
  throw new Error(`${path} belongs to user ${uid}, and user ${own} runs this; run: chown ${own} ${path}`);
}

const modeOf = ({ mode }: Stats): string => (mode & 0o7777).toString(8);
