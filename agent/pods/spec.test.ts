import t from 'tap';
import type { Container } from '../../src/api/types.js';
import { pod as build, service } from '../../src/testing/builders.js';
import { FakeRuntime } from '../runtime/fake.js';
import { buildContainer } from './containerspec.js';
import { renderResolvConf } from './dns.js';
import { showsChange } from './downward.js';
import { parseEnvFile } from './envfile.js';
import { buildEnvironment, expand } from './environment.js';
import { renderHosts } from './etcfiles.js';
import { createGate } from './gate.js';
import { kernelHostname } from './hostname.js';
import { portMappingsOf } from './networking.js';
import { buildSandbox } from './sandbox.js';
import { buildSecurity } from './security.js';
import { statusPatch } from './statuspatch.js';
import { forbiddenSysctls, parseSysctlPatterns, sysctlName } from './sysctls.js';
import { unsupportedInContainer, unsupportedInPod } from './unsupported.js';

const references = {
  configMap: (name: string) => (name === 'cfg' ? new Map([['a', '1']]) : undefined),
  secret: (name: string) => (name === 'sec' ? new Map([['pw', 'x']]) : undefined),
  envFile: (volume: string, path: string) =>
    `${volume}/${path}` === 'v/f' ? "# x\nK='a\nb' # c\n" : undefined,
};
const { features } = new FakeRuntime();
const securityFacts = { imageUser: '', features, seccompDefault: false, seccompDirectory: '/seccomp' };
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
  const security = buildSecurity(pod, spec, securityFacts);
  t.same(security, {
    user: '5:7',
    supplementalGroups: [9],
    dropCapabilities: ['ALL'],
    noNewPrivileges: true,
    seLinuxLabels: ['level:s0'],
    seccomp: { type: 'Unconfined' },
  });
  const sandbox = { attempt: 2, nodeName: 'n', cgroupParent: '/p', clusterDomain: 'c.l' };
  t.match(buildSandbox(pod, sandbox), {
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
    devices: [],
    resources: {},
    security,
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

t.test('security: who, which groups, which profiles', async (t) => {
  const of = (
    own: object,
    ofPod: object = {},
    more: object = {},
    annotations: Record<string, string> = {},
  ) => {
    const spec: Container = { name: 'c', securityContext: own };
    const pod = build('web', { meta: { annotations }, spec: { containers: [spec], securityContext: ofPod } });
    return buildSecurity(pod, spec, { ...securityFacts, ...more });
  };
  t.equal(
    of({ runAsGroup: 7 }, {}, { imageUser: 'app:app' }).user,
    'app:7',
    'the user stays that of the image',
  );
  t.equal(of({ runAsGroup: 7 }).user, '0:7');
  t.same(of({}, {}, { seccompDefault: true }).seccomp, { type: 'RuntimeDefault' });
  const local = (localhostProfile: string) => ({ seccompProfile: { type: 'Localhost', localhostProfile } });
  t.same(of(local('a/b.json')).seccomp, { type: 'Localhost', profile: '/seccomp/a/b.json' });
  t.same(of(local('a.json'), { seccompProfile: { type: 'RuntimeDefault' } }).seccomp?.type, 'Localhost');
  for (const path of ['../x', 'a/../../x', '/etc/x', '', 'a/..'])
    t.throws(() => of(local(path)), {
      message: /spec\.containers\{c\}\.securityContext\.seccompProfile\.localhostProfile/,
    });
  t.throws(
    () =>
      of({}, { seccompProfile: { type: 'RuntimeDefault' } }, { features: { ...features, seccomp: false } }),
    {
      message: 'spec.securityContext.seccompProfile: seccomp is not enabled on the host',
    },
  );

  const armed = { features: { ...features, appArmor: true } };
  const key = 'container.apparmor.security.beta.kubernetes.io/c';
  const appArmorProfile = { type: 'Localhost', localhostProfile: 'mine' };
  t.same(of({ appArmorProfile }, {}, armed).appArmor, { type: 'Localhost', profile: 'mine' });
  t.same(of({}, { appArmorProfile }, armed, { [key]: 'runtime/default' }).appArmor, {
    type: 'RuntimeDefault',
  });
  t.same(of({}, {}, armed, { [key]: 'localhost/x' }).appArmor, { type: 'Localhost', profile: 'x' });
  t.throws(() => of({}, {}, armed, { [key]: 'nonsense' }), {
    message: /invalid AppArmor profile name: nonsense/,
  });
  t.throws(() => of({ appArmorProfile }), {
    message: /appArmorProfile: Cannot enforce AppArmor: AppArmor is not enabled on the host/,
  });
  t.equal(of({ appArmorProfile: { type: 'Unconfined' } }).appArmor, undefined);
  t.equal(of({ procMount: 'Unmasked' }).unmaskedProc, true);
  t.equal(of({}, { supplementalGroupsPolicy: 'Strict' }).strictSupplementalGroups, true);
});

t.test('sysctls: safe, allowed, forbidden', async (t) => {
  const forbidden = (name: string, allowed: string[] = [], spec: object = {}, kernel = '6.1.0-18-amd64') =>
    forbiddenSysctls(
      build('web', {
        spec: { containers: [], ...spec, securityContext: { sysctls: [{ name, value: '1' }] } },
      }),
      allowed,
      kernel,
    );
  t.same(forbidden('kernel.shm_rmid_forced'), []);
  t.same(forbidden('net/ipv4/tcp_syncookies'), []);
  t.same(forbidden('kernel.msgmax'), ['forbidden sysctl: "kernel.msgmax" not allowlisted']);
  t.same(forbidden('kernel.msgmax', ['kernel.msg*']), []);
  t.same(forbidden('kernel.msgmax', ['kernel/msgmax']), []);
  t.same(forbidden('net.ipv4.tcp_rmem', [], {}, '4.14.0'), [
    'forbidden sysctl: "net.ipv4.tcp_rmem" not allowlisted',
  ]);
  t.same(forbidden('net.ipv4.tcp_rmem', [], {}, '4.15.0'), []);
  t.same(forbidden('net.ipv4.tcp_syncookies', [], { hostNetwork: true }), [
    'forbidden sysctl: "net.ipv4.tcp_syncookies" not allowed with host net enabled',
  ]);
  t.same(forbidden('kernel.shm_rmid_forced', [], { hostIPC: true }), [
    'forbidden sysctl: "kernel.shm_rmid_forced" not allowed with host ipc enabled',
  ]);
  t.equal(sysctlName('net/ipv4/conf/eth0.100/x'), 'net.ipv4.conf.eth0/100.x');
  t.same(parseSysctlPatterns('kernel.msg*, net.ipv4.route.min_pmtu'), [
    'kernel.msg*',
    'net.ipv4.route.min_pmtu',
  ]);
  t.throws(() => parseSysctlPatterns('vm.swappiness'), { message: /not of a namespace/ });
  t.throws(() => parseSysctlPatterns('*'), { message: /is no name of a sysctl/ });
});

t.test('host names', async (t) => {
  const name = (spec: object, domain = 'cluster.local') =>
    kernelHostname(build('web', { spec: { containers: [], ...spec } }), domain);
  t.equal(name({}), 'web');
  t.equal(kernelHostname(build('a'.repeat(62).concat('.b')), ''), 'a'.repeat(62));
  t.equal(name({ hostname: 'h', subdomain: 's' }), 'h');
  t.equal(name({ hostname: 'h', subdomain: 's', setHostnameAsFQDN: true }), 'h.s.default.svc.cluster.local');
  t.equal(name({ setHostnameAsFQDN: true }), 'web', 'without a subdomain there is no such name');
  t.equal(name({ hostname: 'h', subdomain: 's', hostnameOverride: 'other.name' }), 'other.name');
  t.throws(() => name({ subdomain: 's'.repeat(50), setHostnameAsFQDN: true }), {
    message: /spec\.setHostnameAsFQDN: .*is too long \(64 characters is the max, 80 characters requested\)/,
  });
});

t.test('files of environment variables', async (t) => {
  const text = "# c\n\n  A='1'\nB='x y\n#z' # end\r\nC= 'no'\nD=\nA='2'";
  t.same(
    ['A', 'B', 'C', 'D', 'E'].map((key) => parseEnvFile(text, key)),
    ['2', 'x y\n#z', '', '', undefined],
  );
  for (const wrong of ['A=1', "A = '1'", 'A="1"', "A='1", "A='1' x", 'word'])
    t.throws(() => parseEnvFile(`OK='1'\n${wrong}`, 'OK'), { message: /invalid .* at line 2/ });
  const ref = (key: string, more: object = {}) => [
    { name: 'X', valueFrom: { fileKeyRef: { volumeName: 'v', path: 'f', key, ...more } } },
  ];
  t.equal(envOf({ env: ref('K') }).get('X'), 'a\nb');
  t.equal(envOf({ env: ref('no', { optional: true }) }).has('X'), false);
  t.throws(() => envOf({ env: ref('no') }), {
    message: "env X: fileKeyRef: couldn't find key no in file f of volume v",
  });
  t.throws(() => envOf({ env: ref('K', { path: 'g' }) }), { message: /no file g in volume v/ });
});

t.test('the hosts file', async (t) => {
  const pod = build('web', {
    spec: { containers: [], subdomain: 'sub', hostAliases: [{ ip: '1.2.3.4', hostnames: ['x', 'y'] }] },
  });
  t.match(
    renderHosts(pod, { ips: ['10.0.0.1'], clusterDomain: 'cluster.local' }),
    /^# Kubernetes-managed hosts file\.\n[\s\S]*10\.0\.0\.1\tweb\.sub\.default\.svc\.cluster\.local\tweb\n[\s\S]*1\.2\.3\.4\tx\ty\n/,
  );
  t.match(
    renderHosts(pod, { ips: ['10.0.0.1'], clusterDomain: 'c.l', apiAddress: '10.96.0.1' }),
    '\n10.96.0.1\tkubernetes.default.svc.c.l\tkubernetes.default.svc\tkubernetes.default\n',
  );
});

t.test('resolv.conf by policy', async (t) => {
  const none = { servers: [], domain: 'cluster.local' };
  const dns = { servers: ['10.96.0.10'], domain: 'c.l' };
  const host = 'nameserver 1.1.1.1\nsearch a.\noptions ndots:5 rotate\n';
  const render = (spec: object, cluster: { servers: string[]; domain: string } = none) =>
    renderResolvConf(build('web', { spec: { containers: [], ...spec } }), host, cluster);
  const extra = { nameservers: ['9.9.9.9'], searches: ['b'], options: [{ name: 'ndots', value: '2' }] };
  t.same(render({ dnsPolicy: 'Default', dnsConfig: extra }), {
    text: 'search a b\nnameserver 1.1.1.1\nnameserver 9.9.9.9\noptions rotate ndots:2\n',
    warnings: [],
  });
  t.equal(
    render({ dnsPolicy: 'None', dnsConfig: { nameservers: ['9.9.9.9'] } }).text,
    'nameserver 9.9.9.9\n',
  );
  const ofHost = render({ dnsPolicy: 'Default' }).text;
  const cluster = 'search default.svc.c.l svc.c.l c.l a\nnameserver 10.96.0.10\noptions ndots:5\n';
  t.equal(render({}, dns).text, cluster);
  t.equal(render({ hostNetwork: true }, dns).text, ofHost);
  t.equal(render({ hostNetwork: true, dnsPolicy: 'ClusterFirstWithHostNet' }, dns).text, cluster);
  const fallback = render({});
  t.equal(fallback.text, ofHost);
  t.match(fallback.warnings, [{ reason: 'MissingClusterDNS', message: /Falling back to "Default" policy/ }]);
  const many = render({
    dnsPolicy: 'None',
    dnsConfig: {
      nameservers: ['1.0.0.1', '1.0.0.2', '1.0.0.3', '1.0.0.4'],
      searches: Array.from({ length: 33 }, (_, n) => `s${n}`),
    },
  });
  t.equal(many.text.match(/nameserver/g)?.length, 3);
  t.match(many.warnings, [
    {
      reason: 'DNSConfigForming',
      message: /Nameserver limits were exceeded.*is: 1\.0\.0\.1 1\.0\.0\.2 1\.0\.0\.3$/,
    },
    { reason: 'DNSConfigForming', message: /Search Line limits were exceeded.* s31$/ },
  ]);
  const long = render({
    dnsPolicy: 'None',
    dnsConfig: { searches: Array.from({ length: 20 }, (_, n) => `${n}${'x'.repeat(200)}`) },
  });
  t.ok((long.text.split('\n')[0]?.length ?? 0) <= 2048 + 'search '.length);
});

t.test('what cannot be honoured is named', async (t) => {
  const spec: Container = {
    name: 'c',
    resources: { claims: [{ name: 'x' }] },
    volumeMounts: [{ name: 'v', mountPath: '/v', recursiveReadOnly: 'Enabled' }],
  };
  const pod = build('web', {
    spec: {
      containers: [],
      initContainers: [spec],
      hostUsers: false,
    },
  });
  t.same(unsupportedInPod(pod, features), ['spec.hostUsers']);
  t.same(unsupportedInContainer(pod, spec, features), [
    'spec.initContainers{c}.resources.claims',
    'spec.initContainers{c}.volumeMounts.recursiveReadOnly',
  ]);
  const all = { ...features, userNamespaces: true, recursiveReadOnly: true };
  t.same(unsupportedInPod(pod, all), []);
  t.same(unsupportedInContainer(pod, spec, all), ['spec.initContainers{c}.resources.claims']);
  t.same(unsupportedInContainer(build('web'), { name: 'main' }, features), []);
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
