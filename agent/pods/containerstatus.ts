/**
 * The status of one container, as Kubernetes words it. Pure; called by `status.ts`.
 */
import type {
  Container,
  ContainerState,
  ContainerStateTerminated,
  ContainerStatus,
  Pod,
  PodStatus,
} from '../../src/api/types.js';
import { toTime } from '../../src/host/clock.js';
import type { ContainerState as RuntimeState } from '../runtime/runtime.js';
import { isEphemeral } from './ephemeral.js';
import { shareOfWords } from './lastwords.js';
import { attemptOf, podName, podNamespace, podUid } from './names.js';
import {
  appContainersOf,
  attemptsOf,
  couldNotStart,
  currentSandbox,
  exitCodeOf,
  finishedAtOf,
  hasEnded,
  initContainersOf,
  isHalfMade,
  isRunning,
  isSidecar,
  isStarted,
  lostAttempts,
  type Observed,
  reportedOf,
} from './observed.js';
import { toldOf } from './resources.js';
import { restartTime, shouldRestart } from './restart.js';

export interface StatusContext {
  /** `docker`, the scheme of container ids. */
  runtimeName: string;
  hostIPs: readonly string[];
  now: Date;
  /** The pod is over: what ended is not waiting for a restart. */
  isOver: boolean;
}

export function toContainerStatus(
  pod: Pod,
  spec: Container,
  observed: Observed,
  context: StatusContext,
): ContainerStatus {
  const attempts = attemptsOf(observed, spec.name).filter((state) => !isHalfMade(state));
  const [latest, previous] = attempts;
  const reported = latest ? undefined : reportedOf(pod, spec.name);
  if (reported?.state?.terminated && context.isOver) return reported;
  if (reported?.containerID && context.isOver) return { ...reported, ...lost(reported, context) };
  const terminated = (state: RuntimeState | undefined): ContainerState | undefined =>
    state && hasEnded(state) ? { terminated: toTerminated(pod, state, observed, context) } : undefined;
  const waiting = waitingOf(pod, spec, latest, observed, context);
  const isInit = initContainersOf(pod).includes(spec) && !isSidecar(spec);
  const started = latest !== undefined && isStarted(observed, spec, latest);
  return {
    name: spec.name,
    state: stateOf(latest, waiting, terminated(latest)),
    lastState:
      (waiting ? terminated(latest) : undefined) ?? terminated(previous) ?? lastStateOf(reported, context),
    ready: isInit
      ? latest !== undefined && hasEnded(latest) && exitCodeOf(latest) === 0
      : isReady(spec, latest, observed),
    restartCount: latest ? attemptOf(latest) : lostAttempts(reported),
    image: spec.image ?? '',
    imageID: latest?.imageId ?? '',
    ...(latest && { containerID: `${context.runtimeName}://${latest.id}` }),
    started: isInit ? latest !== undefined && isRunning(latest) : started,
    ...(latest && resourcesOf(spec, latest, observed)),
    ...(latest && volumeMountsOf(spec)),
    ...(latest && spec.lifecycle?.stopSignal && { stopSignal: spec.lifecycle.stopSignal }),
  };
}

const volumeMountsOf = ({ volumeMounts = [] }: Container): Pick<ContainerStatus, 'volumeMounts'> =>
  volumeMounts.length === 0
    ? {}
    : {
        volumeMounts: volumeMounts.map(({ name, mountPath, readOnly, recursiveReadOnly }) => ({
          name,
          mountPath,
          ...(readOnly && {
            readOnly,
            recursiveReadOnly: recursiveReadOnly === 'Enabled' ? 'Enabled' : 'Disabled',
          }),
        })),
      };

/** What it was given, and what it was told: these differ while a resize is under way. */
function resourcesOf(
  spec: Container,
  state: RuntimeState,
  observed: Observed,
): Pick<ContainerStatus, 'allocatedResources' | 'resources'> {
  const told = (isRunning(state) && toldOf(observed, state)) || (spec.resources ?? {});
  const { requests, limits } = told;
  return {
    ...(spec.resources?.requests && { allocatedResources: spec.resources.requests }),
    resources: { ...(limits && { limits }), ...(requests && { requests }) },
  };
}

/** Ready: it runs, is started and its readiness probe, if it has one, says yes. */
function isReady(spec: Container, state: RuntimeState | undefined, observed: Observed): boolean {
  if (state === undefined || !isStarted(observed, spec, state)) return false;
  return spec.readinessProbe === undefined || observed.health.get(state.id)?.ready === true;
}

function stateOf(
  latest: RuntimeState | undefined,
  waiting: ContainerState | undefined,
  terminated: ContainerState | undefined,
): ContainerState {
  if (waiting) return waiting;
  if (isRunning(latest)) return { running: { startedAt: toTime(latest.startedAt ?? latest.createdAt) } };
  return terminated ?? { waiting: { reason: 'ContainerCreating' } };
}

/** What the container waits for; undefined when it runs, or ended and nothing keeps it from its next start. */
function waitingOf(
  pod: Pod,
  spec: Container,
  latest: RuntimeState | undefined,
  observed: Observed,
  context: StatusContext,
): ContainerState | undefined {
  if (isRunning(latest)) {
    // It is not said to run before its hook is done.
    return observed.hooking.has(latest.id) ? { waiting: { reason: startingReason(pod) } } : undefined;
  }
  const obstacle = context.isOver ? undefined : observed.obstacles.get(spec.name);
  if (obstacle) return { waiting: { reason: obstacle.reason, message: obstacle.message } };
  if (!latest) return { waiting: { reason: startingReason(pod) } };
  if (context.isOver || !willRestart(pod, spec, latest)) return undefined;
  const restart = restartTime(spec, latest, {
    sandboxId: currentSandbox(observed)?.id ?? '',
    observed,
    now: context.now,
  });
  if (restart.at <= context.now) return runErrorOf(latest);
  const where = `container=${spec.name} pod=${podName(pod)}_${podNamespace(pod)}(${podUid(pod)})`;
  const message = `back-off ${goDuration(restart.delayMs)} restarting failed ${where}`;
  return { waiting: { reason: 'CrashLoopBackOff', message } };
}

/** Of a container whose next start is due. */
const runErrorOf = (state: RuntimeState): ContainerState | undefined =>
  couldNotStart(state) ? { waiting: { reason: 'RunContainerError', message: state.error } } : undefined;

const startingReason = (pod: Pod): string =>
  initContainersOf(pod).length > 0 ? 'PodInitializing' : 'ContainerCreating';

/** What is said of a container that ran when it was seen last and that the runtime has nothing of any more. */
const lost = (
  reported: ContainerStatus,
  context: StatusContext,
): Pick<ContainerStatus, 'state' | 'ready'> => ({
  ready: false,
  state: {
    terminated: {
      exitCode: 137,
      reason: 'ContainerStatusUnknown',
      message: 'The container could not be located when the pod was terminated',
      startedAt: reported.state?.running?.startedAt,
      finishedAt: toTime(context.now),
      containerID: reported.containerID,
    },
  },
});

/** Of a container that is to be made again because the runtime lost it. */
function lastStateOf(reported: ContainerStatus | undefined, context: StatusContext): ContainerState {
  if (reported?.state?.terminated) return { terminated: reported.state.terminated };
  if (reported?.state?.running) return lost(reported, context).state ?? {};
  return reported?.lastState ?? {};
}

function willRestart(pod: Pod, spec: Container, latest: RuntimeState): boolean {
  if (isEphemeral(pod, spec.name)) return false;
  const isDone = initContainersOf(pod).includes(spec) && !isSidecar(spec) && exitCodeOf(latest) === 0;
  return !isDone && shouldRestart(pod, spec, latest);
}

function toTerminated(
  pod: Pod,
  state: RuntimeState,
  observed: Observed,
  context: StatusContext,
): ContainerStateTerminated {
  const exitCode = exitCodeOf(state);
  const said = observed.messages.get(state.id) || (couldNotStart(state) ? state.error : '');
  const message = shareOfWords(said, initContainersOf(pod).length + appContainersOf(pod).length);
  return {
    exitCode,
    reason: reasonOf(state, exitCode),
    ...(message && { message }),
    startedAt: toTime(state.startedAt ?? state.createdAt),
    finishedAt: toTime(finishedAtOf(state)),
    containerID: `${context.runtimeName}://${state.id}`,
  };
}

function reasonOf(state: RuntimeState, exitCode: number): string {
  // A pod-level OOM marks every container of the pod; the ones that ended well were not its victims.
  if (state.oomKilled && exitCode !== 0) return 'OOMKilled';
  if (couldNotStart(state)) return 'StartError';
  return exitCode === 0 ? 'Completed' : 'Error';
}

/** Whole seconds as Go prints durations: `10s`, `1m20s`, `5m0s`. */
export function goDuration(ms: number): string {
  const seconds = Math.round(ms / 1000);
  const minutes = Math.floor(seconds / 60);
  if (minutes === 0) return `${seconds}s`;
  const hours = Math.floor(minutes / 60);
  return hours === 0 ? `${minutes}m${seconds % 60}s` : `${hours}h${minutes % 60}m${seconds % 60}s`;
}

/** Containers that wait in CrashLoopBackOff now and did not before, or not after this many restarts. */
export function newlyBackedOff(before: PodStatus | undefined, after: PodStatus): string[] {
  const inBackOff = (status: PodStatus | undefined): Map<string, number> =>
    new Map(
      [...(status?.initContainerStatuses ?? []), ...(status?.containerStatuses ?? [])]
        .filter(({ state }) => state?.waiting?.reason === 'CrashLoopBackOff')
        .map(({ name, restartCount }) => [name, restartCount]),
    );
  const known = inBackOff(before);
  return [...inBackOff(after)]
    .filter(([name, restarts]) => known.get(name) !== restarts)
    .map(([name]) => name);
}
