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
import { type CgroupVersion, settings, weightToShares } from './files.js';

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

  /** Makes the cgroup and its parents. Idempotent. `directory` is relative to the mount points. */
  async create(directory: string): Promise<void> {
    await Promise.all(
      this.#hierarchies.map(async ({ path, controllers, isUnified }) => {
        const parts = directory.split('/');
        if (!controllers.includes('cpuset') && this.version === 1) {
          await mkdir(join(path, directory), { recursive: true });
          return;
        }
        for (let depth = 1; depth <= parts.length; depth += 1) {
          const own = join(path, ...parts.slice(0, depth));
          if (isUnified && this.version === 2) await delegateControllers(dirname(own));
          await mkdir(own).catch(unlessCode('EEXIST'));
          if (controllers.includes('cpuset')) await inheritCpuset(own);
        }
        // So that the pod's containers can be limited too.
        if (isUnified && this.version === 2) await delegateControllers(join(path, directory));
      }),
    );
  }

  async limit(directory: string, limits: LinuxResources): Promise<void> {
    for (const { controller, file, value } of settings(limits, this.version)) {
      const path = this.#pathOf(controller);
      if (path !== undefined) await writeFile(join(path, directory, file), value);
    }
  }

  /** Removes it and all below, deepest first. Rejects with EBUSY while processes live in it. */
  async remove(directory: string): Promise<void> {
    await Promise.all(this.#hierarchies.map(({ path }) => removeTree(join(path, directory))));
  }

  /** CPU shares of a cgroup, on the v1 scale; 0 when it is gone. */
  async readShares(directory: string): Promise<number> {
    const path = this.#pathOf('cpu');
    if (path === undefined) return 0;
    const file = this.version === 1 ? 'cpu.shares' : 'cpu.weight';
    const text = await readFile(join(path, directory, file), 'utf8').catch(unlessCode('ENOENT'));
    if (text === undefined) return 0;
    return this.version === 1 ? Number(text) : weightToShares(Number(text));
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

/** Hands on to the children whatever of cpu, cpuset, memory, pids and io there is. */
async function delegateControllers(path: string): Promise<void> {
  const available = (await readFile(join(path, 'cgroup.controllers'), 'utf8')).trim().split(' ');
  const enabled = (await readFile(join(path, 'cgroup.subtree_control'), 'utf8')).trim().split(' ');
  for (const controller of ['cpu', 'cpuset', 'memory', 'pids', 'io']) {
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
