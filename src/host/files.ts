/**
 * Files that survive a crash: written whole or not at all, with the mode they were asked for, and a lock against a
 * second process. Used by the store's tools, the master's PKI and the agent's credentials.
 *
 * Invariants: after `writeAtomic` resolved, the content is on disk under its name, also after power loss; a reader
 * never sees half a file. A lock dies with its process, also after kill -9 and reboot (the pid alone would not tell).
 */
import { randomUUID } from 'node:crypto';
import { type FileHandle, link, mkdir, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { type Component, healthyNow } from './component.js';
import { checkDirectory, checkPrivate } from './private.js';

/** True when `error` is a system error with one of these codes (`ENOENT`...). */
export const hasCode = (error: unknown, ...codes: string[]): boolean =>
  error instanceof Error && 'code' in error && codes.includes(String(error.code));

/** Creates the directory and its parents; the last one gets `mode`. What exists is left as it is. */
export async function ensureDirectory(path: string, mode: number): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await mkdir(path, { mode }).catch((error: unknown) => {
    if (!hasCode(error, 'EEXIST')) throw error;
  });
}

/** The same for what holds secrets; throws when others may replace what is in it, or the directory itself. */
export async function ensurePrivateDirectory(path: string): Promise<void> {
  await ensureDirectory(path, 0o700);
  checkDirectory(dirname(path));
  checkDirectory(path);
}

/** Replaces the file in one step: temporary file, fsync, rename, fsync of the directory. `mode` is not cut by the umask. */
export async function writeAtomic(path: string, data: string | Uint8Array, mode: number): Promise<void> {
  const temporary = `${path}.${randomUUID()}.tmp`;
  try {
    await writeSynced(temporary, data, mode);
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  await syncDirectory(dirname(path));
}

/** `undefined` when there is no such file or directory; rejects with everything else. */
export async function ifExists<T>(call: Promise<T>): Promise<T | undefined> {
  try {
    return await call;
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined;
    throw error;
  }
}

/** Errors name the file. */
export async function readIfExists(path: string): Promise<Buffer | undefined> {
  try {
    return await ifExists(readFile(path));
  } catch (error) {
    // The only one that Node reports without the path.
    if (hasCode(error, 'EISDIR')) throw new Error(`${path} is a directory`, { cause: error });
    throw error;
  }
}

/** What is in a directory; nothing when there is none. */
export const namesIn = async (directory: string): Promise<string[]> =>
  (await ifExists(readdir(directory))) ?? [];

/** Throws when group or others may touch the file: a secret that others can read is none. Or when it is not ours. */
export const requirePrivate = async (path: string): Promise<void> => checkPrivate(path);

/** Somebody alive holds the lock. */
export class LockHeld extends Error {
  override readonly name = 'LockHeld';
}

/**
 * Takes the lock file or throws `LockHeld`. The returned function gives it back. What a dead process left is taken
 * over: the file names boot, pid and start time of its holder.
 */
export async function acquireLock(path: string): Promise<() => Promise<void>> {
  const mine = await identity(process.pid);
  const temporary = `${path}.${randomUUID()}.tmp`;
  await writeSynced(temporary, mine, 0o600);
  try {
    for (let attempt = 0; attempt < 3; attempt += 1) {
      if (await linkIfFree(temporary, path)) return () => rm(path, { force: true });
      await removeStale(path);
    }
  } finally {
    await rm(temporary, { force: true });
  }
  throw new LockHeld(`${path}: several processes fight for this lock`);
}

async function linkIfFree(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to);
    return true;
  } catch (error) {
    if (hasCode(error, 'EEXIST')) return false;
    throw error;
  }
}

/** Moves a dead holder's file away. If another process took it over in between, its file is put back. */
async function removeStale(path: string): Promise<void> {
  const found = (await readIfExists(path))?.toString();
  if (found === undefined) return;
  const pid = Number(found.split(' ')[1]);
  if (Number.isInteger(pid) && (await isAlive(pid, found)))
    throw new LockHeld(`${path} is held by process ${pid}`);
  const aside = `${path}.${randomUUID()}.stale`;
  try {
    await rename(path, aside);
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return;
    throw error;
  }
  if ((await readFile(aside, 'utf8')) !== found) await linkIfFree(aside, path);
  await rm(aside, { force: true });
}

async function isAlive(pid: number, recorded: string): Promise<boolean> {
  try {
    return (await identity(pid)) === recorded;
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ESRCH')) return false;
    throw error;
  }
}

/** `<boot id> <pid> <start time in ticks>`: no two processes ever share it. A zombie holds nothing any more: `ESRCH`. */
async function identity(pid: number): Promise<string> {
  const boot = (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim();
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
  // The command name may hold spaces and brackets; fields are counted behind its last bracket (proc(5): 22 is starttime).
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  if (fields[0] === 'Z') throw Object.assign(new Error(`process ${pid} has ended`), { code: 'ESRCH' });
  const startTime = fields[19] ?? '';
  return `${boot} ${pid} ${startTime}`;
}

async function writeSynced(path: string, data: string | Uint8Array, mode: number): Promise<void> {
  const file = await open(path, 'wx', mode);
  try {
    await giveToOwner(file, path);
    await file.chmod(mode);
    await file.writeFile(data);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** What root writes into somebody's directory is theirs: commands of root must not lock the master out. */
async function giveToOwner(file: FileHandle, path: string): Promise<void> {
  if (process.geteuid?.() !== 0) return;
  const { uid, gid } = await stat(dirname(path));
  if (uid !== 0) await file.chown(uid, gid);
}

async function syncDirectory(path: string): Promise<void> {
  const directory: FileHandle = await open(path, 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

/** The lock as the first component of a role: two processes on one data directory would ruin it. */
export function createLock(path: string): Component {
  let release: (() => Promise<void>) | undefined;
  return {
    name: 'lock',
    async start() {
      release = await acquireLock(path);
    },
    stop: async () => release?.(),
    healthy: () => healthyNow,
  };
}
