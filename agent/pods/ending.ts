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
/** Even the last one gets this long for its stop signal, if the pod grants as much. */
const minimumGraceMs = 2000;

export function endPod(pod: Pod, observed: Observed, end: Ending, now: Date): Step[] {
  const running = observed.containers.filter(isRunning);
  const graceMs = Math.min(graceSecondsOf(pod), end.graceSeconds ?? Number.POSITIVE_INFINITY) * 1000;
  // Without grace a removal ends them as well, all at once; only who waits for the object wants to know how they ended.
  const mayVanish = end.isDeleted && graceMs === 0 && (pod.metadata.finalizers ?? []).length === 0;
  if (running.length > 0 && !mayVanish) return killInOrder(pod, observed, { running, graceMs, now });

  if (end.isDeleted) return removeEverything(observed);
  const idle = observed.sandboxes.filter((sandbox) => sandbox.state === 'running');
  if (idle.length > 0) return idle.map((sandbox) => ({ do: 'stopSandbox', sandbox }));
  return observed.containers.filter(isHalfMade).map(({ id }) => ({ do: 'removeContainer', id }));
}

/** A sandbox takes its containers along, running or not. */
function removeEverything({ sandboxes, containers }: Observed): Step[] {
  const homes = new Set(sandboxes.map(({ id }) => id));
  const steps: Step[] = [
    ...sandboxes.map((sandbox): Step => ({ do: 'removeSandbox', sandbox })),
    ...containers
      .filter(({ sandboxId }) => !homes.has(sandboxId))
      .map(({ id }): Step => ({ do: 'removeContainer', id })),
  ];
  return steps.length > 0 ? steps : [{ do: 'finish' }];
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
  // What ends after the others has what they left of the pod's grace.
  const spentMs = others.length > 0 ? 0 : (observed.endingForMs ?? 0);
  const leftMs = Math.min(graceMs, Math.max(graceMs - spentMs, minimumGraceMs));
  return next.flatMap((state): Step[] => {
    const killedAt = observed.killing.get(state.id);
    if (killedAt && killedAt.getTime() - now.getTime() - leftMs < worthShorteningMs) return [];
    const container = containerNameOf(state);
    return [
      {
        do: 'killContainer',
        id: state.id,
        container,
        graceMs: leftMs,
        message: `Stopping container ${container}`,
      },
    ];
  });
}
