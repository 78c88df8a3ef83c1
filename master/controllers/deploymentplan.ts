/**
 * The next steps of a Deployment, from what is there now. Pure. Every step changes an object whose change calls the
 * controller again, so a plan only ever says what is right to do next, never the whole rollout.
 */
import { isDeepStrictEqual } from 'node:util';
import type { Deployment, Pod, ReplicaSet } from '../../src/api/types.js';
import {
  isActiveSet,
  isScaling,
  limitsOf,
  nameOf,
  replicasOf,
  rollingSizeOfNew,
  rollingSizesOfOld,
  type Sizes,
  scaledSizes,
} from './deploymentscale.js';
import {
  annotationsOfNew,
  desiredAnnotation,
  findNew,
  maxAnnotation,
  newReplicaSet,
  revisionAnnotation,
  revisionOf,
} from './deploymenttemplate.js';
import { isTerminal } from './podstate.js';

export type Step =
  | { do: 'create'; replicaSet: ReplicaSet }
  /** Size and annotations; `from` is the size before. */
  | { do: 'resize'; replicaSet: ReplicaSet; from: number; to: number }
  | { do: 'annotate'; replicaSet: ReplicaSet }
  | { do: 'delete'; replicaSet: ReplicaSet }
  /** The Deployment shows the revision of its new replica set. */
  | { do: 'revise'; revision: string };

export interface Plan {
  fresh: ReplicaSet | undefined;
  steps: Step[];
}

/** `podsOf` yields the pods of a replica set, terminating ones included; only Recreate looks at them. */
export function plan(
  deployment: Deployment,
  owned: readonly ReplicaSet[],
  podsOf: (replicaSet: ReplicaSet) => readonly Pod[],
): Plan {
  const fresh = findNew(deployment, owned);
  return {
    fresh,
    steps: deployment.metadata.deletionTimestamp
      ? []
      : oneWriteEach(stepsOf(deployment, fresh, owned, podsOf)),
  };
}

/** A second write to a replica set would meet the version that the first one made: it waits for the next pass. */
function oneWriteEach(steps: readonly Step[]): Step[] {
  const annotated = new Set(
    steps.flatMap((step) => (step.do === 'annotate' ? [nameOf(step.replicaSet)] : [])),
  );
  return steps.filter((step) => step.do !== 'resize' || !annotated.has(nameOf(step.replicaSet)));
}

function stepsOf(
  deployment: Deployment,
  fresh: ReplicaSet | undefined,
  owned: readonly ReplicaSet[],
  podsOf: (replicaSet: ReplicaSet) => readonly Pod[],
): Step[] {
  const old = owned.filter((one) => one !== fresh);
  if (deployment.spec?.paused || isScaling(deployment, owned)) {
    const steps = [
      ...annotate(deployment, fresh, old),
      ...resize(deployment, owned, scaledSizes(deployment, fresh, old)),
    ];
    return deployment.spec?.paused ? [...steps, ...cleanUp(deployment, old)] : steps;
  }
  const steps =
    deployment.spec?.strategy?.type === 'Recreate'
      ? recreate(deployment, fresh, old, podsOf)
      : roll(deployment, fresh, old);
  return steps.length > 0 ? steps : cleanUp(deployment, old);
}

function roll(deployment: Deployment, fresh: ReplicaSet | undefined, old: readonly ReplicaSet[]): Step[] {
  if (!fresh) return [create(deployment, old, rollingSizeOfNew(deployment, 0, old))];
  const steps = annotate(deployment, fresh, old);
  const all = [fresh, ...old];
  const size = rollingSizeOfNew(deployment, replicasOf(fresh), all);
  if (size !== replicasOf(fresh))
    return [...steps, ...resize(deployment, all, new Map([[nameOf(fresh), size]]))];
  return [...steps, ...resize(deployment, all, rollingSizesOfOld(deployment, fresh, old))];
}

/** All of the old go, pods and all, before the first of the new comes. */
function recreate(
  deployment: Deployment,
  fresh: ReplicaSet | undefined,
  old: readonly ReplicaSet[],
  podsOf: (replicaSet: ReplicaSet) => readonly Pod[],
): Step[] {
  const active = old.filter(isActiveSet);
  const steps = annotate(deployment, fresh, old);
  if (active.length > 0)
    return [...steps, ...resize(deployment, old, new Map(active.map((one) => [nameOf(one), 0])))];
  if (old.some((one) => podsOf(one).some((pod) => !isTerminal(pod)))) return steps;
  if (!fresh) return [create(deployment, old, replicasOf(deployment))];
  return [...steps, ...resize(deployment, [fresh], new Map([[nameOf(fresh), replicasOf(deployment)]]))];
}

const sizeAnnotations = (deployment: Deployment): Record<string, string> => ({
  [desiredAnnotation]: String(replicasOf(deployment)),
  [maxAnnotation]: String(replicasOf(deployment) + limitsOf(deployment).maxSurge),
});

function create(deployment: Deployment, old: readonly ReplicaSet[], replicas: number): Step {
  const annotations = { ...annotationsOfNew(deployment, undefined, old), ...sizeAnnotations(deployment) };
  return { do: 'create', replicaSet: newReplicaSet(deployment, replicas, annotations) };
}

/** Revision and inherited annotations on the new replica set, and its revision on the Deployment. */
function annotate(deployment: Deployment, fresh: ReplicaSet | undefined, old: readonly ReplicaSet[]): Step[] {
  if (!fresh) return [];
  const steps: Step[] = [];
  const annotations = annotationsOfNew(deployment, fresh, old);
  const minReadySeconds = deployment.spec?.minReadySeconds ?? 0;
  const isSame =
    isDeepStrictEqual(annotations, { ...fresh.metadata.annotations }) &&
    minReadySeconds === (fresh.spec?.minReadySeconds ?? 0);
  const replicaSet = {
    ...fresh,
    metadata: { ...fresh.metadata, annotations },
    ...(fresh.spec && { spec: { ...fresh.spec, minReadySeconds } }),
  };
  if (!isSame) steps.push({ do: 'annotate', replicaSet });
  const revision = annotations[revisionAnnotation] ?? '';
  if (deployment.metadata.annotations?.[revisionAnnotation] !== revision)
    steps.push({ do: 'revise', revision });
  return steps;
}

function resize(deployment: Deployment, all: readonly ReplicaSet[], sizes: Sizes): Step[] {
  const wanted = sizeAnnotations(deployment);
  return all.filter(isActiveOrSized(sizes)).flatMap((one): Step[] => {
    const to = sizes.get(nameOf(one)) ?? replicasOf(one);
    const annotations = { ...one.metadata.annotations, ...wanted };
    if (to === replicasOf(one) && isDeepStrictEqual(annotations, { ...one.metadata.annotations })) return [];
    const spec = one.spec && { ...one.spec, replicas: to };
    const replicaSet = { ...one, metadata: { ...one.metadata, annotations }, ...(spec && { spec }) };
    return [{ do: 'resize', replicaSet, from: replicasOf(one), to }];
  });
}

const isActiveOrSized =
  (sizes: Sizes) =>
  (one: ReplicaSet): boolean =>
    sizes.has(nameOf(one)) || isActiveSet(one);

/** Old replica sets beyond `revisionHistoryLimit`, oldest revision first; never one that still has pods. */
function cleanUp(deployment: Deployment, old: readonly ReplicaSet[]): Step[] {
  const limit = deployment.spec?.revisionHistoryLimit ?? 10;
  const alive = old.filter((one) => !one.metadata.deletionTimestamp);
  const surplus = alive
    .toSorted((a, b) => Number(revisionOf(a) - revisionOf(b)))
    .slice(0, Math.max(0, alive.length - limit));
  return surplus.filter(isEmptySet).map((replicaSet) => ({ do: 'delete', replicaSet }));
}

const isEmptySet = (one: ReplicaSet): boolean =>
  replicasOf(one) === 0 &&
  (one.status?.replicas ?? 0) === 0 &&
  (one.status?.observedGeneration ?? 0) >= (one.metadata.generation ?? 0);
