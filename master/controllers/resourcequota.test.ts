/** The status of quotas follows what is there, and leaves alone for a while what somebody else charged. */
import t, { type Test } from 'tap';
import { configMaps, limitRanges, pods, resourceQuotas } from '../../src/api/kinds.js';
import type { ResourceQuota, ResourceQuotaStatus } from '../../src/api/types.js';
import type { Client } from '../../src/client/client.js';
import { createInformers } from '../../src/client/informers.js';
import { silentLogger } from '../../src/host/log.js';
import { pod } from '../../src/testing/builders.js';
import { createFakeClock, type FakeClock } from '../../src/testing/clock.js';
import { createQuotaLedger, type QuotaLedger } from '../admission/plugins/quota/ledger.js';
import { createRegistryClient } from '../registry/client.js';
import { createTestRegistry } from '../registry/testing.js';
import { fixedTypes } from '../resources/followed.js';
import type { ControllerContext } from './context.js';
import { createResourceQuotaController } from './resourcequota.js';

const namespace = 'default';
const ref = { namespace, name: 'q' };

interface World {
  client: Client;
  clock: FakeClock;
  ledger: QuotaLedger;
  /** What the status says when all is done that is due within the time. */
  usedAfter(ms: number): Promise<Record<string, string> | undefined>;
}

async function open(t: Test, quota: Partial<ResourceQuota>): Promise<World> {
  const clock = createFakeClock();
  const { registry } = await createTestRegistry({ clock });
  const client = createRegistryClient(registry, { name: 'tester', groups: [] });
  const informers = createInformers({ client, clock, log: silentLogger });
  const ledger = createQuotaLedger({ client, clock });
  const context = { client, clock, informers, log: silentLogger } as unknown as ControllerContext;
  const types = fixedTypes([pods, configMaps, limitRanges]);
  const controller = createResourceQuotaController(context, types, ledger);
  const { status, ...rest } = quota;
  const made = await client.create(resourceQuotas, { metadata: ref, ...rest });
  if (status) await client.update(resourceQuotas, { ...made, status }, { subresource: 'status' });
  const { signal } = new AbortController();
  await informers.start(signal);
  await controller.start(signal);
  t.teardown(async () => {
    await controller.stop();
    await informers.stop();
  });
  async function usedAfter(ms: number): Promise<Record<string, string> | undefined> {
    for (let i = 0; i < 30; i += 1) await new Promise((resolve) => setImmediate(resolve));
    await clock.advance(ms);
    for (let i = 0; i < 30; i += 1) await new Promise((resolve) => setImmediate(resolve));
    return (await client.get(resourceQuotas, ref)).status?.used;
  }
  return { client, clock, ledger, usedAfter };
}

const podOf = (name: string) =>
  pod(name, {
    meta: { name, namespace },
    spec: { containers: [{ name: 'c', image: 'x', resources: { requests: { cpu: '500m' } } }] },
  });

void t.test('what comes into force is counted, what ends or goes is given back', async (t) => {
  const { client, usedAfter } = await open(t, {
    spec: { hard: { pods: '3', 'requests.cpu': '2', 'count/pods': '9', 'count/boats.example.com': '1' } },
  });
  t.strictSame(await usedAfter(0), { pods: '0', 'requests.cpu': '0', 'count/pods': '0' });
  for (const name of ['a', 'b']) await client.create(pods, podOf(name));
  const body = { spec: { hard: { pods: '4', 'count/configmaps': '1' } } };
  await client.patch(resourceQuotas, ref, { type: 'merge', body });
  t.strictSame(await usedAfter(0), {
    pods: '2',
    'requests.cpu': '1',
    'count/pods': '2',
    'count/configmaps': '0',
  });
  const ended = { status: { phase: 'Succeeded' } };
  await client.patch(
    pods,
    { namespace, name: 'a' },
    { type: 'merge', body: ended },
    { subresource: 'status' },
  );
  t.match(await usedAfter(100), { pods: '1', 'requests.cpu': '500m', 'count/pods': '2' });
  await client.delete(pods, { namespace, name: 'b' }, { gracePeriodSeconds: 0 });
  t.match(await usedAfter(100), { pods: '0', 'requests.cpu': '0', 'count/pods': '1' });
  const fewer = { spec: { hard: { pods: null, 'requests.cpu': null, 'count/boats.example.com': null } } };
  await client.patch(resourceQuotas, ref, { type: 'merge', body: fewer });
  t.strictSame(await usedAfter(0), { 'count/pods': '1', 'count/configmaps': '0' });
});

void t.test('usage that others wrote is not lowered before their writes must be there', async (t) => {
  const hard = { pods: '10', 'count/configmaps': '5' };
  const status: ResourceQuotaStatus = { hard, used: { pods: '4', 'count/configmaps': '0' } };
  const { client, usedAfter } = await open(t, { spec: { hard }, status });
  await client.create(configMaps, { metadata: { namespace, name: 'm' } });
  t.strictSame(await usedAfter(1_900), { pods: '4', 'count/configmaps': '0' });
  t.strictSame(await usedAfter(200), { pods: '0', 'count/configmaps': '1' });
  const quota = await client.get(resourceQuotas, ref);
  const foreign = { ...quota, status: { hard, used: { pods: '3', 'count/configmaps': '0' } } };
  await client.update(resourceQuotas, foreign, { subresource: 'status' });
  await client.delete(configMaps, { namespace, name: 'm' });
  t.match(await usedAfter(200), { pods: '3' });
  t.match(await usedAfter(2_000), { pods: '0' });
});

void t.test('a pod that does not go frees its quota after twice its grace period', async (t) => {
  const { client, usedAfter } = await open(t, { spec: { hard: { pods: '3' } } });
  await client.create(pods, podOf('stuck'));
  const binding = { metadata: { name: 'stuck' }, target: { kind: 'Node', name: 'n' } };
  await client.post(pods, { namespace, name: 'stuck' }, 'binding', binding);
  const body = { metadata: { labels: { a: 'b' } } };
  await client.patch(resourceQuotas, ref, { type: 'merge', body: { spec: { hard: { pods: '4' } } } });
  await client.patch(pods, { namespace, name: 'stuck' }, { type: 'merge', body });
  t.match(await usedAfter(0), { pods: '1' });
  await client.delete(pods, { namespace, name: 'stuck' }, { gracePeriodSeconds: 30 });
  await client.patch(resourceQuotas, ref, { type: 'merge', body: { spec: { hard: { pods: '5' } } } });
  t.match(await usedAfter(59_000), { pods: '1' });
  t.match(await usedAfter(1_100), { pods: '0' });
});
