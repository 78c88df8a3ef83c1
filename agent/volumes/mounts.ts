/**
 * Mounts of this agent: tmpfs for what must not touch the disk, binds for sub-paths, and their removal.
 *
 * Everything is mounted below the agent's directory of a pod, so that `unmountBelow` finds all of it again. Data is
 * removed only after nothing is mounted there any more: an `rm` never crosses into somebody else's files.
 */
import { readFile, rm } from 'node:fs/promises';
import type { Exec } from '../../src/host/exec.js';

export interface Mounter {
  /** Mounts a tmpfs unless one is there already. Size in bytes; undefined: half the memory, the kernel's default. */
  tmpfs(path: string, sizeBytes: number | undefined, mode?: number): Promise<void>;
  /** Binds the file or directory behind an open descriptor of this process. */
  bindDescriptor(descriptor: number, path: string): Promise<void>;
  isMounted(path: string): Promise<boolean>;
  unmountBelow(path: string): Promise<void>;
  /** Unmounts everything below, then removes the directory. */
  removeTree(path: string): Promise<void>;
}

export function createMounter(exec: Exec): Mounter {
  const mounted = async (): Promise<string[]> =>
    parseMountInfo(await readFile('/proc/self/mountinfo', 'utf8'));

  async function unmountBelow(path: string): Promise<void> {
    // Innermost and newest first; a path that is mounted twice is there twice.
    const below = (await mounted()).filter((point) => point === path || point.startsWith(`${path}/`));
    for (const point of below.toReversed()) await exec('umount', ['--lazy', point]);
  }

  return {
    async tmpfs(path, sizeBytes, mode = 0o755) {
      if ((await mounted()).includes(path)) return;
      const size = sizeBytes === undefined ? '' : `,size=${sizeBytes}`;
      await exec('mount', [
        '-t',
        'tmpfs',
        '-o',
        `rw,noexec,nosuid,nodev,mode=${mode.toString(8)}${size}`,
        'tmpfs',
        path,
      ]);
    },
    async bindDescriptor(descriptor, path) {
      // Without canonicalising: the descriptor was checked, the path it had may be somebody's symbolic link by now.
      await exec('mount', ['--no-canonicalize', '--bind', `/proc/${process.pid}/fd/${descriptor}`, path]);
    },
    isMounted: async (path) => (await mounted()).includes(path),
    unmountBelow,
    async removeTree(path) {
      await unmountBelow(path);
      await rm(path, { recursive: true, force: true });
    },
  };
}

/** Mount points in the order they were mounted. Spaces and the like are octal escapes in this file (proc(5)). */
export const parseMountInfo = (text: string): string[] =>
  text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) =>
      (line.split(' ')[4] ?? '').replaceAll(/\\([0-7]{3})/g, (_, code: string) =>
        String.fromCharCode(Number.parseInt(code, 8)),
      ),
    );
