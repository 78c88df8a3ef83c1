/**
 * The cgroup of every pod: kubepods/{burstable,besteffort}/pod<uid> with the limits of the pod as a whole. Called by
 * `agent/pods` before it makes a sandbox and after everything of a pod is gone.
 *
 * Idempotent; what it knows is a cache of what it wrote. Removal takes only what is below its root, and only when no
 * process is left in it. With the driver `systemd` the cgroups are systemd's slices, with `cgroupfs` plain directories.
 */
import { readFile } from 'node:fs/promises';
import { totalmem } from 'node:os';
import type { Container, Pod } from '../../src/api/types.js';
import type { Exec } from '../../src/host/exec.js';
import type { LinuxResources } from '../runtime/runtime.js';
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
import {
  clampShares,
  containerResources,
  minShares,
  podResources,
  type QosClass,
  qosClassOf,
} from './limits.js';
import { Slices } from './slices.js';
import { CgroupTree, parseHierarchies } from './tree.js';

export interface CgroupOptions {
  /** `kubepods`, or `prefix/kubepods`; instances that share a machine differ here. */
  root: string;
  /** As the runtime says in `version()`. */
  driver: CgroupDriver;
  exec: Exec;
}

export interface CgroupManager {
  /** Makes the pod's cgroup with its limits; resolves with the parent for its containers. */
  ensurePod(pod: Pod): Promise<string>;
  removePod(uid: string): Promise<void>;
  /** Uids of the pods that have a cgroup. */
  listPods(): Promise<string[]>;
  /** Removes everything it ever made. With `cgroupfs`, rejects while a pod still runs; systemd stops what runs. */
  removeAll(): Promise<void>;
  resourcesOf(pod: Pod, container: Container): LinuxResources;
}

interface Known {
  /** What was asked for, as text, to see whether anything changed. */
  wanted: string;
  done: Promise<void>;
  name: CgroupName;
  qos: QosClass;
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
  const memoryCapacity = totalmem();
  const known = new Map<string, Known>();
  const burstable = await readBurstable(tree, root, driver);
  /** What was last written as the weight of a class. */
  const weights = new Map<QosClass, number>();
  let weighing: Promise<void> = Promise.resolve();

  async function apply(name: CgroupName, limits: LinuxResources): Promise<void> {
    if (driver === 'systemd') return slices.ensure(sliceName(name), limits);
    await tree.create(directoryOf(name, driver));
    await tree.limit(directoryOf(name, driver), limits);
  }

  /** All burstable pods together weigh what they asked for together; best effort gets what is left. */
  function weighQos(qos: QosClass): Promise<void> {
    // One after the other, each with the sum of its moment, so that the last one written is right.
    const run = async (): Promise<void> => {
      if (qos === 'Guaranteed') return;
      const sum = [...burstable.values()].reduce((total, shares) => total + shares, 0);
      const cpuShares = qos === 'BestEffort' ? minShares : clampShares(sum);
      if (weights.get(qos) === cpuShares) return;
      await apply(qosCgroup(root, qos), { cpuShares });
      weights.set(qos, cpuShares);
    };
    weighing = weighing.then(run, run);
    return weighing;
  }

  async function ensurePod(pod: Pod): Promise<string> {
    const uid = pod.metadata.uid ?? '';
    const qos = qosClassOf(pod);
    const name = podCgroup(root, qos, uid);
    const limits = podResources(pod);
    const wanted = JSON.stringify([name, limits]);
    const before = known.get(uid);
    if (before?.wanted !== wanted) {
      const entry: Known = { wanted, name, qos, done: Promise.resolve() };
      if (qos === 'Burstable') burstable.set(uid, limits.cpuShares ?? minShares);
      known.set(uid, entry);
      entry.done = weighQos(qos).then(() => apply(name, limits));
      entry.done.catch(() => {
        if (known.get(uid) === entry) known.delete(uid);
      });
    }
    await known.get(uid)?.done;
    return cgroupParent(name, driver);
  }

  async function removePod(uid: string): Promise<void> {
    const before = known.get(uid);
    await before?.done.catch(() => undefined);
    known.delete(uid);
    // A pod of an earlier run of the agent may be in any class.
    const names = before ? [before.name] : qosClasses.map((qos) => podCgroup(root, qos, uid));
    for (const name of names) await remove(name);
    if (burstable.delete(uid)) await weighQos('Burstable');
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
    burstable.clear();
    weights.clear();
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
    removeAll,
    resourcesOf: (pod, container) => containerResources(pod, container, memoryCapacity),
  };
}

/** CPU shares of the burstable pods that an earlier run of the agent left running. */
async function readBurstable(
  tree: CgroupTree,
  root: CgroupName,
  driver: CgroupDriver,
): Promise<Map<string, number>> {
  const parent = directoryOf(qosCgroup(root, 'Burstable'), driver);
  const found = new Map<string, number>();
  for (const name of await tree.children(parent)) {
    const uid = uidOfDirectory(name, driver);
    if (uid !== undefined) found.set(uid, await tree.readShares(`${parent}/${name}`));
  }
  return found;
}
