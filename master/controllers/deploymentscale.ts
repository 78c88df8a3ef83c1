/**
 * How many replicas each replica set of a Deployment should have next. Pure: the rules of rolling updates, Recreate and
 * proportional scaling as Kubernetes documents them. Called by `deploymentplan.ts`.
 */
import { resolvePercent } from '../../src/api/intorstring.js';
import type { Deployment, ReplicaSet } from '../../src/api/types.js';
import { byAge, desiredAnnotation, maxAnnotation } from './deploymenttemplate.js';

/** Wanted replicas by name of the replica set; those left out stay as they are. */
export type Sizes = Map<string, number>;

export const replicasOf = (object: ReplicaSet | Deployment): number => object.spec?.replicas ?? 1;
const availableOf = (replicaSet: ReplicaSet): number => replicaSet.status?.availableReplicas ?? 0;
export const nameOf = (replicaSet: ReplicaSet): string => replicaSet.metadata.name ?? '';
export const sum = (numbers: readonly number[]): number =>
  numbers.reduce((total, number) => total + number, 0);
export const isActiveSet = (replicaSet: ReplicaSet): boolean => replicasOf(replicaSet) > 0;

/**
 * How far a rolling update may go above and below `replicas`; never both 0, or nothing could ever move. Recreate knows
 * no such limits: it is available only when all of it is.
 */
export function limitsOf(deployment: Deployment): { maxSurge: number; maxUnavailable: number } {
  const strategy = deployment.spec?.strategy;
  if (strategy?.type === 'Recreate') return { maxSurge: 0, maxUnavailable: 0 };
  const replicas = replicasOf(deployment);
  const maxSurge = resolvePercent(strategy?.rollingUpdate?.maxSurge ?? '25%', replicas, 'up');
  const maxUnavailable = resolvePercent(strategy?.rollingUpdate?.maxUnavailable ?? '25%', replicas, 'down');
  return {
    maxSurge,
    maxUnavailable: maxSurge === 0 && maxUnavailable === 0 ? 1 : Math.min(maxUnavailable, replicas),
  };
}

/** The size of the new replica set in a rolling update: as much as `maxSurge` has room for. */
export function rollingSizeOfNew(
  deployment: Deployment,
  current: number,
  all: readonly ReplicaSet[],
): number {
  const wanted = replicasOf(deployment);
  if (current >= wanted) return wanted;
  const room = wanted + limitsOf(deployment).maxSurge - sum(all.map(replicasOf));
  return room <= 0 ? current : current + Math.min(room, wanted - current);
}

/** Shrinks the old ones as far as availability allows: first their pods that are not available anyway, then by age. */
export function rollingSizesOfOld(
  deployment: Deployment,
  fresh: ReplicaSet,
  old: readonly ReplicaSet[],
): Sizes {
  const sizes: Sizes = new Map();
  const active = old.filter(isActiveSet).toSorted(byAge);
  const minAvailable = replicasOf(deployment) - limitsOf(deployment).maxUnavailable;
  const unavailableNew = replicasOf(fresh) - availableOf(fresh);
  let removable = sum([fresh, ...old].map(replicasOf)) - minAvailable - unavailableNew;
  for (const one of active) {
    const unhealthy = Math.min(removable, replicasOf(one) - availableOf(one));
    if (unhealthy <= 0) continue;
    sizes.set(nameOf(one), replicasOf(one) - unhealthy);
    removable -= unhealthy;
  }
  let spare = Math.min(removable, sum([fresh, ...old].map(availableOf)) - minAvailable);
  for (const one of active) {
    const size = sizes.get(nameOf(one)) ?? replicasOf(one);
    const cut = Math.min(spare, size);
    if (cut <= 0) continue;
    sizes.set(nameOf(one), size - cut);
    spare -= cut;
  }
  return sizes;
}

/** True when `spec.replicas` changed since the replica sets were last sized: the difference is then spread. */
export const isScaling = (deployment: Deployment, all: readonly ReplicaSet[]): boolean =>
  all.filter(isActiveSet).some((one) => {
    const desired = one.metadata.annotations?.[desiredAnnotation];
    return desired !== undefined && Number(desired) !== replicasOf(deployment);
  });

/**
 * Sizes after a change of `replicas` while paused or in the middle of a rollout: a single active replica set takes all;
 * several share the change in proportion to their sizes, the larger ones first, the rest to the first.
 */
export function scaledSizes(
  deployment: Deployment,
  fresh: ReplicaSet | undefined,
  old: readonly ReplicaSet[],
): Sizes {
  const all = fresh ? [fresh, ...old] : [...old];
  const active = all.filter(isActiveSet);
  const wanted = replicasOf(deployment);
  const single = active.length === 1 ? active[0] : active.length === 0 ? (fresh ?? newest(old)) : undefined;
  if (single) return new Map(replicasOf(single) === wanted ? [] : [[nameOf(single), wanted]]);
  if (active.length === 0) return new Map();
  if (fresh && isSaturated(deployment, fresh))
    return new Map(old.filter(isActiveSet).map((one) => [nameOf(one), 0]));
  if (deployment.spec?.strategy?.type === 'Recreate') return new Map();
  return proportionalSizes(deployment, active);
}

const newest = (old: readonly ReplicaSet[]): ReplicaSet | undefined => old.toSorted(byAge).at(-1);

const isSaturated = (deployment: Deployment, fresh: ReplicaSet): boolean =>
  replicasOf(fresh) === replicasOf(deployment) &&
  Number(fresh.metadata.annotations?.[desiredAnnotation]) === replicasOf(deployment) &&
  availableOf(fresh) === replicasOf(deployment);

function proportionalSizes(deployment: Deployment, active: readonly ReplicaSet[]): Sizes {
  const wanted = replicasOf(deployment);
  const maxTotal = wanted > 0 ? wanted + limitsOf(deployment).maxSurge : 0;
  const change = maxTotal - sum(active.map(replicasOf));
  // Growing favours the newer of equals, shrinking the older.
  const order = change > 0 ? -1 : 1;
  const sorted = active.toSorted((a, b) => replicasOf(b) - replicasOf(a) || order * byAge(a, b));
  const sizes: Sizes = new Map();
  let given = 0;
  for (const one of sorted) {
    const share = proportion(one, deployment, change, given);
    sizes.set(nameOf(one), replicasOf(one) + share);
    given += share;
  }
  const [first] = sorted;
  if (first) sizes.set(nameOf(first), Math.max(0, (sizes.get(nameOf(first)) ?? 0) + change - given));
  return sizes;
}

function proportion(one: ReplicaSet, deployment: Deployment, change: number, given: number): number {
  const left = change - given;
  if (replicasOf(one) === 0 || left === 0) return 0;
  const wanted = replicasOf(deployment);
  if (wanted === 0) return Math.max(-replicasOf(one), left);
  const before =
    Number(one.metadata.annotations?.[maxAnnotation] ?? 0) || deployment.status?.replicas || wanted;
  const scaled = Math.round((replicasOf(one) * (wanted + limitsOf(deployment).maxSurge)) / before);
  const fraction = scaled - replicasOf(one);
  return change > 0 ? Math.min(fraction, left) : Math.max(fraction, left);
}
