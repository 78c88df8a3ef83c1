/**
 * 5. Rolls a Deployment from one template to the next by sizing its replica sets. Decisions are in `deploymentplan.ts`,
 * `deploymentscale.ts` and `deploymentstatus.ts`.
 *
 * A pass: claim replica sets -> plan -> steps -> status. Writes carry the version they were planned against, so a pass
 * on a stale cache ends in a Conflict and is repeated, never in a wrong size.
 */
import { isDeepStrictEqual } from 'node:util';
import { isReason } from '../../src/api/errors.js';
import { deployments, replicaSets } from '../../src/api/kinds.js';
import { controllerOf, keyOf, keyOfRef, refOf } from '../../src/api/meta.js';
import { selectorOf } from '../../src/api/selectors.js';
import type { Deployment, Pod, ReplicaSet } from '../../src/api/types.js';
import type { Change } from '../../src/client/cache.js';
import { type Controller, createController, on } from '../../src/client/controller.js';
import { ifFound } from '../../src/client/found.js';
import type { ReconcileResult } from '../../src/client/reconciler.js';
import { executeClaims, planClaims } from './claims.js';
import { type ControllerContext, ownedOrOrphaned, podInformer, replicaSetInformer } from './context.js';
import { plan, type Step } from './deploymentplan.js';
import { planStatus, type Rollout, stuckInMs } from './deploymentstatus.js';
import { isTemplateEqual, revisionAnnotation } from './deploymenttemplate.js';

type Executors = {
  [K in Step['do']]: (
    deployment: Deployment,
    step: Extract<Step, { do: K }>,
  ) => Promise<ReplicaSet | undefined>;
};

const workers = 8;

export function createDeploymentController(context: ControllerContext): Controller {
  const { client, clock, log, informers } = context;
  const recorder = context.recorder('deployment-controller');
  const cache = informers.get(deployments);
  const setCache = replicaSetInformer(informers);
  const podCache = podInformer(informers);

  async function reconcile(key: string): Promise<ReconcileResult> {
    const deployment = cache.getByKey(key);
    if (!deployment) return undefined;
    const claims = planClaims(
      deployment,
      selectorOf(deployment.spec?.selector),
      ownedOrOrphaned(setCache, deployment),
    );
    const target = { client, ownerType: deployments, owner: deployment, type: replicaSets };
    const owned = await executeClaims(target, claims);
    const { fresh, steps } = plan(deployment, owned, (one) =>
      podCache.byIndex('controller', one.metadata.uid ?? ''),
    );
    const rollout: Rollout = { fresh, all: owned, isNewlyMade: false };
    for (const step of steps) {
      const written = await execute(deployment, step);
      if (!written) continue;
      rollout.all = [...rollout.all.filter((one) => one.metadata.uid !== written.metadata.uid), written];
      if (step.do === 'create') rollout.isNewlyMade = true;
      if (step.do === 'create' || fresh?.metadata.uid === written.metadata.uid) rollout.fresh = written;
    }
    return writeStatus(deployment, rollout);
  }

  async function writeStatus(deployment: Deployment, rollout: Rollout): Promise<ReconcileResult> {
    const status = planStatus(deployment, rollout, clock.now());
    if (!isDeepStrictEqual({ ...deployment.status }, status)) {
      const { uid } = deployment.metadata;
      const body = { metadata: { uid }, status: { ...status, conditions: status.conditions ?? null } };
      await ifFound(
        client.patch(deployments, refOf(deployment), { type: 'merge', body }, { subresource: 'status' }),
      );
    }
    const stuckMs = stuckInMs(deployment, status, clock.now());
    // A second late, so that times cut to seconds have surely passed.
    return stuckMs === undefined ? undefined : { requeueAfterMs: stuckMs + 1_000 };
  }

  const executors: Executors = {
    async create(deployment, { replicaSet }) {
      try {
        const made = await client.create(replicaSets, replicaSet);
        const text = `Scaled up replica set ${made.metadata.name} from 0 to ${made.spec?.replicas}`;
        if (made.spec?.replicas) recorder.event(deployment, 'Normal', 'ScalingReplicaSet', text);
        return made;
      } catch (error) {
        if (!isReason(error, 'AlreadyExists')) throw error;
        return resolveCollision(deployment, replicaSet);
      }
    },
    async resize(deployment, { replicaSet, from, to }) {
      const written = await client.update(replicaSets, replicaSet);
      if (from !== to) {
        const text = `Scaled ${to > from ? 'up' : 'down'} replica set ${replicaSet.metadata.name} from ${from} to ${to}`;
        recorder.event(deployment, 'Normal', 'ScalingReplicaSet', text);
      }
      return written;
    },
    annotate: (_deployment, { replicaSet }) => client.update(replicaSets, replicaSet),
    async delete(_deployment, { replicaSet }) {
      const { uid = '', resourceVersion = '' } = replicaSet.metadata;
      await ifFound(
        client.delete(replicaSets, refOf(replicaSet), { preconditions: { uid, resourceVersion } }),
      );
      return undefined;
    },
    async revise(deployment, { revision }) {
      const body = {
        metadata: { uid: deployment.metadata.uid, annotations: { [revisionAnnotation]: revision } },
      };
      await client.patch(deployments, refOf(deployment), { type: 'merge', body });
      return undefined;
    },
  };

  function execute<K extends Step['do']>(
    deployment: Deployment,
    step: Extract<Step, { do: K }>,
  ): Promise<ReplicaSet | undefined> {
    const executor = executors[step.do as K];
    return executor(deployment, step);
  }

  /**
   * The name is taken: by our own replica set that the cache does not show yet, or by a stranger whose hash is the
   * same. Against a stranger the collision count makes the next hash differ.
   */
  async function resolveCollision(deployment: Deployment, wanted: ReplicaSet): Promise<ReplicaSet> {
    const there = await client.get(replicaSets, refOf(wanted));
    const isOurs = controllerOf(there)?.uid === deployment.metadata.uid;
    if (isOurs && isTemplateEqual(there.spec?.template, deployment.spec?.template)) return there;
    const collisionCount = (deployment.status?.collisionCount ?? 0) + 1;
    const body = { metadata: { uid: deployment.metadata.uid }, status: { collisionCount } };
    await client.patch(deployments, refOf(deployment), { type: 'merge', body }, { subresource: 'status' });
    throw new Error(`the name ${wanted.metadata.name} is taken by another replica set`);
  }

  function keysOfSet({ old, current }: Change<ReplicaSet>): Iterable<string> {
    const keys = new Set<string>();
    for (const replicaSet of [old, current]) {
      if (!replicaSet) continue;
      const { namespace, labels } = replicaSet.metadata;
      const owner = controllerOf(replicaSet);
      if (owner?.kind === 'Deployment') keys.add(keyOfRef({ namespace, name: owner.name }));
      if (owner) continue;
      for (const deployment of cache.list(namespace)) {
        if (selectorOf(deployment.spec?.selector).matches(labels)) keys.add(keyOf(deployment));
      }
    }
    return keys;
  }

  /** Only Recreate waits for pods, and only for their end. */
  function keysOfPod({ old, current }: Change<Pod>): Iterable<string> {
    if (!old || current) return [];
    const owner = controllerOf(old);
    const set = owner && setCache.get({ namespace: old.metadata.namespace, name: owner.name });
    const deployment = set && controllerOf(set);
    if (deployment?.kind !== 'Deployment') return [];
    return [keyOfRef({ namespace: old.metadata.namespace, name: deployment.name })];
  }

  return createController({
    name: 'deployment',
    reconciler: { reconcile },
    sources: [on(cache), on(setCache, keysOfSet), on(podCache, keysOfPod)],
    workers,
    clock,
    log,
  });
}
