/**
 * 7. What to do next for one pod: `computeActions(pod, observed, now)` compares what the API asks for with what runs
 * here and returns the steps that may be taken now, all at the same time. The worker runs them, observes, asks again,
 * until nothing but `wakeAt` is left. Pure; the life of a pod on a node:
 *
 *              no sandbox          sandbox runs       init done         all containers ended for good
 *   (assigned) ----------> [start] -----------> [init] -------> [run] ------------------------------> [finished]
 *                             ^                    |               |   restart with back-off: [run]        |
 *                             '---- sandbox died --+---------------'                                       |
 *                                                  | deleted, deadline exceeded, init failed for good      |
 *                                                  v                                                       v
 *                                 [ending]: kill containers, sidecars last -> stop sandbox -> [kept for logs]
 *                                                                                  | deleted
 *                                                                                  v
 *                                              remove containers, sandboxes -> finish (volumes, cgroup, object)
 */
import type { Container, Pod } from '../../src/api/types.js';
import { type ContainerState, labels, type SandboxState } from '../runtime/runtime.js';
import { endPod } from './ending.js';
import { ephemeralToStart } from './ephemeral.js';
import { attemptOf, containerNameOf, graceSecondsOf, specHash } from './names.js';
import {
  appContainersOf,
  attemptsOf,
  currentSandbox,
  exitCodeOf,
  hasEnded,
  initContainersOf,
  isHalfMade,
  isInitialized,
  isRunning,
  isSidecar,
  isStarted,
  latestOf,
  nextAttempt,
  type Observed,
  presentOf,
  sandboxObstacle,
  waitsUntil,
} from './observed.js';
import { deadlineOf, endOf } from './phase.js';
import { resizeSteps } from './resize.js';
import { restartTime, shouldRestart } from './restart.js';
import { restartAll } from './restartall.js';

export interface ContainerStart {
  container: string;
  attempt: number;
  /** What the attempt after this one will have to wait. */
  nextBackoffMs: number;
}

export interface ContainerKill {
  do: 'killContainer';
  id: string;
  container: string;
  graceMs: number;
  /** For the event: why, as Kubernetes words it. */
  message: string;
}

export type Step =
  /** Makes and starts a sandbox with its network; `containers` are made meanwhile and started as soon as it is up. */
  | { do: 'startSandbox'; attempt: number; containers: readonly ContainerStart[] }
  | { do: 'setUpNetwork'; sandbox: SandboxState }
  | ({ do: 'startContainer'; sandboxId: string } & ContainerStart)
  | ContainerKill
  | { do: 'removeContainer'; id: string }
  /** Takes the network down and stops it. */
  | { do: 'stopSandbox'; sandbox: SandboxState }
  | { do: 'removeSandbox'; sandbox: SandboxState }
  /** Other cpu and memory for containers that run, and for the pod's cgroup. */
  | { do: 'resize'; containers: readonly { id: string; container: string }[] }
  /** A new run of the whole pod begins: these attempts are of an earlier one. */
  | { do: 'beginRun'; earlierRun: Readonly<Record<string, number>>; message: string }
  /** Nothing runs any more and the object is to go: gives back volumes and cgroup, deletes the object. */
  | { do: 'finish' }
  /** Nothing to do before this time. */
  | { do: 'wakeAt'; at: Date };

export function computeActions(pod: Pod, observed: Observed, now: Date): Step[] {
  const end = endOf(pod, observed, now);
  if (end) return endPod(pod, observed, end, now);

  const sandbox = currentSandbox(observed);
  if (sandbox?.state !== 'running') return replaceSandbox(pod, observed, sandbox, now);
  const left = leftovers(observed, sandbox);
  if (left.length > 0) return left;
  if (observed.network?.sandboxId !== sandbox.id) return [{ do: 'setUpNetwork', sandbox }];
  const anew = restartAll(pod, observed);
  if (anew) return anew;
  return [
    ...containerSteps(pod, observed, sandbox.id, now),
    ...resizeSteps(pod, observed, now),
    ...oldAttempts(pod, observed),
    ...deadline(pod),
  ];
}

/** The pod has no network namespace to live in: end what lived in the old one, then make a new one. */
function replaceSandbox(pod: Pod, observed: Observed, dead: SandboxState | undefined, now: Date): Step[] {
  const running = observed.containers.filter(isRunning);
  const graceMs = graceSecondsOf(pod) * 1000;
  if (running.length > 0) {
    return running
      .filter((state) => !observed.killing.has(state.id))
      .map((state) => ({
        do: 'killContainer',
        id: state.id,
        container: containerNameOf(state),
        graceMs,
        message: 'Pod sandbox changed, it will be killed and re-created.',
      }));
  }
  const halfMade = observed.containers.filter(isHalfMade);
  if (halfMade.length > 0) return halfMade.map(({ id }) => ({ do: 'removeContainer', id }));
  // One that never ran (a crash in between) is removed and made anew under the same name.
  if (dead?.state === 'created') return [{ do: 'removeSandbox', sandbox: dead }];
  // The last one is kept until a new one runs: the attempts are counted from it.
  const older = observed.sandboxes.filter((sandbox) => sandbox !== dead);
  if (older.length > 0) return older.map((sandbox) => ({ do: 'removeSandbox', sandbox }));
  const obstacle = observed.obstacles.get(sandboxObstacle);
  const retryAt = waitsUntil(obstacle?.retryAt, now);
  if (retryAt) return [{ do: 'wakeAt', at: retryAt }];
  const attempt = dead ? attemptOf(dead) + 1 : 0;
  const first = containerSteps(pod, { ...observed, network: { sandboxId: '', ips: [] } }, '', now);
  const containers = first
    .filter((step) => step.do === 'startContainer')
    .map(({ container, attempt, nextBackoffMs }) => ({ container, attempt, nextBackoffMs }));
  return [{ do: 'startSandbox', attempt, containers }];
}

/** What earlier sandboxes and crashes left: has to go before anything is made under those names. */
function leftovers(observed: Observed, current: SandboxState): Step[] {
  const steps: Step[] = [];
  for (const sandbox of observed.sandboxes) {
    if (sandbox.id === current.id) continue;
    steps.push(
      sandbox.state === 'running' ? { do: 'stopSandbox', sandbox } : { do: 'removeSandbox', sandbox },
    );
  }
  for (const state of observed.containers) {
    if (isHalfMade(state)) steps.push({ do: 'removeContainer', id: state.id });
  }
  return steps;
}

/** Starts, restarts and kills of containers in a sandbox that runs (or will: `sandboxId` ''). */
function containerSteps(pod: Pod, observed: Observed, sandboxId: string, now: Date): Step[] {
  const steps: Step[] = [];
  if (sandboxId !== '') {
    for (const spec of ephemeralToStart(pod, observed))
      steps.push(...startOrWait(pod, spec, observed, { sandboxId, now }));
  }
  const initialized = isInitialized(pod, observed, sandboxId);
  for (const spec of initContainersOf(pod)) {
    const state = presentOf(observed, spec.name);
    const own = state?.sandboxId === sandboxId ? state : undefined;
    if (isSidecar(spec)) {
      steps.push(...keepRunning(pod, spec, observed, sandboxId, now));
      if (!initialized && !(own && isStarted(observed, spec, own))) return steps;
    } else if (!initialized) {
      if (own && isRunning(own)) return steps;
      if (own && hasEnded(own) && exitCodeOf(own) === 0) continue;
      if (own && hasEnded(own) && !shouldRestart(pod, spec, own)) return steps;
      return [...steps, ...startOrWait(pod, spec, observed, { sandboxId, now })];
    }
  }
  for (const spec of appContainersOf(pod)) {
    const own = keepRunning(pod, spec, observed, sandboxId, now);
    steps.push(...own);
    // Kubernetes starts containers in their order, and the next one only when the hook of the one before is done.
    if (spec.lifecycle?.postStart && isStarting(spec, observed, own)) break;
  }
  return steps;
}

function isStarting(spec: Container, observed: Observed, steps: readonly Step[]): boolean {
  const state = presentOf(observed, spec.name);
  const isHooking = state !== undefined && isRunning(state) && observed.hooking.has(state.id);
  return isHooking || observed.pulling.has(spec.name) || steps.some((step) => step.do === 'startContainer');
}

function keepRunning(pod: Pod, spec: Container, observed: Observed, sandboxId: string, now: Date): Step[] {
  const state = presentOf(observed, spec.name);
  if (isRunning(state)) return killIfUnfit(pod, spec, state, observed);
  if (state && hasEnded(state) && !shouldRestart(pod, spec, state)) return [];
  return startOrWait(pod, spec, observed, { sandboxId, now });
}

function startOrWait(
  pod: Pod,
  spec: Container,
  observed: Observed,
  { sandboxId, now }: { sandboxId: string; now: Date },
): Step[] {
  if (observed.isMounting || observed.pulling.has(spec.name)) return [];
  const obstacle = observed.obstacles.get(spec.name);
  if (obstacle && !obstacle.retryAt) return [];
  const retryAt = waitsUntil(obstacle?.retryAt, now);
  if (retryAt) return [{ do: 'wakeAt', at: retryAt }];
  const ended = latestOf(observed, spec.name);
  const restart = ended && restartTime(spec, ended, { sandboxId, observed, now });
  if (restart && restart.at > now) return [{ do: 'wakeAt', at: restart.at }];
  return [
    {
      do: 'startContainer',
      sandboxId,
      container: spec.name,
      attempt: nextAttempt(pod, observed, spec.name),
      nextBackoffMs: restart?.nextBackoffMs ?? 0,
    },
  ];
}

/** Kills a running container whose definition changed or whose probe gave up on it; the next round restarts it. */
function killIfUnfit(pod: Pod, spec: Container, state: ContainerState, observed: Observed): Step[] {
  if (observed.killing.has(state.id)) return [];
  const kill = (message: string, graceSeconds = graceSecondsOf(pod)): Step[] => [
    { do: 'killContainer', id: state.id, container: spec.name, graceMs: graceSeconds * 1000, message },
  ];
  if (state.labels[labels.specHash] !== specHash(spec)) {
    return kill(`Container ${spec.name} definition changed, will be restarted`);
  }
  const failed = observed.health.get(state.id)?.failed;
  if (failed === undefined) return [];
  const probe = failed === 'liveness' ? spec.livenessProbe : spec.startupProbe;
  return kill(
    `Container ${spec.name} failed ${failed} probe, will be restarted`,
    probe?.terminationGracePeriodSeconds,
  );
}

/** Of every container the newest attempt and the one before it (for `logs --previous`) are kept. */
function oldAttempts(pod: Pod, observed: Observed): Step[] {
  return [...initContainersOf(pod), ...appContainersOf(pod)].flatMap((spec) =>
    attemptsOf(observed, spec.name)
      .slice(2)
      .filter(hasEnded)
      .map(({ id }): Step => ({ do: 'removeContainer', id })),
  );
}

/** The pod has to be looked at again when its `activeDeadlineSeconds` are over. */
const deadline = (pod: Pod): Step[] => {
  const at = deadlineOf(pod);
  return at ? [{ do: 'wakeAt', at }] : [];
};
