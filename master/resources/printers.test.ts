import t from 'tap';
import type { KubeObject, Pod, PodSpec, PodStatus } from '../../src/api/types.js';
import { pod } from '../../src/testing/builders.js';
import { ageOf, humanDuration } from './printers/age.js';
import { podReason } from './printers/pod.js';
import { created, now, resources, printed as row } from './testing.js';

t.test('durations as kubectl prints them', async (t) => {
  const [s, m, h, d] = [1000, 60_000, 3_600_000, 86_400_000];
  const cases: [number, string][] = [
    [-3 * s, '<invalid>'],
    [-s, '0s'],
    [0, '0s'],
    [59 * s, '59s'],
    [119 * s, '119s'],
    [2 * m, '2m'],
    [5 * m + 3 * s, '5m3s'],
    [10 * m + 30 * s, '10m'],
    [179 * m, '179m'],
    [3 * h, '3h'],
    [7 * h + 59 * m, '7h59m'],
    [8 * h + 59 * m, '8h'],
    [47 * h, '47h'],
    [2 * d, '2d'],
    [7 * d + 5 * h, '7d5h'],
    [8 * d + 5 * h, '8d'],
    [729 * d, '729d'],
    [2 * 365 * d + d, '2y1d'],
    [8 * 365 * d + 9 * d, '8y'],
  ];
  for (const [ms, text] of cases) t.equal(humanDuration(ms), text);
  t.equal(ageOf(undefined, now), '<unknown>');
  t.equal(ageOf(created, now), '5m');
});

const waiting = (reason: string) => ({
  name: 'main',
  ready: false,
  restartCount: 0,
  state: { waiting: { reason } },
});
const running = (more: object = {}) => ({
  name: 'main',
  ready: true,
  restartCount: 0,
  state: { running: { startedAt: created } },
  ...more,
});
const ended = (exitCode: number, more: object = {}) => ({
  name: 'main',
  ready: false,
  restartCount: 0,
  state: { terminated: { exitCode, ...more } },
});
const initialized = { type: 'Initialized', status: 'True' };
const ready = { type: 'Ready', status: 'True' };
const inits = {
  initContainers: [
    { name: 'i0', image: 'x' },
    { name: 'i1', image: 'x' },
  ],
};
const init = (name: string, state: object) => ({ name, ready: false, restartCount: 0, state });

t.test('the STATUS of a pod', async (t) => {
  const cases: [string, object, Partial<PodSpec>?, object?][] = [
    ['Pending', { phase: 'Pending' }],
    ['Unknown', {}],
    ['ContainerCreating', { phase: 'Pending', containerStatuses: [waiting('ContainerCreating')] }],
    ['ErrImagePull', { phase: 'Pending', containerStatuses: [waiting('ErrImagePull')] }],
    ['ImagePullBackOff', { phase: 'Pending', containerStatuses: [waiting('ImagePullBackOff')] }],
    ['CrashLoopBackOff', { phase: 'Running', containerStatuses: [waiting('CrashLoopBackOff')] }],
    ['Running', { phase: 'Running', containerStatuses: [running()] }],
    ['Completed', { phase: 'Succeeded', containerStatuses: [ended(0, { reason: 'Completed' })] }],
    ['Error', { phase: 'Failed', containerStatuses: [ended(1, { reason: 'Error' })] }],
    ['OOMKilled', { phase: 'Running', containerStatuses: [ended(137, { reason: 'OOMKilled' })] }],
    ['ExitCode:3', { phase: 'Failed', containerStatuses: [ended(3)] }],
    ['Signal:9', { phase: 'Failed', containerStatuses: [ended(137, { signal: 9 })] }],
    ['Evicted', { phase: 'Failed', reason: 'Evicted' }],
    [
      'Running',
      {
        phase: 'Running',
        conditions: [ready],
        containerStatuses: [ended(0, { reason: 'Completed' }), running({ name: 'b' })],
      },
    ],
    [
      'NotReady',
      { phase: 'Running', containerStatuses: [ended(0, { reason: 'Completed' }), running({ name: 'b' })] },
    ],
    [
      'SchedulingGated',
      {
        phase: 'Pending',
        conditions: [{ type: 'PodScheduled', status: 'False', reason: 'SchedulingGated' }],
      },
    ],
    [
      'Init:0/2',
      {
        phase: 'Pending',
        initContainerStatuses: [
          init('i0', { running: {} }),
          init('i1', { waiting: { reason: 'PodInitializing' } }),
        ],
      },
      inits,
    ],
    [
      'Init:1/2',
      {
        phase: 'Pending',
        initContainerStatuses: [init('i0', { terminated: { exitCode: 0 } }), init('i1', { running: {} })],
      },
      inits,
    ],
    [
      'Init:Error',
      {
        phase: 'Pending',
        initContainerStatuses: [init('i0', { terminated: { exitCode: 1, reason: 'Error' } })],
      },
      inits,
    ],
    [
      'Init:ExitCode:2',
      { phase: 'Pending', initContainerStatuses: [init('i0', { terminated: { exitCode: 2 } })] },
      inits,
    ],
    [
      'Init:CrashLoopBackOff',
      { phase: 'Pending', initContainerStatuses: [init('i0', { waiting: { reason: 'CrashLoopBackOff' } })] },
      inits,
    ],
    [
      'PodInitializing',
      { phase: 'Pending', conditions: [initialized], containerStatuses: [waiting('PodInitializing')] },
      inits,
    ],
    ['Terminating', { phase: 'Running', containerStatuses: [running()] }, {}, { deletionTimestamp: created }],
    ['Unknown', { phase: 'Running', reason: 'NodeLost' }, {}, { deletionTimestamp: created }],
    [
      'Completed',
      { phase: 'Succeeded', containerStatuses: [ended(0, { reason: 'Completed' })] },
      {},
      { deletionTimestamp: created },
    ],
  ];
  for (const [expected, status, spec = {}, meta = {}] of cases) {
    const object: Pod = { ...pod('a', { spec, meta }), status: status as PodStatus };
    t.equal(podReason(object), expected, JSON.stringify(status).slice(0, 100));
  }
});

t.test('pods: ready, restarts and the wide columns', async (t) => {
  const lastState = { terminated: { exitCode: 1, finishedAt: '2026-01-01T00:03:00Z' } };
  const status = {
    phase: 'Running',
    podIP: '10.244.0.5',
    podIPs: [{ ip: '10.244.0.5' }],
    conditions: [ready, { type: 'gate', status: 'True' }],
    containerStatuses: [
      running({ restartCount: 2, lastState }),
      { ...waiting('CrashLoopBackOff'), name: 'b', restartCount: 1 },
    ],
  };
  const spec = {
    nodeName: 'n1',
    containers: [{ name: 'main' }, { name: 'b' }],
    readinessGates: [{ conditionType: 'gate' }, { conditionType: 'other' }],
  };
  t.same(row('pods', { spec, status }), {
    NAME: 'a',
    READY: '1/2',
    STATUS: 'CrashLoopBackOff',
    RESTARTS: '3 (2m ago)',
    AGE: '5m',
    IP: '10.244.0.5',
    NODE: 'n1',
    'NOMINATED NODE': '<none>',
    'READINESS GATES': '1/2',
  });
  t.match(row('pods', { spec: { containers: [{ name: 'main' }] } }), {
    READY: '0/1',
    RESTARTS: '0',
    IP: '<none>',
    NODE: '<none>',
    'READINESS GATES': '<none>',
  });
});

t.test('pods: a sidecar counts among the containers', async (t) => {
  const spec = {
    initContainers: [{ name: 'side', restartPolicy: 'Always' }],
    containers: [{ name: 'main' }],
  };
  const side = { ...running({ restartCount: 4 }), name: 'side', started: true };
  const status = {
    phase: 'Running',
    conditions: [ready],
    initContainerStatuses: [side],
    containerStatuses: [running()],
  };
  t.match(row('pods', { spec, status }), { READY: '2/2', STATUS: 'Running', RESTARTS: '4' });
});

t.test('services, endpoints and slices', async (t) => {
  const ports = [
    { port: 80, nodePort: 30080, protocol: 'TCP' },
    { port: 53, protocol: 'UDP' },
  ];
  t.match(
    row('services', {
      spec: { type: 'NodePort', clusterIP: '10.96.0.9', ports, selector: { b: '2', a: '1' } },
    }),
    {
      TYPE: 'NodePort',
      'CLUSTER-IP': '10.96.0.9',
      'EXTERNAL-IP': '<none>',
      'PORT(S)': '80:30080/TCP,53/UDP',
      SELECTOR: 'a=1,b=2',
    },
  );
  t.match(row('services', { spec: { type: 'ExternalName', externalName: 'example.com' } }), {
    'CLUSTER-IP': '<none>',
    'EXTERNAL-IP': 'example.com',
    'PORT(S)': '<none>',
  });
  t.match(row('services', { spec: { type: 'LoadBalancer' } }), { 'EXTERNAL-IP': '<pending>' });
  t.match(
    row('services', {
      spec: { type: 'LoadBalancer' },
      status: { loadBalancer: { ingress: [{ ip: '192.0.2.1' }] } },
    }),
    { 'EXTERNAL-IP': '192.0.2.1' },
  );
  const addresses = [1, 2, 3, 4, 5].map((last) => ({ ip: `10.0.0.${last}` }));
  t.match(row('endpoints', { subsets: [{ addresses, ports: [{ port: 80 }] }] }), {
    ENDPOINTS: '10.0.0.1:80,10.0.0.2:80,10.0.0.3:80 + 2 more...',
  });
  t.match(row('endpoints', {}), { ENDPOINTS: '<none>' });
  const endpoints = [{ addresses: ['10.0.0.1'] }, { addresses: ['10.0.0.2'] }];
  t.match(row('endpointslices', { addressType: 'IPv4', endpoints, ports: [{ name: 'http', port: 80 }] }), {
    ADDRESSTYPE: 'IPv4',
    PORTS: '80',
    ENDPOINTS: '10.0.0.1,10.0.0.2',
  });
  t.match(row('endpointslices', { addressType: 'IPv4' }), { PORTS: '<unset>', ENDPOINTS: '<unset>' });
});

t.test('workloads and nodes', async (t) => {
  const spec = {
    replicas: 3,
    selector: { matchLabels: { app: 'web' } },
    template: { spec: { containers: [{ name: 'c', image: 'nginx' }] } },
  };
  t.match(row('deployments', { spec, status: { readyReplicas: 2, updatedReplicas: 1 } }), {
    READY: '2/3',
    'UP-TO-DATE': 1,
    AVAILABLE: 0,
    CONTAINERS: 'c',
    IMAGES: 'nginx',
    SELECTOR: 'app=web',
  });
  t.match(row('replicasets', { spec, status: { replicas: 3, readyReplicas: 2 } }), {
    DESIRED: 3,
    CURRENT: 3,
    READY: 2,
  });
  const status = {
    conditions: [ready],
    addresses: [{ type: 'InternalIP', address: '192.0.2.1' }],
    nodeInfo: {
      kubeletVersion: 'v1.36.4',
      osImage: 'Debian',
      kernelVersion: '6.1',
      containerRuntimeVersion: 'docker://1',
    },
  };
  const labels = { 'node-role.kubernetes.io/worker': '', 'node-role.kubernetes.io/control-plane': '' };
  t.match(row('nodes', { metadata: { labels }, spec: { unschedulable: true }, status }), {
    STATUS: 'Ready,SchedulingDisabled',
    ROLES: 'control-plane,worker',
    VERSION: 'v1.36.4',
    'INTERNAL-IP': '192.0.2.1',
    'EXTERNAL-IP': '<none>',
    'OS-IMAGE': 'Debian',
  });
  t.match(row('nodes', {}), { STATUS: 'Unknown', ROLES: '<none>' });
  t.match(row('nodes', { status: { conditions: [{ type: 'Ready', status: 'Unknown' }] } }), {
    STATUS: 'NotReady',
  });
});

t.test('the small kinds', async (t) => {
  t.match(row('namespaces', { status: { phase: 'Active' } }), { STATUS: 'Active', AGE: '5m' });
  t.match(row('configmaps', { data: { a: '' }, binaryData: { b: '' } }), { DATA: 2 });
  t.match(row('secrets', { type: 'Opaque', data: { a: '' } }), { TYPE: 'Opaque', DATA: 1 });
  t.match(row('serviceaccounts', {}), { SECRETS: 0 });
  t.match(row('leases', { spec: { holderIdentity: 'me' } }), { HOLDER: 'me' });
  const event = {
    involvedObject: { kind: 'Pod', name: 'p', fieldPath: 'spec.containers{main}' },
    type: 'Warning',
    reason: 'BackOff',
    message: ' Back-off \n',
    source: { component: 'kubelet', host: 'n1' },
    firstTimestamp: created,
    lastTimestamp: '2026-01-01T00:04:30Z',
    count: 4,
  };
  t.match(row('events', event), {
    'LAST SEEN': '30s',
    TYPE: 'Warning',
    REASON: 'BackOff',
    OBJECT: 'pod/p',
    SUBOBJECT: 'spec.containers{main}',
    SOURCE: 'kubelet, n1',
    MESSAGE: 'Back-off',
    'FIRST SEEN': '5m',
    COUNT: 4,
  });
  const spec = { signerName: 's/n', username: 'joe', expirationSeconds: 3600 * 24 };
  t.match(row('certificatesigningrequests', { spec }), {
    REQUESTOR: 'joe',
    REQUESTEDDURATION: '24h',
    CONDITION: 'Pending',
  });
  t.match(
    row('certificatesigningrequests', {
      spec,
      status: { conditions: [{ type: 'Approved' }], certificate: 'x' },
    }),
    {
      CONDITION: 'Approved,Issued',
    },
  );
});

t.test('every kind says what its columns are, and is found by its short names', async (t) => {
  const words = resources
    .filter(({ view, verbs }) => !view && !verbs)
    .flatMap(({ type, singular, shortNames }) => [type.resource, singular, ...shortNames]);
  const twice = words.filter((word, index) => words.indexOf(word) !== index);
  t.same(twice, ['endpoints'], 'no name means two kinds');
  for (const { type, printer, strategy } of resources.filter(({ verbs }) => !verbs)) {
    t.ok(
      printer.columns.every(({ name, description }) => name && description.endsWith('.')),
      type.resource,
    );
    t.equal(printer.columns.filter(({ name }) => name === 'Name').length, 1, `${type.resource} has a name`);
    const fields = strategy.fields?.({ metadata: {} } as KubeObject) ?? {};
    t.ok(
      Object.values(fields).every((value) => typeof value === 'string'),
      `${type.resource}: fields of an empty object`,
    );
  }
});
