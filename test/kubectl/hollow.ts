/** A node that only says that its pods run: deployments roll out and drains end without any container. */
import { nodes, pods } from '../../src/api/kinds.js';
import type { Node, Pod } from '../../src/api/types.js';
import type { Client } from '../../src/client/client.js';

const now = (): string => `${new Date().toISOString().slice(0, 19)}Z`;
const capacity = { cpu: '8', memory: '16Gi', pods: '110', 'ephemeral-storage': '10Gi' };

export async function createHollowNode(client: Client, name: string, signal: AbortSignal): Promise<void> {
  const ready = {
    type: 'Ready',
    status: 'True',
    reason: 'Hollow',
    lastHeartbeatTime: now(),
    lastTransitionTime: now(),
  };
  await client.create<Node>(nodes, { metadata: { name } }, { signal });
  const status = { capacity, allocatable: capacity, conditions: [ready] };
  const options = { subresource: 'status', signal };
  await client.patch(nodes, { name }, { type: 'merge', body: { status } }, options);
}

/** Runs until `signal` aborts. */
export async function runHollowPods(client: Client, name: string, signal: AbortSignal): Promise<void> {
  const mine = { fieldSelector: `spec.nodeName=${name}`, resourceVersion: '0', signal };
  for await (const { type, object } of client.watch(pods, mine)) {
    if (type === 'DELETED' || type === 'BOOKMARK') continue;
    await settle(client, object as Pod).catch(() => undefined);
  }
}

async function settle(client: Client, pod: Pod): Promise<void> {
  const { namespace, name = '', deletionTimestamp } = pod.metadata;
  const ref = { namespace, name };
  if (deletionTimestamp) return client.delete(pods, ref, { gracePeriodSeconds: 0 });
  if (pod.status?.phase === 'Running') return;
  const time = now();
  const condition = (type: string) => ({ type, status: 'True', lastTransitionTime: time });
  const status = {
    phase: 'Running',
    startTime: time,
    hostIP: '10.0.0.1',
    podIP: '10.244.9.9',
    podIPs: [{ ip: '10.244.9.9' }],
    conditions: ['PodScheduled', 'Initialized', 'ContainersReady', 'Ready'].map(condition),
    containerStatuses: pod.spec?.containers.map((container) => ({
      name: container.name,
      image: container.image,
      imageID: '',
      ready: true,
      restartCount: 0,
      state: { running: { startedAt: time } },
    })),
  };
  await client.patch(pods, ref, { type: 'merge', body: { status } }, { subresource: 'status' });
}
