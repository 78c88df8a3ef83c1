/** Pods and processes as the fault tests need them. */
import { readdirSync, readFileSync } from 'node:fs';
import { pods } from '../../src/api/kinds.js';
import { isConditionTrue } from '../../src/api/meta.js';
import type { Pod, PodSpec } from '../../src/api/types.js';
import { systemClock } from '../../src/host/clock.js';
import type { Cluster } from '../cluster.js';

/** A pod that sleeps; `terminationGracePeriodSeconds` 0 unless `spec` says more. */
export const sleeper = (name: string, spec: Partial<PodSpec> = {}): Pod => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace: 'default', labels: { app: name } },
  spec: {
    terminationGracePeriodSeconds: 0,
    containers: [
      { name: 'main', image: 'busybox', imagePullPolicy: 'IfNotPresent', command: ['sleep', '100000'] },
    ],
    ...spec,
  },
});

/** All pods of the namespace `default`. */
export const listPods = async (cluster: Cluster): Promise<Pod[]> =>
  (await cluster.client.list(pods, { namespace: 'default' })).items;

export const isReady = (pod: Pod): boolean => isConditionTrue(pod.status?.conditions, 'Ready');

export const allReady = async (cluster: Cluster, count: number): Promise<boolean> => {
  const items = await listPods(cluster);
  return items.length === count && items.every(isReady);
};

export const restartsOf = (pod: Pod | undefined): number =>
  (pod?.status?.containerStatuses ?? []).reduce((sum, { restartCount }) => sum + (restartCount ?? 0), 0);

export const pause = (ms: number): Promise<void> => systemClock.sleep(ms, new AbortController().signal);

/** Memory and open files of a process, from /proc. */
export function footprint(pid: number): { rssBytes: number; files: number } {
  const pages = Number(readFileSync(`/proc/${pid}/statm`, 'utf8').split(' ')[1]);
  return { rssBytes: pages * 4096, files: readdirSync(`/proc/${pid}/fd`).length };
}

/** A repeatable sequence of numbers in [0, 1), so that a run that fails can be run again. */
export function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}
