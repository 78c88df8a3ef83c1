import t from 'tap';
import type { Container } from '../../src/api/types.js';
import { pod as build, service } from '../../src/testing/builders.js';
import { buildContainer, buildSandbox, buildSecurity } from './containerspec.js';
import { showsChange } from './downward.js';
import { buildEnvironment, expand } from './environment.js';
import { renderHosts, renderResolvConf } from './etcfiles.js';
import { createGate } from './gate.js';
import { portMappingsOf } from './networking.js';
import { statusPatch } from './statuspatch.js';
import { unsupportedFields } from './unsupported.js';

const references = {
  configMap: (name: string) => (name === 'cfg' ? new Map([['a', '1']]) : undefined),
  secret: (name: string) => (name === 'sec' ? new Map([['pw', 'x']]) : undefined),
};
const facts = {
  references,
  services: [],
  ips: ['10.0.0.1'],
  hostIPs: ['192.0.2.1'],
  nodeName: 'n',
  allocatable: { memory: '1Gi' },
};
const envOf = (spec: Partial<Container>, more: object = {}) =>
  buildEnvironment(build('web', { labels: { app: 'web' } }), { name: 'c', ...spec }, { ...facts, ...more });

t.test('expansion', async (t) => {
  const env = new Map([['A', '1']]);
  t.equal(expand('$(A) $$(A) $(B) $A', env), '1 $(A) $(B) $A');
});

t.test('environment', async (t) => {
  const env = envOf({
    envFrom: [
      { prefix: 'P_', configMapRef: { name: 'cfg' } },
      { secretRef: { name: 'none', optional: true } },
    ],
    env: [
      { name: 'A', value: 'a-$(P_a)' },
      { name: 'S', valueFrom: { secretKeyRef: { name: 'sec', key: 'pw' } } },
      { name: 'O', valueFrom: { configMapKeyRef: { name: 'cfg', key: 'no', optional: true } } },
      { name: 'IP', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } },
      { name: 'L', valueFrom: { fieldRef: { fieldPath: "metadata.labels['app']" } } },
      { name: 'M', valueFrom: { resourceFieldRef: { resource: 'limits.memory', divisor: '1Mi' } } },
      { name: 'C', valueFrom: { resourceFieldRef: { resource: 'requests.cpu' } } },
    ],
    resources: { requests: { cpu: '1500m' } },
  });
  t.same(Object.fromEntries(env), {
    P_a: '1',
    A: 'a-1',
    S: 'x',
    IP: '10.0.0.1',
    L: 'web',
    M: '1024',
    C: '2',
  });
  t.throws(() => envOf({ envFrom: [{ configMapRef: { name: 'no' } }] }), {
    name: 'ConfigError',
    message: 'configmap "no" not found',
  });
  const missing = { name: 'X', valueFrom: { secretKeyRef: { name: 'sec', key: 'no' } } };
  t.throws(() => envOf({ env: [missing] }), { message: "couldn't find key no in Secret default/sec" });
});

t.test('services are variables', async (t) => {
  const web = { ...service('my-web'), spec: { clusterIP: '10.96.0.9', ports: [{ name: 'http', port: 80 }] } };
  t.match(Object.fromEntries(envOf({}, { services: [web] })), {
    MY_WEB_SERVICE_HOST: '10.96.0.9',
    MY_WEB_SERVICE_PORT: '80',
    MY_WEB_SERVICE_PORT_HTTP: '80',
    MY_WEB_PORT: 'tcp://10.96.0.9:80',
    MY_WEB_PORT_80_TCP_ADDR: '10.96.0.9',
  });
  t.equal(envOf({}, { services: [{ ...web, spec: { clusterIP: 'None', ports: [{ port: 80 }] } }] }).size, 0);
});

t.test('what the runtime is asked for', async (t) => {
  const spec: Container = {
    name: 'c',
    image: 'i',
    command: ['run', '$(A)'],
    securityContext: { runAsUser: 5, capabilities: { drop: ['ALL'] }, allowPrivilegeEscalation: false },
  };
  const pod = build('web', {
    meta: { uid: 'u' },
    spec: {
      containers: [spec],
      hostNetwork: true,
      shareProcessNamespace: true,
      securityContext: { runAsGroup: 7, fsGroup: 9, seLinuxOptions: { level: 's0' } },
    },
  });
  t.same(buildSecurity(pod, spec), {
    user: '5:7',
    supplementalGroups: [9],
    dropCapabilities: ['ALL'],
    noNewPrivileges: true,
    seLinuxLabels: ['level:s0'],
  });
  t.match(buildSandbox(pod, { attempt: 2, nodeName: 'n', cgroupParent: '/p' }), {
    name: 'wherry_POD_web_default_u_2',
    network: 'host',
    pid: 'pod',
    hostname: '',
  });
  const start = { container: 'c', attempt: 1, nextBackoffMs: 10_000 };
  const made = buildContainer(pod, spec, {
    start,
    nodeName: 'n',
    imageId: 'sha256:1',
    cgroupParent: '/p',
    env: new Map([['A', 'b']]),
    mounts: [],
    resources: {},
  });
  t.match(made, {
    name: 'wherry_c_web_default_u_1',
    command: ['run', 'b'],
    labels: { 'io.wherry.attempt': '1', 'io.wherry.backoff-ms': '10000' },
  });
  const ports = build('web', {
    spec: {
      containers: [{ name: 'c', ports: [{ containerPort: 80, hostPort: 8080 }, { containerPort: 81 }] }],
    },
  });
  t.same(portMappingsOf(ports), [{ hostPort: 8080, containerPort: 80, protocol: 'TCP', hostIP: '' }]);
});

t.test('labels that files show have changed', async (t) => {
  const labels = { path: 'labels', fieldRef: { fieldPath: 'metadata.labels' } };
  const shown = (value: string, volumes: object[]) =>
    build('web', {
      meta: { labels: { a: value } },
      spec: { volumes: volumes.map((v) => ({ name: 'v', ...v })) },
    });
  const own = [{ downwardAPI: { items: [labels] } }];
  const among = [{ emptyDir: {} }, { projected: { sources: [{ downwardAPI: { items: [labels] } }] } }];
  for (const volumes of [own, among]) {
    t.equal(showsChange(shown('1', volumes), shown('2', volumes)), true);
    t.equal(showsChange(shown('1', volumes), shown('1', volumes)), false);
  }
  t.equal(showsChange(shown('1', [{ emptyDir: {} }]), shown('2', [{ emptyDir: {} }])), false);
});

t.test('the managed files', async (t) => {
  const pod = build('web', {
    spec: { containers: [], subdomain: 'sub', hostAliases: [{ ip: '1.2.3.4', hostnames: ['x', 'y'] }] },
  });
  t.match(
    renderHosts(pod, ['10.0.0.1'], undefined),
    /^# Kubernetes-managed hosts file\.\n[\s\S]*10\.0\.0\.1\tweb\.sub\.default\.svc\.cluster\.local\tweb\n[\s\S]*1\.2\.3\.4\tx\ty\n/,
  );
  const dns = build('web', {
    spec: {
      containers: [],
      dnsConfig: { nameservers: ['9.9.9.9'], searches: ['b'], options: [{ name: 'ndots', value: '2' }] },
    },
  });
  t.equal(
    renderResolvConf(dns, 'nameserver 1.1.1.1\nsearch a\noptions ndots:5 rotate\n'),
    'search a b\nnameserver 1.1.1.1\nnameserver 9.9.9.9\noptions rotate ndots:2\n',
  );
  const none = build('web', {
    spec: { containers: [], dnsPolicy: 'None', dnsConfig: { nameservers: ['9.9.9.9'] } },
  });
  t.equal(renderResolvConf(none, 'nameserver 1.1.1.1'), 'nameserver 9.9.9.9\n');
});

t.test('what cannot be honoured is named', async (t) => {
  const spec: Container = {
    name: 'c',
    livenessProbe: { grpc: { port: 1 } },
    securityContext: { seccompProfile: { type: 'Unconfined' } },
  };
  const pod = build('web', {
    spec: {
      containers: [spec],
      hostUsers: false,
      securityContext: { seccompProfile: { type: 'RuntimeDefault' } },
    },
  });
  t.same(unsupportedFields(pod, spec), [
    'spec.hostUsers',
    'spec.containers{c}.livenessProbe.grpc',
    'spec.containers{c}.securityContext.seccompProfile',
  ]);
  t.same(unsupportedFields(build('web'), { name: 'main' }), []);
});

t.test('a status patch holds what changed, and takes away what is gone', async (t) => {
  const ready = {
    type: 'Ready',
    status: 'False',
    reason: 'ContainersNotReady',
    message: 'x',
    lastTransitionTime: 'a',
  };
  const old = {
    phase: 'Pending',
    reason: 'r',
    podIPs: [{ ip: '1' }],
    conditions: [ready, { type: 'Other', status: 'True' }],
  };
  const next = {
    phase: 'Running',
    podIPs: [{ ip: '2' }],
    conditions: [{ type: 'Ready', status: 'True', lastTransitionTime: 'b' }],
  };
  t.same(statusPatch(old, next), {
    phase: 'Running',
    reason: null,
    podIPs: [{ ip: '2' }, { $patch: 'delete', ip: '1' }],
    conditions: [{ type: 'Ready', status: 'True', lastTransitionTime: 'b', reason: null, message: null }],
  });
  t.equal(statusPatch(next, { ...next, hostIP: undefined }), undefined);
});

t.test('the gate prefers what is nearer to its end', async (t) => {
  const gate = createGate(1);
  const order: number[] = [];
  const call = (priority: number) => gate.run(priority, async () => void order.push(priority));
  await Promise.all([call(0), call(1), call(4), call(1), call(3)]);
  t.same(order, [0, 4, 3, 1, 1]);
});
