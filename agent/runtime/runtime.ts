/**
 * 8. Contract: what the agent asks of a container runtime; shaped like CRI. Implementations: `docker` (dockerode),
 * `cri` (containerd over gRPC) and `fake`; all pass `contract.ts`.
 *
 * Idempotent: stopping what is stopped, removing what is gone and starting what runs succeed; "not found" is an
 * outcome (`undefined`), not an error. State lives in labels: `list` after a restart of the agent tells everything.
 * Every method rejects with `RuntimeError`; `unavailable` says that the runtime itself does not answer.
 */
import type { Readable, Writable } from 'node:stream';
import type { PortMapping } from '../network/network.js';

export class RuntimeError extends Error {
  override readonly name = 'RuntimeError';
  readonly kind: 'unavailable' | 'notFound' | 'conflict' | 'imageNotFound' | 'invalid' | 'failed';

  constructor(kind: RuntimeError['kind'], message: string, options?: ErrorOptions) {
    super(message, options);
    this.kind = kind;
  }
}

/** Labels under which the agent finds its own again. Values are those of the pod. */
export const labels = {
  podUid: 'io.kubernetes.pod.uid',
  podName: 'io.kubernetes.pod.name',
  podNamespace: 'io.kubernetes.pod.namespace',
  containerName: 'io.kubernetes.container.name',
  /** `sandbox` or `container`. */
  type: 'io.wherry.type',
  /** The agent that owns it, when several share a runtime: the node name. */
  node: 'io.wherry.node',
  /** Start attempt, from 0; part of the container's name. */
  attempt: 'io.wherry.attempt',
  /** Hash of the container spec it was made from; a difference means: make it anew. */
  specHash: 'io.wherry.spec-hash',
} as const;

export interface Mount {
  hostPath: string;
  containerPath: string;
  readOnly: boolean;
  propagation?: 'private' | 'rslave' | 'rshared';
  /** Everything mounted below it is read-only too; only with `features.recursiveReadOnly`. */
  recursiveReadOnly?: boolean;
  /** Shows this image (id or reference that is present) instead of `hostPath`; only with `features.imageVolumes`. */
  image?: string;
  /** A directory of that image. */
  imageSubPath?: string;
}

/** A device of the host inside the container. */
export interface Device {
  hostPath: string;
  containerPath: string;
  /** Letters of `rwm`. */
  permissions: string;
}

/** cgroup limits of one container; absent fields are unlimited. */
export interface LinuxResources {
  /** Relative weight, 2 to 262144 (cgroup v1 scale). */
  cpuShares?: number;
  /** Microseconds of CPU per `cpuPeriod`. */
  cpuQuota?: number;
  /** Microseconds; 100000 by default. */
  cpuPeriod?: number;
  memoryBytes?: number;
  /** What the kernel reclaims last (`memory.low` of cgroup v2, the soft limit of v1). */
  memoryReservationBytes?: number;
  pidsLimit?: number;
  oomScoreAdj?: number;
  /** Bytes by page size as the kernel names it (`2MB`); runtimes that have no such limit leave it to the pod's cgroup. */
  hugePageBytes?: Readonly<Record<string, number>>;
}

/** A profile of seccomp or AppArmor: a path of the host for seccomp, a loaded profile's name for AppArmor. */
export type SecurityProfile =
  | { type: 'RuntimeDefault' }
  | { type: 'Unconfined' }
  | { type: 'Localhost'; profile: string };

export interface SecuritySpec {
  privileged?: boolean;
  readOnlyRootFilesystem?: boolean;
  /** `uid`, `uid:gid` or a name of the image. */
  user?: string;
  supplementalGroups?: readonly number[];
  addCapabilities?: readonly string[];
  dropCapabilities?: readonly string[];
  noNewPrivileges?: boolean;
  /** `user:x`, `role:x`, `type:x`, `level:x`; hosts without SELinux take no notice. */
  seLinuxLabels?: readonly string[];
  /** The runtime's own when absent. */
  seccomp?: SecurityProfile;
  appArmor?: SecurityProfile;
  /** `procMount: Unmasked`: nothing of /proc is hidden or read-only. */
  unmaskedProc?: boolean;
  /** Only the groups named here, none of the image's; only with `features.strictSupplementalGroups`. */
  strictSupplementalGroups?: boolean;
}

export interface SandboxSpec {
  name: string;
  labels: Record<string, string>;
  hostname: string;
  /** `host`: no namespace of its own; the agent then runs no CNI on it. */
  network: 'pod' | 'host';
  pid: 'container' | 'pod' | 'host';
  ipc: 'pod' | 'host';
  /** As the runtime's cgroup driver wants it: a path (`/kubepods/burstable/pod...`) or a slice name. */
  cgroupParent: string;
  sysctls: Record<string, string>;
  /** For runtimes that run CNI themselves (`networkedBy: 'runtime'`). */
  portMappings?: readonly PortMapping[];
  /** `handler` of a RuntimeClass, one of `features.runtimeHandlers`; the runtime's default when absent. */
  runtimeHandler?: string;
  /** User and group ids of its own (`hostUsers: false`); only with `features.userNamespaces`. */
  userNamespace?: boolean;
  /** Pod-level security that the sandbox's own process shares. */
  security?: Pick<SecuritySpec, 'seccomp' | 'seLinuxLabels' | 'privileged'>;
}

export interface ContainerSpec {
  name: string;
  labels: Record<string, string>;
  /** Image id or reference that is present. */
  image: string;
  /** The image's entrypoint when absent. */
  command?: readonly string[];
  /** The image's cmd when absent (and when `command` is absent). */
  args?: readonly string[];
  env: readonly { name: string; value: string }[];
  workingDir?: string;
  mounts: readonly Mount[];
  tty: boolean;
  stdin: boolean;
  stdinOnce: boolean;
  resources: LinuxResources;
  security: SecuritySpec;
  cgroupParent: string;
  /** Id of a running container whose pid namespace it shares, whatever the sandbox says. */
  pidOf?: string;
  /** Signal name that stops it; the image's or SIGTERM when absent. */
  stopSignal?: string;
  devices?: readonly Device[];
}

export interface SandboxState {
  id: string;
  name: string;
  labels: Record<string, string>;
  state: 'created' | 'running' | 'exited';
  createdAt: Date;
  /** Process whose namespaces the pod shares; 0 when it does not run. */
  pid: number;
  /** `/proc/<pid>/ns/net`, or where the runtime keeps it; '' for host network or when not running. */
  networkNamespace: string;
  /** Its addresses, the primary first, where the runtime runs CNI (`networkedBy: 'runtime'`). */
  ips?: readonly string[];
}

export interface ContainerState {
  id: string;
  sandboxId: string;
  name: string;
  labels: Record<string, string>;
  image: string;
  /** Digest or id the runtime resolved the image to. */
  imageId: string;
  state: 'created' | 'running' | 'exited';
  createdAt: Date;
  startedAt: Date | undefined;
  finishedAt: Date | undefined;
  exitCode: number | undefined;
  oomKilled: boolean;
  /** Why it could not start, in the runtime's words. */
  error: string;
  /** Process id on the host while running, else 0. */
  pid: number;
  /** Where its output is kept, when the runtime keeps a file. */
  logPath: string | undefined;
}

export interface ImageState {
  id: string;
  repoTags: readonly string[];
  repoDigests: readonly string[];
  sizeBytes: number;
  /** USER of the image, '' for none; only `inspectImage` tells. */
  user?: string;
}

export interface PullAuth {
  username: string;
  password: string;
  serverAddress: string;
}

/** Something happened to one of our sandboxes or containers; only a hint to look. `resync`: events may be missed. */
export type RuntimeEvent = { type: 'pod'; podUid: string } | { type: 'resync' };

export interface ExecSpec {
  command: readonly string[];
  tty: boolean;
  stdin?: Readable | undefined;
  stdout?: Writable | undefined;
  stderr?: Writable | undefined;
  /** Terminal sizes as they change. */
  resize?: AsyncIterable<{ width: number; height: number }> | undefined;
}

export interface LogOptions {
  follow: boolean;
  timestamps: boolean;
  tailLines?: number;
  since?: Date;
  /** Aborting ends a follow. */
  signal: AbortSignal;
}

/** One line of output (without its newline), or a part of a very long one. */
export interface LogLine {
  stream: 'stdout' | 'stderr';
  /** RFC 3339 with nanoseconds, as the runtime wrote it. */
  time: string;
  text: Buffer;
  /** The line goes on in the next one of this stream: no newline in between. */
  partial?: true;
}

export interface ContainerStats {
  /** Nanoseconds since it started. */
  cpuNanos: number;
  memoryWorkingSetBytes: number;
}

/** What not every runtime can. A pod that asks for what is missing is refused with the field's name. */
export interface RuntimeFeatures {
  imageVolumes: boolean;
  recursiveReadOnly: boolean;
  userNamespaces: boolean;
  strictSupplementalGroups: boolean;
  /** Names for `SandboxSpec.runtimeHandler`. */
  runtimeHandlers: readonly string[];
  /** Of the host as the runtime sees it. */
  seccomp: boolean;
  appArmor: boolean;
}

export interface RuntimeVersion {
  name: string;
  version: string;
  apiVersion: string;
  cgroupDriver: 'cgroupfs' | 'systemd';
  features: RuntimeFeatures;
}

export interface Runtime {
  /**
   * Who runs CNI. `agent`: sandboxes start without network and `agent/network` sets it up. `runtime`: sandboxes come
   * with it, `SandboxState.ips` tells the addresses.
   */
  readonly networkedBy: 'agent' | 'runtime';

  /** Asks the runtime each time: it fails with `unavailable` when the runtime does not answer in time. */
  version(): Promise<RuntimeVersion>;

  /** Makes the built-in sandbox image present; nothing is pulled for it. */
  ensureSandboxImage(): Promise<void>;
  createSandbox(spec: SandboxSpec): Promise<string>;
  startSandbox(id: string): Promise<SandboxState>;
  stopSandbox(id: string, graceMs: number): Promise<void>;
  removeSandbox(id: string): Promise<void>;
  listSandboxes(filter?: { podUid?: string }): Promise<SandboxState[]>;
  inspectSandbox(id: string): Promise<SandboxState | undefined>;

  /** May be called before the sandbox runs; `startContainer` may not. */
  createContainer(sandboxId: string, spec: ContainerSpec): Promise<string>;
  startContainer(id: string): Promise<void>;
  /** Sends the stop signal, then SIGKILL after `graceMs`; resolves when it has exited. */
  stopContainer(id: string, graceMs: number): Promise<void>;
  removeContainer(id: string): Promise<void>;
  /** New limits for a container that runs; absent fields stay as they are. Not found is no error. */
  updateContainer(id: string, resources: LinuxResources): Promise<void>;
  listContainers(filter?: { podUid?: string }): Promise<ContainerState[]>;
  inspectContainer(id: string): Promise<ContainerState | undefined>;

  /** Runs a command; resolves with its exit code; an abort kills the command where the runtime can. */
  exec(id: string, spec: ExecSpec, signal: AbortSignal): Promise<number>;
  attach(id: string, spec: Omit<ExecSpec, 'command'>, signal: AbortSignal): Promise<void>;
  logs(id: string, options: LogOptions): AsyncIterable<LogLine>;
  stats(id: string): Promise<ContainerStats | undefined>;
  /** Bytes that each of our containers wrote into its own layer, by container id. Costs disk reads: not often. */
  writableLayerBytes(): Promise<ReadonlyMap<string, number>>;

  /** Resolves with the image id. */
  pullImage(reference: string, auth: PullAuth | undefined, signal: AbortSignal): Promise<string>;
  inspectImage(reference: string): Promise<ImageState | undefined>;
  listImages(): Promise<ImageState[]>;
  removeImage(id: string): Promise<void>;
  /** A directory on the file system that holds images and writable layers. */
  imageDirectory(): Promise<string>;

  /** Never ends before `signal` aborts; reconnects by itself and yields `resync` after each connect. */
  events(signal: AbortSignal): AsyncIterable<RuntimeEvent>;
}
