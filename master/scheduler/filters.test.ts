import t from 'tap';
import { podRequests } from '../../src/api/podresources.js';
import type { NodeSelectorRequirement, PodAffinityTerm, PodSpec } from '../../src/api/types.js';
import { toPodInfo } from './podinfo.js';
import { cluster, decide, guest, host, outcome } from './testing.js';

const none = (why: string): string => `0/1 nodes are available: 1 ${why}.`;
const untolerated = (taint: string) => none(`node(s) had untolerated taint {${taint}}`);

void t.test('taints, cordon and what tolerates them', (t) => {
  const tainted = cluster([
    host('n', { spec: { taints: [{ key: 'gpu', value: 'yes', effect: 'NoSchedule' }] } }),
  ]);
  const cases: [string, PodSpec['tolerations'], string][] = [
    ['none', undefined, untolerated('gpu: yes')],
    ['equal', [{ key: 'gpu', operator: 'Equal', value: 'yes', effect: 'NoSchedule' }], 'n'],
    ['equal is the default, any effect', [{ key: 'gpu', value: 'yes' }], 'n'],
    ['another value', [{ key: 'gpu', value: 'no' }], untolerated('gpu: yes')],
    ['another effect', [{ key: 'gpu', operator: 'Exists', effect: 'NoExecute' }], untolerated('gpu: yes')],
    ['exists', [{ key: 'gpu', operator: 'Exists' }], 'n'],
    ['everything', [{ operator: 'Exists' }], 'n'],
  ];
  for (const [name, tolerations, expected] of cases)
    t.equal(outcome(tainted, guest('p', { spec: { tolerations } })), expected, name);

  const lost = { key: 'node.kubernetes.io/unreachable', effect: 'NoExecute' };
  t.equal(
    outcome(cluster([host('n', { spec: { taints: [lost] } })]), guest('p')),
    untolerated(`${lost.key}: `),
  );
  const cordoned = cluster([host('n', { spec: { unschedulable: true } })]);
  t.equal(outcome(cordoned, guest('p')), none('node(s) were unschedulable'));
  const tolerations = [{ key: 'node.kubernetes.io/unschedulable', operator: 'Exists' }];
  t.equal(outcome(cordoned, guest('p', { spec: { tolerations } })), 'n');
  t.end();
});

void t.test('node selector and required node affinity', (t) => {
  const state = cluster([host('n', { labels: { disk: 'ssd', cores: '8' } })]);
  const refused = none("node(s) didn't match Pod's node affinity/selector");
  const byLabel = (...matchExpressions: NodeSelectorRequirement[]): Partial<PodSpec> =>
    required({ matchExpressions });
  const byName = (operator: string, ...values: string[]): Partial<PodSpec> =>
    required({ matchFields: [{ key: 'metadata.name', operator, values }] });
  const required = (...nodeSelectorTerms: object[]): Partial<PodSpec> => ({
    affinity: { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms } } },
  });
  const cases: [string, Partial<PodSpec>, boolean][] = [
    ['nodeSelector', { nodeSelector: { disk: 'ssd' } }, true],
    ['nodeSelector of another', { nodeSelector: { disk: 'ssd', zone: 'a' } }, false],
    ['In', byLabel({ key: 'disk', operator: 'In', values: ['hdd', 'ssd'] }), true],
    ['In others', byLabel({ key: 'disk', operator: 'In', values: ['hdd'] }), false],
    ['NotIn', byLabel({ key: 'disk', operator: 'NotIn', values: ['hdd'] }), true],
    ['NotIn without the label', byLabel({ key: 'zone', operator: 'NotIn', values: ['a'] }), true],
    ['Exists', byLabel({ key: 'disk', operator: 'Exists' }), true],
    ['DoesNotExist', byLabel({ key: 'disk', operator: 'DoesNotExist' }), false],
    ['Gt', byLabel({ key: 'cores', operator: 'Gt', values: ['7'] }), true],
    ['Gt itself', byLabel({ key: 'cores', operator: 'Gt', values: ['8'] }), false],
    ['Lt', byLabel({ key: 'cores', operator: 'Lt', values: ['9'] }), true],
    ['Lt of no number', byLabel({ key: 'disk', operator: 'Lt', values: ['9'] }), false],
    [
      'all of a term',
      byLabel({ key: 'disk', operator: 'Exists' }, { key: 'zone', operator: 'Exists' }),
      false,
    ],
    [
      'one of the terms',
      required(
        { matchExpressions: [{ key: 'zone', operator: 'Exists' }] },
        { matchFields: [{ key: 'metadata.name', operator: 'In', values: ['n'] }] },
      ),
      true,
    ],
    ['an empty term', required({}), false],
    ['by name', byName('In', 'n'), true],
    ['by another name', byName('In', 'm'), false],
    ['by any other name', byName('NotIn', 'm'), true],
    ['both', { nodeSelector: { disk: 'hdd' }, ...byName('In', 'n') }, false],
  ];
  for (const [name, spec, fits] of cases)
    t.equal(outcome(state, guest('p', { spec })), fits ? 'n' : refused, name);
  t.end();
});

void t.test('resources: what containers, init containers, sidecars and overhead come to', (t) => {
  const container = (cpu: string, restartPolicy?: string) => ({
    name: 'c',
    resources: { requests: { cpu } },
    ...(restartPolicy && { restartPolicy }),
  });
  const cases: [string, Partial<PodSpec>, number][] = [
    ['containers add up', { containers: [container('1'), container('500m')] }, 1500],
    ['the largest init container', { initContainers: [container('2'), container('3')] }, 3000],
    ['init containers that are smaller', { initContainers: [container('100m')] }, 1000],
    ['sidecars run along', { initContainers: [container('200m', 'Always')] }, 1200],
    [
      'sidecars run beside later init containers',
      { initContainers: [container('500m', 'Always'), container('2')] },
      2500,
    ],
    ['but not beside earlier ones', { initContainers: [container('2'), container('500m', 'Always')] }, 2000],
    ['overhead', { overhead: { cpu: '250m' } }, 1250],
    ['requests of the whole pod', { resources: { requests: { cpu: '4' } } }, 4000],
  ];
  for (const [name, spec, milliCpu] of cases)
    t.equal(podRequests({ containers: [container('1')], ...spec }).milliCpu, milliCpu, name);
  t.equal(toPodInfo(guest('p')).scoreRequests.milliCpu, 100, 'no request counts a little for scores');
  t.end();
});

void t.test('resources must be free', (t) => {
  const state = cluster(
    [host('n', { cpu: '2', memory: '1Gi', pods: '2', more: { 'example.com/gpu': '1' } })],
    {
      n: [guest('old', { requests: { cpu: '1500m', 'example.com/gpu': '1' } })],
    },
  );
  const ask = (requests: Record<string, string>): string => outcome(state, guest('p', { requests }));
  t.equal(ask({ cpu: '500m' }), 'n');
  t.equal(ask({ cpu: '501m' }), none('Insufficient cpu'));
  t.equal(
    ask({ cpu: '1', memory: '2Gi' }),
    '0/1 nodes are available: 1 Insufficient cpu, 1 Insufficient memory.',
  );
  t.equal(ask({ 'ephemeral-storage': '11Gi' }), none('Insufficient ephemeral-storage'));
  t.equal(ask({ 'example.com/gpu': '1' }), none('Insufficient example.com/gpu'));
  state.place(toPodInfo(guest('second')), 'n');
  t.equal(ask({}), none('Too many pods'));
  state.remove('default/old');
  t.equal(ask({ cpu: '2', 'example.com/gpu': '1' }), 'n', 'what is gone is free again');
  t.end();
});

void t.test('host ports', (t) => {
  const onPort = (name: string, hostPort: number, hostIP?: string, protocol = 'TCP') =>
    guest(name, {
      spec: {
        containers: [
          { name: 'c', ports: [{ containerPort: 80, hostPort, protocol, ...(hostIP && { hostIP }) }] },
        ],
      },
    });
  const state = cluster([host('n')], { n: [onPort('old', 8080, '10.0.0.1')] });
  const taken = none("node(s) didn't have free ports for the requested pod ports");
  t.equal(outcome(state, onPort('p', 8080)), taken, 'all addresses include that one');
  t.equal(outcome(state, onPort('p', 8080, '10.0.0.1')), taken);
  t.equal(outcome(state, onPort('p', 8080, '10.0.0.2')), 'n');
  t.equal(outcome(state, onPort('p', 8080, undefined, 'UDP')), 'n');
  t.equal(outcome(state, onPort('p', 8081)), 'n');
  state.remove('default/old');
  t.equal(outcome(state, onPort('p', 8080)), 'n');
  t.end();
});

void t.test('spread constraints', (t) => {
  const zone = (name: string, value: string) => host(name, { labels: { zone: value } });
  const web = (name: string) => guest(name, { labels: { app: 'web' } });
  const spread = (more: object = {}) =>
    guest('p', {
      labels: { app: 'web' },
      spec: {
        topologySpreadConstraints: [
          {
            maxSkew: 1,
            topologyKey: 'zone',
            whenUnsatisfiable: 'DoNotSchedule',
            labelSelector: { matchLabels: { app: 'web' } },
            ...more,
          },
        ],
      },
    });
  const nodes = [zone('a1', 'a'), zone('a2', 'a'), zone('b1', 'b')];
  t.equal(outcome(cluster(nodes, { a1: [web('1')] }), spread()), 'b1');
  t.match(outcome(cluster(nodes, { a1: [web('1')], b1: [web('2')] }), spread()), /^(a2|b1|a1)$/);
  t.equal(
    outcome(cluster([...nodes.slice(0, 2), host('x')], { a1: [web('1')] }), spread({ minDomains: 2 })),
    "0/3 nodes are available: 1 node(s) didn't match pod topology spread constraints (missing required label), 2 node(s) didn't match pod topology spread constraints.",
  );
  t.match(outcome(cluster(nodes, { a1: [web('1')] }), spread({ maxSkew: 2 })), /^(a2|b1)$/);
  const leaving = guest('1', { labels: { app: 'web' } });
  leaving.metadata.deletionTimestamp = '2026-01-01T00:00:00Z';
  t.ok(decide(cluster(nodes, { a1: [leaving] }), spread()).node, 'a pod on its way out does not count');
  t.end();
});

void t.test('inter-pod affinity and anti-affinity', (t) => {
  const term = (app: string, topologyKey = 'kubernetes.io/hostname'): PodAffinityTerm => ({
    topologyKey,
    labelSelector: { matchLabels: { app } },
  });
  const near = (...terms: PodAffinityTerm[]): Partial<PodSpec> => ({
    affinity: { podAffinity: { requiredDuringSchedulingIgnoredDuringExecution: terms } },
  });
  const far = (...terms: PodAffinityTerm[]): Partial<PodSpec> => ({
    affinity: { podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: terms } },
  });
  const labels = (app: string) => ({ labels: { app } });
  const nodes = [host('a', { labels: { zone: 'x' } }), host('b', { labels: { zone: 'y' } })];
  const one = [host('a', { labels: { zone: 'x' } })];
  const withDb = cluster(nodes, { b: [guest('db', labels('db'))] });

  t.equal(outcome(withDb, guest('p', { spec: near(term('db')) })), 'b');
  t.equal(outcome(withDb, guest('p', { spec: far(term('db')) })), 'a');
  t.equal(
    outcome(cluster(one), guest('p', { spec: near(term('db')) })),
    none("node(s) didn't match pod affinity rules"),
  );
  t.equal(
    outcome(cluster(one), guest('p', { ...labels('web'), spec: near(term('web')) })),
    'a',
    'the first of its kind',
  );
  t.equal(
    outcome(cluster(one), guest('p', { ...labels('web'), spec: near(term('web', 'rack')) })),
    none("node(s) didn't match pod affinity rules"),
    'the first needs the topology too',
  );
  const lonely = cluster(one, { a: [guest('old', { ...labels('web'), spec: far(term('web')) })] });
  t.equal(
    outcome(lonely, guest('p', labels('web'))),
    none("node(s) didn't satisfy existing pods anti-affinity rules"),
  );
  t.equal(
    outcome(lonely, guest('p', { ...labels('web'), namespace: 'other' })),
    'a',
    'terms mean their own namespace',
  );
  t.equal(outcome(lonely, guest('p', labels('api'))), 'a');
  const selfish = guest('p', { spec: far(term('web')) });
  t.equal(outcome(lonely, selfish), none("node(s) didn't match pod anti-affinity rules"));

  const foreign = guest('p', {
    spec: near({ ...term('db'), namespaceSelector: { matchLabels: { team: 'data' } } }),
  });
  const other = cluster(nodes, { b: [guest('db', { ...labels('db'), namespace: 'data' })] });
  t.equal(decide(other, foreign).node, undefined);
  other.setNamespace('data', { team: 'data' });
  t.equal(outcome(other, foreign), 'b', 'a namespace by its labels');
  other.setNamespace('data', {});
  other.remove('data/db');
  other.setNamespace('data', { team: 'data' });
  t.equal(decide(other, foreign).node, undefined, 'counted out as it was counted in');
  t.end();
});

void t.test('messages count reasons over nodes, sorted as text', (t) => {
  const taints = [{ key: 'k', effect: 'NoSchedule' }];
  const state = cluster([
    host('a', { spec: { taints } }),
    host('b', { cpu: '1' }),
    host('c', { cpu: '1', memory: '1Gi' }),
  ]);
  t.equal(
    outcome(state, guest('p', { requests: { cpu: '2', memory: '2Gi' } })),
    '0/3 nodes are available: 1 Insufficient memory, 1 node(s) had untolerated taint {k: }, 2 Insufficient cpu.',
  );
  t.equal(outcome(cluster([]), guest('p')), 'no nodes available to schedule pods');
  const decision = decide(state, guest('p', { requests: { cpu: '2' } }));
  t.strictSame(decision.node === undefined && [...decision.helpedBy].sort(), [
    'nodeAdded',
    'nodeResources',
    'nodeTaints',
    'podGone',
  ]);
  t.end();
});
