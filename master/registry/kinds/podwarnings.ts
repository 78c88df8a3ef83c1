/**
 * What is legal in a pod or a pod template and still most likely a mistake: the warnings kube-apiserver sends along
 * with its answer, in its words. Pure; called by the strategies of pods and of all kinds with a template.
 */
import { parseQuantity } from '../../../src/api/quantity.js';
import type {
  Container,
  ContainerPort,
  ObjectMeta,
  PodAffinityTerm,
  PodSpec,
  PodTemplateSpec,
  Volume,
} from '../../../src/api/types.js';
import { overlapWarnings } from './volumewarnings.js';

const removedAnnotations: Readonly<Record<string, string>> = {
  'scheduler.alpha.kubernetes.io/critical-pod':
    'non-functional in v1.16+; use the "priorityClassName" field instead',
  'security.alpha.kubernetes.io/sysctls': 'non-functional in v1.11+; use the "sysctls" field instead',
  'security.alpha.kubernetes.io/unsafe-sysctls': 'non-functional in v1.11+; use the "sysctls" field instead',
};

const deprecatedLabels: ReadonlyMap<string, string> = new Map(
  Object.entries({
    'beta.kubernetes.io/arch': 'deprecated since v1.14; use "kubernetes.io/arch" instead',
    'beta.kubernetes.io/os': 'deprecated since v1.14; use "kubernetes.io/os" instead',
    'failure-domain.beta.kubernetes.io/region':
      'deprecated since v1.17; use "topology.kubernetes.io/region" instead',
    'failure-domain.beta.kubernetes.io/zone':
      'deprecated since v1.17; use "topology.kubernetes.io/zone" instead',
    'beta.kubernetes.io/instance-type':
      'deprecated since v1.17; use "node.kubernetes.io/instance-type" instead',
  }),
);

const deprecatedVolumes: Partial<Record<keyof Volume, string>> = {
  photonPersistentDisk: 'deprecated in v1.11, non-functional in v1.16+',
  gitRepo: 'deprecated in v1.11, and disabled by default in v1.33+',
  scaleIO: 'deprecated in v1.16, non-functional in v1.22+',
  flocker: 'deprecated in v1.22, non-functional in v1.25+',
  storageos: 'deprecated in v1.22, non-functional in v1.25+',
  quobyte: 'deprecated in v1.22, non-functional in v1.25+',
  glusterfs: 'deprecated in v1.25, non-functional in v1.26+',
  cephfs: 'deprecated in v1.28, non-functional in v1.31+',
  rbd: 'deprecated in v1.28, non-functional in v1.31+',
};

export const podTemplateWarnings = (field: string, template: PodTemplateSpec | undefined): string[] =>
  template?.spec ? podWarnings(`${field}.`, template.metadata ?? {}, template.spec) : [];

/** `prefix` is '' for a pod, `spec.template.` for a template. */
export function podWarnings(prefix: string, metadata: ObjectMeta, spec: PodSpec): string[] {
  const at = `${prefix}spec`;
  const containers = containersOf(at, spec);
  return [
    ...placementWarnings(at, spec),
    ...Object.entries(removedAnnotations).flatMap(([key, text]) =>
      metadata.annotations?.[key] === undefined ? [] : [`${prefix}metadata.annotations[${key}]: ${text}`],
    ),
    ...(spec.volumes ?? []).flatMap((volume, index) =>
      Object.entries(deprecatedVolumes).flatMap(([type, text]) =>
        volume[type as keyof Volume] === undefined ? [] : [`${at}.volumes[${index}].${type}: ${text}`],
      ),
    ),
    ...overlapWarnings(spec.volumes ?? []),
    ...repeated(spec.hostAliases ?? [], ({ ip }) => ip).map(
      ([index, ip]) => `${at}.hostAliases[${index}].ip: duplicate ip ${JSON.stringify(ip)}`,
    ),
    ...repeated(spec.imagePullSecrets ?? [], ({ name }) => name ?? '').map(
      ([index, name]) => `${at}.imagePullSecrets[${index}].name: duplicate name ${JSON.stringify(name)}`,
    ),
    ...(spec.imagePullSecrets ?? []).flatMap(({ name }, index) =>
      name ? [] : [`${at}.imagePullSecrets[${index}].name: invalid empty name ""`],
    ),
    ...fractionWarnings(`${at}.overhead`, spec.overhead),
    ...seccompWarnings(prefix, metadata, spec, containers),
    ...containers.flatMap(([path, container]) => containerWarnings(path, container)),
    ...portWarnings(containers),
    ...((spec.terminationGracePeriodSeconds ?? 0) < 0
      ? [
          `${at}.terminationGracePeriodSeconds: must be >= 0; negative values are invalid and will be treated as 1`,
        ]
      : []),
    ...affinityWarnings(`${at}.affinity`, spec),
  ];
}

type Placed = [path: string, container: Container];

const containersOf = (at: string, spec: PodSpec): Placed[] => [
  ...(spec.initContainers ?? []).map((one, index): Placed => [`${at}.initContainers[${index}]`, one]),
  ...(spec.containers ?? []).map((one, index): Placed => [`${at}.containers[${index}]`, one]),
];

function placementWarnings(at: string, spec: PodSpec): string[] {
  const warnings = Object.keys(spec.nodeSelector ?? {}).flatMap((key) =>
    deprecatedLabels.has(key) ? [`${at}.nodeSelector[${key}]: ${deprecatedLabels.get(key)}`] : [],
  );
  const {
    requiredDuringSchedulingIgnoredDuringExecution: hard,
    preferredDuringSchedulingIgnoredDuringExecution: soft,
  } = spec.affinity?.nodeAffinity ?? {};
  const base = `${at}.affinity.nodeAffinity`;
  const terms = [
    ...(hard?.nodeSelectorTerms ?? []).map(
      (term, index) =>
        [`${base}.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[${index}]`, term] as const,
    ),
    ...(soft ?? []).map(
      ({ preference }, index) =>
        [`${base}.preferredDuringSchedulingIgnoredDuringExecution[${index}].preference`, preference] as const,
    ),
  ];
  for (const [path, term] of terms) {
    for (const [index, { key }] of (term?.matchExpressions ?? []).entries()) {
      const text = deprecatedLabels.get(key);
      if (text) warnings.push(`${path}.matchExpressions[${index}].key: ${key} is ${text}`);
    }
  }
  for (const [index, { topologyKey, labelSelector }] of (spec.topologySpreadConstraints ?? []).entries()) {
    const path = `${at}.topologySpreadConstraints[${index}]`;
    const text = deprecatedLabels.get(topologyKey);
    if (text) warnings.push(`${path}.topologyKey: ${topologyKey} is ${text}`);
    if (!labelSelector) warnings.push(`${path}.labelSelector: ${noPod}`);
  }
  return warnings;
}

const noPod = 'a null labelSelector results in matching no pod';

/** Index and value of whatever was there before. */
function repeated<T>(items: readonly T[], of: (item: T) => string): [number, string][] {
  const seen = new Set<string>();
  return items.flatMap((item, index): [number, string][] => {
    const value = of(item);
    if (seen.has(value)) return [[index, value]];
    seen.add(value);
    return [];
  });
}

function fractionWarnings(path: string, amounts: Record<string, string> | undefined): string[] {
  return ['memory', 'ephemeral-storage'].flatMap((name) => {
    const amount = amounts?.[name];
    if (!amount || !/[.mnu]/.test(amount) || parseQuantity(amount).nanos % 1_000_000_000n === 0n) return [];
    return [
      `${path}[${name}]: fractional byte value ${JSON.stringify(amount)} is invalid, must be an integer`,
    ];
  });
}

const podSeccomp = 'seccomp.security.alpha.kubernetes.io/pod';
const containerSeccomp = 'container.seccomp.security.alpha.kubernetes.io/';
const containerAppArmor = 'container.apparmor.security.beta.kubernetes.io/';

function seccompWarnings(
  prefix: string,
  { annotations = {} }: ObjectMeta,
  spec: PodSpec,
  containers: readonly Placed[],
): string[] {
  const has = (key: string): boolean => annotations[key] !== undefined;
  const at = (key: string, text: string): string => `${prefix}metadata.annotations[${key}]: ${text}`;
  const gone = 'non-functional in v1.27+; use the "seccompProfile" field instead';
  const warnings = !spec.securityContext?.seccompProfile && has(podSeccomp) ? [at(podSeccomp, gone)] : [];
  for (const [, { name, securityContext }] of containers) {
    if (!securityContext?.seccompProfile && has(containerSeccomp + name))
      warnings.push(at(containerSeccomp + name, gone));
    const hasProfile = spec.securityContext?.appArmorProfile ?? securityContext?.appArmorProfile;
    if (prefix && !hasProfile && has(containerAppArmor + name)) {
      const text = 'deprecated since v1.30; use the "appArmorProfile" field instead';
      warnings.push(at(containerAppArmor + name, text));
    }
  }
  return warnings;
}

function containerWarnings(path: string, { env = [], resources }: Container): string[] {
  const hidden = repeated(env, ({ name }) => name).filter(([index, name]) => {
    const { value = '', valueFrom } = env[index] ?? {};
    const reference = `$(${name})`;
    return valueFrom !== undefined || value === reference || !value.includes(reference);
  });
  return [
    ...fractionWarnings(`${path}.resources.limits`, resources?.limits),
    ...fractionWarnings(`${path}.resources.requests`, resources?.requests),
    ...hidden.map(
      ([index, name]) =>
        `${path}.env[${index}]: hides previous definition of ${JSON.stringify(name)}, which may be dropped when using apply`,
    ),
  ];
}

/** Ports of all containers share one network namespace. */
/** Warnings are cut off long before that; comparing every port with every other would stop the master for a minute. */
const maxCompared = 16;

function portWarnings(containers: readonly Placed[]): string[] {
  const known = new Map<string, { path: string; port: ContainerPort }[]>();
  return containers.flatMap(([at, { ports }]) =>
    (ports ?? []).flatMap((port, index) => {
      const path = `${at}.ports[${index}]`;
      const key = `${port.containerPort}/${port.protocol ?? 'TCP'}`;
      const others = known.get(key) ?? [];
      if (others.length < maxCompared) known.set(key, [...others, { path, port }]);
      return others.flatMap((other) => {
        const clash = clashOf(port, other.port);
        return clash ? [`${path}: ${clash} port definition with ${other.path}`] : [];
      });
    }),
  );
}

function clashOf(port: ContainerPort, other: ContainerPort): string | undefined {
  const [ip, otherIp] = [port.hostIP ?? '', other.hostIP ?? ''];
  const [host, otherHost] = [port.hostPort ?? 0, other.hostPort ?? 0];
  if (ip === otherIp && host === otherHost) return 'duplicate';
  if (host === 0 || otherHost === 0) return 'overlapping';
  return host === otherHost && (ip === '') !== (otherIp === '') ? 'dangerously ambiguous' : undefined;
}

function affinityWarnings(at: string, { affinity }: PodSpec): string[] {
  const of = (path: string, term: PodAffinityTerm | undefined): string[] =>
    term?.labelSelector ? [] : [`${path}.labelSelector: ${noPod}`];
  return (['podAffinity', 'podAntiAffinity'] as const).flatMap((name) => {
    const {
      requiredDuringSchedulingIgnoredDuringExecution: hard = [],
      preferredDuringSchedulingIgnoredDuringExecution: soft = [],
    } = affinity?.[name] ?? {};
    return [
      ...hard.flatMap((term, index) =>
        of(`${at}.${name}.requiredDuringSchedulingIgnoredDuringExecution[${index}]`, term),
      ),
      ...soft.flatMap(({ podAffinityTerm }, index) =>
        of(
          `${at}.${name}.preferredDuringSchedulingIgnoredDuringExecution[${index}].podAffinityTerm`,
          podAffinityTerm,
        ),
      ),
    ];
  });
}
