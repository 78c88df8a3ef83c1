/**
 * The status of a Deployment and its conditions Available, Progressing and ReplicaFailure. Pure; wording and reasons
 * are what `kubectl rollout status` and users know. Called by `deployment.ts` after the steps were carried out.
 */
import { findCondition } from '../../src/api/meta.js';
import type { Deployment, DeploymentCondition, DeploymentStatus, ReplicaSet } from '../../src/api/types.js';
import { toTime } from '../../src/host/clock.js';
import { limitsOf, replicasOf, sum } from './deploymentscale.js';

export interface Rollout {
  /** The replica set of the present template, if it exists. */
  fresh: ReplicaSet | undefined;
  /** All that belong to the Deployment, `fresh` included. */
  all: readonly ReplicaSet[];
  /** It was made in this pass. */
  isNewlyMade: boolean;
}

type Condition = DeploymentCondition;

export function planStatus(deployment: Deployment, rollout: Rollout, now: Date): DeploymentStatus {
  const { fresh, all } = rollout;
  const available = sum(all.map((one) => one.status?.availableReplicas ?? 0));
  const status: DeploymentStatus = {
    observedGeneration: deployment.metadata.generation,
    replicas: sum(all.map((one) => one.status?.replicas ?? 0)),
    updatedReplicas: fresh?.status?.replicas ?? 0,
    readyReplicas: sum(all.map((one) => one.status?.readyReplicas ?? 0)),
    availableReplicas: available,
    unavailableReplicas: Math.max(0, sum(all.map(replicasOf)) - available),
    ...(deployment.status?.collisionCount && { collisionCount: deployment.status.collisionCount }),
  };
  const before = deployment.status?.conditions ?? [];
  const wanted = [
    availability(deployment, available),
    progress(deployment, rollout, status, now),
    replicaFailure(rollout),
  ].filter((condition) => condition !== undefined);
  const conditions = wanted.map((condition) => settle(before, condition, now));
  return { ...status, ...(conditions.length > 0 && { conditions }) };
}

interface Wanted extends Pick<Condition, 'type' | 'status' | 'reason' | 'message'> {
  /** `lastUpdateTime` moves although status and reason stay: something moved on. */
  isRenewed?: boolean;
}

/** Keeps the times of what did not change, so that an equal status compares equal. */
function settle(before: readonly Condition[], { isRenewed, ...wanted }: Wanted, now: Date): Condition {
  const old = findCondition(before, wanted.type);
  if (old && old.status === wanted.status && old.reason === wanted.reason && !isRenewed) return old;
  const at = toTime(now);
  return {
    ...wanted,
    lastUpdateTime: at,
    lastTransitionTime: old?.status === wanted.status ? old.lastTransitionTime : at,
  };
}

function availability(deployment: Deployment, available: number): Wanted {
  const isEnough = available >= replicasOf(deployment) - limitsOf(deployment).maxUnavailable;
  return isEnough
    ? {
        type: 'Available',
        status: 'True',
        reason: 'MinimumReplicasAvailable',
        message: 'Deployment has minimum availability.',
      }
    : {
        type: 'Available',
        status: 'False',
        reason: 'MinimumReplicasUnavailable',
        message: 'Deployment does not have minimum availability.',
      };
}

/** No deadline, no condition: then nobody could tell slow from stuck. */
function progress(
  deployment: Deployment,
  rollout: Rollout,
  next: DeploymentStatus,
  now: Date,
): Wanted | undefined {
  if (deadlineMs(deployment) === undefined) return undefined;
  const old = findCondition(deployment.status?.conditions, 'Progressing');
  const subject = rollout.fresh
    ? `ReplicaSet "${rollout.fresh.metadata.name}"`
    : `Deployment "${deployment.metadata.name}"`;
  const say = (status: string, reason: string, message: string): Wanted => ({
    type: 'Progressing',
    status,
    reason,
    message,
  });

  if (deployment.spec?.paused && old?.reason !== 'ProgressDeadlineExceeded') {
    return say('Unknown', 'DeploymentPaused', 'Deployment is paused');
  }
  if (!deployment.spec?.paused && old?.reason === 'DeploymentPaused') {
    return { ...say('Unknown', 'DeploymentResumed', 'Deployment is resumed'), isRenewed: true };
  }
  if (rollout.isNewlyMade) {
    const message = `Created new replica set "${rollout.fresh?.metadata.name}"`;
    return { ...say('True', 'NewReplicaSetCreated', message), isRenewed: true };
  }
  if (old?.reason === 'NewReplicaSetAvailable' && next.replicas === next.updatedReplicas) return old;
  if (isComplete(deployment, next))
    return say('True', 'NewReplicaSetAvailable', `${subject} has successfully progressed.`);
  if (hasProgressed(deployment.status, next)) {
    return { ...say('True', 'ReplicaSetUpdated', `${subject} is progressing.`), isRenewed: true };
  }
  if (isTimedOut(deployment, now))
    return say('False', 'ProgressDeadlineExceeded', `${subject} has timed out progressing.`);
  if (old) return old;
  return say('True', 'FoundNewReplicaSet', `Found new replica set "${rollout.fresh?.metadata.name ?? ''}"`);
}

/** Every replica is of the present template and available, and none of an older one is left. */
export const isComplete = (deployment: Deployment, status: DeploymentStatus): boolean =>
  status.updatedReplicas === replicasOf(deployment) &&
  status.replicas === replicasOf(deployment) &&
  status.availableReplicas === replicasOf(deployment) &&
  (status.observedGeneration ?? 0) >= (deployment.metadata.generation ?? 0);

function hasProgressed(before: DeploymentStatus | undefined, next: DeploymentStatus): boolean {
  const old = (status: DeploymentStatus | undefined): number =>
    (status?.replicas ?? 0) - (status?.updatedReplicas ?? 0);
  return (
    (next.updatedReplicas ?? 0) > (before?.updatedReplicas ?? 0) ||
    old(next) < old(before) ||
    (next.readyReplicas ?? 0) > (before?.readyReplicas ?? 0) ||
    (next.availableReplicas ?? 0) > (before?.availableReplicas ?? 0)
  );
}

/** 2^31 - 1 seconds means no deadline, as documented. */
function deadlineMs(deployment: Deployment): number | undefined {
  const seconds = deployment.spec?.progressDeadlineSeconds ?? 600;
  return seconds === 2 ** 31 - 1 ? undefined : seconds * 1_000;
}

/** Milliseconds until the rollout counts as stuck; undefined when none is under way. */
export function stuckInMs(deployment: Deployment, status: DeploymentStatus, now: Date): number | undefined {
  const deadline = deadlineMs(deployment);
  const condition = findCondition(status.conditions, 'Progressing');
  if (
    deadline === undefined ||
    deployment.spec?.paused ||
    condition?.status === 'False' ||
    !condition?.lastUpdateTime
  ) {
    return undefined;
  }
  if (condition.reason === 'NewReplicaSetAvailable' || isComplete(deployment, status)) return undefined;
  return Math.max(0, Date.parse(condition.lastUpdateTime) + deadline - now.getTime());
}

function isTimedOut(deployment: Deployment, now: Date): boolean {
  const old = findCondition(deployment.status?.conditions, 'Progressing');
  if (old?.reason === 'ProgressDeadlineExceeded') return true;
  return stuckInMs(deployment, deployment.status ?? {}, now) === 0;
}

/** The reason why pods cannot be made, from the new replica set before the old ones. */
function replicaFailure({ fresh, all }: Rollout): Wanted | undefined {
  const found = [...(fresh ? [fresh] : []), ...all]
    .map((one) => findCondition(one.status?.conditions, 'ReplicaFailure'))
    .find((condition) => condition !== undefined);
  return (
    found && { type: 'ReplicaFailure', status: found.status, reason: found.reason, message: found.message }
  );
}
