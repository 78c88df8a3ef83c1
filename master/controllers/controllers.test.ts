import t, { type Test } from 'tap';
import {
  configMaps,
  deployments,
  endpointSlices,
  endpoints,
  leases,
  namespaces,
  nodes,
  pods,
  replicaSets,
  serviceAccounts,
  services,
} from '../../src/api/kinds.js';
import { findCondition, isConditionTrue, keyOf } from '../../src/api/meta.js';
import type { Deployment, Pod } from '../../src/api/types.js';
import { silentLogger } from '../../src/host/log.js';
import { deployment, namespace, node, pod, service } from '../../src/testing/builders.js';
import { createFakeClock, type FakeClock, settled } from '../../src/testing/clock.js';
import { createFakeClient, describeWrites, type FakeClient } from '../../src/testing/fakeclient.js';
import { createControllers } from './index.js';

interface World {
  clock: FakeClock;
  client: FakeClient;
  /** Lets everything that is due happen. */
  rest(): Promise<void>;
}

async function open(t: Test, prepare: (client: FakeClient) => void = () => undefined): Promise<World> {
  const clock = createFakeClock();
  const client = createFakeClient({ clock });
  client.seed(namespaces, namespace('default'));
  client.seed(nodes, node('node-1', { spec: { podCIDR: '10.244.0.0/24' }, ready: 'True' }));
  prepare(client);
  const controllers = createControllers({
    client,
    clock,
    log: silentLogger,
    options: { clusterCidr: '10.244.0.0/16', caPem: () => 'PEM' },
  });
  await controllers.start(new AbortController().signal);
  t.teardown(() => controllers.stop());
  const rest = async (): Promise<void> => {
    for (let i = 0; i < 5; i++) await clock.advance(20);
  };
  await rest();
  return { clock, client, rest };
}

/** What an agent does: every pod without an address gets one and becomes ready; every pod marked to go is gone. */
async function playAgent(
  { client, clock }: World,
  isHealthy: (pod: Pod) => boolean = () => true,
): Promise<void> {
  const { items } = await client.list(pods);
  for (const [i, one] of items.entries()) {
    const ref = { namespace: one.metadata.namespace, name: one.metadata.name ?? '' };
    if (one.metadata.deletionTimestamp) {
      await client.delete(pods, ref, { gracePeriodSeconds: 0 });
    } else if (!one.status?.podIP && isHealthy(one)) {
      if (!one.spec?.nodeName) await client.post(pods, ref, 'binding', { target: { name: 'node-1' } });
      const now = clock.now().toISOString();
      const body = {
        status: {
          phase: 'Running',
          podIP: `10.244.0.${i + 2}`,
          conditions: [{ type: 'Ready', status: 'True', lastTransitionTime: now }],
        },
      };
      await client.patch(pods, ref, { type: 'merge', body }, { subresource: 'status' });
    }
  }
}

const refTo = (name: string) => ({ namespace: 'default', name });
const sizes = async (client: FakeClient): Promise<number[]> =>
  (await client.list(replicaSets)).items.map((one) => one.spec?.replicas ?? 0).toSorted((a, b) => a - b);
const get = (client: FakeClient): Promise<Deployment> => client.get(deployments, refTo('web'));

void t.test('a Deployment comes up, rolls, rolls back and goes', async (t) => {
  const world = await open(t);
  const { client, rest } = world;
  await client.create(deployments, deployment('web', { replicas: 3 }));
  await rest();
  t.equal((await client.list(pods)).items.length, 3, 'made once, not twice');
  await playAgent(world);
  await rest();
  const up = await get(client);
  t.match(up.status, {
    observedGeneration: 1,
    replicas: 3,
    updatedReplicas: 3,
    readyReplicas: 3,
    availableReplicas: 3,
  });
  t.ok(isConditionTrue(up.status?.conditions, 'Available'));
  t.equal(findCondition(up.status?.conditions, 'Progressing')?.reason, 'NewReplicaSetAvailable');
  t.equal(up.metadata.annotations?.['deployment.kubernetes.io/revision'], '1');
  const [first] = (await client.list(replicaSets)).items;
  const hash = first?.metadata.labels?.['pod-template-hash'] ?? '';
  t.equal(first?.metadata.name, `web-${hash}`);
  for (const one of (await client.list(pods)).items)
    t.equal(one.metadata.labels?.['pod-template-hash'], hash);

  const image = (name: string) => ({
    spec: { template: { spec: { containers: [{ name: 'main', image: name }] } } },
  });
  await client.patch(deployments, refTo('web'), { type: 'merge', body: image('nginx:2') });
  await rest();
  t.strictSame(await sizes(client), [1, 3], 'one more than wanted, none less');
  let leastReady = 3;
  for (let i = 0; i < 20; i++) {
    await playAgent(world);
    await rest();
    const ready = (await client.list(pods)).items.filter((one) =>
      isConditionTrue(one.status?.conditions, 'Ready'),
    );
    leastReady = Math.min(leastReady, ready.filter((one) => !one.metadata.deletionTimestamp).length);
  }
  t.strictSame(await sizes(client), [0, 3]);
  t.equal(leastReady, 3, 'maxUnavailable 25% of 3 is 0');
  t.equal((await get(client)).metadata.annotations?.['deployment.kubernetes.io/revision'], '2');

  await client.patch(deployments, refTo('web'), { type: 'merge', body: image('nginx') });
  for (let i = 0; i < 20; i++) {
    await rest();
    await playAgent(world);
  }
  const back = await client.get(replicaSets, refTo(first?.metadata.name ?? ''));
  t.equal(back.spec?.replicas, 3, 'the old replica set is used again');
  t.match(back.metadata.annotations, {
    'deployment.kubernetes.io/revision': '3',
    'deployment.kubernetes.io/revision-history': '1',
  });
  t.equal((await client.list(replicaSets)).items.length, 2);

  await rest();
  const before = client.writes.length;
  await world.clock.advance(30_000);
  t.strictSame(describeWrites(client).slice(before), [], 'nothing is written while nothing happens');

  await client.delete(deployments, refTo('web'), { propagationPolicy: 'Background' });
  for (let i = 0; i < 5; i++) {
    await rest();
    await playAgent(world);
  }
  t.equal((await client.list(replicaSets)).items.length + (await client.list(pods)).items.length, 0);
});

void t.test('foreground and orphan deletion', async (t) => {
  const world = await open(t);
  const { client, rest } = world;
  await client.create(deployments, deployment('web', { replicas: 1 }));
  await rest();
  await playAgent(world);
  await client.delete(deployments, refTo('web'), { propagationPolicy: 'Foreground' });
  await rest();
  t.ok((await get(client)).metadata.deletionTimestamp, 'waits for its pods');
  t.equal((await client.list(replicaSets)).items.length, 1);
  await playAgent(world);
  await rest();
  await t.rejects(get(client), { message: /not found/ });
  t.equal((await client.list(replicaSets)).items.length, 0);

  await client.create(deployments, deployment('web', { replicas: 1 }));
  await rest();
  await client.delete(deployments, refTo('web'), { propagationPolicy: 'Orphan' });
  await rest();
  await t.rejects(get(client), { message: /not found/ });
  const [left] = (await client.list(replicaSets)).items;
  t.notOk(left?.metadata.ownerReferences?.length, 'kept, without owner');
  await client.create(deployments, deployment('web', { replicas: 1 }));
  await rest();
  t.equal((await client.list(replicaSets)).items.length, 1, 'adopted by the next Deployment');
});

void t.test('readiness reaches Endpoints and EndpointSlices at once', async (t) => {
  const world = await open(t);
  const { client } = world;
  await client.create(services, service('web'));
  await client.create(services, service('manual', { spec: { selector: undefined } }));
  client.seed(pods, pod('a', { labels: { app: 'web' }, ip: '10.244.0.5', node: 'node-1', ready: true }));
  await settled();
  const slice = async () =>
    (await client.list(endpointSlices, { labelSelector: 'kubernetes.io/service-name=web' })).items[0];
  t.match(await slice(), {
    addressType: 'IPv4',
    ports: [{ port: 80, protocol: 'TCP' }],
    endpoints: [
      {
        addresses: ['10.244.0.5'],
        conditions: { ready: true, serving: true, terminating: false },
        nodeName: 'node-1',
      },
    ],
  });
  t.match((await client.get(endpoints, refTo('web'))).subsets, [
    { addresses: [{ ip: '10.244.0.5' }], ports: [{ port: 80 }] },
  ]);
  t.equal((await client.list(endpointSlices)).items.length, 1, 'no selector, no slice');

  const body = { status: { conditions: [{ type: 'Ready', status: 'False' }] } };
  await client.patch(pods, refTo('a'), { type: 'merge', body }, { subresource: 'status' });
  await settled();
  t.match((await slice())?.endpoints, [{ conditions: { ready: false } }]);
  t.match((await client.get(endpoints, refTo('web'))).subsets, [
    { notReadyAddresses: [{ ip: '10.244.0.5' }] },
  ]);

  await client.delete(services, refTo('web'));
  await settled();
  t.equal((await client.list(endpointSlices)).items.length, 0);
  t.equal((await client.list(endpoints)).items.length, 0);
});

void t.test('a silent node is tainted, its pods are evicted, and it comes back clean', async (t) => {
  const lease = (name: string) => ({
    metadata: { namespace: 'kube-node-lease', name },
    spec: { renewTime: '0' },
  });
  const world = await open(t, (client) => {
    client.seed(leases, lease('node-1'));
    for (const name of ['alive', 'dead']) {
      client.seed(nodes, node(name, { ready: 'True' }));
      client.seed(leases, lease(name));
    }
    client.seed(pods, pod('a', { node: 'dead', ready: true }));
    const brief = [{ operator: 'Exists', tolerationSeconds: 10 }];
    client.seed(pods, pod('brief', { node: 'dead', ready: true, spec: { tolerations: brief } }));
  });
  const { client, clock } = world;
  const beat = async (name: string, ms: number): Promise<void> => {
    for (let left = ms; left > 0; left -= 10_000) {
      const body = { spec: { renewTime: String(clock.monotonicMs()) } };
      await client.patch(leases, { namespace: 'kube-node-lease', name }, { type: 'merge', body });
      await clock.advance(Math.min(left, 10_000));
    }
  };
  const dead = () => client.get(nodes, { name: 'dead' });
  const present = async (name: string): Promise<boolean> =>
    !(await client.get(pods, refTo(name))).metadata.deletionTimestamp;
  await beat('alive', 30_000);
  t.ok(isConditionTrue((await dead()).status?.conditions, 'Ready'));
  await beat('alive', 15_000);
  t.match(findCondition((await dead()).status?.conditions, 'Ready'), {
    status: 'Unknown',
    reason: 'NodeStatusUnknown',
    message: 'Kubelet stopped posting node status.',
  });
  const taints = async () => ((await dead()).spec?.taints ?? []).map(({ key, effect }) => `${key}:${effect}`);
  t.strictSame(await taints(), [
    'node.kubernetes.io/unreachable:NoSchedule',
    'node.kubernetes.io/unreachable:NoExecute',
  ]);
  t.notOk(isConditionTrue((await client.get(pods, refTo('a'))).status?.conditions, 'Ready'));
  t.ok(await present('brief'));
  await beat('alive', 20_000);
  t.notOk(await present('brief'), 'tolerated for 10 s only');
  t.ok(await present('a'));
  await beat('alive', 300_000);
  t.notOk(await present('a'), 'five minutes by default');
  t.strictSame((await client.get(nodes, { name: 'alive' })).spec?.taints ?? [], []);

  const conditions = ((await dead()).status?.conditions ?? []).map((condition) => ({
    ...condition,
    status: condition.type === 'Ready' ? 'True' : 'False',
    lastHeartbeatTime: 'now',
  }));
  await client.patch(
    nodes,
    { name: 'dead' },
    { type: 'merge', body: { status: { conditions } } },
    { subresource: 'status' },
  );
  await world.rest();
  t.strictSame(await taints(), []);

  await client.delete(nodes, { name: 'dead' });
  await beat('alive', 60_000);
  t.equal((await client.list(pods)).items.length, 0, 'pods of a vanished node are removed by force');
});

void t.test(
  'nodes get distinct blocks, also after a restart; every node waits for its network',
  async (t) => {
    const world = await open(t, (client) => {
      client.seed(nodes, node('new-1'));
      client.seed(nodes, node('new-2'));
    });
    const blocks = (await world.client.list(nodes)).items.map((one) => one.spec?.podCIDR);
    t.equal(new Set(blocks).size, 3);
    t.ok(blocks.every((block) => /^10\.244\.[012]\.0\/24$/.test(block ?? '')));
    t.match((await world.client.get(nodes, { name: 'new-1' })).spec?.taints, [
      { key: 'node.kubernetes.io/not-ready', effect: 'NoSchedule' },
    ]);
  },
);

void t.test('namespaces are furnished, and emptied before they go', async (t) => {
  const world = await open(t);
  const { client, rest } = world;
  await client.create(namespaces, namespace('shop'));
  await rest();
  t.ok(await client.get(serviceAccounts, { namespace: 'shop', name: 'default' }));
  t.equal(
    (await client.get(configMaps, { namespace: 'shop', name: 'kube-root-ca.crt' })).data?.['ca.crt'],
    'PEM',
  );
  await client.delete(serviceAccounts, { namespace: 'shop', name: 'default' });
  await rest();
  t.ok(await client.get(serviceAccounts, { namespace: 'shop', name: 'default' }), 'comes back');

  const held = { namespace: 'shop', name: 'held', finalizers: ['example.com/wait'] };
  await client.create(configMaps, { metadata: held });
  client.seed(pods, pod('a', { meta: { namespace: 'shop' }, node: 'node-1', ready: true }));
  await client.delete(namespaces, { name: 'shop' });
  await rest();
  const waiting = await client.get(namespaces, { name: 'shop' });
  t.equal(waiting.status?.phase, 'Terminating');
  t.match(
    findCondition(waiting.status?.conditions, 'NamespaceFinalizersRemaining')?.message,
    /example.com\/wait in 1/,
  );
  await playAgent(world);
  await client.patch(
    configMaps,
    { namespace: 'shop', name: 'held' },
    { type: 'merge', body: { metadata: { finalizers: null } } },
  );
  await world.clock.advance(10_000);
  t.strictSame((await client.list(namespaces)).items.map(keyOf), ['default']);
  t.strictSame(
    describeWrites(client).filter((line) => line.startsWith('update namespaces')),
    ['update namespaces/finalize shop'],
  );
});

void t.test('a refused pod shows in the status and is retried', async (t) => {
  const world = await open(t);
  const { client, clock, rest } = world;
  client.failNext((call) => call.verb === 'create' && call.resource === 'pods', new Error('no room'), 3);
  await client.create(deployments, deployment('web', { replicas: 4 }));
  await settled();
  const [set] = (await client.list(replicaSets)).items;
  t.match(findCondition(set?.status?.conditions, 'ReplicaFailure'), {
    status: 'True',
    reason: 'FailedCreate',
    message: 'no room',
  });
  await clock.advance(1_000);
  await rest();
  t.equal((await client.list(pods)).items.length, 4);
  const [after] = (await client.list(replicaSets)).items;
  t.notOk(findCondition(after?.status?.conditions, 'ReplicaFailure'));
});

void t.test('a refusal that names another pod each time is not told each time', async (t) => {
  const { client, clock } = await open(t);
  let tries = 0;
  const isPod = (call: { verb: string; resource: string }): boolean => {
    if (call.verb !== 'create' || call.resource !== 'pods') return false;
    tries += 1;
    client.failNext(isPod, new Error(`pods "web-${tries}" is forbidden`));
    return true;
  };
  client.failNext(isPod, new Error('pods "web-0" is forbidden'));
  await client.create(deployments, deployment('web', { replicas: 1 }));
  await settled();
  await clock.advance(1_000);
  t.ok(tries > 1 && tries < 12, `${tries} tries within a second`);
  const [set] = (await client.list(replicaSets)).items;
  t.match(findCondition(set?.status?.conditions, 'ReplicaFailure'), { reason: 'FailedCreate' });
});
