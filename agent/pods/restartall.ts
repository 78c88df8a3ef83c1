/**
 * `RestartAllContainers`: a container whose exit matches such a rule has the whole pod begin anew, in the sandbox it
 * has: everything that runs is killed, then init containers, sidecars and the others start as the first time. Pure.
 *
 * Which attempts are of an earlier run is kept as a number per container (`Observed.earlierRun`), so that a crash in
 * between does not restart twice. Ephemeral containers are left alone.
 */
import type { Container, Pod } from '../../src/api/types.js';
import type { ContainerState } from '../runtime/runtime.js';
import type { Step } from './actions.js';
import { attemptOf, containerNameOf, graceSecondsOf } from './names.js';
import {
  appContainersOf,
  hasEnded,
  initContainersOf,
  isOfEarlierRun,
  isRunning,
  latestOf,
  type Observed,
  presentOf,
} from './observed.js';
import { matchingRule } from './restart.js';

const containersOf = (pod: Pod): readonly Container[] => [...initContainersOf(pod), ...appContainersOf(pod)];

/** The containers of an earlier run that still run. */
export const leftRunning = (pod: Pod, observed: Observed): ContainerState[] =>
  observed.containers.filter(
    (state) =>
      isRunning(state) &&
      isOfEarlierRun(observed, state) &&
      containersOf(pod).some(({ name }) => name === containerNameOf(state)),
  );

/** The steps of the restart under way or to begin; undefined when there is none. */
export function restartAll(pod: Pod, observed: Observed): Step[] | undefined {
  const left = leftRunning(pod, observed);
  if (left.length > 0) {
    return left
      .filter(({ id }) => !observed.killing.has(id))
      .map((state) => ({
        do: 'killContainer',
        id: state.id,
        container: containerNameOf(state),
        graceMs: graceSecondsOf(pod) * 1000,
        message: `Container ${containerNameOf(state)} will be restarted with all containers of the pod`,
      }));
  }
  const trigger = containersOf(pod).find((spec) => {
    const state = presentOf(observed, spec.name);
    return state && hasEnded(state) && matchingRule(spec, state)?.action === 'RestartAllContainers';
  });
  if (!trigger) return undefined;
  const earlierRun = Object.fromEntries(
    containersOf(pod).flatMap(({ name }) => {
      const latest = latestOf(observed, name);
      return latest ? [[name, attemptOf(latest)]] : [];
    }),
  );
  const message = `Container ${trigger.name} exited and asks to restart all containers of the pod`;
  return [{ do: 'beginRun', earlierRun, message }];
}
