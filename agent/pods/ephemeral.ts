/**
 * Ephemeral containers (`kubectl debug`): added to a pod that lives already, started once, never again. Pure. Asked by
 * the plan (`actions.ts`), by the status and by whoever makes the container.
 */
import type { ContainerStatus, EphemeralContainer, Pod } from '../../src/api/types.js';
import { ConfigError } from './needs.js';
import { attemptsOf, isHalfMade, isRunning, latestOf, type Observed, reportedOf } from './observed.js';

export const ephemeralContainersOf = (pod: Pod): readonly EphemeralContainer[] =>
  pod.spec?.ephemeralContainers ?? [];

export const isEphemeral = (pod: Pod, name: string): boolean =>
  ephemeralContainersOf(pod).some((spec) => spec.name === name);

const hasRun = (reported: ContainerStatus | undefined): boolean => reported?.state?.terminated !== undefined;

/** Those to start now: never begun, and the container whose processes they are to see runs. */
export function ephemeralToStart(pod: Pod, observed: Observed): EphemeralContainer[] {
  return ephemeralContainersOf(pod).filter((spec) => {
    const hasBegun =
      attemptsOf(observed, spec.name).some((state) => !isHalfMade(state)) ||
      hasRun(reportedOf(pod, spec.name));
    const hasTarget =
      !spec.targetContainerName || runningId(observed, spec.targetContainerName) !== undefined;
    return !hasBegun && hasTarget;
  });
}

/**
 * The runtime's id of the container whose process namespace it shares; `undefined` when it asks for none. Throws
 * `ConfigError` when that one does not run.
 */
export function targetOf(pod: Pod, name: string, observed: Observed): string | undefined {
  const target = ephemeralContainersOf(pod).find((spec) => spec.name === name)?.targetContainerName;
  if (!target) return undefined;
  const id = runningId(observed, target);
  if (id === undefined) throw new ConfigError(`unable to find target container ${JSON.stringify(target)}`);
  return id;
}

function runningId(observed: Observed, name: string): string | undefined {
  const state = latestOf(observed, name);
  return isRunning(state) ? state.id : undefined;
}

/** They are never ready: no traffic goes to them. */
export const toEphemeralStatus = (pod: Pod, status: ContainerStatus): ContainerStatus => {
  const reported = reportedOf(pod, status.name);
  if (status.state?.waiting && reported && hasRun(reported)) return reported;
  const { started: _started, ...rest } = status;
  return { ...rest, ready: false };
};
