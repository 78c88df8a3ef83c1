import t from 'tap';
import { ApiError } from '../../src/api/errors.js';
import { events, nodes, pods } from '../../src/api/kinds.js';
import { findCondition } from '../../src/api/meta.js';
import type { Pod } from '../../src/api/types.js';
import { createInformers } from '../../src/client/informers.js';
import { silentLogger } from '../../src/host/log.js';
import { createFakeClock, settled } from '../../src/testing/clock.js';
import { createFakeClient, type FakeCall, type FakeClient } from '../../src/testing/fakeclient.js';
import { createRegistryClient } from '../registry/client.js';
import { createTestRegistry } from '../registry/testing.js';
import { createScheduler } from './scheduler.js';
import { guest, host } from './testing.js';

function setUp() {
  const clock = createFakeClock();
  const client = createFakeClient({ clock });
  const scheduler = createScheduler({ client, clock, log: silentLogger });
  return { clock, client, scheduler, signal: new AbortController().signal };
}

/** Lets watches, workers and writes that depend on each other come to rest. */
async function rest(): Promise<void> {
  for (let turn = 0; turn < 12; turn++) await settled();
}

const get = (client: FakeClient, name: string): Promise<Pod> =>
  client.get(pods, { namespace: 'default', name });
const nodeOf = async (client: FakeClient, name: string) => (await get(client, name)).spec?.nodeName;
const messageOf = async (client: FakeClient, name: string) =>
  findCondition((await get(client, name)).status?.conditions, 'PodScheduled')?.message;
const eventsOf = async (client: FakeClient): Promise<(string | undefined)[][]> =>
  (await client.list(events)).items.map(({ type, reason, message }) => [type, reason, message]);
const isBinding = ({ verb, subresource }: FakeCall): boolean => verb === 'post' && subresource === 'binding';
const bindings = (client: FakeClient): string[] => client.writes.filter(isBinding).map(({ key }) => key);

void t.test('binds pods and says so; leaves those of others alone', async (t) => {
  const { client, scheduler, signal } = setUp();
  client.seed(nodes, host('a'));
  client.seed(nodes, host('b'));
  client.seed(pods, guest('early', { owner: 'web' }));
  client.seed(pods, guest('placed', { spec: { nodeName: 'a' } }));
  client.seed(pods, guest('theirs', { spec: { schedulerName: 'other' } }));
  client.seed(pods, guest('gated', { spec: { schedulingGates: [{ name: 'wait' }] } }));
  await scheduler.start(signal);
  await client.create(pods, guest('late', { owner: 'web' }));
  await rest();
  t.strictSame(bindings(client), ['default/early', 'default/late']);
  t.strictSame([await nodeOf(client, 'early'), await nodeOf(client, 'late')].sort(), ['a', 'b']);
  t.ok(
    (await eventsOf(client)).some(([, , message]) => message === `Successfully assigned default/early to b`),
  );
  await scheduler.stop();
});

void t.test('a pod that fits nowhere says why, and is placed when something helps', async (t) => {
  const { client, clock, scheduler, signal } = setUp();
  await scheduler.start(signal);
  await client.create(pods, guest('p', { requests: { cpu: '3' } }));
  await rest();
  t.equal(await messageOf(client, 'p'), 'no nodes available to schedule pods');
  await clock.advance(10_000);
  const writes = client.writes.length;
  await clock.advance(200_000);
  t.equal(client.writes.length, writes, 'nothing is written again and again');

  await client.create(pods, guest('rival', { requests: { cpu: '3' }, spec: { nodeName: 'small' } }));
  const small = await client.create(nodes, host('small', { cpu: '4' }));
  await rest();
  await clock.advance(10_000);
  t.equal(await messageOf(client, 'p'), '0/1 nodes are available: 1 Insufficient cpu.');
  t.ok(
    (await eventsOf(client)).some(([type, reason]) => type === 'Warning' && reason === 'FailedScheduling'),
  );
  await client.update(
    nodes,
    { ...small, status: { ...small.status, conditions: [] } },
    { subresource: 'status' },
  );
  await client.delete(pods, { namespace: 'default', name: 'rival' }, { gracePeriodSeconds: 0 });
  await rest();
  await clock.advance(10_000);
  await rest();
  t.equal(await nodeOf(client, 'p'), 'small');
  await scheduler.stop();
});

void t.test('a failed binding gives its room back and is tried again later', async (t) => {
  const { client, clock, scheduler, signal } = setUp();
  client.seed(nodes, host('a', { cpu: '1' }));
  const away = new ApiError('ServiceUnavailable', 'away');
  client.failNext((call) => isBinding(call) && call.key === 'default/first', away);
  client.failNext((call) => isBinding(call) && call.key === 'default/third', new ApiError('Conflict', 'no'));
  await scheduler.start(signal);
  await client.create(pods, guest('first', { requests: { cpu: '1' } }));
  await rest();
  t.equal(await nodeOf(client, 'first'), undefined);
  await clock.advance(1_000);
  await rest();
  t.equal(await nodeOf(client, 'first'), 'a');
  await client.delete(pods, { namespace: 'default', name: 'first' }, { gracePeriodSeconds: 0 });
  await client.create(pods, guest('third', { requests: { cpu: '1' } }));
  await rest();
  t.equal(await nodeOf(client, 'third'), undefined);
  await client.create(pods, guest('fourth', { requests: { cpu: '1' } }));
  await rest();
  t.equal(await nodeOf(client, 'fourth'), 'a', 'its room is free');
  await client.delete(pods, { namespace: 'default', name: 'fourth' }, { gracePeriodSeconds: 0 });
  await rest();
  await clock.advance(10_000);
  await rest();
  t.equal(await nodeOf(client, 'third'), 'a', 'a conflict that was none does not lose the pod');
  await scheduler.stop();
});

void t.test('two at once and a restart bind every pod once', async (t) => {
  const { client, clock, scheduler, signal } = setUp();
  for (const name of ['a', 'b', 'c']) client.seed(nodes, host(name, { cpu: '4' }));
  const informers = createInformers({ client, clock, log: silentLogger });
  const second = createScheduler({ client, clock, log: silentLogger, informers });
  for (let i = 0; i < 12; i++) client.seed(pods, guest(`p${i}`, { requests: { cpu: '1' } }));
  await informers.start(signal);
  await Promise.all([scheduler.start(signal), second.start(signal)]);
  await rest();
  await scheduler.stop();
  const placed = (await client.list(pods)).items.map(({ spec }) => spec?.nodeName);
  t.equal(placed.filter(Boolean).length, 12);
  const third = createScheduler({ client, clock, log: silentLogger });
  await third.start(signal);
  await client.create(pods, guest('over', { requests: { cpu: '1' } }));
  await rest();
  t.strictSame(
    (await client.list(pods)).items.map(({ spec }) => spec?.nodeName).slice(1),
    placed,
    'nothing moved',
  );
  t.equal(await nodeOf(client, 'over'), undefined, 'a restart knows what is taken');
  await third.stop();
  await second.stop();
  await informers.stop();
});

void t.test('over the real registry: the condition is written, then the pod is bound', async (t) => {
  const clock = createFakeClock();
  const { registry } = await createTestRegistry({ clock });
  const client = createRegistryClient(registry, { name: 'system:wherry-master', groups: ['system:masters'] });
  const scheduler = createScheduler({ client, clock, log: silentLogger });
  t.teardown(async () => {
    await scheduler.stop();
    await registry.stop();
  });
  const big = host('big');
  const { spec } = guest('p', { requests: { cpu: '2' } });
  await client.create(nodes, { ...big, spec: { unschedulable: true } });
  await client.update(nodes, big, { subresource: 'status' });
  await client.create(pods, { metadata: { name: 'p', namespace: 'default' }, spec });
  await scheduler.start(new AbortController().signal);
  await rest();
  const ref = { namespace: 'default', name: 'p' };
  const refused = await client.get(pods, ref);
  t.match(findCondition(refused.status?.conditions, 'PodScheduled'), {
    status: 'False',
    reason: 'Unschedulable',
    message: '0/1 nodes are available: 1 node(s) were unschedulable.',
  });
  const body = { spec: { unschedulable: false } };
  await client.patch(nodes, { name: 'big' }, { type: 'merge', body });
  await rest();
  await clock.advance(1_000);
  await rest();
  const bound = await client.get(pods, ref);
  t.equal(bound.spec?.nodeName, 'big');
  t.match(findCondition(bound.status?.conditions, 'PodScheduled'), { status: 'True' });
  t.equal(findCondition(bound.status?.conditions, 'PodScheduled')?.message, undefined);
  t.strictSame((await client.list(events)).items.map(({ reason }) => reason).sort(), [
    'FailedScheduling',
    'Scheduled',
  ]);
});
