import t from 'tap';
import type { PodSpec, WeightedPodAffinityTerm } from '../../src/api/types.js';
import { service } from '../../src/testing/builders.js';
import { scaleToMax, scaleToRange } from './plugin.js';
import { preferFewest } from './plugins/spreading.js';
import { enoughNodes } from './schedule.js';
import { cluster, decide, guest, host, outcome, placeAll } from './testing.js';

const replicas = (count: number, owner = 'web', spec: Partial<PodSpec> = {}) =>
  Array.from({ length: count }, (_, i) => guest(`${owner}-${i}`, { owner, labels: { app: owner }, spec }));

void t.test('replicas of one owner go to different nodes, however full these are', (t) => {
  const busy = guest('busy', { requests: { cpu: '3', memory: '7Gi' } });
  const state = cluster([host('a', { images: { 'nginx:latest': 2 ** 30 } }), host('b'), host('c')], {
    b: [busy],
  });
  t.strictSame(placeAll(state, replicas(3)).sort(), ['a', 'b', 'c']);
  t.strictSame(placeAll(state, replicas(3, 'api')).sort(), ['a', 'b', 'c'], 'each owner by itself');
  const more = placeAll(state, [
    guest('web-3', { owner: 'web' }),
    guest('web-4', { owner: 'web' }),
    guest('web-5', { owner: 'web' }),
  ]);
  t.strictSame(more.sort(), ['a', 'b', 'c'], 'and again on top of those');
  const tight = cluster([host('a'), host('b', { pods: '1' })]);
  t.strictSame(placeAll(tight, replicas(3)).sort(), ['a', 'a', 'b'], 'only when they can');
  t.end();
});

void t.test('pods behind one Service spread, those of the same owner first', (t) => {
  const state = cluster([host('a'), host('b')], { a: [guest('old-1', { labels: { app: 'web' } })] });
  state.setService('default/web', service('web'));
  t.equal(outcome(state, guest('new', { labels: { app: 'web' }, owner: 'new' })), 'b');
  const rollout = cluster([host('a'), host('b')], {
    a: [guest('new-1', { labels: { app: 'web' }, owner: 'new' })],
    b: [guest('old-1', { labels: { app: 'web' } }), guest('old-2', { labels: { app: 'web' } })],
  });
  rollout.setService('default/web', service('web'));
  t.equal(outcome(rollout, guest('new-2', { labels: { app: 'web' }, owner: 'new' })), 'b');
  rollout.setService('default/web', undefined);
  t.equal(
    outcome(rollout, guest('p', { labels: { app: 'web' } })),
    'a',
    'without the Service the emptier one',
  );
  t.end();
});

void t.test('among free nodes, another zone comes first', (t) => {
  const inZone = (name: string, zone: string) =>
    host(name, { labels: { 'topology.kubernetes.io/zone': zone } });
  const state = cluster([
    inZone('a1', 'a'),
    inZone('a2', 'a'),
    inZone('a3', 'a'),
    inZone('b1', 'b'),
    inZone('b2', 'b'),
  ]);
  const zones = placeAll(state, replicas(5)).map((name) => name.slice(0, 1));
  t.strictSame(zones.slice(0, 4).toSorted(), ['a', 'a', 'b', 'b']);
  t.equal(zones[4], 'a', 'but a free node before another zone');
  t.end();
});

void t.test('free, evenly used, and with the image', (t) => {
  const state = cluster([host('a'), host('b')], {
    a: [guest('old', { requests: { cpu: '1', memory: '1Gi' } })],
  });
  t.equal(outcome(state, guest('p')), 'b', 'the emptier');
  const uneven = cluster([host('a', { cpu: '4', memory: '4Gi' }), host('b', { cpu: '4', memory: '4Gi' })], {
    a: [guest('x', { requests: { cpu: '2' } })],
    b: [guest('y', { requests: { memory: '2Gi' } })],
  });
  t.equal(
    outcome(uneven, guest('p', { requests: { cpu: '1', memory: '200Mi' } })),
    'b',
    'memory is used, so CPU is taken',
  );
  const withImage = cluster([host('a'), host('b', { images: { 'nginx:latest': 500 * 2 ** 20 } })]);
  t.equal(outcome(withImage, guest('p')), 'b');
  t.end();
});

void t.test('what the user prefers outweighs what we do by default', (t) => {
  const nodes = [host('a'), host('b', { labels: { disk: 'ssd' } })];
  const preference = { matchExpressions: [{ key: 'disk', operator: 'In', values: ['ssd'] }] };
  const likesDisk: Partial<PodSpec> = {
    affinity: {
      nodeAffinity: { preferredDuringSchedulingIgnoredDuringExecution: [{ weight: 1, preference }] },
    },
  };
  t.strictSame(placeAll(cluster(nodes), replicas(2, 'web', likesDisk)), ['b', 'b']);

  const soft = { taints: [{ key: 'k', effect: 'PreferNoSchedule' }] };
  const state = cluster([host('a', { spec: soft }), host('b', { cpu: '1' })], {
    b: [guest('old', { requests: { cpu: '900m' } })],
  });
  t.equal(outcome(state, guest('p')), 'b');
  t.equal(outcome(state, guest('p', { spec: { tolerations: [{ operator: 'Exists' }] } })), 'a');
  t.end();
});

void t.test('preferred affinity, from both sides', (t) => {
  const wish = (app: string): WeightedPodAffinityTerm => ({
    weight: 10,
    podAffinityTerm: { topologyKey: 'kubernetes.io/hostname', labelSelector: { matchLabels: { app } } },
  });
  const near = (app: string): Partial<PodSpec> => ({
    affinity: { podAffinity: { preferredDuringSchedulingIgnoredDuringExecution: [wish(app)] } },
  });
  const far = (app: string): Partial<PodSpec> => ({
    affinity: { podAntiAffinity: { preferredDuringSchedulingIgnoredDuringExecution: [wish(app)] } },
  });
  const nodes = [host('a'), host('b')];
  const db = guest('db', { labels: { app: 'db' }, requests: { cpu: '2' } });
  t.equal(outcome(cluster(nodes, { b: [db] }), guest('p', { spec: near('db') })), 'b');
  t.equal(outcome(cluster(nodes, { a: [db] }), guest('p', { spec: far('db') })), 'b');
  const fond = guest('fond', { requests: { cpu: '2' }, spec: near('web') });
  t.equal(outcome(cluster(nodes, { b: [fond] }), guest('p', { labels: { app: 'web' } })), 'b');
  const shy = guest('shy', { spec: far('web') });
  const busy = guest('busy', { requests: { cpu: '2' } });
  t.equal(outcome(cluster(nodes, { a: [shy], b: [busy] }), guest('p', { labels: { app: 'web' } })), 'b');
  t.end();
});

void t.test('spread constraints that may be broken', (t) => {
  const zone = (name: string, value: string) => host(name, { labels: { zone: value } });
  const spec: Partial<PodSpec> = {
    topologySpreadConstraints: [
      {
        maxSkew: 1,
        topologyKey: 'zone',
        whenUnsatisfiable: 'ScheduleAnyway',
        labelSelector: { matchLabels: { app: 'web' } },
      },
    ],
  };
  const state = cluster([zone('a1', 'a'), zone('a2', 'a'), zone('b1', 'b'), host('x')], {
    b1: [guest('busy', { requests: { cpu: '2' } })],
  });
  const zones = placeAll(state, replicas(4, 'web', spec)).map((name) => name[0]);
  t.strictSame(zones.toSorted(), ['a', 'a', 'b', 'b'], 'half and half, and not where there is no zone');
  t.end();
});

void t.test('scaling to 0..100', (t) => {
  const scaled = (scale: (scores: Float64Array) => void, ...scores: number[]): number[] => {
    const copy = Float64Array.from(scores);
    scale(copy);
    return [...copy];
  };
  t.strictSame(scaled(scaleToMax, 0, 5, 10), [0, 50, 100]);
  t.strictSame(scaled(scaleToMax, 0, 0), [0, 0]);
  t.strictSame(
    scaled((s) => scaleToMax(s, true), 0, 5, 10),
    [100, 50, 0],
  );
  t.strictSame(scaled(scaleToRange, -10, 0, 10), [0, 50, 100]);
  t.strictSame(scaled(scaleToRange, 3, 3), [0, 0]);
  t.strictSame(scaled(preferFewest, 1, 2, 3), [100, 25, 0]);
  t.strictSame(scaled(preferFewest, 2, 2), [100, 100]);
  t.end();
});

void t.test('large clusters are searched in part, in turns', (t) => {
  t.strictSame([3, 99, 100, 250, 1_000, 5_000, 10_000].map(enoughNodes), [3, 99, 100, 120, 420, 500, 500]);
  const state = cluster(Array.from({ length: 300 }, (_, i) => host(`n${i}`)));
  const decision = decide(state, guest('p'));
  t.equal(decision.node !== undefined && decision.candidates.length, enoughNodes(300));
  t.equal(decision.nextStart, enoughNodes(300));
  t.end();
});
