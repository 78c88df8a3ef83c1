/**
 * 8. Our specs in CRI's words. Pure. Called by cri.ts.
 *
 * CRI wants the sandbox's configuration again for each of its containers, and tells nobody what it was; so what matters
 * of it is kept in an annotation. cgroup v1 limits of CRI know neither a soft memory limit nor a limit of processes:
 * there both are held by the pod's cgroup alone, as in Kubernetes.
 */
import { join } from 'node:path';
import {
  type ContainerSpec,
  type LinuxResources,
  labels,
  type Mount,
  type SandboxSpec,
  type SecurityProfile,
  type SecuritySpec,
} from '../runtime.js';
import type {
  ContainerConfig,
  LinuxContainerResources,
  LinuxContainerSecurityContext,
  NamespaceMode,
  PodSandboxConfig,
  Mount as ProtocolMount,
  SecurityProfile as ProtocolProfile,
} from './generated/protocol.js';
import type { Draft } from './protocol.js';

/** Annotations that only this runtime reads. */
export const annotations = {
  /** Our name of a sandbox or container; CRI makes its own. */
  name: 'io.wherry.name',
  /** `Remembered` as JSON. */
  sandbox: 'io.wherry.sandbox',
  /** Id of the sandbox a container is in; its status does not tell. */
  sandboxId: 'io.wherry.sandbox-id',
  /** Signal that stops the container, where it is not the image's. */
  stopSignal: 'io.wherry.stop-signal',
} as const;

/** What a container must know of its sandbox. */
export type Remembered = Pick<
  SandboxSpec,
  'hostname' | 'network' | 'pid' | 'ipc' | 'cgroupParent' | 'security'
>;

/** What the host can, and where logs go. */
export interface Surroundings {
  /** `/var/log/pods` */
  logRoot: string;
  /** The lowest oom_score_adj the runtime may set. */
  oomFloor: number;
  seccomp: boolean;
  /** Limits go to cgroup v2 (`unified`). */
  cgroup2: boolean;
}

type Owner = Readonly<Record<string, string>>;
const labelOf = (owner: Owner, label: string): string => owner[label] ?? '';
const attemptOf = (owner: Owner): number => Number(labelOf(owner, labels.attempt)) || 0;

/** Where all logs of a pod are, as kubelet lays them out. */
export const podLogDirectory = (root: string, owner: Owner): string =>
  join(
    root,
    [labels.podNamespace, labels.podName, labels.podUid].map((label) => labelOf(owner, label)).join('_'),
  );

/** A container's log below the pod's directory. */
const containerLog = (owner: Owner): string =>
  join(labelOf(owner, labels.containerName), `${attemptOf(owner)}.log`);

export const containerLogPath = (root: string, owner: Owner): string =>
  join(podLogDirectory(root, owner), containerLog(owner));

const modes = { pod: 'POD', container: 'CONTAINER', host: 'NODE' } as const satisfies Record<
  string,
  NamespaceMode
>;

/** `owner`: labels of the sandbox. */
export function sandboxConfig(
  owner: Owner,
  spec: Remembered & Pick<SandboxSpec, 'name'> & Partial<Pick<SandboxSpec, 'sysctls' | 'portMappings'>>,
  around: Surroundings,
): Draft<PodSandboxConfig> {
  const { hostname, network, pid, ipc, cgroupParent, security } = spec;
  const remembered: Remembered = { hostname, network, pid, ipc, cgroupParent, ...(security && { security }) };
  return {
    metadata: {
      name: labelOf(owner, labels.podName),
      uid: labelOf(owner, labels.podUid),
      namespace: labelOf(owner, labels.podNamespace),
      attempt: attemptOf(owner),
    },
    hostname: network === 'host' ? '' : hostname,
    logDirectory: podLogDirectory(around.logRoot, owner),
    portMappings: (spec.portMappings ?? []).map(({ protocol, containerPort, hostPort, hostIP }) => ({
      protocol,
      containerPort,
      hostPort,
      hostIp: hostIP,
    })),
    labels: { ...owner },
    annotations: { [annotations.name]: spec.name, [annotations.sandbox]: JSON.stringify(remembered) },
    linux: {
      cgroupParent,
      sysctls: network === 'host' ? {} : { ...spec.sysctls },
      securityContext: {
        namespaceOptions: { network: modes[network], pid: modes[pid], ipc: modes[ipc] },
        privileged: security?.privileged ?? false,
        seccomp: seccompOf(security?.seccomp, around),
        selinuxOptions: seLinux(security?.seLinuxLabels),
        readonlyRootfs: true,
      },
    },
  };
}

export function containerConfig(
  spec: ContainerSpec,
  sandbox: Remembered & { id: string },
  around: Surroundings,
): Draft<ContainerConfig> {
  const { labels: owner } = spec;
  return {
    metadata: { name: labelOf(owner, labels.containerName), attempt: attemptOf(owner) },
    image: { image: spec.image },
    command: [...(spec.command ?? [])],
    args: [...(spec.args ?? [])],
    workingDir: spec.workingDir,
    envs: spec.env.map(({ name, value }) => ({ key: name, value })),
    mounts: spec.mounts.map(mount),
    devices: (spec.devices ?? []).map((device) => ({ ...device })),
    labels: { ...owner },
    annotations: {
      [annotations.name]: spec.name,
      [annotations.sandboxId]: sandbox.id,
      ...(spec.stopSignal && { [annotations.stopSignal]: spec.stopSignal }),
    },
    logPath: containerLog(owner),
    stdin: spec.stdin,
    stdinOnce: spec.stdinOnce,
    tty: spec.tty,
    linux: {
      resources: resources(spec.resources, around),
      securityContext: {
        ...security(spec.security, around),
        namespaceOptions: {
          network: modes[sandbox.network],
          ipc: modes[sandbox.ipc],
          ...(spec.pidOf ? { pid: 'TARGET', targetId: spec.pidOf } : { pid: modes[sandbox.pid] }),
        },
      },
    },
  };
}

const propagations = {
  private: 'PROPAGATION_PRIVATE',
  rslave: 'PROPAGATION_HOST_TO_CONTAINER',
  rshared: 'PROPAGATION_BIDIRECTIONAL',
} as const;

function mount(spec: Mount): Draft<ProtocolMount> {
  return {
    containerPath: spec.containerPath,
    ...(spec.image === undefined
      ? { hostPath: spec.hostPath }
      : { image: { image: spec.image }, imageSubPath: spec.imageSubPath }),
    readonly: spec.readOnly,
    propagation: propagations[spec.propagation ?? 'private'],
    recursiveReadOnly: spec.recursiveReadOnly ?? false,
  };
}

/** Limits that are absent here stay as they are. */
export function resources(limits: LinuxResources, around: Surroundings): Draft<LinuxContainerResources> {
  const { memoryBytes, memoryReservationBytes, pidsLimit, oomScoreAdj } = limits;
  const unified = {
    ...(memoryReservationBytes !== undefined && { 'memory.low': String(memoryReservationBytes) }),
    ...(pidsLimit !== undefined && { 'pids.max': String(pidsLimit) }),
  };
  return {
    cpuShares: limits.cpuShares,
    ...(limits.cpuQuota !== undefined && {
      cpuQuota: limits.cpuQuota,
      cpuPeriod: limits.cpuPeriod ?? 100_000,
    }),
    // Memory and swap the same: no swap beyond the limit, as kubelet sets it.
    ...(memoryBytes !== undefined && {
      memoryLimitInBytes: memoryBytes,
      memorySwapLimitInBytes: memoryBytes,
    }),
    ...(oomScoreAdj !== undefined && { oomScoreAdj: Math.max(oomScoreAdj, around.oomFloor) }),
    hugepageLimits: Object.entries(limits.hugePageBytes ?? {}).map(([pageSize, limit]) => ({
      pageSize,
      limit,
    })),
    ...(around.cgroup2 && { unified }),
  };
}

/** What of /proc and /sys no container sees, and what none may write, as Docker and Kubernetes have it. */
const maskedPaths = [
  ...[
    'asound',
    'acpi',
    'kcore',
    'keys',
    'latency_stats',
    'timer_list',
    'timer_stats',
    'sched_debug',
    'scsi',
  ].map((name) => `/proc/${name}`),
  '/sys/firmware',
  '/sys/devices/virtual/powercap',
];
const readonlyPaths = ['bus', 'fs', 'irq', 'sys', 'sysrq-trigger'].map((name) => `/proc/${name}`);

const withoutPrefix = (names: readonly string[] | undefined): string[] =>
  (names ?? []).map((name) => name.replace(/^CAP_/, ''));

function security(spec: SecuritySpec, around: Surroundings): Draft<LinuxContainerSecurityContext> {
  const { privileged = false, unmaskedProc = false } = spec;
  return {
    ...userOf(spec.user),
    capabilities: {
      addCapabilities: withoutPrefix(spec.addCapabilities),
      dropCapabilities: withoutPrefix(spec.dropCapabilities),
    },
    privileged,
    readonlyRootfs: spec.readOnlyRootFilesystem ?? false,
    supplementalGroups: [...(spec.supplementalGroups ?? [])],
    supplementalGroupsPolicy: spec.strictSupplementalGroups ? 'Strict' : 'Merge',
    noNewPrivs: spec.noNewPrivileges ?? false,
    selinuxOptions: seLinux(spec.seLinuxLabels),
    ...(!unmaskedProc && !privileged && { maskedPaths, readonlyPaths }),
    seccomp: seccompOf(spec.seccomp, around),
    apparmor: profile(spec.appArmor),
  };
}

/** `uid`, `uid:gid`, `name`; a group alone has been given the image's user before (see `withImageUser`). */
function userOf(user: string | undefined): Draft<LinuxContainerSecurityContext> {
  if (!user) return {};
  const [name = '', group = ''] = user.split(':');
  return {
    ...(/^\d+$/.test(name) ? { runAsUser: { value: Number(name) } } : { runAsUsername: name }),
    ...(/^\d+$/.test(group) && { runAsGroup: { value: Number(group) } }),
  };
}

/** The runtime's own profile unless another is named; nothing on a kernel without seccomp. */
const seccompOf = (
  wanted: SecurityProfile | undefined,
  around: Surroundings,
): Draft<ProtocolProfile> | undefined =>
  around.seccomp ? profile(wanted ?? { type: 'RuntimeDefault' }) : profile(wanted);

const profile = (wanted: SecurityProfile | undefined): Draft<ProtocolProfile> | undefined =>
  wanted && { profileType: wanted.type, localhostRef: wanted.type === 'Localhost' ? wanted.profile : '' };

function seLinux(found: readonly string[] | undefined): Record<string, string> | undefined {
  if (!found || found.length === 0) return undefined;
  return Object.fromEntries(
    found.map((label) => {
      const colon = label.indexOf(':');
      return [label.slice(0, colon), label.slice(colon + 1)];
    }),
  );
}
