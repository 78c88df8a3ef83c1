/**
 * 8. Translation between our words and Docker's: specs to create bodies, inspect answers to states. Pure.
 * Called by docker.ts.
 */
import type { ContainerCreateOptions, ContainerInspectInfo, DeviceMapping, HostConfig } from 'dockerode';
import { mountsOf } from './docker-mounts.js';
import type { ApiVersion } from './docker-version.js';
import {
  type ContainerSpec,
  type ContainerState,
  type Device,
  type LinuxResources,
  labels,
  type SandboxSpec,
  type SandboxState,
  type SecurityProfile,
  type SecuritySpec,
} from './runtime.js';
import { sandboxCommand, sandboxImage } from './sandbox-image.js';

/** Label that ties a container to the sandbox whose namespaces it joined. */
export const sandboxIdLabel = 'io.wherry.sandbox-id';

/** Label on a sandbox: whether its containers share one pid namespace; nothing else of it tells. */
const pidSharingLabel = 'io.wherry.pid-sharing';

/** How containers of a sandbox join it; what `createContainer` must remember of the `SandboxSpec`. */
export interface Sharing extends Pick<SandboxSpec, 'pid' | 'ipc'> {
  /** As Docker calls it; containers run under the same as their sandbox. */
  runtimeHandler: string | undefined;
}

/** What a body depends on besides the spec. */
export interface SandboxContext {
  /** The lowest oom_score_adj the runtime may set; without CAP_SYS_RESOURCE it is 0. */
  oomFloor: number;
  /** Value of the option `seccomp`: a profile's text, `unconfined`, or undefined for Docker's own. */
  seccomp: string | undefined;
}

export interface ContainerContext extends SandboxContext {
  sharing: Sharing;
  api: Pick<ApiVersion, 'recursiveReadOnly'>;
}

/** The log file is rotated by Docker: five files of 10 MB, as kubelet's containerLogMaxSize and -MaxFiles. */
const logConfig = { Type: 'json-file', Config: { 'max-size': '10m', 'max-file': '5' } };

/** Its process only waits: it is never privileged, whatever its containers are. */
export function sandboxBody(
  spec: SandboxSpec,
  { oomFloor, seccomp }: SandboxContext,
): ContainerCreateOptions {
  const host = spec.network === 'host';
  return {
    name: spec.name,
    Image: sandboxImage,
    Entrypoint: [sandboxCommand],
    User: '65535:65535',
    ...(!host && { Hostname: spec.hostname }),
    Labels: { ...spec.labels, [pidSharingLabel]: spec.pid },
    HostConfig: {
      NetworkMode: host ? 'host' : 'none',
      IpcMode: spec.ipc === 'host' ? 'host' : 'shareable',
      ...(spec.pid === 'host' && { PidMode: 'host' }),
      ...(spec.cgroupParent && { CgroupParent: spec.cgroupParent }),
      ...(Object.keys(spec.sysctls).length > 0 && { Sysctls: spec.sysctls }),
      ...(spec.runtimeHandler && { Runtime: spec.runtimeHandler }),
      CpuShares: 2,
      // The pod lives as long as this process: it is among the last that the kernel kills.
      OomScoreAdj: Math.max(-998, oomFloor),
      CapDrop: ['ALL'],
      SecurityOpt: ['no-new-privileges', ...seccompOption(seccomp), ...seLinux(spec.security?.seLinuxLabels)],
      ReadonlyRootfs: true,
      RestartPolicy: { Name: 'no' },
      LogConfig: { Type: 'none', Config: {} },
    },
  };
}

export function containerBody(
  sandboxId: string,
  spec: ContainerSpec,
  { sharing, api, oomFloor, seccomp }: ContainerContext,
): ContainerCreateOptions {
  const join = `container:${sandboxId}`;
  return {
    name: spec.name,
    Image: spec.image,
    // An empty list of Cmd means the image's to Docker, unless Entrypoint is given.
    ...(spec.command && { Entrypoint: [...spec.command] }),
    ...((spec.args || spec.command) && { Cmd: [...(spec.args ?? [])] }),
    Env: spec.env.map(({ name, value }) => `${name}=${value}`),
    ...(spec.workingDir && { WorkingDir: spec.workingDir }),
    ...(spec.security.user && { User: spec.security.user }),
    ...(spec.stopSignal && { StopSignal: spec.stopSignal }),
    Labels: { ...spec.labels, [sandboxIdLabel]: sandboxId },
    Tty: spec.tty,
    OpenStdin: spec.stdin,
    StdinOnce: spec.stdinOnce,
    HostConfig: {
      NetworkMode: join,
      IpcMode: sharing.ipc === 'host' ? 'host' : join,
      ...(sharing.pid === 'host' && { PidMode: 'host' }),
      ...(sharing.pid === 'pod' && { PidMode: join }),
      ...(spec.pidOf && { PidMode: `container:${spec.pidOf}` }),
      ...(spec.cgroupParent && { CgroupParent: spec.cgroupParent }),
      ...(sharing.runtimeHandler && { Runtime: sharing.runtimeHandler }),
      ...mountsOf(spec.mounts, api),
      ...(spec.devices && { Devices: spec.devices.map(device) }),
      RestartPolicy: { Name: 'no' },
      LogConfig: logConfig,
      ...resources(spec.resources, oomFloor),
      ...security(spec.security, seccomp),
    },
  };
}

const device = ({ hostPath, containerPath, permissions }: Device): DeviceMapping => ({
  PathOnHost: hostPath,
  PathInContainer: containerPath,
  CgroupPermissions: permissions,
});

/** Limits of a container that runs. Docker takes no new oom_score_adj. */
export function updateBody({ oomScoreAdj, ...limits }: LinuxResources): HostConfig {
  return resources(limits, 0);
}

function resources(limits: LinuxResources, oomFloor: number): HostConfig {
  return {
    ...(limits.cpuShares !== undefined && { CpuShares: limits.cpuShares }),
    ...(limits.cpuQuota !== undefined && {
      CpuQuota: limits.cpuQuota,
      CpuPeriod: limits.cpuPeriod ?? 100_000,
    }),
    // Memory and swap the same: no swap beyond the limit, as kubelet sets it.
    ...(limits.memoryBytes !== undefined && { Memory: limits.memoryBytes, MemorySwap: limits.memoryBytes }),
    ...(limits.memoryReservationBytes !== undefined && { MemoryReservation: limits.memoryReservationBytes }),
    ...(limits.pidsLimit !== undefined && { PidsLimit: limits.pidsLimit }),
    ...(limits.oomScoreAdj !== undefined && { OomScoreAdj: Math.max(limits.oomScoreAdj, oomFloor) }),
  };
}

const seccompOption = (seccomp: string | undefined): string[] =>
  seccomp === undefined ? [] : [`seccomp=${seccomp}`];

const seLinux = (labels: readonly string[] = []): string[] => labels.map((label) => `label=${label}`);

/** Docker's own profile when absent. */
function appArmor(profile: SecurityProfile | undefined): string[] {
  if (profile?.type === 'Unconfined') return ['apparmor=unconfined'];
  return profile?.type === 'Localhost' ? [`apparmor=${profile.profile}`] : [];
}

function security(spec: SecuritySpec, seccomp: string | undefined): HostConfig {
  const options = [
    ...(spec.noNewPrivileges ? ['no-new-privileges'] : []),
    ...seccompOption(seccomp),
    ...appArmor(spec.appArmor),
    ...seLinux(spec.seLinuxLabels),
  ];
  return {
    Privileged: spec.privileged ?? false,
    ReadonlyRootfs: spec.readOnlyRootFilesystem ?? false,
    ...(spec.supplementalGroups && { GroupAdd: spec.supplementalGroups.map(String) }),
    ...(spec.addCapabilities && { CapAdd: [...spec.addCapabilities] }),
    ...(spec.dropCapabilities && { CapDrop: [...spec.dropCapabilities] }),
    ...(spec.unmaskedProc && { MaskedPaths: [], ReadonlyPaths: [] }),
    ...(options.length > 0 && { SecurityOpt: options }),
  };
}

/** Docker writes the year 1 for "never". */
const date = (text: string): Date | undefined => (text.startsWith('0001-') ? undefined : new Date(text));

const later = (a: Date, b: Date | undefined): Date => (b && b > a ? b : a);

/** A start that failed leaves Docker's state at `created`, with an exit code; for us it has ended. */
const failedToStart = (state: ContainerInspectInfo['State']): boolean =>
  state.Status === 'created' && (state.ExitCode !== 0 || state.Error !== '');

function stateOf(state: ContainerInspectInfo['State']): ContainerState['state'] {
  if (state.Running) return 'running';
  return state.Status === 'created' && !failedToStart(state) ? 'created' : 'exited';
}

const common = (
  info: ContainerInspectInfo,
): Pick<SandboxState, 'id' | 'name' | 'labels' | 'state' | 'createdAt'> => ({
  id: info.Id,
  name: info.Name.replace(/^\//, ''),
  labels: info.Config.Labels,
  state: stateOf(info.State),
  createdAt: new Date(info.Created),
});

export function sandboxState(info: ContainerInspectInfo): SandboxState {
  const pid = info.State.Running ? info.State.Pid : 0;
  const own = pid > 0 && info.HostConfig.NetworkMode !== 'host';
  return { ...common(info), pid, networkNamespace: own ? `/proc/${pid}/ns/net` : '' };
}

export function containerState(info: ContainerInspectInfo): ContainerState {
  const state = stateOf(info.State);
  const startedAt = date(info.State.StartedAt);
  const finishedAt = date(info.State.FinishedAt) ?? new Date(info.Created);
  return {
    ...common(info),
    sandboxId: info.Config.Labels[sandboxIdLabel] ?? '',
    image: info.Config.Image,
    imageId: info.Image,
    startedAt,
    // Docker notes the start a moment late, so that a short-lived process may seem to end before it.
    finishedAt: state === 'exited' ? later(finishedAt, startedAt) : undefined,
    exitCode: state === 'exited' ? info.State.ExitCode : undefined,
    oomKilled: info.State.OOMKilled,
    error: info.State.Error,
    pid: info.State.Running ? info.State.Pid : 0,
    logPath: info.LogPath || undefined,
  };
}

/** What `createContainer` needs to know of a sandbox that an earlier run of the agent made. */
export function sharingOf(sandbox: ContainerInspectInfo): Sharing {
  const pid = sandbox.Config.Labels[pidSharingLabel];
  return {
    pid: pid === 'pod' || pid === 'host' ? pid : 'container',
    ipc: sandbox.HostConfig.IpcMode === 'host' ? 'host' : 'pod',
    runtimeHandler: sandbox.HostConfig.Runtime || undefined,
  };
}

/** Filters of a list: ours only, of this node, of this kind, perhaps of one pod. */
export function listFilters(
  type: 'sandbox' | 'container',
  node: string,
  podUid?: string,
): { label: string[] } {
  const label = [`${labels.type}=${type}`, `${labels.node}=${node}`];
  if (podUid !== undefined) label.push(`${labels.podUid}=${podUid}`);
  return { label };
}
