/**
 * The steps that end a pod: kill its containers (sidecars after the others, the last one first), then stop the sandbox
 * or, when the object is to go, remove everything. Pure.
 */
import type { Pod } from '../../src/api/types.js';
import type { ContainerState } from '../runtime/runtime.js';
import type { Step } from './actions.js';
import { containerNameOf, graceSecondsOf } from './names.js';
import { initContainersOf, isHalfMade, isRunning, isSidecar, type Observed } from './observed.js';
import type { Ending } from './phase.js';

/** A grace that got shorter meanwhile (a second, faster delete) is applied when it saves more than this. */
const worthShorteningMs = 1000;

export function endPod(pod: Pod, observed: Observed, end: Ending, now: Date): Step[] {
  const running = observed.containers.filter(isRunning);
  const graceMs = Math.min(graceSecondsOf(pod), end.graceSeconds ?? Number.POSITIVE_INFINITY) * 1000;
  if (running.length > 0) return killInOrder(pod, observed, { running, graceMs, now });

  // What is removed next need not be stopped first.
  const idle = end.isDeleted ? [] : observed.sandboxes.filter((sandbox) => sandbox.state === 'running');
  if (idle.length > 0) return idle.map((sandbox) => ({ do: 'stopSandbox', sandbox }));

  const unwanted = end.isDeleted ? observed.containers : observed.containers.filter(isHalfMade);
  if (unwanted.length > 0) return unwanted.map(({ id }) => ({ do: 'removeContainer', id }));
  if (!end.isDeleted) return [];
  if (observed.sandboxes.length > 0)
    return observed.sandboxes.map((sandbox) => ({ do: 'removeSandbox', sandbox }));
  return [{ do: 'finish' }];
}

function killInOrder(
  pod: Pod,
  observed: Observed,
  { running, graceMs, now }: { running: readonly ContainerState[]; graceMs: number; now: Date },
): Step[] {
  const sidecars = initContainersOf(pod)
    .filter(isSidecar)
    .map((spec) => spec.name);
  const others = running.filter((state) => !sidecars.includes(containerNameOf(state)));
  const lastSidecar = sidecars.findLast((name) => running.some((state) => containerNameOf(state) === name));
  const next = others.length > 0 ? others : running.filter((state) => containerNameOf(state) === lastSidecar);
  return next.flatMap((state): Step[] => {
    const killedAt = observed.killing.get(state.id);
    if (killedAt && killedAt.getTime() - now.getTime() - graceMs < worthShorteningMs) return [];
    const container = containerNameOf(state);
    return [
      { do: 'killContainer', id: state.id, container, graceMs, message: `Stopping container ${container}` },
    ];
  });
}
