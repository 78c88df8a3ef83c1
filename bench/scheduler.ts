/**
 * How many pods a second the scheduler places: the real one with its real informers, queue, binder and event recorder,
 * against an API in memory that answers at once. The design's budget is for 1,000 and for 5,000 nodes.
 */

import { createScheduler } from '../master/scheduler/scheduler.js';
import type { ResourceType } from '../src/api/kinds.js';
import { keyOf, keyOfRef } from '../src/api/meta.js';
import type { Binding, KubeObject, Node, Pod } from '../src/api/types.js';
import type { Client, ObjectEvent } from '../src/client/client.js';
import { type Deferred, deferred } from '../src/client/wait.js';
import { systemClock } from '../src/host/clock.js';
import { silentLogger } from '../src/host/log.js';
import type { Row } from './row.js';

const runs = [
  { nodes: 1_000, pods: 5_000, budget: 1_000 },
  { nodes: 5_000, pods: 5_000, budget: 700 },
];

export async function benchSchedulerRows(): Promise<Row[]> {
  const rows: Row[] = [];
  for (const { nodes, pods, budget } of runs) {
    const rate = await benchScheduler(nodes, pods);
    rows.push({
      name: `scheduling, ${nodes.toLocaleString('en')} nodes`,
      measured: `${Math.round(rate).toLocaleString('en')} pods/s`,
      floor: '',
      budget: `>= ${budget.toLocaleString('en')} pods/s`,
      ok: rate >= budget,
    });
  }
  return rows;
}

/** Pods per second, from the start of the scheduler until the last binding. */
export async function benchScheduler(nodes: number, pods: number): Promise<number> {
  const api = createBenchApi(
    Array.from({ length: nodes }, (_, i) => benchNode(i)),
    Array.from({ length: pods }, (_, i) => benchPod(i)),
  );
  const scheduler = createScheduler({ client: api.client, clock: systemClock, log: silentLogger });
  const stop = new AbortController();
  const from = performance.now();
  await scheduler.start(stop.signal);
  await api.allBound;
  const seconds = (performance.now() - from) / 1_000;
  await scheduler.stop();
  return pods / seconds;
}

const zones = 10;
const replicas = 50;

const benchNode = (i: number): Node => ({
  apiVersion: 'v1',
  kind: 'Node',
  metadata: {
    name: `node-${i}`,
    uid: `node-${i}`,
    resourceVersion: '1',
    labels: { 'kubernetes.io/hostname': `node-${i}`, 'topology.kubernetes.io/zone': `zone-${i % zones}` },
  },
  spec: {},
  status: { allocatable: { cpu: '8', memory: '32Gi', 'ephemeral-storage': '100Gi', pods: '110' } },
});

/** Fifty replicas of each of many ReplicaSets. */
const benchPod = (i: number): Pod => {
  const app = `app-${Math.floor(i / replicas)}`;
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: `pod-${i}`,
      namespace: 'default',
      uid: `pod-${i}`,
      resourceVersion: '1',
      creationTimestamp: '2026-01-01T00:00:00Z',
      labels: { app },
      ownerReferences: [{ apiVersion: 'apps/v1', kind: 'ReplicaSet', name: app, uid: app, controller: true }],
    },
    spec: {
      schedulerName: 'default-scheduler',
      containers: [
        { name: 'main', image: 'nginx', resources: { requests: { cpu: '100m', memory: '128Mi' } } },
      ],
    },
    status: { phase: 'Pending' },
  };
};

interface BenchApi {
  client: Client;
  allBound: Promise<void>;
}

/** Lists what it was given, binds pods, and tells the watch of pods; the only writes it knows besides are Events. */
function createBenchApi(nodes: readonly Node[], pods: readonly Pod[]): BenchApi {
  const current = new Map(pods.map((pod) => [keyOf(pod), pod]));
  const bound = deferred();
  const changes: ObjectEvent<Pod>[] = [];
  let wake: Deferred<void> = deferred();
  let missing = pods.length;
  let version = 1;

  function bind(key: string, node: string): void {
    const pod = current.get(key);
    if (!pod?.spec || pod.spec.nodeName) throw new Error(`${key} cannot be bound`);
    version += 1;
    const metadata = { ...pod.metadata, resourceVersion: String(version) };
    const object = { ...pod, metadata, spec: { ...pod.spec, nodeName: node } };
    current.set(key, object);
    changes.push({ type: 'MODIFIED', object });
    wake.resolve();
    wake = deferred();
    missing -= 1;
    if (missing === 0) bound.resolve();
  }

  async function* watchPods(signal: AbortSignal | undefined): AsyncIterable<ObjectEvent<Pod>> {
    signal?.addEventListener('abort', () => wake.resolve(), { once: true });
    for (let next = 0; !signal?.aborted; ) {
      const change = changes[next];
      if (change) {
        next += 1;
        yield change;
      } else await wake.promise;
    }
  }

  async function* watchNothing(signal: AbortSignal | undefined): AsyncIterable<never> {
    const ended = deferred();
    signal?.addEventListener('abort', () => ended.resolve(), { once: true });
    await ended.promise;
  }

  const itemsOf = (type: ResourceType): readonly KubeObject[] =>
    ({ nodes, pods: [...current.values()] })[type.resource] ?? [];

  const client = {
    list: async (type: ResourceType) => ({ metadata: { resourceVersion: '1' }, items: itemsOf(type) }),
    watch: (type: ResourceType, { signal }: { signal?: AbortSignal }) =>
      type.resource === 'pods' ? watchPods(signal) : watchNothing(signal),
    create: async (_type: ResourceType, object: KubeObject) => object,
    post: async (_type: ResourceType, ref: Parameters<Client['post']>[1], _sub: string, body: Binding) =>
      bind(keyOfRef(ref), body.target.name ?? ''),
  };
  return { client: client as unknown as Client, allBound: bound.promise };
}
