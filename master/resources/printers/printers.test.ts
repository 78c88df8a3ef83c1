import t from 'tap';
import type {
  Container,
  ContainerStatus,
  KubeObject,
  Pod,
  PodSpec,
  PodStatus,
} from '../../../src/api/types.js';
import type { Printer } from '../resource.js';
import { createResources } from '../table.js';
import { ageOf, humanDuration } from './age.js';

const now = new Date('2026-01-08T03:00:00Z');
const created = { name: 'a', namespace: 'default', creationTimestamp: '2026-01-03T00:00:00Z' };
const age = '5d3h';

const printers = new Map(createResources().map(({ type, printer }) => [type.resource, printer]));

/** The cells as kubectl shows them: by column, all or those without `-o wide`. */
function shown(resource: string, object: object, wide = false): Record<string, unknown> {
  const { columns, cells } = printers.get(resource) as Printer<KubeObject>;
  const values = cells({ metadata: created, ...object }, now);
  const all = columns.map((column, index) => [column, values[index]] as const);
  return Object.fromEntries(
    all.filter(([{ priority = 0 }]) => wide || priority === 0).map(([{ name }, value]) => [name, value]),
  );
}

t.test('durations', async (t) => {
  const cases: [number, string][] = [
    [-5, '<invalid>'],
    [-1, '0s'],
    [0, '0s'],
    [119, '119s'],
    [120, '2m'],
    [303, '5m3s'],
    [599, '9m59s'],
    [600, '10m'],
    [179 * 60 + 59, '179m'],
    [3 * 3600, '3h'],
    [5 * 3600 + 61, '5h1m'],
    [8 * 3600, '8h'],
    [47 * 3600, '47h'],
    [48 * 3600, '2d'],
    [123 * 3600, '5d3h'],
    [192 * 3600, '8d'],
    [729 * 86_400, '729d'],
    [730 * 86_400, '2y'],
    [(3 * 365 + 7) * 86_400, '3y7d'],
    [9 * 365 * 86_400, '9y'],
  ];
  for (const [seconds, text] of cases) t.equal(humanDuration(seconds * 1000), text, String(seconds));
  t.equal(ageOf(undefined, now), '<unknown>');
  t.equal(ageOf('2026-01-08T02:59:00Z', now), '60s');
});

const running = { running: { startedAt: '2026-01-03T00:00:00Z' } };
const status = (name: string, more: Partial<ContainerStatus>): ContainerStatus => ({
  name,
  image: 'x',
  imageID: '',
  ready: false,
  restartCount: 0,
  ...more,
});
const initialized = [{ type: 'Initialized', status: 'True' }];

interface PodCase {
  spec?: Partial<PodSpec>;
  status: PodStatus;
  metadata?: object;
}

const containers: Container[] = [{ name: 'main' }];

const podOf = ({
  spec,
  status: podStatus,
  metadata,
}: PodCase): Omit<Pod, 'metadata'> & { metadata: object } => ({
  metadata: { ...created, ...metadata },
  spec: { containers, ...spec },
  status: podStatus,
});

t.test('pods: READY, STATUS, RESTARTS', async (t) => {
  const main = (more: Partial<ContainerStatus>, phase = 'Running'): PodCase => ({
    status: { phase, conditions: initialized, containerStatuses: [status('main', more)] },
  });
  const init = (states: Partial<ContainerStatus>[]): PodCase => ({
    spec: { initContainers: states.map((_, index) => ({ name: `i${index}` })) },
    status: {
      phase: 'Pending',
      initContainerStatuses: states.map((state, index) => status(`i${index}`, state)),
      containerStatuses: [status('main', { state: { waiting: { reason: 'PodInitializing' } } })],
    },
  });
  const done = { state: { terminated: { exitCode: 0, reason: 'Completed' } } };
  const deleted = { deletionTimestamp: '2026-01-08T03:00:00Z' };
  const finishedAt = '2026-01-08T02:55:00Z';
  const crashed = {
    restartCount: 2,
    state: { waiting: { reason: 'CrashLoopBackOff' } },
    lastState: { terminated: { exitCode: 1, finishedAt } },
  };
  const sidecar: Container = { name: 'side', restartPolicy: 'Always' };
  const cases: [string, PodCase, string, string, string][] = [
    ['just created', { status: { phase: 'Pending' } }, '0/1', 'Pending', '0'],
    [
      'being made',
      main({ state: { waiting: { reason: 'ContainerCreating' } } }, 'Pending'),
      '0/1',
      'ContainerCreating',
      '0',
    ],
    ['running', main({ ready: true, state: running }), '1/1', 'Running', '0'],
    ['not ready', main({ state: running }), '0/1', 'Running', '0'],
    ['crashing', main(crashed), '0/1', 'CrashLoopBackOff', '2 (5m ago)'],
    [
      'restarted, nobody knows when',
      main({ ready: true, state: running, restartCount: 3 }),
      '1/1',
      'Running',
      '3',
    ],
    [
      'out of memory',
      main({ state: { terminated: { exitCode: 137, reason: 'OOMKilled' } } }),
      '0/1',
      'OOMKilled',
      '0',
    ],
    ['ended without a word', main({ state: { terminated: { exitCode: 3 } } }), '0/1', 'ExitCode:3', '0'],
    [
      'killed without a word',
      main({ state: { terminated: { exitCode: 137, signal: 9 } } }),
      '0/1',
      'Signal:9',
      '0',
    ],
    ['done', main({ state: done.state }, 'Succeeded'), '0/1', 'Completed', '0'],
    [
      'image missing',
      main({ state: { waiting: { reason: 'ErrImagePull' } } }, 'Pending'),
      '0/1',
      'ErrImagePull',
      '0',
    ],
    [
      'being deleted',
      { ...main({ ready: true, state: running }), metadata: deleted },
      '1/1',
      'Terminating',
      '0',
    ],
    [
      'deleted when done',
      { ...main({ state: done.state }, 'Succeeded'), metadata: deleted },
      '0/1',
      'Completed',
      '0',
    ],
    [
      'on a lost node',
      { status: { phase: 'Running', reason: 'NodeLost' }, metadata: deleted },
      '0/1',
      'Unknown',
      '0',
    ],
    ['evicted', { status: { phase: 'Failed', reason: 'Evicted' } }, '0/1', 'Evicted', '0'],
    ['first init container', init([{ state: running }, {}]), '0/1', 'Init:0/2', '0'],
    ['second init container', init([done, { state: running }]), '0/1', 'Init:1/2', '0'],
    [
      'init container failed',
      init([{ state: { terminated: { exitCode: 1, reason: 'Error' } } }]),
      '0/1',
      'Init:Error',
      '0',
    ],
    ['init container crashing', init([{ ...crashed }]), '0/1', 'Init:CrashLoopBackOff', '2 (5m ago)'],
    ['init containers through', init([done]), '0/1', 'PodInitializing', '0'],
    [
      'one of two is done',
      {
        spec: { containers: [{ name: 'main' }, { name: 'b' }] },
        status: {
          phase: 'Running',
          conditions: initialized,
          containerStatuses: [status('main', done), status('b', { ready: true, state: running })],
        },
      },
      '1/2',
      'NotReady',
      '0',
    ],
    [
      'with a sidecar',
      {
        spec: { initContainers: [sidecar] },
        status: {
          phase: 'Running',
          conditions: initialized,
          initContainerStatuses: [status('side', { ready: true, started: true, state: running })],
          containerStatuses: [status('main', { ready: true, state: running })],
        },
      },
      '2/2',
      'Running',
      '0',
    ],
  ];
  for (const [what, given, ready, word, restarts] of cases) {
    t.same(
      shown('pods', podOf(given)),
      { Name: 'a', Ready: ready, Status: word, Restarts: restarts, Age: age },
      what,
    );
  }
});

t.test('pods: -o wide', async (t) => {
  const none = '<none>';
  t.match(shown('pods', podOf({ status: {} }), true), {
    IP: none,
    Node: none,
    'Nominated Node': none,
    'Readiness Gates': none,
  });
  const gated = podOf({
    spec: { nodeName: 'n', readinessGates: [{ conditionType: 'x' }, { conditionType: 'y' }] },
    status: { phase: 'Running', podIP: '10.0.0.1', conditions: [{ type: 'x', status: 'True' }] },
  });
  t.match(shown('pods', gated, true), { IP: '10.0.0.1', Node: 'n', 'Readiness Gates': '1/2' });
});

t.test('nodes', async (t) => {
  const node = {
    metadata: {
      ...created,
      labels: { 'node-role.kubernetes.io/worker': '', 'node-role.kubernetes.io/control-plane': '' },
    },
    spec: { unschedulable: true },
    status: {
      conditions: [{ type: 'Ready', status: 'True' }],
      addresses: [{ type: 'InternalIP', address: '192.0.2.1' }],
      nodeInfo: {
        kubeletVersion: 'v1',
        osImage: 'Debian',
        kernelVersion: '6',
        containerRuntimeVersion: 'docker://1',
      },
    },
  };
  t.same(shown('nodes', node, true), {
    Name: 'a',
    Status: 'Ready,SchedulingDisabled',
    Roles: 'control-plane,worker',
    Age: age,
    Version: 'v1',
    'Internal-IP': '192.0.2.1',
    'External-IP': '<none>',
    'OS-Image': 'Debian',
    'Kernel-Version': '6',
    'Container-Runtime': 'docker://1',
  });
  t.match(shown('nodes', { status: { conditions: [{ type: 'Ready', status: 'Unknown' }] } }), {
    Status: 'NotReady',
    Roles: '<none>',
  });
  t.match(shown('nodes', {}), { Status: 'Unknown' });
});

t.test('services', async (t) => {
  const none = '<none>';
  const row = (spec: object, status: object = {}) => shown('services', { spec, status }, true);
  t.same(
    row({
      type: 'NodePort',
      clusterIP: '10.96.0.5',
      selector: { b: '2', a: '1' },
      ports: [
        { port: 80, nodePort: 30080, protocol: 'TCP' },
        { port: 53, protocol: 'UDP' },
      ],
    }),
    {
      Name: 'a',
      Type: 'NodePort',
      'Cluster-IP': '10.96.0.5',
      'External-IP': none,
      'Port(s)': '80:30080/TCP,53/UDP',
      Age: age,
      Selector: 'a=1,b=2',
    },
  );
  t.match(row({ type: 'ClusterIP', clusterIP: 'None', externalIPs: ['192.0.2.7'] }), {
    'Cluster-IP': 'None',
    'External-IP': '192.0.2.7',
    'Port(s)': none,
  });
  t.match(row({ type: 'ExternalName', externalName: 'example.com' }), {
    'Cluster-IP': none,
    'External-IP': 'example.com',
  });
  t.match(row({ type: 'LoadBalancer' }), { 'External-IP': '<pending>' });
  t.match(
    row({ type: 'LoadBalancer' }, { loadBalancer: { ingress: [{ ip: '192.0.2.8' }, { hostname: 'h' }] } }),
    { 'External-IP': '192.0.2.8,h' },
  );
});

t.test('workloads', async (t) => {
  const spec = {
    replicas: 3,
    selector: { matchLabels: { app: 'a' } },
    template: {
      spec: {
        containers: [
          { name: 'x', image: 'i:1' },
          { name: 'y', image: 'j' },
        ],
      },
    },
  };
  const wide = { Containers: 'x,y', Images: 'i:1,j', Selector: 'app=a' };
  const rollout = { readyReplicas: 2, updatedReplicas: 1, availableReplicas: 2, replicas: 3 };
  t.same(shown('deployments', { spec, status: rollout }, true), {
    Name: 'a',
    Ready: '2/3',
    'Up-to-date': 1,
    Available: 2,
    Age: age,
    ...wide,
  });
  t.same(shown('deployments', { spec }), {
    Name: 'a',
    Ready: '0/3',
    'Up-to-date': 0,
    Available: 0,
    Age: age,
  });
  t.same(shown('replicasets', { spec, status: rollout }, true), {
    Name: 'a',
    Desired: 3,
    Current: 3,
    Ready: 2,
    Age: age,
    ...wide,
  });
});

t.test('the other kinds', async (t) => {
  const common = { Name: 'a', Age: age };
  t.same(shown('namespaces', { status: { phase: 'Active' } }), { ...common, Status: 'Active' });
  t.same(shown('configmaps', { data: { a: '', b: '' }, binaryData: { c: '' } }), { ...common, Data: 3 });
  t.same(shown('secrets', { type: 'Opaque', data: { a: '' } }), { ...common, Type: 'Opaque', Data: 1 });
  t.same(shown('serviceaccounts', {}), { ...common, Secrets: 0 });
  t.same(shown('leases', { spec: { holderIdentity: 'h' } }), { ...common, Holder: 'h' });
  const ips = ['10.0.0.1', '10.0.0.2', '10.0.0.3', '10.0.0.4'].map((ip) => ({ ip }));
  t.match(shown('endpoints', { subsets: [{ addresses: ips, ports: [{ port: 80 }] }] }), {
    Endpoints: '10.0.0.1:80,10.0.0.2:80,10.0.0.3:80 + 1 more...',
  });
  t.match(shown('endpoints', {}), { Endpoints: '<none>' });
  const slice = { addressType: 'IPv4', ports: [{ port: 80 }], endpoints: [{ addresses: ['10.0.0.1'] }] };
  t.match(shown('endpointslices', slice), { AddressType: 'IPv4', Ports: '80', Endpoints: '10.0.0.1' });
  t.match(shown('endpointslices', { addressType: 'IPv4' }), { Ports: '<unset>', Endpoints: '<unset>' });
});

t.test('events', async (t) => {
  const event = {
    type: 'Warning',
    reason: 'BackOff',
    message: 'why\n',
    involvedObject: { kind: 'Pod', name: 'web', fieldPath: 'spec.containers{main}' },
    source: { component: 'agent', host: 'n' },
    firstTimestamp: '2026-01-08T02:00:00Z',
    lastTimestamp: '2026-01-08T02:59:30Z',
    count: 4,
  };
  t.same(shown('events', event, true), {
    'Last Seen': '30s',
    Type: 'Warning',
    Reason: 'BackOff',
    Object: 'pod/web',
    Subobject: 'spec.containers{main}',
    Source: 'agent, n',
    Message: 'why',
    'First Seen': '60m',
    Count: 4,
    Name: 'a',
  });
  const series = {
    eventTime: '2026-01-08T02:00:00Z',
    series: { count: 9, lastObservedTime: '2026-01-08T02:59:50Z' },
  };
  t.match(shown('events', { ...series, involvedObject: { kind: 'Node', name: 'n' } }, true), {
    'Last Seen': '10s',
    Count: 9,
    Object: 'node/n',
  });
});

t.test('certificate requests', async (t) => {
  const spec = { request: '', signerName: 's/x', username: 'u' };
  const word = (status: object): unknown =>
    shown('certificatesigningrequests', { spec, status })['Condition'];
  t.match(shown('certificatesigningrequests', { spec: { ...spec, expirationSeconds: 3600 } }), {
    SignerName: 's/x',
    Requestor: 'u',
    RequestedDuration: '60m',
    Condition: 'Pending',
  });
  t.equal(word({ conditions: [{ type: 'Approved' }], certificate: 'x' }), 'Approved,Issued');
  t.equal(word({ conditions: [{ type: 'Denied' }] }), 'Denied');
});

t.test('every kind has as many cells as columns, whatever is left out', async (t) => {
  for (const [resource, { columns, cells }] of printers) {
    const object = { metadata: {}, spec: { containers: [] }, involvedObject: {} } as KubeObject;
    t.equal(cells(object, now).length, columns.length, resource);
  }
});
