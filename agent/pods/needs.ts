/**
 * What `agent/pods` needs from the other parts of the agent, cut down to what it uses; `agent/main.ts` hands in the
 * real ones, tests hand in small ones.
 */
import type { Container, Pod } from '../../src/api/types.js';
import type { Device, LinuxResources, Mount } from '../runtime/runtime.js';

export interface PodCgroups {
  /** The parent for the pod's containers, as the runtime's cgroup driver names it. */
  parentOf(pod: Pod): string;
  /** Makes the pod's cgroup with its limits. Idempotent. */
  ensurePod(pod: Pod): Promise<unknown>;
  /** Removes it once nothing runs in it. Idempotent. */
  removePod(uid: string): Promise<void>;
  /** Uids of the pods that have a cgroup. */
  listPods(): Promise<string[]>;
  resourcesOf(pod: Pod, container: Container): LinuxResources;
}

export type ImageResult =
  | { result: 'present'; imageId: string; message: string; user: string }
  | { result: 'failed'; reason: string; message: string; retryAfterMs: number | undefined };

export interface PodImages {
  /** Makes the image of a container present as its pull policy says. Never rejects for a missing image. */
  ensure(pod: Pod, container: Container, signal: AbortSignal): Promise<ImageResult>;
  /** Forgets the back-offs of a pod that is gone. */
  forget(podUid: string): void;
}

/** Where the volumes of a pod are on the host. */
export interface PodVolumes {
  /** Makes all volumes of the pod present. Rejects with `VolumeError`. Idempotent. */
  prepare(pod: Pod, signal: AbortSignal): Promise<void>;
  /** The mounts of one container; `env` expands `subPathExpr`. */
  mountsOf(pod: Pod, container: Container, env: ReadonlyMap<string, string>): Promise<Mount[]>;
  /** The block devices (`volumeDevices`) of one container; absent: no volume of this node is one. */
  devicesOf?(pod: Pod, container: Container): Promise<Device[]>;
  /** Unmounts and removes everything of the pod. Idempotent. */
  tearDown(uid: string): Promise<void>;
}

export interface PodEvents {
  /** `container`: the event is about this container of the pod. */
  record(pod: Pod, type: 'Normal' | 'Warning', reason: string, message: string, container?: string): void;
}

/** The node's own end for a pod: eviction, shutdown, refusal. Its containers are stopped, it stays as `Failed`. */
export interface PodEnd {
  /** `Evicted`, `OutOfcpu`, `NodeShutdown`... */
  reason: string;
  message: string;
  /** At most this long, and never longer than the pod's own grace period. */
  graceSeconds: number;
  /** Set on the pod as condition DisruptionTarget=True. */
  disruption?: { reason: string; message: string };
}

/**
 * Whether this node takes the pod ("Node admission" of kubelet); asked once, before anything of it is made. `active`: the
 * pods that were taken and have not ended.
 */
export type AdmitPod = (pod: Pod, active: readonly Pod[]) => Pick<PodEnd, 'reason' | 'message'> | undefined;

/** A spec that this node cannot run as it stands: the container waits with this reason until something changes. */
export class ConfigError extends Error {
  override readonly name: string = 'ConfigError';
}

/** A volume that cannot be made (now). */
export class VolumeError extends Error {
  override readonly name = 'VolumeError';
  readonly volume: string;

  constructor(volume: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.volume = volume;
  }
}
