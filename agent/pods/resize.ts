/**
 * In-place resize of cpu and memory (KEP-1287). Pure. Two questions, asked by the worker and by the plan:
 *
 *   spec --(does the node have it? `decideResize`)--> allocation --(`resizeSteps`)--> running containers, pod cgroup
 *
 * Everything but the decision works on the allocated pod, so a resize that has to wait changes nothing. A resize that
 * the node can never give is `Infeasible`, one that it cannot give now is `Deferred` and asked again when others leave.
 */
import { podRequests, type Resources } from '../../src/api/podresources.js';
import { toBytes, toMilli } from '../../src/api/quantity.js';
import type { Container, Pod } from '../../src/api/types.js';
import type { ContainerState } from '../runtime/runtime.js';
import type { Step } from './actions.js';
import { graceSecondsOf } from './names.js';
import { isRunning, type Observed, presentOf, waitsUntil } from './observed.js';
import { changesBetween, needsRestart, pendingChanges, resizableOf } from './resources.js';

export interface ResizePending {
  reason: 'Deferred' | 'Infeasible';
  message: string;
}

/** A resize that was given and could not be carried out. */
export interface ResizeFailure {
  message: string;
  retryAt: Date;
}

const mirrorOrStatic = 'kubernetes.io/config.source';

/**
 * Whether the pod, as it asks to be, may take the place of the pod as it was given. `others`: the pods on this node
 * beside it, as they were given. Undefined: it may.
 */
export function decideResize(
  asked: Pod,
  others: readonly Pod[],
  allocatable: Readonly<Record<string, string>>,
): ResizePending | undefined {
  const source = asked.metadata.annotations?.[mirrorOrStatic];
  if (source !== undefined && source !== 'api')
    return { reason: 'Infeasible', message: 'In-place resize of static-pods is not supported' };
  const wanted = requestsOf(asked);
  const used = others.map(requestsOf);
  for (const name of ['cpu', 'memory'] as const) {
    const quantity = allocatable[name];
    if (quantity === undefined) continue;
    const capacity = name === 'cpu' ? toMilli(quantity) : toBytes(quantity);
    const of = ({ milliCpu, memory }: Resources): number => (name === 'cpu' ? milliCpu : memory);
    const requested = of(wanted);
    if (requested > capacity) {
      const numbers = `requested: ${requested}, capacity: ${capacity}`;
      return { reason: 'Infeasible', message: `Node didn't have enough capacity: ${name}, ${numbers}` };
    }
    const sum = used.reduce((total, resources) => total + of(resources), 0);
    if (requested + sum > capacity) {
      const numbers = `requested: ${requested}, used: ${sum}, capacity: ${capacity}`;
      return { reason: 'Deferred', message: `Node didn't have enough resource: ${name}, ${numbers}` };
    }
  }
  return undefined;
}

const requestsOf = (pod: Pod): Resources => podRequests(pod.spec ?? { containers: [] });

/** Whether the pod asks for something else than what it was given. */
export const isResizeAsked = (asked: Pod, given: Pod): boolean =>
  resizableOf(asked).some((spec) => {
    const now = resizableOf(given).find(({ name }) => name === spec.name);
    return changesBetween(spec.resources, now?.resources).length > 0;
  });

/** Running containers that are not yet what the allocated pod says. */
export const unresized = (pod: Pod, observed: Observed): { spec: Container; state: ContainerState }[] =>
  resizableOf(pod).flatMap((spec) => {
    const state = presentOf(observed, spec.name);
    return isRunning(state) && pendingChanges(spec, state, observed).length > 0 ? [{ spec, state }] : [];
  });

/** Restarts where the container's policy asks for it, one update of the pod for all the others. */
export function resizeSteps(pod: Pod, observed: Observed, now: Date): Step[] {
  const todo = unresized(pod, observed).filter(({ state }) => !observed.killing.has(state.id));
  const mustRestart = ({ spec, state }: (typeof todo)[number]): boolean =>
    needsRestart(spec, pendingChanges(spec, state, observed));
  const restarts = todo.filter(mustRestart).map(
    ({ spec, state }): Step => ({
      do: 'killContainer',
      id: state.id,
      container: spec.name,
      graceMs: graceSecondsOf(pod) * 1000,
      message: `Container ${spec.name} resize requires restart`,
    }),
  );
  const updates = todo.filter((one) => !mustRestart(one));
  if (updates.length === 0) return restarts;
  const retryAt = waitsUntil(observed.resizeFailure?.retryAt, now);
  if (retryAt) return [...restarts, { do: 'wakeAt', at: retryAt }];
  const containers = updates.map(({ spec, state }) => ({ id: state.id, container: spec.name }));
  return [...restarts, { do: 'resize', containers }];
}
