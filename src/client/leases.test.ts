import t from 'tap';
import { ApiError } from '../api/errors.js';
import { leases } from '../api/kinds.js';
import type { Lease } from '../api/types.js';
import { silentLogger } from '../host/log.js';
import { createFakeClock, type FakeClock, settled } from '../testing/clock.js';
import { createFakeClient, type FakeClient } from '../testing/fakeclient.js';
import { decide } from './lease.js';
import { createElection, createHeartbeat } from './leases.js';

const ref = { namespace: 'kube-system', name: 'scheduler' };
const held = (spec: Lease['spec']): Lease => ({ metadata: ref, spec });
const wish = { identity: 'a', durationMs: 15_000, now: new Date('2026-01-01T00:00:00Z') };

void t.test('decide', (t) => {
  const by = (holderIdentity: string) =>
    held({ holderIdentity, leaseDurationSeconds: 15, leaseTransitions: 3, acquireTime: 'x' });
  t.match(decide(undefined, wish, 0), {
    do: 'create',
    spec: { holderIdentity: 'a', leaseDurationSeconds: 15, leaseTransitions: 0 },
  });
  t.match(decide(by('a'), wish, 99_000), {
    do: 'renew',
    spec: { leaseTransitions: 3, acquireTime: 'x', renewTime: '2026-01-01T00:00:00.000000Z' },
  });
  t.strictSame(decide(by('b'), wish, 4_000), { do: 'wait', ms: 11_000 });
  t.match(decide(by('b'), wish, 15_000), { do: 'take', spec: { holderIdentity: 'a', leaseTransitions: 4 } });
  t.match(decide(by(''), wish, 0), { do: 'take' }, 'given back');
  t.end();
});

void t.test('a heartbeat renews, survives errors and lost races, and owns its lease', async (t) => {
  const clock = createFakeClock();
  const client = createFakeClient({ clock });
  const owner = { apiVersion: 'v1', kind: 'Node', name: 'n1', uid: 'u' };
  const heartbeat = createHeartbeat({
    client,
    clock,
    log: silentLogger,
    ref,
    identity: 'n1',
    owner: () => owner,
  });
  await heartbeat.start(new AbortController().signal);
  await settled();
  const renewed = async (): Promise<string | undefined> => (await client.get(leases, ref)).spec?.renewTime;
  t.match(await client.get(leases, ref), {
    metadata: { ownerReferences: [owner] },
    spec: { holderIdentity: 'n1', leaseDurationSeconds: 40 },
  });
  await clock.advance(10_000);
  t.equal(await renewed(), '2026-01-01T00:00:10.000000Z');
  client.failNext((call) => call.verb === 'update', new ApiError('ServiceUnavailable', 'away'), 3);
  await clock.advance(10_000);
  t.notOk(heartbeat.healthy().ok);
  await clock.advance(5_000);
  t.ok(heartbeat.healthy().ok);
  await client.patch(leases, ref, { type: 'merge', body: { metadata: { labels: { touched: 'yes' } } } });
  await clock.advance(25_000);
  t.ok(((await renewed()) ?? '') > '2026-01-01T00:00:40', 'goes on after a conflict');
  await client.delete(leases, ref);
  await clock.advance(25_000);
  t.ok(await renewed(), 'comes back when somebody removed it');
  await heartbeat.stop();
  t.equal(clock.pending, 0);
});

interface Candidate {
  leads: number;
  active: boolean;
  stop(): Promise<void>;
  isLeader(): boolean;
}

function candidate(client: FakeClient, clock: FakeClock, identity: string): Candidate {
  const state = { leads: 0, active: false };
  const election = createElection({
    client,
    clock,
    log: silentLogger,
    ref,
    identity,
    lead: (signal) =>
      new Promise((resolve) => {
        state.leads += 1;
        state.active = true;
        signal.addEventListener('abort', () => {
          state.active = false;
          resolve();
        });
      }),
  });
  void election.start(new AbortController().signal);
  return Object.assign(state, { stop: () => election.stop(), isLeader: () => election.isLeader() });
}

void t.test(
  'one leads; another follows when it gives up, and only after the lease ran out when it dies',
  async (t) => {
    const clock = createFakeClock();
    const client = createFakeClient({ clock });
    const a = candidate(client, clock, 'a');
    await settled();
    const b = candidate(client, clock, 'b');
    await clock.advance(30_000);
    t.ok(a.active && !b.active);
    await a.stop();
    t.notOk(a.active);
    await clock.advance(5_000);
    t.ok(b.active, 'soon, for the lease was given back');

    const c = candidate(client, clock, 'c');
    await clock.advance(5_000);
    const isFromB = (call: { verb: string }): boolean => call.verb === 'update';
    client.failNext(isFromB, new ApiError('ServiceUnavailable', 'cut off'), 6);
    await clock.advance(7_000);
    t.ok(b.active, 'within the deadline');
    await clock.advance(4_000);
    t.notOk(b.active, 'gives up by itself');
    await clock.advance(30_000);
    t.equal(Number(b.active) + Number(c.active), 1);
    await b.stop();
    await c.stop();
  },
);
