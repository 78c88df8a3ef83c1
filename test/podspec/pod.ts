/**
 * The verdicts on the fields of the pod as a whole.
 */
import type { PodSpec } from '../../src/api/types.js';
import type { Plan } from './plan.js';
import {
  each,
  listed,
  ofC,
  type Rows,
  refused,
  seen,
  tested,
  withContainer,
  withVolume,
} from './verdicts.js';

const inSandbox = (see: object): object => ({ sandbox: see });
const secured = (securityContext: NonNullable<PodSpec['securityContext']>): Partial<PodSpec> =>
  withContainer({}, { securityContext });
const security = (securityContext: NonNullable<PodSpec['securityContext']>, see: object) =>
  seen(secured(securityContext), ofC({ security: see }));
const resolves =
  (line: string) =>
  ({ resolvConf }: Plan): boolean =>
    resolvConf.split('\n').includes(line);

const schedulerTests = 'master/scheduler/filters.test.ts';
const terms = 'master/scheduler/terms.ts';
const constraints = 'master/scheduler/constraints.ts';
const nodeTerms = 'src/api/nodeselector.ts';
const selectors = 'src/api/selectors.ts';
const required = 'requiredDuringSchedulingIgnoredDuringExecution';
const preferred = 'preferredDuringSchedulingIgnoredDuringExecution';
const expression = 'key operator values[]';

const labelSelector = (prefix: string): Rows => [
  [`${prefix}.matchLabels`, tested(selectors)],
  ...each(`${prefix}.matchExpressions[].`, expression, tested(selectors)),
];

const podAffinity = (prefix: string): Rows => [
  ...labelSelector(`${prefix}.labelSelector`),
  ...labelSelector(`${prefix}.namespaceSelector`),
  ...each(`${prefix}.`, 'namespaces[] topologyKey matchLabelKeys[] mismatchLabelKeys[]', tested(terms)),
];

const nodeTerm = (prefix: string): Rows => [
  ...each(`${prefix}.matchExpressions[].`, expression, tested(nodeTerms)),
  ...each(`${prefix}.matchFields[].`, expression, tested(nodeTerms, 'matchFields')),
];

const affinity: Rows = [
  ...nodeTerm(`affinity.nodeAffinity.${required}.nodeSelectorTerms[]`),
  [`affinity.nodeAffinity.${preferred}[].weight`, tested('master/scheduler/scores.test.ts')],
  ...nodeTerm(`affinity.nodeAffinity.${preferred}[].preference`),
  ...['podAffinity', 'podAntiAffinity'].flatMap(
    (kind): Rows => [
      ...podAffinity(`affinity.${kind}.${required}[]`),
      [`affinity.${kind}.${preferred}[].weight`, tested('master/scheduler/scores.test.ts')],
      ...podAffinity(`affinity.${kind}.${preferred}[].podAffinityTerm`),
    ],
  ),
];

const spreading: Rows = [
  ...each(
    'topologySpreadConstraints[].',
    'maxSkew topologyKey whenUnsatisfiable minDomains nodeAffinityPolicy nodeTaintsPolicy matchLabelKeys[]',
    tested(constraints),
  ),
  ...labelSelector('topologySpreadConstraints[].labelSelector'),
];

const securityRows: Rows = [
  ...each(
    'securityContext.seLinuxOptions.',
    'user role type level',
    security(
      { seLinuxOptions: { user: 'u', role: 'r', type: 't', level: 's0' } },
      { seLinuxLabels: ['user:u', 'role:r', 'type:t', 'level:s0'] },
    ),
  ),
  [
    'securityContext.windowsOptions.**',
    refused(secured({ windowsOptions: { hostProcess: true } }), /spec\.securityContext\.windowsOptions/),
  ],
  ...each(
    'securityContext.',
    'runAsUser runAsGroup',
    security({ runAsUser: 5, runAsGroup: 7 }, { user: '5:7' }),
  ),
  [
    'securityContext.runAsNonRoot',
    refused(secured({ runAsNonRoot: true, runAsUser: 0 }), /runAsUser breaks non-root policy/, { word: '' }),
  ],
  [
    'securityContext.supplementalGroups[]',
    security({ supplementalGroups: [44] }, { supplementalGroups: [44] }),
  ],
  [
    'securityContext.supplementalGroupsPolicy',
    security({ supplementalGroupsPolicy: 'Strict' }, { strictSupplementalGroups: true }),
  ],
  ['securityContext.fsGroup', security({ fsGroup: 45 }, { supplementalGroups: [45] })],
  ['securityContext.fsGroupChangePolicy', tested('agent/volumes/persistent.root.test.ts')],
  ...each(
    'securityContext.sysctls[].',
    'name value',
    seen(
      secured({ sysctls: [{ name: 'net/ipv4/tcp_syncookies', value: '0' }] }),
      inSandbox({ sysctls: { 'net.ipv4.tcp_syncookies': '0' } }),
    ),
  ),
  ...each(
    'securityContext.seccompProfile.',
    'type localhostProfile',
    security(
      { seccompProfile: { type: 'Localhost', localhostProfile: 'own.json' } },
      { seccomp: { type: 'Localhost', profile: /\/seccomp\/own\.json$/ } },
    ),
  ),
  ...each(
    'securityContext.appArmorProfile.',
    'type localhostProfile',
    security(
      { appArmorProfile: { type: 'Localhost', localhostProfile: 'mine' } },
      { appArmor: { type: 'Localhost', profile: 'mine' } },
    ),
  ),
  ['securityContext.seLinuxChangePolicy', listed()],
];

const named: Partial<PodSpec> = { hostname: 'h', subdomain: 'sub' };
const dns = {
  nameservers: ['198.51.100.1'],
  searches: ['own.test'],
  options: [{ name: 'ndots', value: '7' }],
};

const names: Rows = [
  ['hostname', seen({ hostname: 'h' }, inSandbox({ hostname: 'h' }))],
  ['subdomain', seen(named, { hosts: '10.244.0.9\th.sub.default.svc.cluster.local\th\n' })],
  [
    'setHostnameAsFQDN',
    seen({ ...named, setHostnameAsFQDN: true }, inSandbox({ hostname: 'h.sub.default.svc.cluster.local' }), {
      without: named,
    }),
  ],
  [
    'hostnameOverride',
    seen({ ...named, hostnameOverride: 'over' }, inSandbox({ hostname: 'over' }), { without: named }),
  ],
  ...each(
    'hostAliases[].',
    'ip hostnames[]',
    seen({ hostAliases: [{ ip: '192.0.2.7', hostnames: ['a', 'b'] }] }, { hosts: '192.0.2.7\ta\tb\n' }),
  ),
  [
    'dnsPolicy',
    seen({ dnsPolicy: 'Default' }, resolves('nameserver 192.0.2.53'), {
      given: { config: { clusterDns: ['10.96.0.10'] } },
    }),
  ],
  ['dnsConfig.nameservers[]', seen({ dnsConfig: dns }, resolves('nameserver 198.51.100.1'))],
  ['dnsConfig.searches[]', seen({ dnsConfig: dns }, resolves('search example.test own.test'))],
  ...each('dnsConfig.options[].', 'name value', seen({ dnsConfig: dns }, resolves('options ndots:7'))),
];

const tokenFile = withVolume({
  projected: { sources: [{ serviceAccountToken: { path: 'token' } }] },
});

export const podRows: Rows = [
  ...securityRows,
  ...names,
  ...affinity,
  ...spreading,
  ['restartPolicy', tested('agent/pods/actions.test.ts')],
  ['terminationGracePeriodSeconds', tested('agent/pods/pods.test.ts')],
  ['activeDeadlineSeconds', tested('agent/pods/actions.test.ts')],
  ['nodeSelector', tested(schedulerTests)],
  [
    'serviceAccountName',
    seen(
      { ...tokenFile, serviceAccountName: 'robot' },
      { files: { 'v/token': { text: /^robot / } } },
      { without: tokenFile },
    ),
  ],
  ['serviceAccount', tested('src/api/defaults/defaults.test.ts')],
  ['automountServiceAccountToken', tested('master/admission/plugins/serviceaccount.test.ts')],
  ['nodeName', tested('master/scheduler/scheduler.test.ts')],
  [
    'hostNetwork',
    seen(
      { hostNetwork: true },
      { sandbox: { network: 'host', hostname: /^$/ }, hosts: '192.0.2.1 the-host' },
    ),
  ],
  ['hostPID', seen({ hostPID: true }, inSandbox({ pid: 'host' }))],
  ['hostIPC', seen({ hostIPC: true }, inSandbox({ ipc: 'host' }))],
  ['shareProcessNamespace', seen({ shareProcessNamespace: true }, inSandbox({ pid: 'pod' }))],
  ['hostUsers', seen({ hostUsers: false }, inSandbox({ userNamespace: true }))],
  ['imagePullSecrets[].name', tested('agent/images/images.test.ts', 'imagePullSecrets')],
  ['schedulerName', tested('master/scheduler/scheduler.test.ts')],
  ...each('tolerations[].', 'key operator value effect', tested(schedulerTests)),
  ['tolerations[].tolerationSeconds', tested('master/controllers/lifecycle.test.ts')],
  ['priorityClassName', tested('master/admission/plugins/priority.test.ts')],
  ['priority', tested('agent/cgroups/cgroups.test.ts')],
  ['preemptionPolicy', listed()],
  ['readinessGates[].conditionType', tested('agent/pods/actions.test.ts', 'readinessGates')],
  ['runtimeClassName', seen({ runtimeClassName: 'fast' }, inSandbox({ runtimeHandler: 'fast-handler' }))],
  [
    'enableServiceLinks',
    seen({ enableServiceLinks: false }, ({ containers }) =>
      Object.values(containers).some(({ env }) => env.every(({ name }) => !name.startsWith('DB_'))),
    ),
  ],
  ['overhead', tested('agent/cgroups/cgroups.test.ts')],
  ['os.name', refused({ os: { name: 'windows' } }, /spec\.os\.name/, { word: '`os.name: windows`' })],
  ['schedulingGates[].name', tested('master/scheduler/scheduler.test.ts', 'schedulingGates')],
  [
    'resourceClaims[].**',
    refused({ resourceClaims: [{ name: 'x', resourceClaimName: 'y' }] }, /spec\.resourceClaims/),
  ],
  [
    'resources.limits',
    seen({ resources: { limits: { memory: '64Mi' } } }, { cgroup: { memoryBytes: 64 * 1024 ** 2 } }),
  ],
  ['resources.requests', seen({ resources: { requests: { cpu: '2' } } }, { cgroup: { cpuShares: 2048 } })],
  ['resources.claims[].**', refused({ resources: { claims: [{ name: 'x' }] } }, /spec\.resources\.claims/)],
  ['schedulingGroup.podGroupName', listed('schedulingGroup')],
];
