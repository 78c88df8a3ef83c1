import t from 'tap';
import type { PodSpec } from '../../../../src/api/types.js';
import { baselineChecks } from './baseline.js';
import { createEvaluator, describe } from './checks.js';
import { type Level, parseVersion } from './levels.js';
import { restrictedChecks } from './restricted.js';

type Change = Record<string, unknown>;
type Kind = 'containers' | 'initContainers' | 'ephemeralContainers';
const kinds: readonly Kind[] = ['containers', 'initContainers', 'ephemeralContainers'];

/** Allowed by every level in every version. */
const hardened = {
  runAsNonRoot: true,
  allowPrivilegeEscalation: false,
  capabilities: { drop: ['ALL'] },
  seccompProfile: { type: 'RuntimeDefault' },
};

interface Given {
  /** Of the container's security context, in place of the hardened one's fields. */
  context?: Change;
  /** Of the container. */
  container?: Change;
  spec?: Change;
  annotations?: Record<string, string>;
}

function podOf(given: Given, kind: Kind = 'containers') {
  const odd = { name: 'a', ...given.container, securityContext: { ...hardened, ...given.context } };
  const fine = { name: 'fine', securityContext: hardened };
  const spec = { containers: [fine], ...given.spec, [kind]: [odd] };
  return { metadata: { annotations: given.annotations ?? {} }, spec: spec as unknown as PodSpec };
}

const evaluate = createEvaluator();
const problems = (level: Level, version: string, given: Given, kind?: Kind): string =>
  describe(evaluate({ level, version: parseVersion(version) ?? 'latest' }, podOf(given, kind)));

interface Row {
  id: string;
  level: Level;
  /** First and last version that refuses it; all when absent. */
  from?: string;
  to?: string;
  bad: Given;
  says: string;
  /** Close to it, and allowed. */
  good: Given;
}

const apparmor = 'container.apparmor.security.beta.kubernetes.io/a';
const seccomp = 'container.seccomp.security.alpha.kubernetes.io/a';

const rows: readonly Row[] = [
  {
    id: 'appArmorProfile',
    level: 'baseline',
    bad: { context: { appArmorProfile: { type: 'Unconfined' } } },
    says: 'forbidden AppArmor profile (container "a" must not set AppArmor profile type to "Unconfined")',
    good: { context: { appArmorProfile: { type: 'Localhost', localhostProfile: 'x' } } },
  },
  {
    id: 'appArmorProfile',
    level: 'baseline',
    bad: {
      annotations: { [apparmor]: 'unconfined' },
      spec: { securityContext: { appArmorProfile: { type: 'Unconfined' } } },
    },
    says: `forbidden AppArmor profiles (pod and annotation must not set AppArmor profile type to "Unconfined", "${apparmor}="unconfined"")`,
    good: { annotations: { [apparmor]: 'runtime/default' } },
  },
  {
    id: 'capabilities_baseline',
    level: 'baseline',
    bad: { context: { capabilities: { add: ['NET_RAW', 'CHOWN', 'SYS_ADMIN'] } } },
    says: 'non-default capabilities (container "a" must not include "NET_RAW", "SYS_ADMIN" in securityContext.capabilities.add)',
    good: { context: { capabilities: { add: ['CHOWN', 'SYS_CHROOT'] } } },
  },
  {
    id: 'hostNamespaces',
    level: 'baseline',
    bad: { spec: { hostNetwork: true, hostPID: true, hostIPC: true } },
    says: 'host namespaces (hostNetwork=true, hostPID=true, hostIPC=true)',
    good: { spec: { hostNetwork: false } },
  },
  {
    id: 'hostPathVolumes',
    level: 'baseline',
    bad: {
      spec: {
        volumes: [
          { name: 'v', hostPath: { path: '/' } },
          { name: 'w', hostPath: { path: '/' } },
        ],
      },
    },
    says: 'hostPath volumes (volumes "v", "w")',
    good: { spec: { volumes: [{ name: 'v', nfs: { server: 's', path: '/' } }] } },
  },
  {
    id: 'hostPorts',
    level: 'baseline',
    bad: {
      container: {
        ports: [
          { containerPort: 80, hostPort: 80 },
          { containerPort: 1, hostPort: 443 },
        ],
      },
    },
    says: 'hostPort (container "a" uses hostPorts 443, 80)',
    good: { container: { ports: [{ containerPort: 80, hostPort: 0 }] } },
  },
  {
    id: 'hostProbesAndHostLifecycle',
    level: 'baseline',
    from: 'v1.34',
    bad: { container: { livenessProbe: { httpGet: { host: '10.0.0.1', port: 80 } } } },
    says: 'probe or lifecycle host (container "a" uses probe or lifecycle host "10.0.0.1")',
    good: {
      container: { livenessProbe: { httpGet: { port: 80 } }, startupProbe: { tcpSocket: { port: 80 } } },
    },
  },
  {
    id: 'hostProbesAndHostLifecycle',
    level: 'baseline',
    from: 'v1.34',
    bad: {
      container: {
        lifecycle: { preStop: { tcpSocket: { host: 'b' } }, postStart: { httpGet: { host: 'c' } } },
      },
    },
    says: 'probe or lifecycle host (container "a" uses probe or lifecycle hosts "b", "c")',
    good: { container: { lifecycle: { preStop: { httpGet: { host: '', port: 1 } } } } },
  },
  {
    id: 'privileged',
    level: 'baseline',
    bad: { context: { privileged: true } },
    says: 'privileged (container "a" must not set securityContext.privileged=true)',
    good: { context: { privileged: false } },
  },
  {
    id: 'procMount',
    level: 'baseline',
    bad: { context: { procMount: 'Unmasked' } },
    says: 'procMount (container "a" must not set securityContext.procMount to "Unmasked")',
    good: { context: { procMount: 'Default' } },
  },
  {
    id: 'procMount',
    level: 'baseline',
    to: 'v1.34',
    bad: { context: { procMount: 'Unmasked' }, spec: { hostUsers: false } },
    says: 'procMount (container "a" must not set securityContext.procMount to "Unmasked")',
    good: { spec: { hostUsers: false } },
  },
  {
    id: 'seLinuxOptions',
    level: 'baseline',
    bad: { context: { seLinuxOptions: { type: 'spc_t', user: 'u', role: 'r' } } },
    says: 'seLinuxOptions (container "a" set forbidden securityContext.seLinuxOptions: type "spc_t"; user may not be set; role may not be set)',
    good: { context: { seLinuxOptions: { type: 'container_kvm_t', level: 's0' } } },
  },
  {
    id: 'seLinuxOptions',
    level: 'baseline',
    to: 'v1.30',
    bad: { spec: { securityContext: { seLinuxOptions: { type: 'container_engine_t' } } } },
    says: 'seLinuxOptions (pod set forbidden securityContext.seLinuxOptions: type "container_engine_t")',
    good: {},
  },
  {
    id: 'seccompProfile_baseline',
    level: 'baseline',
    from: 'v1.19',
    bad: {
      context: { seccompProfile: { type: 'Unconfined' } },
      spec: { securityContext: { seccompProfile: { type: 'Unconfined' } } },
    },
    says: 'seccompProfile (pod and container "a" must not set securityContext.seccompProfile.type to "Unconfined")',
    good: { context: { seccompProfile: undefined } },
  },
  {
    id: 'seccompProfile_baseline',
    level: 'baseline',
    to: 'v1.18',
    bad: { annotations: { 'seccomp.security.alpha.kubernetes.io/pod': 'unconfined', [seccomp]: 'x' } },
    says: `seccompProfile (forbidden annotations ${seccomp}="x", seccomp.security.alpha.kubernetes.io/pod="unconfined")`,
    good: { annotations: { [seccomp]: 'localhost/x' } },
  },
  ...['net.ipv4.ip_local_reserved_ports', 'net.ipv4.tcp_keepalive_time', 'net.ipv4.tcp_rmem'].map(
    (name, index) => ({
      id: 'sysctls',
      level: 'baseline' as const,
      to: ['v1.26', 'v1.28', 'v1.31'][index] ?? '',
      bad: { spec: { securityContext: { sysctls: [{ name, value: '1' }] } } },
      says: `forbidden sysctls (${name})`,
      good: { spec: { securityContext: { sysctls: [{ name: 'net.ipv4.tcp_syncookies', value: '1' }] } } },
    }),
  ),
  {
    id: 'sysctls',
    level: 'baseline',
    bad: {
      spec: {
        securityContext: {
          sysctls: [
            { name: 'kernel.msgmax', value: '1' },
            { name: 'vm.x', value: '1' },
          ],
        },
      },
    },
    says: 'forbidden sysctls (kernel.msgmax, vm.x)',
    good: {},
  },
  {
    id: 'windowsHostProcess',
    level: 'baseline',
    bad: {
      context: { windowsOptions: { hostProcess: true } },
      spec: { securityContext: { windowsOptions: { hostProcess: true } } },
    },
    says: 'hostProcess (pod and container "a" must not set securityContext.windowsOptions.hostProcess=true)',
    good: { context: { windowsOptions: { hostProcess: false } } },
  },
  {
    id: 'allowPrivilegeEscalation',
    level: 'restricted',
    from: 'v1.8',
    bad: { context: { allowPrivilegeEscalation: undefined } },
    says: 'allowPrivilegeEscalation != false (container "a" must set securityContext.allowPrivilegeEscalation=false)',
    good: {},
  },
  {
    id: 'allowPrivilegeEscalation',
    level: 'restricted',
    from: 'v1.8',
    to: 'v1.24',
    bad: { context: { allowPrivilegeEscalation: true }, spec: { os: { name: 'windows' } } },
    says: 'allowPrivilegeEscalation != false (container "a" must set securityContext.allowPrivilegeEscalation=false)',
    good: { spec: { os: { name: 'windows' } } },
  },
  {
    id: 'capabilities_restricted',
    level: 'restricted',
    from: 'v1.22',
    bad: { context: { capabilities: { add: ['CHOWN', 'NET_BIND_SERVICE'] } } },
    says: 'unrestricted capabilities (container "a" must set securityContext.capabilities.drop=["ALL"]; container "a" must not include "CHOWN" in securityContext.capabilities.add)',
    good: { context: { capabilities: { drop: ['CHOWN', 'ALL'], add: ['NET_BIND_SERVICE'] } } },
  },
  {
    id: 'procMount_restricted',
    level: 'restricted',
    bad: { context: { procMount: 'Unmasked' }, spec: { hostUsers: false } },
    says: 'procMount (container "a" must not set securityContext.procMount to "Unmasked")',
    good: { spec: { hostUsers: false } },
  },
  {
    id: 'restrictedVolumes',
    level: 'restricted',
    bad: {
      spec: {
        volumes: [
          { name: 'v', hostPath: { path: '/' } },
          { name: 'w', nfs: { server: 's', path: '/' } },
        ],
      },
    },
    says: 'restricted volume types (volumes "v", "w" use restricted volume types "hostPath", "nfs")',
    good: {
      spec: {
        volumes: [
          { name: 'v', image: { reference: 'x' } },
          { name: 'w', secret: {} },
        ],
      },
    },
  },
  {
    id: 'runAsNonRoot',
    level: 'restricted',
    bad: { context: { runAsNonRoot: false }, spec: { securityContext: { runAsNonRoot: true } } },
    says: 'runAsNonRoot != true (container "a" must not set securityContext.runAsNonRoot=false)',
    good: { context: { runAsNonRoot: undefined }, spec: { securityContext: { runAsNonRoot: true } } },
  },
  {
    id: 'runAsNonRoot',
    level: 'restricted',
    to: 'v1.34',
    bad: { context: { runAsNonRoot: undefined }, spec: { hostUsers: false } },
    says: 'runAsNonRoot != true (pod or container "a" must set securityContext.runAsNonRoot=true)',
    good: {},
  },
  {
    id: 'runAsUser',
    level: 'restricted',
    from: 'v1.23',
    bad: { context: { runAsUser: 0 }, spec: { securityContext: { runAsUser: 0 } } },
    says: 'runAsUser=0 (pod and container "a" must not set runAsUser=0)',
    good: { context: { runAsUser: 1 } },
  },
  {
    id: 'runAsUser',
    level: 'restricted',
    from: 'v1.23',
    to: 'v1.34',
    bad: { context: { runAsUser: 0 }, spec: { hostUsers: false } },
    says: 'runAsUser=0 (container "a" must not set runAsUser=0)',
    good: {},
  },
  {
    id: 'seccompProfile_restricted',
    level: 'restricted',
    from: 'v1.19',
    bad: { context: { seccompProfile: undefined } },
    says: 'seccompProfile (pod or container "a" must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost")',
    good: {
      context: { seccompProfile: undefined },
      spec: { securityContext: { seccompProfile: { type: 'Localhost' } } },
    },
  },
  {
    id: 'seccompProfile_restricted',
    level: 'restricted',
    from: 'v1.19',
    bad: { context: { seccompProfile: { type: 'Unconfined' } } },
    says: 'seccompProfile (container "a" must not set securityContext.seccompProfile.type to "Unconfined")',
    good: {},
  },
];

const minorOf = (version: string): number => Number(version.slice('v1.'.length));
const before = (version: string): string => `v1.${minorOf(version) - 1}`;
const after = (version: string): string => `v1.${minorOf(version) + 1}`;

t.test('every check refuses what it must and nothing beside, in its versions', async (t) => {
  for (const { id, level, from, to, bad, says, good } of rows) {
    const refusing = [from ?? 'v1.0', to ?? 'latest', ...(to ? [] : ['v1.36', 'v1.99'])];
    for (const version of refusing) {
      t.equal(problems(level, version, bad), says, `${id} refuses in ${version}`);
      t.equal(problems(level, version, good), '', `${id} lets through in ${version}`);
      t.equal(problems('privileged', version, bad), '', `${id} is nothing to privileged`);
    }
    if (from) t.equal(problems(level, before(from), bad), '', `${id} is not there before ${from}`);
    if (to) t.equal(problems(level, after(to), bad), '', `${id} is relaxed after ${to}`);
  }
});

t.test('containers of each kind are looked at', async (t) => {
  for (const { id, level, from, to, bad, says } of rows) {
    if (!bad.container && !bad.context) continue;
    for (const kind of kinds)
      t.equal(problems(level, to ?? from ?? 'latest', bad, kind), says, `${id} in ${kind}`);
  }
});

t.test('no check is without a row, and each stands where its id sorts it', async (t) => {
  const ids = [...baselineChecks, ...restrictedChecks].map(({ id }) => id);
  t.strictSame([...new Set(rows.map(({ id }) => id))].sort(), [...ids].sort());
  for (const checks of [baselineChecks, restrictedChecks])
    t.strictSame(
      checks.map(({ id }) => id),
      checks.map(({ id }) => id).sort(),
    );
});

t.test('a plain pod violates restricted in the words users know', async (t) => {
  const spec = { containers: [{ name: 'web' }, { name: 'log' }] } as unknown as PodSpec;
  t.equal(
    describe(evaluate({ level: 'restricted', version: 'latest' }, { spec })),
    'allowPrivilegeEscalation != false (containers "web", "log" must set securityContext.allowPrivilegeEscalation=false), ' +
      'unrestricted capabilities (containers "web", "log" must set securityContext.capabilities.drop=["ALL"]), ' +
      'runAsNonRoot != true (pod or containers "web", "log" must set securityContext.runAsNonRoot=true), ' +
      'seccompProfile (pod or containers "web", "log" must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost")',
  );
  t.strictSame(evaluate({ level: 'baseline', version: 'latest' }, { spec }), []);
});

t.test('what restricted says more strictly is said once', async (t) => {
  const given: Given = {
    context: { capabilities: { add: ['SYS_ADMIN'] }, seccompProfile: { type: 'Unconfined' } },
  };
  const said = problems('restricted', 'latest', given);
  t.notMatch(said, 'non-default capabilities');
  t.equal(said.split('seccompProfile (').length, 2);
  t.match(
    problems('restricted', 'v1.18', given),
    'non-default capabilities',
    'before there is a stricter one',
  );
});
