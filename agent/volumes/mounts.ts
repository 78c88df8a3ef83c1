/**
 * Mounts of this agent: file systems in memory, devices, network shares and the binds of sub-paths; and their removal.
 *
 * Everything is mounted below the agent's directory of a pod, so that `unmountBelow` finds all of it again, also after
 * a crash. Data is removed only after nothing is mounted there any more, and never across the border of a file system:
 * a removal never reaches somebody else's files. Nothing here looks into what is mounted: a share whose server is gone
 * would never answer.
 */
import { lstat, readFile } from 'node:fs/promises';
import { release } from 'node:os';
import { dirname } from 'node:path';
import { type Exec, ExecError, type ExecOptions, type ExecResult } from '../../src/host/exec.js';
import { ifExists } from '../../src/host/files.js';
import { removeOwnFiles } from './removal.js';

export interface MountRequest {
  /** `tmpfs`, `hugetlbfs`, `ext4`, `nfs`... */
  type: string;
  /** What is mounted: a device, `server:/path`; any word for a file system that has none. */
  source: string;
  path: string;
  options?: readonly string[];
  /**
   * For what comes over the network: when it is given up. The helpers of `mount` (mount.nfs) end with it: a mount that
   * came through later would be found by nobody.
   */
  timeoutMs?: number;
}

export interface Mounter {
  /** Rejects with what `mount` says. The directory has to be there. */
  mount(request: MountRequest): Promise<void>;
  /** Shows a directory of the host at another place, too. */
  bind(source: string, path: string): Promise<void>;
  /** Sets the options (`ro`, `noexec`...) of what is mounted at this place; elsewhere it stays as it is. */
  remount(path: string, options: readonly string[]): Promise<void>;
  /** Binds the file or directory behind an open descriptor of this process. */
  bindDescriptor(descriptor: number, path: string): Promise<void>;
  /** Whether a file system of its own begins here. Cheap; for local file systems, whose directories always answer. */
  isFileSystem(path: string): Promise<boolean>;
  /** Whether anything at all is mounted here. */
  isMounted(path: string): Promise<boolean>;
  /** Rejects when what is mounted here does not answer: looking at it would never come back. */
  requireAnswer(path: string): Promise<void>;
  unmountBelow(path: string): Promise<void>;
  /** Unmounts everything below, then removes the directory. */
  removeTree(path: string): Promise<void>;
}

const defaultAnswerMs = 10_000;

/** What timeout(1) exits with: 124 after SIGTERM, 128 + 9 when that did not do. */
const timedOut: readonly number[] = [124, 137];

/** `answerMs`: how long a share may take to say that it is there. */
export function createMounter(exec: Exec, answerMs = defaultAnswerMs): Mounter {
  const mounted = async (): Promise<string[]> =>
    parseMountInfo(await readFile('/proc/self/mountinfo', 'utf8'));

  /** A mount that failed is never taken for one: whatever `exec` was handed in, a failure rejects. */
  async function run(file: string, args: readonly string[], options?: ExecOptions): Promise<ExecResult> {
    const result = await exec(file, args, options);
    if (result.code !== 0) throw new ExecError(file, args, result);
    return result;
  }

  async function unmountBelow(path: string): Promise<void> {
    // Innermost and newest first; a path that is mounted twice is there twice.
    const below = (await mounted()).filter((point) => point === path || point.startsWith(`${path}/`));
    // Lazily and without looking at the path: the server of a share may be gone, a container may still hold it.
    for (const point of below.toReversed()) await run('umount', ['--lazy', '--no-canonicalize', point]);
  }

  return {
    async mount({ type, source, path, options = [], timeoutMs }) {
      const args = ['-t', type, ...(options.length > 0 ? ['-o', options.join(',')] : []), '--', source, path];
      if (timeoutMs === undefined) {
        await run('mount', args);
        return;
      }
      const seconds = Math.ceil(timeoutMs / 1000);
      // Never cut off by us: `timeout` would die and leave the helpers behind.
      const given = { timeoutMs: timeoutMs + 10_000 };
      const result = await exec('timeout', ['--kill-after=5', String(seconds), 'mount', ...args], given);
      if (timedOut.includes(result.code)) throw new Error(`${source} did not answer within ${seconds} s`);
      if (result.code !== 0) throw new ExecError('mount', args, result);
    },
    bind: async (source, path) => void (await run('mount', ['--bind', '--', source, path])),
    remount: async (path, options) =>
      void (await run('mount', ['-o', ['remount', 'bind', ...options].join(','), '--', path])),
    async bindDescriptor(descriptor, path) {
      // Without canonicalising: the descriptor was checked, the path it had may be somebody's symbolic link by now.
      await run('mount', ['--no-canonicalize', '--bind', `/proc/${process.pid}/fd/${descriptor}`, path]);
    },
    async isFileSystem(path) {
      return (await lstat(path)).dev !== (await lstat(dirname(path))).dev;
    },
    isMounted: async (path) => (await mounted()).includes(path),
    async requireAnswer(path) {
      // In a process of its own: a thread of ours would wait with it.
      await run('stat', ['--', path], { timeoutMs: answerMs }).catch((error: unknown) => {
        throw new Error(`${path} does not answer`, { cause: error });
      });
    },
    unmountBelow,
    async removeTree(path) {
      if (!(await ifExists(lstat(path)))) return;
      await unmountBelow(path);
      await removeOwnFiles(path);
    },
  };
}

/** What is kept in memory is not to reach a swap device; a tmpfs can say so from kernel 6.4 on. */
export function noSwap(kernel = release()): string[] {
  const [major = 0, minor = 0] = kernel.split('.').map((part) => Number.parseInt(part, 10));
  return major > 6 || (major === 6 && minor >= 4) ? ['noswap'] : [];
}

/**
 * Mount points in the order they were mounted. Spaces and the like are octal escapes in this file (proc(5)); a point
 * whose directory was removed elsewhere is no path any more and left out.
 */
export const parseMountInfo = (text: string): string[] =>
  text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) =>
      (line.split(' ')[4] ?? '').replaceAll(/\\([0-7]{3})/g, (_, code: string) =>
        String.fromCharCode(Number.parseInt(code, 8)),
      ),
    )
    .filter((point) => !point.endsWith('//deleted'));
