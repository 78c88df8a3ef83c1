/**
 * What the agent knows about one pod on this node: the input of `computeActions` and `toPodStatus`. Pure.
 *
 * `sandboxes` and `containers` mirror the runtime; the rest is memory of this process and may be empty at any time
 * without harm: it is found out again (network, health, termination messages) or tried again (obstacles, kills).
 */
import type { Container, ContainerStatus, Pod, ResourceRequirements } from '../../src/api/types.js';
import type { ContainerState, SandboxState } from '../runtime/runtime.js';
import type { NodeEnd } from './checkpoint.js';
import { attemptOf, containerNameOf } from './names.js';
import type { ResizeFailure, ResizePending } from './resize.js';

/** What probes found out about one container; absent means: nothing yet. */
export interface ContainerHealth {
  /** The startup probe succeeded. */
  started?: boolean;
  ready?: boolean;
  /** The probe that gave up on the container, which has to be killed for it. */
  failed?: 'liveness' | 'startup';
}

/** Why a container cannot be started just now, as its waiting state words it. */
export interface Obstacle {
  reason: string;
  message: string;
  /** When to try again; undefined: when something changes. */
  retryAt: Date | undefined;
}

/** No obstacle is given longer than this. */
const longestRetryMs = 300_000;

/** When to try again, while that is to come; a time that a clock set back has put far away is now. */
export const waitsUntil = (retryAt: Date | undefined, now: Date): Date | undefined =>
  retryAt && retryAt > now && retryAt.getTime() - now.getTime() <= longestRetryMs ? retryAt : undefined;

/** The name under which an obstacle in the way of the sandbox itself stands; no container can have it. */
export const sandboxObstacle = '';

export interface Observed {
  sandboxes: readonly SandboxState[];
  containers: readonly ContainerState[];
  /** The addresses of a sandbox, once its network is up. */
  network: { sandboxId: string; ips: readonly string[] } | undefined;
  /** By container id. */
  health: ReadonlyMap<string, ContainerHealth>;
  /** By container name, or `sandboxObstacle`. */
  obstacles: ReadonlyMap<string, Obstacle>;
  /** Names of containers whose image is being pulled. */
  pulling: ReadonlySet<string>;
  /** Containers being killed, by id, with the time they get SIGKILL. */
  killing: ReadonlyMap<string, Date>;
  /** Termination messages by container id. */
  messages: ReadonlyMap<string, string>;
  /** How long ago containers ended, by id, as this process measured it: the clock of the host may have been set. */
  endedForMs: ReadonlyMap<string, number>;
  /** How long the pod has been ending; undefined while it lives. */
  endingForMs: number | undefined;
  /** Containers whose postStart hook runs, by id. */
  hooking: ReadonlySet<string>;
  /** The volumes are being made. */
  isMounting: boolean;
  /** What running containers were told last of their cpu and memory, by id; see `toldOf`. */
  applied: ReadonlyMap<string, ResourceRequirements>;
  resizePending: ResizePending | undefined;
  resizeFailure: ResizeFailure | undefined;
  /** Attempts of an earlier run of the whole pod, by container name: up to this one. Checkpointed. */
  earlierRun: Readonly<Record<string, number>>;
  /** The node itself ends the pod (eviction, shutdown, refusal); checkpointed. */
  end: NodeEnd | undefined;
}

export const nothingObserved: Observed = {
  sandboxes: [],
  containers: [],
  network: undefined,
  health: new Map(),
  obstacles: new Map(),
  pulling: new Set(),
  killing: new Map(),
  messages: new Map(),
  endedForMs: new Map(),
  endingForMs: undefined,
  hooking: new Set(),
  isMounting: false,
  applied: new Map(),
  resizePending: undefined,
  resizeFailure: undefined,
  earlierRun: {},
  end: undefined,
};

const byAttempt = <T extends ContainerState | SandboxState>(states: readonly T[]): T[] =>
  states.toSorted((a, b) => attemptOf(b) - attemptOf(a) || b.createdAt.getTime() - a.createdAt.getTime());

/** The sandbox the pod lives in, or lived in last. */
export const currentSandbox = (observed: Observed): SandboxState | undefined =>
  byAttempt(observed.sandboxes)[0];

/** All attempts of a container, the newest first. */
export const attemptsOf = (observed: Observed, name: string): ContainerState[] =>
  byAttempt(observed.containers.filter((container) => containerNameOf(container) === name));

export const latestOf = (observed: Observed, name: string): ContainerState | undefined =>
  attemptsOf(observed, name)[0];

/** An attempt that belongs to an earlier run of the whole pod (`RestartAllContainers`). */
export const isOfEarlierRun = (observed: Observed, state: ContainerState): boolean =>
  attemptOf(state) <= (observed.earlierRun[containerNameOf(state)] ?? -1);

/** The newest attempt in the present run of the pod. */
export function presentOf(observed: Observed, name: string): ContainerState | undefined {
  const latest = latestOf(observed, name);
  return latest && !isOfEarlierRun(observed, latest) ? latest : undefined;
}

/** What the attempt after all those that ever were is called. */
export function nextAttempt(pod: Pod, observed: Observed, name: string): number {
  const latest = latestOf(observed, name);
  return latest ? attemptOf(latest) + 1 : lostAttempts(reportedOf(pod, name));
}

/** What was told of a container last; the only memory of one that is gone from the runtime. */
export const reportedOf = (pod: Pod, name: string): ContainerStatus | undefined =>
  [
    ...(pod.status?.initContainerStatuses ?? []),
    ...(pod.status?.containerStatuses ?? []),
    ...(pod.status?.ephemeralContainerStatuses ?? []),
  ].find((status) => status.name === name);

/** How many attempts there were of a container that the runtime has nothing of any more. */
export const lostAttempts = (reported: ContainerStatus | undefined): number =>
  (reported?.restartCount ?? 0) + (reported?.containerID ? 1 : 0);

export const isRunning = (state: ContainerState | undefined): state is ContainerState =>
  state?.state === 'running';

/** It ran and ended, or the runtime could not start it (which a left-over of a crash, without error, is not). */
export const hasEnded = (state: ContainerState): boolean => state.state === 'exited' || couldNotStart(state);

export const couldNotStart = (state: ContainerState): boolean =>
  state.state !== 'running' && state.startedAt === undefined && state.error !== '';

/** Made, but never told to start: what a crash in between leaves behind. */
export const isHalfMade = (state: ContainerState): boolean => state.state === 'created' && state.error === '';

/** A container that could not be started counts as failed even where the runtime reports no code. */
export const exitCodeOf = (state: ContainerState): number =>
  couldNotStart(state) ? state.exitCode || 128 : (state.exitCode ?? 0);

export const finishedAtOf = (state: ContainerState): Date =>
  state.finishedAt ?? state.startedAt ?? state.createdAt;

/** An init container that keeps running beside the others (a sidecar). */
export const isSidecar = (container: Container): boolean => container.restartPolicy === 'Always';

export const initContainersOf = (pod: Pod): readonly Container[] => pod.spec?.initContainers ?? [];
export const appContainersOf = (pod: Pod): readonly Container[] => pod.spec?.containers ?? [];
export const restartPolicyOf = (pod: Pod): string => pod.spec?.restartPolicy ?? 'Always';

/** Of any kind of container. */
export const specOf = (pod: Pod, name: string): Container | undefined =>
  [...initContainersOf(pod), ...appContainersOf(pod), ...(pod.spec?.ephemeralContainers ?? [])].find(
    (container) => container.name === name,
  );

/** Startup is over: its postStart hook is done and the startup probe, if it has one, succeeded. */
export const isStarted = (observed: Observed, spec: Container, state: ContainerState): boolean =>
  isRunning(state) &&
  !observed.hooking.has(state.id) &&
  (spec.startupProbe === undefined || observed.health.get(state.id)?.started === true);

/** Whether an app container of the pod was made in this sandbox: its init containers are done for good. */
export const isInitialized = (pod: Pod, observed: Observed, sandboxId: string): boolean =>
  appContainersOf(pod).some((spec) =>
    attemptsOf(observed, spec.name).some(
      (state) => state.sandboxId === sandboxId && !isHalfMade(state) && !isOfEarlierRun(observed, state),
    ),
  );
