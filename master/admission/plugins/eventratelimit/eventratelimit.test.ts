import t from 'tap';
import { events, namespaces } from '../../../../src/api/kinds.js';
import type { Event } from '../../../../src/api/types.js';
import { createPluginBed, type PluginBed } from '../testing.js';
import { Buckets } from './buckets.js';
import { createEventRateLimit } from './eventratelimit.js';
import { limitsOf } from './limits.js';

const configuration = (...limits: object[]) => ({
  apiVersion: 'eventratelimit.admission.k8s.io/v1alpha1',
  kind: 'Configuration',
  limits,
});

const bedOf = (given: unknown): Promise<PluginBed> =>
  createPluginBed([
    (deps) => createEventRateLimit({ ...deps, configuration: new Map([['EventRateLimit', given]]) }),
  ]);

const eventOf = (name: string, about: string, namespace = 'default'): Event => ({
  metadata: { name, namespace },
  involvedObject: { kind: 'Pod', namespace, name: about },
  source: { component: 'test' },
  reason: 'Test',
  type: 'Normal',
});

t.test('a bucket holds its burst and fills at its rate', async (t) => {
  const buckets = new Buckets({ qps: 2, burst: 3, cacheSize: 2 });
  t.strictSame(
    [0, 0, 0, 0].map(() => buckets.take('a', 1000)),
    [0, 0, 0, 500],
  );
  t.equal(buckets.take('a', 1250), 250);
  t.equal(buckets.take('a', 1500), 0);
  t.strictSame(
    [0, 0, 0, 0].map(() => buckets.take('a', 60_000)),
    [0, 0, 0, 500],
    'never more than the burst',
  );
  t.equal(buckets.take('b', 60_000), 0);
  t.equal(buckets.take('a', 60_000), 500, 'asked again, so b is the one to be forgotten');
  buckets.take('c', 60_000);
  t.equal(buckets.take('a', 60_000), 500);
});

t.test('who floods a namespace is sent away with a time to come back', async (t) => {
  const bed = await bedOf(configuration({ type: 'Namespace', qps: 1, burst: 2 }));
  t.teardown(() => bed.close());
  await bed.client.create(namespaces, { metadata: { name: 'other' } });
  for (const name of ['a', 'b']) await bed.client.create(events, eventOf(name, 'x'));
  await t.rejects(bed.client.create(events, eventOf('c', 'x')), {
    code: 429,
    reason: 'TooManyRequests',
    message: 'limit reached on type Namespace for key default',
    details: { retryAfterSeconds: 1 },
  });
  await t.resolves(bed.client.create(events, eventOf('c', 'x'), { dryRun: true }), 'nothing is written');
  await t.resolves(bed.client.create(events, eventOf('c', 'x', 'other')), 'others are not sent away');
  await bed.clock.advance(1000);
  await t.resolves(bed.client.create(events, eventOf('c', 'x')));
  const patch = { type: 'merge' as const, body: { count: 2 } };
  await t.rejects(bed.client.patch(events, { namespace: 'default', name: 'c' }, patch), { code: 429 });
});

t.test('limits of a user, of an object and of the server', async (t) => {
  const bed = await bedOf(
    configuration(
      { type: 'Server', qps: 1, burst: 3 },
      { type: 'User', qps: 1, burst: 2 },
      { type: 'SourceAndObject', qps: 1, burst: 1, cacheSize: 10 },
    ),
  );
  t.teardown(() => bed.close());
  const of = (name: string) => bed.clientOf({ name, groups: ['system:masters'] });
  await of('eve').create(events, eventOf('a', 'x'));
  await t.rejects(of('bob').create(events, eventOf('b', 'x')), {
    message: /limit reached on type SourceAndObject/,
  });
  await of('eve').create(events, eventOf('c', 'y'));
  await t.rejects(of('eve').create(events, eventOf('d', 'z')), {
    message: '[limit reached on type Server for key , limit reached on type User for key eve]',
  });
});

t.test('without a configuration an ordinary burst goes through', async (t) => {
  const [limit] = limitsOf(undefined);
  t.match(limit, { type: 'Namespace', burst: 10_000 });
});

t.test('a wrong configuration is refused by field', async (t) => {
  const wrong: [unknown, string][] = [
    [configuration(), 'limits must not be empty'],
    [
      configuration({ type: 'Pod', qps: 1, burst: 1 }),
      'limits[0].type: "Pod" must be one of Server, Namespace, User, SourceAndObject',
    ],
    [configuration({ type: 'User', qps: 0, burst: 1 }), 'limits[0].qps: 0 must be positive'],
    [
      configuration({ type: 'User', qps: 1, burst: 1, cacheSize: -1 }),
      'limits[0].cacheSize: -1 must not be negative',
    ],
    [
      configuration({ type: 'User', qps: 1, bursts: 1 }),
      'limits[0] has no field "bursts"; it has type, qps, burst, cacheSize',
    ],
    [
      { kind: 'Configuration', limits: [] },
      'must be of kind Configuration and apiVersion eventratelimit.admission.k8s.io/v1alpha1',
    ],
  ];
  for (const [given, message] of wrong) t.throws(() => limitsOf(given), { message });
});
