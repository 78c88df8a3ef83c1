/**
 * The cgroup of every pod: kubepods/{burstable,besteffort}/pod<uid> with the limits of the pod as a whole. Called by
 * `agent/pods` before it makes a sandbox and after everything of a pod is gone.
 *
 * Idempotent; what it knows is a cache of what it wrote. Removal takes only what is below its root, and only when no
 * process is left in it. With the driver `systemd` the cgroups are systemd's slices, with `cgroupfs` plain directories.
 */
import { readFile } from 'node:fs/promises';
import { totalmem } from 'node:os';
import type { QosClass } from '../../src/api/qos.js';
import type { Container, Pod } from '../../src/api/types.js';
import type { Exec } from '../../src/host/exec.js';
import { hasCode } from '../../src/host/files.js';
import type { LinuxResources } from '../runtime/runtime.js';
import { classLimits, type Demand, rootReservation } from './classes.js';
import { type CgroupLimits, hugePageSettings, type Scope, settings } from './files.js';
import { readHugePages } from './hugepages.js';
import {
  type CgroupDriver,
  type CgroupName,
  cgroupParent,
  directoryOf,
  parseRoot,
  podCgroup,
  qosCgroup,
  sliceName,
  uidOfDirectory,
} from './layout.js';
import { containerResources, type LimitPolicy, podResources, qosClassOf } from './limits.js';
import { Slices } from './slices.js';
import { CgroupTree, parseHierarchies } from './tree.js';

export interface CgroupOptions {
  /** `kubepods`, or `prefix/kubepods`; instances that share a machine differ here. */
  root: string;
  /** As the runtime says in `version()`. */
  driver: CgroupDriver;
  exec: Exec;
  /** The node's settings; cpu limits are enforced and nothing is reserved by default. */
  policy?: Partial<LimitPolicy>;
}

export interface CgroupManager {
  /**
   * Makes the pod's cgroup with its limits, or changes them to what the pod asks for now; resolves with the parent for
   * its containers. Rejects with `LimitBelowUsage`, and leaves the limits as they were, when the pod uses more.
   */
  ensurePod(pod: Pod): Promise<string>;
  removePod(uid: string): Promise<void>;
  /** Uids of the pods that have a cgroup. */
  listPods(): Promise<string[]>;
  /** The limits of a pod's cgroup as the kernel has them; undefined when it has none. Absent fields are unlimited. */
  actualOf(uid: string): Promise<LinuxResources | undefined>;
  /** What all pods together may use, at the root of the tree. Swap is not for pods (v2; `NoSwap` of kubelet). */
  limitAll(limits: LinuxResources): Promise<void>;
  /** Removes everything it ever made. With `cgroupfs`, rejects while a pod still runs; systemd stops what runs. */
  removeAll(): Promise<void>;
  resourcesOf(pod: Pod, container: Container): LinuxResources;
}

/** A memory limit that the pod is over already. It may fit later. */
export class LimitBelowUsage extends Error {
  override readonly name = 'LimitBelowUsage';
}

interface Known {
  /** What was asked for, as text, to see whether anything changed. */
  wanted: string;
  done: Promise<void>;
  name: CgroupName;
}

const qosClasses: readonly QosClass[] = ['Guaranteed', 'Burstable', 'BestEffort'];

/** Reads which cgroup version the host has. Does not change anything. */
export async function createPodCgroups(options: CgroupOptions): Promise<CgroupManager> {
  const { driver } = options;
  const root = parseRoot(options.root);
  const hierarchies = parseHierarchies(await readFile('/proc/self/mountinfo', 'utf8'));
  const version = hierarchies.every(({ isUnified }) => isUnified) ? 2 : 1;
  const tree = new CgroupTree(hierarchies, version);
  const slices = new Slices(options.exec, version);
  const policy: LimitPolicy = {
    memoryCapacity: totalmem(),
    cfsQuota: true,
    podMaxPids: undefined,
    hugePageSizes: (await readHugePages()).map(({ pageBytes }) => pageBytes),
    ...options.policy,
    reservesMemory: version === 2 && options.policy?.reservesMemory === true,
  };
  const known = new Map<string, Known>();
  const demands = await readDemands(tree, root, driver);
  /** What was last written to a cgroup above the pods. */
  const written = new Map<string, string>();
  let weighing: Promise<void> = Promise.resolve();

  /** `scope`: of a cgroup that was there already, what `limits` does not name is taken off (`all`) or left. */
  async function apply(name: CgroupName, limits: CgroupLimits, scope: Scope = 'named'): Promise<void> {
    const directory = directoryOf(name, driver);
    if (driver === 'cgroupfs') {
      const existed = await tree.create(directory);
      if (existed && scope === 'all') await refuseBelowUsage(directory, limits);
      try {
        await tree.write(directory, settings(limits, version, existed ? scope : 'named'));
      } catch (error) {
        // cgroup v1 takes no limit that it cannot reclaim memory for.
        if (!hasCode(error, 'EBUSY') || limits.memoryBytes === undefined) throw error;
        throw belowUsage(limits.memoryBytes, await tree.memoryUsage(directory));
      }
      return;
    }
    if (scope === 'all') await refuseBelowUsage(directory, limits);
    await slices.ensure(sliceName(name), limits, scope);
    // systemd knows no huge pages.
    const pages = Object.values(limits.hugePageBytes ?? {});
    if (version === 2 && pages.some((bytes) => bytes > 0)) await tree.handOn(directory, 'hugetlb');
    await tree.write(directory, hugePageSettings(limits, version));
  }

  /** cgroup v2 would kill to get below a new limit, and systemd would not tell that v1 refused it. */
  async function refuseBelowUsage(directory: string, { memoryBytes }: CgroupLimits): Promise<void> {
    if (memoryBytes === undefined || (version === 1 && driver === 'cgroupfs')) return;
    const before = (await tree.read(directory))?.memoryBytes ?? Number.POSITIVE_INFINITY;
    if (before <= memoryBytes) return;
    const usage = await tree.memoryUsage(directory);
    if (usage > memoryBytes) throw belowUsage(memoryBytes, usage);
  }

  /** A class weighs what its pods asked for together. */
  function weighClasses(qos: QosClass): Promise<void> {
    // One after the other, each with the sum of its moment, so that the last one written is right.
    const run = async (): Promise<void> => {
      if (policy.reservesMemory) await applyOnce(root, rootReservation(demands.values()));
      if (qos === 'Guaranteed') return;
      await applyOnce(qosCgroup(root, qos), classLimits(qos, demands.values(), policy.reservesMemory));
    };
    weighing = weighing.then(run, run);
    return weighing;
  }

  async function applyOnce(name: CgroupName, limits: CgroupLimits): Promise<void> {
    const [key, text] = [name.join('/'), JSON.stringify(limits)];
    if (written.get(key) === text) return;
    await apply(name, limits);
    written.set(key, text);
  }

  async function ensurePod(pod: Pod): Promise<string> {
    const uid = pod.metadata.uid ?? '';
    const qos = qosClassOf(pod);
    const name = podCgroup(root, qos, uid);
    const limits = podResources(pod, policy);
    const wanted = JSON.stringify([name, limits]);
    const before = known.get(uid);
    if (before?.wanted !== wanted) {
      const entry: Known = { wanted, name, done: Promise.resolve() };
      const old = demands.get(uid);
      demands.set(uid, demandOf(qos, limits));
      known.set(uid, entry);
      entry.done = weighClasses(qos).then(() => apply(name, limits, 'all'));
      entry.done.catch(() => {
        if (known.get(uid) !== entry) return;
        known.delete(uid);
        if (old) demands.set(uid, old);
      });
    }
    await known.get(uid)?.done;
    return cgroupParent(name, driver);
  }

  async function removePod(uid: string): Promise<void> {
    const before = known.get(uid);
    await before?.done.catch(() => undefined);
    known.delete(uid);
    for (const name of namesOf(uid, before)) await remove(name);
    const demand = demands.get(uid);
    demands.delete(uid);
    if (demand) await weighClasses(demand.qos);
  }

  /** A pod of an earlier run of the agent may be in any class. */
  const namesOf = (uid: string, before = known.get(uid)): CgroupName[] =>
    before ? [before.name] : qosClasses.map((qos) => podCgroup(root, qos, uid));

  async function actualOf(uid: string): Promise<LinuxResources | undefined> {
    await known.get(uid)?.done.catch(() => undefined);
    for (const name of namesOf(uid)) {
      const found = await tree.read(directoryOf(name, driver));
      if (found) return found;
    }
    return undefined;
  }

  async function remove(name: CgroupName): Promise<void> {
    const directory = directoryOf(name, driver);
    if (driver === 'systemd') {
      const parent = directoryOf(name.slice(0, -1), driver);
      if ((await tree.children(parent)).includes(sliceName(name))) await slices.stop(sliceName(name));
      return;
    }
    await tree.remove(directory);
  }

  async function listPods(): Promise<string[]> {
    const parents = [root, qosCgroup(root, 'Burstable'), qosCgroup(root, 'BestEffort')];
    const names = await Promise.all(parents.map((name) => tree.children(directoryOf(name, driver))));
    const uids = names.flat().map((name) => uidOfDirectory(name, driver));
    return [...new Set(uids.filter((uid) => uid !== undefined))];
  }

  async function removeAll(): Promise<void> {
    await Promise.all([...known.values()].map(({ done }) => done.catch(() => undefined)));
    known.clear();
    demands.clear();
    written.clear();
    for (let depth = root.length; depth > 0; depth -= 1) {
      const name = root.slice(0, depth);
      const isOwn = depth === root.length;
      // Parents of the root may be shared: they go only when nothing else is in them.
      if (isOwn || (await tree.children(directoryOf(name, driver))).length === 0) await remove(name);
    }
  }

  return {
    ensurePod,
    removePod,
    listPods,
    actualOf,
    limitAll: (limits) => apply(root, { ...limits, swapBytes: 0 }),
    removeAll,
    resourcesOf: (pod, container) => containerResources(pod, container, policy),
  };
}

const belowUsage = (limit: number, usage: number): LimitBelowUsage =>
  new LimitBelowUsage(`the pod uses ${usage} bytes of memory, more than the new limit of ${limit}`);

const demandOf = (qos: QosClass, limits: CgroupLimits): Demand => ({
  qos,
  cpuShares: limits.cpuShares ?? 0,
  memoryBytes: (limits.memoryMinBytes ?? 0) + (limits.memoryReservationBytes ?? 0),
});

/** What the pods asked for that an earlier run of the agent left running. */
async function readDemands(
  tree: CgroupTree,
  root: CgroupName,
  driver: CgroupDriver,
): Promise<Map<string, Demand>> {
  const found = new Map<string, Demand>();
  for (const qos of qosClasses) {
    const parent = directoryOf(qos === 'Guaranteed' ? root : qosCgroup(root, qos), driver);
    for (const name of await tree.children(parent)) {
      const uid = uidOfDirectory(name, driver);
      if (uid === undefined) continue;
      const { cpuShares = 0 } = (await tree.read(`${parent}/${name}`)) ?? {};
      const { min, low } = await tree.protection(`${parent}/${name}`);
      found.set(uid, { qos, cpuShares, memoryBytes: min + low });
    }
  }
  return found;
}
