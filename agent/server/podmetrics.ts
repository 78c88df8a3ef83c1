/**
 * What `/metrics` says about the pods of this node: how many run, and how long each took from the moment the agent
 * first saw it to its first container running. Made by metrics-pages.ts.
 */
import { Gauge, Histogram, type Registry } from 'prom-client';
import type { ContainerStatus, Pod } from '../../src/api/types.js';
import type { Source } from '../../src/client/cache.js';
import type { Clock } from '../../src/host/clock.js';

const containersOf = ({ status }: Pod): ContainerStatus[] => [
  ...(status?.initContainerStatuses ?? []),
  ...(status?.containerStatuses ?? []),
  ...(status?.ephemeralContainerStatuses ?? []),
];

export function registerPodCounts(registry: Registry, pods: () => readonly Pod[]): void {
  const registers = [registry];
  new Gauge({
    name: 'kubelet_running_pods',
    help: 'Number of pods that run.',
    registers,
    collect() {
      this.set(pods().filter(({ status }) => status?.phase === 'Running').length);
    },
  });
  new Gauge({
    name: 'kubelet_desired_pods',
    help: 'Number of pods that are to run here.',
    labelNames: ['static'],
    registers,
    collect() {
      const isStatic = (pod: Pod): boolean =>
        pod.metadata.annotations?.['kubernetes.io/config.mirror'] !== undefined;
      const count = (wanted: boolean): number => pods().filter((pod) => isStatic(pod) === wanted).length;
      this.set({ static: '' }, count(false));
      this.set({ static: 'true' }, count(true));
    },
  });
  new Gauge({
    name: 'kubelet_running_containers',
    help: 'Number of containers by state.',
    labelNames: ['container_state'],
    registers,
    collect() {
      const statuses = pods().flatMap(containersOf);
      const running = statuses.filter(({ state }) => state?.running).length;
      const exited = statuses.filter(({ state }) => state?.terminated).length;
      this.set({ container_state: 'running' }, running);
      this.set({ container_state: 'exited' }, exited);
    },
  });
}

/** kubelet's buckets, in seconds. */
const buckets = [0.5, 1, 2, 3, 4, 5, 6, 8, 10, 20, 30, 45, 60, 120, 180, 240, 300, 360, 480, 600, 900];

/** Pods that were here before do not count. Ends when `signal` aborts. */
export function registerPodStarts(
  registry: Registry,
  { source, clock, signal }: { source: Source<Pod>; clock: Pick<Clock, 'monotonicMs'>; signal: AbortSignal },
): void {
  const histogram = new Histogram({
    name: 'kubelet_pod_start_duration_seconds',
    help: 'Duration in seconds from the agent seeing a pod for the first time to the pod starting to run.',
    buckets,
    registers: [registry],
  });
  /** By uid: when it was seen first. */
  const waiting = new Map<string, number>();
  const unsubscribe = source.onChange(({ old, current }) => {
    const uid = (current ?? old)?.metadata.uid ?? '';
    const phase = current?.status?.phase ?? 'Pending';
    if (!current || phase === 'Failed' || phase === 'Succeeded') waiting.delete(uid);
    else if (phase === 'Running') {
      const since = waiting.get(uid);
      if (since !== undefined) histogram.observe((clock.monotonicMs() - since) / 1000);
      waiting.delete(uid);
    } else if (!old && containersOf(current).length === 0) waiting.set(uid, clock.monotonicMs());
  });
  signal.addEventListener('abort', unsubscribe, { once: true });
}
