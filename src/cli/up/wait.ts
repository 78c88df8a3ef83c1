/** Waiting for the cluster, event driven: a watch, not a poll. Errors say what was awaited and where to look. */
import { existsSync } from 'node:fs';
import type { ResourceType } from '../../api/kinds.js';
import { namespaces } from '../../api/kinds.js';
import type { KubeObject } from '../../api/types.js';
import type { Client, ListOptions } from '../../client/client.js';
import { createInformer } from '../../client/informer.js';
import { systemClock } from '../../host/clock.js';
import { silentLogger } from '../../host/log.js';
import { openAdmin } from '../admin.js';

export interface WaitOptions {
  timeoutMs: number;
  /** Completes "timed out waiting for ...". */
  what: string;
  /** Where to look when it does not happen. */
  hint: string;
}

/** Resolves with the first object of the selection that fulfils `isDone`. */
export async function waitFor<T extends KubeObject>(
  client: Client,
  type: ResourceType<T>,
  selection: Pick<ListOptions, 'namespace' | 'fieldSelector' | 'labelSelector'>,
  isDone: (object: T) => boolean,
  options: WaitOptions,
): Promise<T> {
  const informer = createInformer({ client, type, ...selection, clock: systemClock, log: silentLogger });
  const timeout = AbortSignal.timeout(options.timeoutMs);
  try {
    return await new Promise<T>((resolve, reject) => {
      timeout.addEventListener('abort', () =>
        reject(new Error(`timed out waiting for ${options.what}; see ${options.hint}`)),
      );
      informer.onChange(({ current }) => {
        if (current && isDone(current)) resolve(current);
      });
      informer.start(timeout).catch(reject);
    });
  } finally {
    await informer.stop();
  }
}

/** Resolves when the master has written its kubeconfig and answers; a refused connection is tried again. */
export async function reachServer(kubeconfig: string, timeoutMs: number, hint = 'its log'): Promise<void> {
  const deadline = systemClock.monotonicMs() + timeoutMs;
  const { signal } = new AbortController();
  for (;;) {
    try {
      if (existsSync(kubeconfig)) {
        const { client } = await openAdmin(kubeconfig);
        await client.get(namespaces, { name: 'default' });
        return;
      }
    } catch (error) {
      if (systemClock.monotonicMs() > deadline) throw error;
    }
    if (systemClock.monotonicMs() > deadline)
      throw new Error(`the master did not come up within ${timeoutMs / 1000} s; see ${hint}`);
    await systemClock.sleep(100, signal);
  }
}
