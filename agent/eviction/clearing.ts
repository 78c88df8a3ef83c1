/**
 * Frees what no pod needs any more: containers and files of pods that are over, unused images. Asked by manager.ts
 * before any pod has to go, and after one went.
 *
 * What a pod that is over left can still be read by `kubectl logs` and taken from its volumes by nobody; its containers
 * are only given up when the disk is short, its volumes soon after its end, as with kubelet. Nothing outside of the pod's own
 * directory is touched: volumes of hosts, claims and shares are not the pod's.
 */
import { join } from 'node:path';
import type { Pod } from '../../src/api/types.js';
import type { Logger } from '../../src/host/log.js';
import type { ImageGc } from '../images/gc.js';
import { podUid } from '../pods/names.js';
import type { Runtime } from '../runtime/runtime.js';
import type { Mounter } from '../volumes/mounts.js';
import { requireName } from '../volumes/volumes.js';
import { ownVolumes } from './storagelimits.js';

export interface ClearingOptions {
  runtime: Pick<Runtime, 'listContainers' | 'removeContainer'>;
  images: Pick<ImageGc, 'deleteUnused'>;
  /** All pods of this node. */
  pods(): readonly Pod[];
  mounter: Pick<Mounter, 'removeTree'>;
  /** `<data-dir>/agent/pods`. */
  podsDirectory: string;
  log: Logger;
}

export interface Clearing {
  isStopped(uid: string): Promise<boolean>;
  /** Takes the files of pods that are over off disk and memory, once each; what still runs waits for the next call. */
  freeEnded(): Promise<void>;
  freeDisk(pod: Pod): Promise<void>;
  clearUp(signal: AbortSignal): Promise<void>;
}

export function createClearing(options: ClearingOptions): Clearing {
  const { runtime } = options;
  const log = options.log.child({ component: 'clearing' });

  const isStopped = async (uid: string): Promise<boolean> =>
    (await runtime.listContainers({ podUid: uid })).every(({ state }) => state !== 'running');

  async function freeDisk(pod: Pod): Promise<void> {
    const directory = join(options.podsDirectory, requireName(podUid(pod)));
    const volumes = ownVolumes(pod);
    if (volumes.length === 0) return;
    // A sub-path that is mounted still would keep its file system, and the memory that one takes.
    await options.mounter.removeTree(join(directory, 'subpaths'));
    for (const { name } of volumes)
      await options.mounter.removeTree(join(directory, 'volumes', requireName(name)));
  }

  /** Uids of pods that are over and have no files any more. */
  const freed = new Set<string>();

  async function freeEnded(): Promise<void> {
    const ended = options.pods().filter(isOver);
    const uids = new Set(ended.map(podUid));
    for (const uid of freed) if (!uids.has(uid)) freed.delete(uid);
    for (const pod of ended) {
      const uid = podUid(pod);
      if (freed.has(uid)) continue;
      try {
        if (ownVolumes(pod).length > 0 && !(await isStopped(uid))) continue;
        await freeDisk(pod);
        freed.add(uid);
      } catch (error) {
        // What does not work for one now, because the runtime is away, works for none.
        log.warn({ err: error, podUid: uid }, 'the files of a pod that is over are still there');
        return;
      }
    }
  }

  async function removeContainers(pod: Pod): Promise<void> {
    for (const { id, state } of await runtime.listContainers({ podUid: podUid(pod) })) {
      if (state === 'exited') await runtime.removeContainer(id);
    }
  }

  /** One that fails does not keep the others from being freed. */
  async function attempt(what: string, work: () => Promise<void>, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    try {
      await work();
    } catch (error) {
      signal.throwIfAborted();
      log.warn({ err: error, what }, 'clearing up failed');
    }
  }

  return {
    isStopped,
    freeEnded,
    freeDisk,
    async clearUp(signal) {
      for (const pod of options.pods().filter(isOver)) {
        if (!(await isStopped(podUid(pod)))) continue;
        await attempt('containers of a pod that is over', () => removeContainers(pod), signal);
        await attempt('volumes of a pod that is over', () => freeDisk(pod), signal);
      }
      await attempt('unused images', () => options.images.deleteUnused(signal), signal);
    },
  };
}

const isOver = ({ status }: Pod): boolean => status?.phase === 'Succeeded' || status?.phase === 'Failed';
