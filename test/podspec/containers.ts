/**
 * The verdicts on the fields that containers, init containers and ephemeral containers have in common: each is looked at
 * in all three places.
 */
import type { Container, PodSpec } from '../../src/api/types.js';
import type { Given, Plan } from './plan.js';
import { needed, type Rows, refused, seen, tested, type Verdict, withoutOptional } from './verdicts.js';
import { subPathTests } from './volumes.js';

const places = ['containers', 'initContainers', 'ephemeralContainers'] as const;
type Place = (typeof places)[number];

interface Row {
  /** Path below the container, several divided by spaces. */
  at: string;
  set: Partial<Container>;
  /** Of the container's spec. */
  see?: object | ((plan: Plan) => boolean);
  refused?: RegExp;
  /** What the documentation calls it; the field's name when absent. */
  word?: string;
  /** `optional` of a reference that leads nowhere: without it the container is refused. */
  isNeeded?: true;
  pod?: Partial<PodSpec>;
  given?: Given;
}

const inPlace = (
  place: Place,
  container: Partial<Container>,
  pod: Partial<PodSpec> = {},
): Partial<PodSpec> => {
  const one = { name: 'c', image: 'app:1', ...container };
  const main = { name: 'main', image: 'app:1' };
  if (place === 'containers') return { ...pod, containers: [one] };
  return { ...pod, containers: [main], [place]: [...(pod[place] ?? []), one] };
};

const env = (valueFrom: object): Partial<Container> => ({ env: [{ name: 'X', valueFrom }] });
/** Without the variables of services, so that what is expected comes first. */
const bare: Partial<PodSpec> = { enableServiceLinks: false };
const has =
  (name: string, value: string | undefined) =>
  ({ containers }: Plan): boolean =>
    containers['c']?.env.find((one) => one.name === name)?.value === value && containers['c'] !== undefined;
const volume: Partial<PodSpec> = {
  volumes: [{ name: 'v', emptyDir: {} }],
};
const mounted = (more: object, see: object): Pick<Row, 'set' | 'see' | 'pod'> => ({
  set: { volumeMounts: [{ name: 'v', mountPath: '/v', ...more }] },
  see: { mounts: [{}, {}, {}, { containerPath: '/v', ...see }] },
  pod: volume,
});
const security = (
  securityContext: NonNullable<Container['securityContext']>,
  see: object,
): Pick<Row, 'set' | 'see'> => ({
  set: { securityContext },
  see: { security: see },
});
const selinux = { user: 'u', role: 'r', type: 't', level: 's0' };
const written = { written: { 'v/conf/env': "KEY='from a file'" } };
const fromFile = { volumeName: 'v', path: 'conf/env', key: 'KEY' };
/** The volume is in the pod because another container has it. */
const writer: Partial<PodSpec> = {
  ...volume,
  ...bare,
  initContainers: [{ name: 'writer', image: 'app:1', volumeMounts: [{ name: 'v', mountPath: '/v' }] }],
};

const common: readonly Row[] = [
  { at: 'name', set: { name: 'other' }, see: ({ containers }) => containers['other'] !== undefined },
  { at: 'image', set: { image: 'app:2' }, see: { image: 'id of app:2' } },
  {
    at: 'imagePullPolicy',
    set: { image: 'app:2', imagePullPolicy: 'Never' },
    see: ({ images }) => images.some(({ imagePullPolicy }) => imagePullPolicy === 'Never'),
  },
  {
    at: 'command[]',
    set: { command: ['run', '$(HOME_OF)'], env: [{ name: 'HOME_OF', value: 'h' }] },
    see: { command: ['run', 'h'] },
  },
  { at: 'args[]', set: { args: ['$$(A)', '$(NONE)'] }, see: { args: ['$(A)', '$(NONE)'] } },
  { at: 'workingDir', set: { workingDir: '/w' }, see: { workingDir: '/w' } },
  {
    at: 'envFrom[].prefix envFrom[].configMapRef.name',
    set: { envFrom: [{ prefix: 'P_', configMapRef: { name: 'all' } }] },
    see: has('P_k', 'from-config'),
  },
  {
    at: 'envFrom[].configMapRef.optional',
    set: { envFrom: [{ configMapRef: { name: 'none', optional: true } }] },
    see: {},
    isNeeded: true,
  },
  {
    at: 'envFrom[].secretRef.name',
    set: { envFrom: [{ secretRef: { name: 'all' } }] },
    see: has('k', 'from-secret'),
  },
  {
    at: 'envFrom[].secretRef.optional',
    set: { envFrom: [{ secretRef: { name: 'none', optional: true } }] },
    see: {},
    isNeeded: true,
  },
  { at: 'env[].name env[].value', set: { env: [{ name: 'X', value: 'v' }] }, see: has('X', 'v') },
  {
    at: 'env[].valueFrom.fieldRef.fieldPath',
    set: env({ fieldRef: { fieldPath: 'status.podIP' } }),
    see: has('X', '10.244.0.9'),
  },
  {
    at: 'env[].valueFrom.fieldRef.apiVersion',
    set: env({ fieldRef: { apiVersion: 'v2', fieldPath: 'metadata.name' } }),
    refused: /unsupported pod version: v2/,
    word: '',
  },
  {
    at: 'env[].valueFrom.resourceFieldRef.containerName env[].valueFrom.resourceFieldRef.resource env[].valueFrom.resourceFieldRef.divisor',
    set: env({ resourceFieldRef: { containerName: 'side', resource: 'limits.memory', divisor: '1Mi' } }),
    see: has('X', '32'),
    pod: { initContainers: [{ name: 'side', image: 'app:1', resources: { limits: { memory: '32Mi' } } }] },
  },
  {
    at: 'env[].valueFrom.configMapKeyRef.name env[].valueFrom.configMapKeyRef.key',
    set: env({ configMapKeyRef: { name: 'all', key: 'k' } }),
    see: has('X', 'from-config'),
  },
  {
    at: 'env[].valueFrom.configMapKeyRef.optional',
    set: env({ configMapKeyRef: { name: 'all', key: 'none', optional: true } }),
    see: {},
    isNeeded: true,
  },
  {
    at: 'env[].valueFrom.secretKeyRef.name env[].valueFrom.secretKeyRef.key',
    set: env({ secretKeyRef: { name: 'all', key: 'k' } }),
    see: has('X', 'from-secret'),
  },
  {
    at: 'env[].valueFrom.secretKeyRef.optional',
    set: env({ secretKeyRef: { name: 'none', key: 'k', optional: true } }),
    see: {},
    isNeeded: true,
  },
  {
    at: 'env[].valueFrom.fileKeyRef.volumeName env[].valueFrom.fileKeyRef.path env[].valueFrom.fileKeyRef.key',
    set: env({ fileKeyRef: fromFile }),
    see: has('X', 'from a file'),
    pod: writer,
    given: written,
  },
  {
    at: 'env[].valueFrom.fileKeyRef.optional',
    set: env({ fileKeyRef: { ...fromFile, key: 'none', optional: true } }),
    see: {},
    isNeeded: true,
    pod: writer,
    given: written,
  },
  {
    at: 'resources.limits',
    set: { resources: { limits: { memory: '32Mi' } } },
    see: { resources: { memoryBytes: 32 * 1024 ** 2 } },
  },
  {
    at: 'resources.requests',
    set: { resources: { requests: { cpu: '2' } } },
    see: { resources: { cpuShares: 2048 } },
  },
  {
    at: 'resources.claims[].name resources.claims[].request',
    set: { resources: { claims: [{ name: 'x', request: 'y' }] } },
    refused: /\{c\}\.resources\.claims/,
    word: 'resources.claims',
  },
  { at: 'volumeMounts[].name volumeMounts[].mountPath', ...mounted({}, { hostPath: /volumes\/v$/ }) },
  { at: 'volumeMounts[].readOnly', ...mounted({ readOnly: true }, { readOnly: true }) },
  {
    at: 'volumeMounts[].mountPropagation',
    ...mounted({ mountPropagation: 'HostToContainer' }, { propagation: 'rslave' }),
  },
  {
    at: 'volumeMounts[].recursiveReadOnly',
    ...mounted({ readOnly: true, recursiveReadOnly: 'Enabled' }, { recursiveReadOnly: true }),
  },
  {
    at: 'terminationMessagePath',
    set: { terminationMessagePath: '/dev/last-words' },
    see: { mounts: [{}, {}, { containerPath: '/dev/last-words' }] },
  },
  {
    at: 'securityContext.capabilities.add[] securityContext.capabilities.drop[]',
    ...security(
      { capabilities: { add: ['NET_ADMIN'], drop: ['ALL'] } },
      { addCapabilities: ['NET_ADMIN'], dropCapabilities: ['ALL'] },
    ),
  },
  { at: 'securityContext.privileged', ...security({ privileged: true }, { privileged: true }) },
  {
    at: 'securityContext.seLinuxOptions.user securityContext.seLinuxOptions.role securityContext.seLinuxOptions.type securityContext.seLinuxOptions.level',
    ...security({ seLinuxOptions: selinux }, { seLinuxLabels: ['user:u', 'role:r', 'type:t', 'level:s0'] }),
  },
  {
    at: 'securityContext.windowsOptions.**',
    set: { securityContext: { windowsOptions: { runAsUserName: 'x' } } },
    refused: /\{c\}\.securityContext\.windowsOptions/,
  },
  {
    at: 'securityContext.runAsUser securityContext.runAsGroup',
    ...security({ runAsUser: 5, runAsGroup: 7 }, { user: '5:7' }),
  },
  {
    at: 'securityContext.runAsNonRoot',
    set: { securityContext: { runAsNonRoot: true } },
    refused: /container has runAsNonRoot and image has non-numeric user \(app\)/,
    word: '',
  },
  {
    at: 'securityContext.readOnlyRootFilesystem',
    ...security({ readOnlyRootFilesystem: true }, { readOnlyRootFilesystem: true }),
  },
  {
    at: 'securityContext.allowPrivilegeEscalation',
    ...security({ allowPrivilegeEscalation: false }, { noNewPrivileges: true }),
  },
  { at: 'securityContext.procMount', ...security({ procMount: 'Unmasked' }, { unmaskedProc: true }) },
  {
    at: 'securityContext.seccompProfile.type securityContext.seccompProfile.localhostProfile',
    ...security(
      { seccompProfile: { type: 'Localhost', localhostProfile: 'own.json' } },
      { seccomp: { type: 'Localhost', profile: /\/seccomp\/own\.json$/ } },
    ),
  },
  {
    at: 'securityContext.appArmorProfile.type securityContext.appArmorProfile.localhostProfile',
    ...security(
      { appArmorProfile: { type: 'Localhost', localhostProfile: 'mine' } },
      { appArmor: { type: 'Localhost', profile: 'mine' } },
    ),
  },
  { at: 'stdin stdinOnce', set: { stdin: true, stdinOnce: true }, see: { stdin: true, stdinOnce: true } },
  { at: 'tty', set: { tty: true }, see: { tty: true } },
];

/** The API takes these for containers and init containers only. */
const lasting: readonly Row[] = [
  {
    at: 'ports[].hostPort ports[].containerPort ports[].protocol ports[].hostIP',
    set: { ports: [{ hostPort: 8080, containerPort: 80, protocol: 'UDP', hostIP: '192.0.2.1' }] },
    see: ({ portMappings, sandbox }) => {
      const wanted = JSON.stringify([
        { hostPort: 8080, containerPort: 80, protocol: 'UDP', hostIP: '192.0.2.1' },
      ]);
      return JSON.stringify(portMappings) === wanted && JSON.stringify(sandbox?.portMappings) === wanted;
    },
  },
  {
    at: 'lifecycle.stopSignal',
    set: { lifecycle: { stopSignal: 'SIGUSR1' } },
    see: { stopSignal: 'SIGUSR1' },
  },
];

function verdictOf(place: Place, row: Row): Verdict {
  const { set, see, pod = {}, given } = row;
  const spec = inPlace(place, set, pod);
  if (row.refused) return refused(spec, row.refused, { word: row.word, given });
  if (row.isNeeded) return needed(spec, inPlace(place, withoutOptional(set), pod), given);
  const wanted = typeof see === 'function' ? see : { containers: { [set.name ?? 'c']: see ?? {} } };
  return seen(spec, wanted, { ...(given && { given }), without: inPlace(place, {}, pod) });
}

const rowsIn = (place: Place, rows: readonly Row[]): Rows =>
  rows.flatMap((row) => row.at.split(' ').map((at) => [`${place}[].${at}`, verdictOf(place, row)] as const));

const probeTests = 'agent/probes/probes.test.ts';
const handlers = ['exec.command[]', 'httpGet.path', 'httpGet.port', 'httpGet.host', 'httpGet.scheme'].concat([
  'httpGet.httpHeaders[].name',
  'httpGet.httpHeaders[].value',
  'tcpSocket.port',
  'tcpSocket.host',
]);
const probes = ['livenessProbe', 'readinessProbe', 'startupProbe'];
const wordOf = (path: string): string => path.split('.')[0] ?? '';

const elsewhere = (place: Place): Rows => [
  [`${place}[].ports[].name`, tested(probeTests, 'name')],
  ...probes.flatMap(
    (probe): Rows => [
      ...handlers.map((at) => [`${place}[].${probe}.${at}`, tested(probeTests, wordOf(at))] as const),
      [`${place}[].${probe}.grpc.port`, tested('agent/probes/grpc.test.ts')],
      [`${place}[].${probe}.grpc.service`, tested('agent/probes/grpc.test.ts')],
      ...['periodSeconds', 'successThreshold', 'failureThreshold'].map(
        (name) => [`${place}[].${probe}.${name}`, tested(probeTests)] as const,
      ),
      [`${place}[].${probe}.initialDelaySeconds`, tested('agent/probes/thresholds.ts')],
      [`${place}[].${probe}.timeoutSeconds`, tested('agent/probes/thresholds.ts')],
      [
        `${place}[].${probe}.terminationGracePeriodSeconds`,
        probe === 'readinessProbe'
          ? tested('master/registry/kinds/probe.ts')
          : tested('agent/pods/actions.test.ts'),
      ],
    ],
  ),
  ...['postStart', 'preStop'].flatMap(
    (hook): Rows => [
      ...handlers.map(
        (at) => [`${place}[].lifecycle.${hook}.${at}`, tested('agent/pods/hooks.ts', wordOf(at))] as const,
      ),
      [`${place}[].lifecycle.${hook}.sleep.seconds`, tested('agent/pods/hooks.ts', 'sleep')],
    ],
  ),
  [`${place}[].restartPolicy`, tested('agent/pods/lifecycle.test.ts')],
  ...['action', 'exitCodes.operator', 'exitCodes.values[]'].map(
    (at) => [`${place}[].restartPolicyRules[].${at}`, tested('agent/pods/lifecycle.test.ts')] as const,
  ),
  [`${place}[].resizePolicy[].**`, tested('agent/pods/resize.test.ts', 'resizePolicy')],
];

const everywhere = (place: Place): Rows => [
  [`${place}[].terminationMessagePolicy`, tested('agent/pods/pods.root.test.ts')],
  [`${place}[].volumeDevices[].name`, tested('agent/volumes/persistent.root.test.ts', 'volumeDevices')],
  [`${place}[].volumeDevices[].devicePath`, tested('agent/volumes/persistent.root.test.ts')],
];

const debug = 'ephemeralContainers';
const invalid = (container: Partial<Container>, name: string): Verdict => ({
  verdict: 'invalid',
  container,
  message: new RegExp(`${name}: Forbidden: cannot be set for an Ephemeral Container`),
});
const handler = { exec: { command: ['x'] } };

const onlyLasting: Rows = [
  [`${debug}[].ports[].**`, invalid({ ports: [{ containerPort: 1 }] }, 'ports')],
  [`${debug}[].resources.limits`, invalid({ resources: { limits: { cpu: '1' } } }, 'resources')],
  [`${debug}[].resources.requests`, invalid({ resources: { requests: { cpu: '1' } } }, 'resources')],
  [`${debug}[].resources.claims[].**`, invalid({ resources: { claims: [{ name: 'x' }] } }, 'resources')],
  [
    `${debug}[].resizePolicy[].**`,
    invalid({ resizePolicy: [{ resourceName: 'cpu', restartPolicy: 'NotRequired' }] }, 'resizePolicy'),
  ],
  [`${debug}[].restartPolicy`, invalid({ restartPolicy: 'Always' }, 'restartPolicy')],
  [
    `${debug}[].restartPolicyRules[].**`,
    invalid({ restartPolicyRules: [{ action: 'Restart' }] }, 'restartPolicyRules'),
  ],
  ...probes.map((probe) => [`${debug}[].${probe}.**`, invalid({ [probe]: handler }, probe)] as const),
  [`${debug}[].lifecycle.**`, invalid({ lifecycle: { preStop: handler } }, 'lifecycle')],
  ...['subPath', 'subPathExpr'].map(
    (name) =>
      [
        `${debug}[].volumeMounts[].${name}`,
        invalid({ volumeMounts: [{ name: 'v', mountPath: '/v', [name]: 'x' }] }, name),
      ] as const,
  ),
  [
    `${debug}[].targetContainerName`,
    seen(
      { ephemeralContainers: [{ name: 'c', image: 'app:1', targetContainerName: 'running' }] },
      { containers: { c: { pidOf: 'running-id' } } },
      { without: { ephemeralContainers: [{ name: 'c', image: 'app:1' }] } },
    ),
  ],
];

/** What only the API refuses for ephemeral containers is left out of what all have in common. */
const isForAll = ({ at }: Row): boolean => !at.startsWith('resources.');

export const containerRows: Rows = [
  ...places.flatMap((place) => [
    ...rowsIn(place, place === debug ? common.filter(isForAll) : [...common, ...lasting]),
    ...everywhere(place),
  ]),
  ...(['containers', 'initContainers'] as const).flatMap((place) => [
    ...elsewhere(place),
    [`${place}[].volumeMounts[].subPath`, subPathTests] as const,
    [`${place}[].volumeMounts[].subPathExpr`, subPathTests] as const,
  ]),
  ...onlyLasting,
];
