/**
 * Whether and when a container that ended is started again. Pure.
 *
 * Whether: the container's own rules on exit codes, the first that matches; then its own policy; then the pod's.
 * When:
 * the first restart is immediate, the next waits 10 s, then twice as long each time up to five minutes; ten minutes
 * without a failure start the count anew. The wait is a label of the container, so that it survives us; a clock that
 * was set back meanwhile makes nobody wait longer than the wait itself.
 */
import type { Container, ContainerRestartRule, Pod } from '../../src/api/types.js';
import { type ContainerState, labels } from '../runtime/runtime.js';
import { backoffMsOf, specHash } from './names.js';
import {
  exitCodeOf,
  finishedAtOf,
  isSidecar,
  nothingObserved,
  type Observed,
  restartPolicyOf,
} from './observed.js';
import { needsRestart, pendingChanges } from './resources.js';

export const firstBackoffMs = 10_000;
export const maxBackoffMs = 300_000;
const resetAfterMs = 2 * maxBackoffMs;

/** Whether the rules of the pod want a container that ended to run again. */
export function shouldRestart(pod: Pod, spec: Container, ended: ContainerState): boolean {
  if (isSidecar(spec)) return true;
  if (ended.labels[labels.specHash] !== specHash(spec)) return true;
  if (isResized(spec, ended)) return true;
  if (matchingRule(spec, ended)) return true;
  switch (spec.restartPolicy ?? restartPolicyOf(pod)) {
    case 'Never':
      return false;
    case 'OnFailure':
      return exitCodeOf(ended) !== 0;
    default:
      return true;
  }
}

/** It has other resources now for which its policy wants a restart. */
const isResized = (spec: Container, ended: ContainerState): boolean =>
  needsRestart(spec, pendingChanges(spec, ended, nothingObserved));

/** The first of the container's rules that its exit code satisfies; every action there is means a restart. */
export function matchingRule(spec: Container, ended: ContainerState): ContainerRestartRule | undefined {
  const code = exitCodeOf(ended);
  return spec.restartPolicyRules?.find(({ exitCodes }) => {
    const isListed = exitCodes?.values?.includes(code) ?? false;
    return exitCodes?.operator === 'NotIn' ? !isListed : isListed;
  });
}

export interface RestartTime {
  /** Not before. */
  at: Date;
  /** How long it waits after the end, for the message. */
  delayMs: number;
  /** What the attempt after it will have to wait. */
  nextBackoffMs: number;
}

/** When `ended` may be followed by its next attempt in the sandbox `sandboxId`. */
export function restartTime(
  spec: Container,
  ended: ContainerState,
  { sandboxId, observed, now }: { sandboxId: string; observed: Observed; now: Date },
): RestartTime {
  const end = finishedAtOf(ended);
  const began = ended.startedAt ?? ended.createdAt;
  const isAnew =
    ended.sandboxId !== sandboxId ||
    ended.labels[labels.specHash] !== specHash(spec) ||
    isResized(spec, ended) ||
    end.getTime() - began.getTime() >= resetAfterMs;
  const delayMs = isAnew ? 0 : backoffMsOf(ended);
  const endedForMs = observed.endedForMs.get(ended.id) ?? Math.max(now.getTime() - end.getTime(), 0);
  return {
    at: new Date(now.getTime() + Math.max(delayMs - endedForMs, 0)),
    delayMs,
    nextBackoffMs: delayMs === 0 ? firstBackoffMs : Math.min(2 * delayMs, maxBackoffMs),
  };
}
