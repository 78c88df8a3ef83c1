/**
 * Frees disk that no pod needs any more: containers of pods that are over, unused images. Asked by manager.ts before any pod
 * has to go. Volumes of pods that are over need no asking: `agent/pods` gives them back at their end.
 *
 * What containers that have ended wrote can still be read by `kubectl logs`, so they are only given up when the disk is short.
 */
import type { Pod } from '../../src/api/types.js';
import type { Logger } from '../../src/host/log.js';
import type { ImageGc } from '../images/gc.js';
import { podUid } from '../pods/names.js';
import type { Runtime } from '../runtime/runtime.js';

export interface ClearingOptions {
  runtime: Pick<Runtime, 'listContainers' | 'removeContainer'>;
  images: Pick<ImageGc, 'deleteUnused'>;
  /** All pods of this node. */
  pods(): readonly Pod[];
  log: Logger;
}

/** The answer clears up; it rejects only when the signal stops it. */
export function createClearing(options: ClearingOptions): (signal: AbortSignal) => Promise<void> {
  const { runtime } = options;
  const log = options.log.child({ component: 'clearing' });

  async function removeContainers(pod: Pod): Promise<void> {
    const containers = await runtime.listContainers({ podUid: podUid(pod) });
    if (containers.some(({ state }) => state === 'running')) return;
    for (const { id, state } of containers) if (state === 'exited') await runtime.removeContainer(id);
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

  return async (signal) => {
    for (const pod of options.pods().filter(isOver))
      await attempt('containers of a pod that is over', () => removeContainers(pod), signal);
    await attempt('unused images', () => options.images.deleteUnused(signal), signal);
  };
}

const isOver = ({ status }: Pod): boolean => status?.phase === 'Succeeded' || status?.phase === 'Failed';
