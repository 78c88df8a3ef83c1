/**
 * Cgroups made by hand (driver `cgroupfs`): a directory in every hierarchy, limits as files. Called by manager.ts.
 *
 * Under v1 there is one hierarchy per controller; runc makes missing parents in all of them and never removes those,
 * so all are made, and removed, here. Under v2 a controller works below a cgroup only once its parent hands it on.
 */
import { mkdir, readdir, readFile, rmdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { hasCode } from '../../src/host/files.js';
import type { LinuxResources } from '../runtime/runtime.js';
import { type CgroupVersion, type Setting, weightToShares } from './files.js';

export interface Hierarchy {
  path: string;
  /** v1 controllers of it; empty for v2 and for the named ones. */
  controllers: readonly string[];
  isUnified: boolean;
}

/** Every cgroup mount of the host's tree in the text of /proc/self/mountinfo (proc(5): fields, ` - `, type, source, options). */
export function parseHierarchies(mountinfo: string): Hierarchy[] {
  const found = new Map<string, Hierarchy>();
  for (const line of mountinfo.split('\n')) {
    const [before, after] = line.split(' - ');
    const [type, , options] = after?.split(' ') ?? [];
    const path = before?.split(' ')[4];
    if (!path?.startsWith('/sys/fs/cgroup') || (type !== 'cgroup' && type !== 'cgroup2')) continue;
    const controllers =
      type === 'cgroup' ? (options ?? '').split(',').filter((name) => !/^(rw|ro|.*=.*)$/.test(name)) : [];
    found.set(path, { path, controllers, isUnified: type === 'cgroup2' });
  }
  return [...found.values()];
}

export class CgroupTree {
  readonly version: CgroupVersion;
  readonly #hierarchies: readonly Hierarchy[];

  constructor(hierarchies: readonly Hierarchy[], version: CgroupVersion) {
    this.#hierarchies = hierarchies;
    this.version = version;
  }

  /**
   * Makes the cgroup and its parents. Idempotent; says whether any of it was there before. `directory` is relative to
   * the mount points.
   */
  async create(directory: string): Promise<boolean> {
    const existed = await Promise.all(
      this.#hierarchies.map(async ({ path, controllers, isUnified }): Promise<boolean> => {
        const parts = directory.split('/');
        if (!controllers.includes('cpuset') && this.version === 1) {
          return (await mkdir(join(path, directory), { recursive: true })) === undefined;
        }
        let isNew = false;
        for (let depth = 1; depth <= parts.length; depth += 1) {
          const own = join(path, ...parts.slice(0, depth));
          if (isUnified && this.version === 2) await delegateControllers(dirname(own));
          isNew = await mkdir(own).then(
            () => true,
            (error: unknown) => {
              if (!hasCode(error, 'EEXIST')) throw error;
              return false;
            },
          );
          if (controllers.includes('cpuset')) await inheritCpuset(own);
        }
        // So that the pod's containers can be limited too.
        if (isUnified && this.version === 2) await delegateControllers(join(path, directory));
        return !isNew;
      }),
    );
    return existed.some(Boolean);
  }

  /** A controller that the host does not have limits nothing. */
  async write(directory: string, settings: readonly Setting[]): Promise<void> {
    for (const { controller, file, value, isOptional } of settings) {
      const path = this.#pathOf(controller);
      if (path === undefined) continue;
      // Nothing is made: a file that is missing is missing in the kernel.
      const writing = writeFile(join(path, directory, file), value, { flag: 'r+' });
      await (isOptional ? writing.catch(unlessCode('ENOENT')) : writing);
    }
  }

  /** What is in force at this moment; undefined when there is no such cgroup. Absent fields are unlimited. */
  async read(directory: string): Promise<LinuxResources | undefined> {
    const text = (controller: string, file: string): Promise<string | undefined> =>
      this.#read(controller, directory, file);
    const isV1 = this.version === 1;
    const [weight, memory, pids, quota, period] = await Promise.all([
      text('cpu', isV1 ? 'cpu.shares' : 'cpu.weight'),
      text('memory', isV1 ? 'memory.limit_in_bytes' : 'memory.max'),
      text('pids', 'pids.max'),
      text('cpu', isV1 ? 'cpu.cfs_quota_us' : 'cpu.max'),
      isV1 ? text('cpu', 'cpu.cfs_period_us') : undefined,
    ]);
    if (weight === undefined && memory === undefined) return undefined;
    const [cpuQuota = Number.NaN, cpuPeriod = 0] = (isV1 ? [quota, period] : (quota ?? '').split(' ')).map(
      Number,
    );
    const memoryBytes = Number(memory);
    return {
      ...(weight !== undefined && { cpuShares: isV1 ? Number(weight) : weightToShares(Number(weight)) }),
      ...(cpuQuota > 0 && { cpuQuota, cpuPeriod }),
      ...(memoryBytes < unlimitedBytes && { memoryBytes }),
      ...(pids !== undefined && pids !== 'max' && { pidsLimit: Number(pids) }),
    };
  }

  /** Bytes in use; 0 when there is no such cgroup. */
  async memoryUsage(directory: string): Promise<number> {
    const file = this.version === 1 ? 'memory.usage_in_bytes' : 'memory.current';
    return Number((await this.#read('memory', directory, file)) ?? 0);
  }

  /** Bytes that are protected (`memory.min`, `memory.low`); zeros under v1. */
  async protection(directory: string): Promise<{ min: number; low: number }> {
    if (this.version === 1) return { min: 0, low: 0 };
    const [min, low] = await Promise.all(
      ['memory.min', 'memory.low'].map((file) => this.#read('memory', directory, file)),
    );
    return { min: Number(min ?? 0), low: Number(low ?? 0) };
  }

  async #read(controller: string, directory: string, file: string): Promise<string | undefined> {
    const path = this.#pathOf(controller);
    if (path === undefined) return undefined;
    const text = await readFile(join(path, directory, file), 'utf8').catch(unlessCode('ENOENT'));
    return text?.trim();
  }

  /** Removes it and all below, deepest first. Rejects with EBUSY while processes live in it. */
  async remove(directory: string): Promise<void> {
    await Promise.all(this.#hierarchies.map(({ path }) => removeTree(join(path, directory))));
  }

  /** v2: makes a controller work in this cgroup that somebody else made. */
  async handOn(directory: string, controller: string): Promise<void> {
    const path = this.#pathOf(controller);
    if (path === undefined) return;
    const parts = directory.split('/');
    for (let depth = 0; depth < parts.length; depth += 1) {
      await delegateControllers(join(path, ...parts.slice(0, depth)), [controller]);
    }
  }

  /** Names of what is directly below, in any hierarchy. */
  async children(directory: string): Promise<string[]> {
    const lists = await Promise.all(
      this.#hierarchies.map(({ path }) => subdirectories(join(path, directory))),
    );
    return [...new Set(lists.flat())];
  }

  #pathOf(controller: string): string | undefined {
    return this.#hierarchies.find((hierarchy) =>
      this.version === 2 ? hierarchy.isUnified : hierarchy.controllers.includes(controller),
    )?.path;
  }
}

/** From here on v1 means "no limit": the largest multiple of a page. */
const unlimitedBytes = 2 ** 62;

/** Hands on to the children whatever of these there is. */
async function delegateControllers(
  path: string,
  wanted: readonly string[] = ['cpu', 'cpuset', 'memory', 'pids', 'io', 'hugetlb'],
): Promise<void> {
  const available = (await readFile(join(path, 'cgroup.controllers'), 'utf8')).trim().split(' ');
  const enabled = (await readFile(join(path, 'cgroup.subtree_control'), 'utf8')).trim().split(' ');
  for (const controller of wanted) {
    if (available.includes(controller) && !enabled.includes(controller)) {
      await writeFile(join(path, 'cgroup.subtree_control'), `+${controller}`);
    }
  }
}

/** A new v1 cpuset is empty and takes no process until it has cpus and memory nodes. */
async function inheritCpuset(path: string): Promise<void> {
  for (const file of ['cpuset.cpus', 'cpuset.mems']) {
    if ((await readFile(join(path, file), 'utf8')).trim() !== '') continue;
    await writeFile(join(path, file), await readFile(join(dirname(path), file)));
  }
}

async function removeTree(path: string): Promise<void> {
  try {
    await rmdir(path);
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return;
    const children = await subdirectories(path);
    if (children.length === 0) throw error;
    for (const child of children) await removeTree(join(path, child));
    await rmdir(path).catch(unlessCode('ENOENT'));
  }
}

async function subdirectories(path: string): Promise<string[]> {
  const entries = (await readdir(path, { withFileTypes: true }).catch(unlessCode('ENOENT'))) ?? [];
  return entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
}

const unlessCode =
  (code: string) =>
  (error: unknown): undefined => {
    if (!hasCode(error, code)) throw error;
  };
