import t from 'tap';
import {
  deployments,
  endpointSlices,
  namespaces,
  nodes,
  pods,
  replicaSets,
  services,
} from '../../src/api/kinds.js';
import { isConditionTrue } from '../../src/api/meta.js';
import type { Client } from '../../src/client/client.js';
import { systemClock } from '../../src/host/clock.js';
import { silentLogger } from '../../src/host/log.js';
import { deployment, namespace, node, service } from '../../src/testing/builders.js';
import { clientContract } from '../../src/testing/client.contract.js';
import { createFakeClock, type FakeClock } from '../../src/testing/clock.js';
import { createRegistryClient } from '../registry/client.js';
import { createTestRegistry } from '../registry/testing.js';
import { servedTypes } from '../resources/followed.js';
import { createControllers } from './index.js';

const user = { name: 'system:masters', groups: ['system:masters'] };

void t.test('the in-process client passes the client contract', async (t) => {
  clientContract(t, async () => {
    const { registry } = await createTestRegistry({ clock: systemClock });
    return { client: createRegistryClient(registry, user), close: () => registry.stop() };
  });
});

const refTo = (name: string) => ({ namespace: 'default', name });

/** Binds, starts and removes pods as scheduler and agent would. */
async function playAgent(client: Client, clock: FakeClock): Promise<void> {
  for (const [i, one] of (await client.list(pods)).items.entries()) {
    const ref = { namespace: one.metadata.namespace, name: one.metadata.name ?? '' };
    if (one.metadata.deletionTimestamp) {
      await client.delete(pods, ref, { gracePeriodSeconds: 0 });
    } else if (!one.status?.podIP) {
      const binding = {
        apiVersion: 'v1',
        kind: 'Binding',
        metadata: { name: ref.name },
        target: { kind: 'Node', name: 'node-1' },
      };
      await client.post(pods, ref, 'binding', binding);
      const lastTransitionTime = clock.now().toISOString().replace(/\.\d+/, '');
      const podIP = `10.244.0.${i + 2}`;
      const conditions = [{ type: 'Ready', status: 'True', lastTransitionTime }];
      const body = { status: { phase: 'Running', podIP, podIPs: [{ ip: podIP }], conditions } };
      await client.patch(pods, ref, { type: 'merge', body }, { subresource: 'status' });
    }
  }
}

void t.test('the controllers work over the registry: roll out, serve, delete', async (t) => {
  const clock = createFakeClock();
  const { registry } = await createTestRegistry({ clock });
  const client = createRegistryClient(registry, user);
  const controllers = createControllers({
    client,
    clock,
    log: silentLogger,
    options: { clusterCidr: '10.244.0.0/16', caPem: () => 'PEM', types: servedTypes(registry.resources) },
  });
  await controllers.start(new AbortController().signal);
  t.teardown(async () => {
    await controllers.stop();
    await registry.stop();
  });
  const turn = async (times = 1): Promise<void> => {
    for (let i = 0; i < times; i++) {
      for (let j = 0; j < 10; j++) await clock.advance(20);
      await playAgent(client, clock);
    }
    for (let j = 0; j < 10; j++) await clock.advance(20);
  };
  await client.create(nodes, node('node-1', { ready: 'True' }));
  await client.create(namespaces, namespace('shop'));
  await client.create(deployments, deployment('web', { replicas: 4 }));
  await client.create(services, service('web', { spec: { clusterIP: undefined, clusterIPs: undefined } }));
  await turn(3);
  t.match((await client.get(deployments, refTo('web'))).status, {
    readyReplicas: 4,
    updatedReplicas: 4,
    availableReplicas: 4,
  });
  const [slice] = (await client.list(endpointSlices)).items;
  t.equal(slice?.endpoints?.filter((endpoint) => endpoint.conditions?.ready).length, 4);
  t.equal((await client.get(nodes, { name: 'node-1' })).spec?.podCIDR, '10.244.0.0/24');

  const image = { spec: { template: { spec: { containers: [{ name: 'main', image: 'nginx:2' }] } } } };
  await client.patch(deployments, refTo('web'), { type: 'merge', body: image });
  await turn(15);
  const rolled = await client.get(deployments, refTo('web'));
  t.match(rolled.status, {
    updatedReplicas: 4,
    replicas: 4,
    availableReplicas: 4,
    observedGeneration: rolled.metadata.generation,
  });
  t.ok(isConditionTrue(rolled.status?.conditions, 'Progressing'));
  t.strictSame((await client.list(replicaSets)).items.map((one) => one.spec?.replicas).toSorted(), [0, 4]);
  const versions = async () => (await client.list(pods)).metadata.resourceVersion;
  const before = await versions();
  await clock.advance(25_000);
  const after = await versions();
  t.equal(after, before, 'nothing is written while nothing happens');

  await client.delete(deployments, refTo('web'), { propagationPolicy: 'Foreground' });
  await client.delete(namespaces, { name: 'shop' });
  await turn(4);
  t.equal((await client.list(deployments)).items.length, 0);
  t.equal((await client.list(pods)).items.length, 0);
  t.notOk((await client.list(namespaces)).items.some((one) => one.metadata.name === 'shop'));
  for (const [name, { failures }] of Object.entries(controllers.metrics()))
    t.ok(failures < 20, `${name}: ${failures} failures`);
});
