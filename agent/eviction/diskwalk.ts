/**
 * How much of a disk a directory takes, as `du -x` counts it: blocks, not lengths; a file with several names once.
 *
 * The directory belongs to a pod that may change it at any moment and wants to be counted as less, or to lead the walk
 * elsewhere: no symbolic link is followed, no other file system is entered, and a directory that is not the one that was
 * listed is left out. Names are bytes. One directory is open at a time; the walk yields to others between files.
 */
import { constants, type Stats } from 'node:fs';
import { lstat, open, readdir } from 'node:fs/promises';
import { hasCode } from '../../src/host/files.js';
import type { DiskUse } from './usage.js';

/** `st_blocks` counts these. */
const blockBytes = 512;
const openFlags = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

interface Found {
  path: Buffer;
  stats: Stats;
}

/** Nothing there: nothing used. Rejects with the signal's reason on abort. */
export async function measureDirectory(path: string, signal: AbortSignal): Promise<DiskUse> {
  const use = { bytes: 0, inodes: 0 };
  const root = await statOf(Buffer.from(path));
  if (!root?.isDirectory()) return use;
  const linked = new Set<number>();
  const count = (stats: Stats): void => {
    if (stats.nlink > 1 && !stats.isDirectory()) {
      if (linked.has(stats.ino)) return;
      linked.add(stats.ino);
    }
    use.bytes += stats.blocks * blockBytes;
    use.inodes += 1;
  };
  count(root);
  const todo: Found[] = [{ path: Buffer.from(path), stats: root }];
  for (let next = todo.pop(); next; next = todo.pop()) {
    for (const found of await childrenOf(next, signal)) {
      if (found.stats.dev !== root.dev) continue;
      count(found.stats);
      if (found.stats.isDirectory()) todo.push(found);
    }
  }
  return use;
}

/** What is in a directory, seen through its descriptor: a path may lead elsewhere by now. */
async function childrenOf({ path, stats }: Found, signal: AbortSignal): Promise<Found[]> {
  const handle = await open(path, openFlags).catch(unlessGone);
  if (!handle) return [];
  try {
    const { dev, ino } = await handle.stat();
    if (dev !== stats.dev || ino !== stats.ino) return [];
    const directory = `/proc/self/fd/${handle.fd}/`;
    const children: Found[] = [];
    for (const name of await readdir(directory, { encoding: 'buffer' })) {
      signal.throwIfAborted();
      const own = await statOf(Buffer.concat([Buffer.from(directory), name]));
      if (own) children.push({ path: Buffer.concat([path, Buffer.from('/'), name]), stats: own });
    }
    return children;
  } finally {
    await handle.close();
  }
}

const statOf = (path: Buffer): Promise<Stats | undefined> => lstat(path).catch(unlessGone);

/** ELOOP, ENOTDIR: it became a link or a file; ENAMETOOLONG: deeper than a path may be. */
function unlessGone(error: unknown): undefined {
  if (!hasCode(error, 'ENOENT', 'ELOOP', 'ENOTDIR', 'ENAMETOOLONG', 'EACCES')) throw error;
}
