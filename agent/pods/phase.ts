/**
 * Where a pod is in its life, from its spec and what is observed. Pure; rules as documented under "Pod Lifecycle".
 */
import type { Pod } from '../../src/api/types.js';
import {
  appContainersOf,
  currentSandbox,
  exitCodeOf,
  hasEnded,
  initContainersOf,
  isHalfMade,
  isInitialized,
  isRunning,
  isSidecar,
  latestOf,
  type Observed,
  presentOf,
} from './observed.js';
import { shouldRestart } from './restart.js';

export type Phase = 'Pending' | 'Running' | 'Succeeded' | 'Failed';

/** The pod is over: nothing of it may be started any more. */
export interface Ending {
  /** Its object goes too, so nothing is kept for logs. */
  isDeleted: boolean;
  phase: 'Succeeded' | 'Failed' | undefined;
  reason?: string | undefined;
  message?: string | undefined;
  /** Containers get at most this long, if that is less than what the pod grants them. */
  graceSeconds?: number | undefined;
}

/** Why the pod is over, or undefined while it lives. A phase that the API already calls terminal stays. */
export function endOf(pod: Pod, observed: Observed, now: Date): Ending | undefined {
  const isDeleted = pod.metadata.deletionTimestamp !== undefined;
  const { phase, reason, message } = pod.status ?? {};
  const graceSeconds = observed.end?.graceSeconds;
  if (phase === 'Succeeded' || phase === 'Failed') return { isDeleted, phase, reason, message, graceSeconds };
  if (observed.end) {
    const { reason, message } = observed.end;
    return { isDeleted, phase: 'Failed', reason, message, graceSeconds };
  }
  const deadline = deadlineOf(pod);
  if (deadline && deadline <= now) {
    const text = 'Pod was active on the node longer than the specified deadline';
    return { isDeleted, phase: 'Failed', reason: 'DeadlineExceeded', message: text };
  }
  const outcome = outcomeOf(pod, observed);
  return isDeleted || outcome ? { isDeleted, phase: outcome } : undefined;
}

/** Kubernetes counts `activeDeadlineSeconds` from the time the node took the pod. */
export function deadlineOf(pod: Pod): Date | undefined {
  const seconds = pod.spec?.activeDeadlineSeconds;
  if (seconds === undefined || !pod.status?.startTime) return undefined;
  return new Date(Date.parse(pod.status.startTime) + seconds * 1000);
}

/** The phase of a pod whose containers all ended and will not be restarted; also of one that is being deleted. */
function outcomeOf(pod: Pod, observed: Observed): 'Succeeded' | 'Failed' | undefined {
  const apps = appContainersOf(pod);
  if (apps.length === 0) return undefined;
  if (hasInitFailed(pod, observed)) return 'Failed';
  const isDeleted = pod.metadata.deletionTimestamp !== undefined;
  const states = apps.map((spec) => ({ spec, state: presentOf(observed, spec.name) }));
  const isOver = states.every(
    ({ spec, state }) => state && hasEnded(state) && (isDeleted || !shouldRestart(pod, spec, state)),
  );
  if (!isOver) return undefined;
  return states.every(({ state }) => state && exitCodeOf(state) === 0) ? 'Succeeded' : 'Failed';
}

/** An init container failed and its rules or the policy forbid another try. */
function hasInitFailed(pod: Pod, observed: Observed): boolean {
  if (isInitialized(pod, observed, currentSandbox(observed)?.id ?? '')) return false;
  return initContainersOf(pod).some((spec) => {
    const state = presentOf(observed, spec.name);
    if (isSidecar(spec) || state === undefined || !hasEnded(state)) return false;
    return exitCodeOf(state) !== 0 && !shouldRestart(pod, spec, state);
  });
}

/** `Running` once all containers were made and one runs or will run again; `Pending` before that. */
export function phaseOf(pod: Pod, observed: Observed, end: Ending | undefined): Phase {
  if (end?.phase) return end.phase;
  const states = appContainersOf(pod).map((spec) => latestOf(observed, spec.name));
  const hasAllBegun = states.length > 0 && states.every((state) => state !== undefined && !isHalfMade(state));
  return hasAllBegun || (states.some(isRunning) && pod.status?.phase === 'Running') ? 'Running' : 'Pending';
}
