/**
 * 2. POST to `pods/eviction`: deletes a pod if its PodDisruptionBudget lets it go; `kubectl drain` comes this way.
 *
 * One disruption is taken off the budget's status before the pod is deleted, in one conditional write, so that two
 * evictions cannot have the same one; the disruption controller gives back what was taken for nothing. Pods that serve
 * nobody (ended, not started, on their way out) need no budget. As the Kubernetes documentation of API-initiated
 * eviction has it.
 */
import { ApiError, badRequest, conflict, forbidden, isReason, type Status } from '../../src/api/errors.js';
import { podDisruptionBudgets } from '../../src/api/kinds.js';
import { findCondition, isConditionTrue, type ObjectRef, withCondition } from '../../src/api/meta.js';
import { selectorOf } from '../../src/api/selectors.js';
import type { Eviction, Pod, PodDisruptionBudget } from '../../src/api/types.js';
import type { DeleteOptions } from '../../src/client/client.js';
import { toTime } from '../../src/host/clock.js';
import type { Resource } from '../resources/resource.js';
import { readAs } from './body.js';
import { remove } from './delete.js';
import { type Environment, resourceKey, subjectOf } from './environment.js';
import { read } from './get.js';
import { list } from './list.js';
import { modify } from './modify.js';
import type { RequestContext } from './registry.js';

/** Evictions the controller has not confirmed yet; with more of them something is wrong with it. */
const maxDisrupted = 2000;
const maxAttempts = 10;
/** How long to wait for the controller to look at a new budget. */
const retrySeconds = 10;

interface Call {
  env: Environment;
  resource: Resource<Pod>;
  ref: ObjectRef;
  context: RequestContext;
  options: DeleteOptions;
}

/** Rejects with `TooManyRequests` while the budget is used up, `NotFound`, `Conflict`, `BadRequest`. */
export async function evict(
  env: Environment,
  resource: Resource<Pod>,
  ref: ObjectRef,
  body: unknown,
  context: RequestContext,
): Promise<Status> {
  const eviction = readEviction(body, context);
  if (eviction.metadata.name !== ref.name)
    throw badRequest('name in URL does not match name in Eviction object');
  const call: Call = { env, resource, ref, context, options: optionsOf(eviction, context) };
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await evictOnce(call);
    } catch (error) {
      // The pod changed while we looked: look again, unless the caller meant that very state of it.
      const isRace = isReason(error, 'Conflict') && !call.options.preconditions;
      if (!isRace || attempt >= maxAttempts) throw error;
    }
  }
}

async function evictOnce(call: Call): Promise<Status> {
  const { env, resource, ref } = call;
  const { object: pod } = (await read(env, resource, ref)).stored;
  checkUid(call, pod);
  if (!needsBudget(pod)) return removePod(call, pod);
  const [budget, ...more] = await budgetsOf(env, pod);
  if (more.length > 0) throw new ApiError('InternalError', tooManyBudgets);
  if (!budget) return removePod(call, pod);
  if (!isConditionTrue(pod.status?.conditions, 'Ready') && mayGoUnready(budget)) {
    // It must not have become ready since: then it would have counted.
    return removePod(call, pod, pod.metadata.resourceVersion);
  }
  await take(call, budget);
  return removePod(call, pod);
}

function checkUid({ resource, ref, options }: Call, { metadata }: Pod): void {
  const { uid } = options.preconditions ?? {};
  if (!uid || uid === metadata.uid) return;
  const why = `Precondition failed: UID in precondition: ${uid}, UID in object meta: ${metadata.uid}`;
  throw conflict(subjectOf(resource as Resource<never>, ref.name), why);
}

const tooManyBudgets =
  'This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.';

/** Either version may be sent; they are the same. */
function readEviction(body: unknown, context: RequestContext): Eviction {
  const { apiVersion } = (body ?? {}) as { apiVersion?: unknown };
  const version = apiVersion === 'policy/v1beta1' ? 'v1beta1' : 'v1';
  return readAs({ group: 'policy', version, kind: 'Eviction' }, body, context) as Eviction;
}

function optionsOf({ deleteOptions = {} }: Eviction, context: RequestContext): DeleteOptions {
  const { gracePeriodSeconds, preconditions, propagationPolicy: policy, dryRun } = deleteOptions;
  const { uid, resourceVersion } = preconditions ?? {};
  return {
    dryRun: context.dryRun || dryRun?.includes('All') === true,
    ...(gracePeriodSeconds !== undefined && { gracePeriodSeconds }),
    // What is no policy is refused by the delete.
    ...(policy && { propagationPolicy: policy as NonNullable<DeleteOptions['propagationPolicy']> }),
    ...(preconditions && {
      preconditions: { ...(uid && { uid }), ...(resourceVersion && { resourceVersion }) },
    }),
  };
}

const needsBudget = ({ metadata, status }: Pod): boolean =>
  !metadata.deletionTimestamp && !['Succeeded', 'Failed', 'Pending'].includes(status?.phase ?? '');

async function budgetsOf(env: Environment, pod: Pod): Promise<PodDisruptionBudget[]> {
  const { items } = await list(env, budgetRow(env), { namespace: pod.metadata.namespace ?? '' });
  return items.flatMap(({ object }) =>
    selectorOf(object.spec?.selector).matches(pod.metadata.labels) ? [object] : [],
  );
}

function budgetRow(env: Environment): Resource<PodDisruptionBudget> {
  const row = env.resources.of(podDisruptionBudgets);
  if (!row) throw new ApiError('InternalError', `no resource ${resourceKey(podDisruptionBudgets)}`);
  return row;
}

/** A pod that is not ready serves nobody; still it is kept while the application as a whole is short of pods. */
function mayGoUnready({ spec, status }: PodDisruptionBudget): boolean {
  if (spec?.unhealthyPodEvictionPolicy === 'AlwaysAllow') return true;
  const { currentHealthy = 0, desiredHealthy = 0 } = status ?? {};
  return desiredHealthy > 0 && currentHealthy >= desiredHealthy;
}

/** Takes one disruption of the budget for the pod. */
async function take({ env, ref, context, options }: Call, { metadata }: PodDisruptionBudget): Promise<void> {
  const now = toTime(env.clock.now());
  const budget = { namespace: metadata.namespace, name: metadata.name ?? '' };
  const asked = options.dryRun ? { ...context, dryRun: true } : context;
  await modify(env, budgetRow(env), budget, asked, {
    produce: (current) => {
      checkBudget(env, current);
      const { disruptionsAllowed = 0, disruptedPods } = current.status ?? {};
      const status = {
        ...current.status,
        disruptionsAllowed: disruptionsAllowed - 1,
        disruptedPods: { ...disruptedPods, [ref.name]: now },
      };
      return { ...current, status };
    },
    prepare: (object) => object,
    validate: () => [],
    keepsGeneration: true,
  });
}

function checkBudget(env: Environment, { metadata, status }: PodDisruptionBudget): void {
  const name = metadata.name ?? '';
  const { observedGeneration = 0, disruptionsAllowed = 0, disruptedPods } = status ?? {};
  if (observedGeneration < (metadata.generation ?? 0))
    throw refused(`The disruption budget ${name} is still being processed by the server.`, retrySeconds);
  const subject = { ...subjectOf(budgetRow(env) as Resource<never>, name), resource: 'poddisruptionbudget' };
  if (disruptionsAllowed < 0) throw forbidden(subject, 'pdb disruptions allowed is negative');
  if (Object.keys(disruptedPods ?? {}).length > maxDisrupted) {
    const why = 'DisruptedPods map too big - too many evictions not confirmed by PDB controller';
    throw forbidden(subject, why);
  }
  if (disruptionsAllowed > 0) return;
  const allowed = findCondition(status?.conditions, 'DisruptionAllowed');
  if (allowed?.status === 'False' && allowed.reason === 'SyncFailed') {
    const why = `does not allow evicting pods currently because it failed sync: ${allowed.message ?? ''}`;
    throw refused(`The disruption budget ${name} ${why}`);
  }
  const { desiredHealthy = 0, currentHealthy = 0 } = status ?? {};
  throw refused(
    `The disruption budget ${name} needs ${desiredHealthy} healthy pods and has ${currentHealthy} currently`,
  );
}

/** Without `retryAfterSeconds` the client decides when to ask again; `kubectl drain` does after five seconds. */
const refused = (message: string, retryAfterSeconds?: number): ApiError =>
  new ApiError('TooManyRequests', "Cannot evict pod as it would violate the pod's disruption budget.", {
    causes: [{ reason: 'DisruptionBudget', message }],
    ...(retryAfterSeconds !== undefined && { retryAfterSeconds }),
  });

/** Says on the pod why it goes, then deletes it. `version`: only in this state of it. */
async function removePod(call: Call, pod: Pod, version?: string): Promise<Status> {
  const { env, resource, ref, context, options } = call;
  const asked = options.preconditions ?? {};
  const expected = version ?? asked.resourceVersion;
  let preconditions: DeleteOptions['preconditions'] = { ...asked, uid: pod.metadata.uid ?? '' };
  if (!options.dryRun) {
    const marked = await markDisrupted(call, expected);
    if (expected)
      preconditions = { ...preconditions, resourceVersion: marked.metadata.resourceVersion ?? '' };
  } else if (expected) preconditions = { ...preconditions, resourceVersion: expected };
  try {
    await remove(env, resource, ref, { ...options, preconditions }, context);
  } catch (error) {
    // It went by itself in between, which is what was asked for.
    if (!isReason(error, 'NotFound')) throw error;
  }
  return { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', code: 201 };
}

async function markDisrupted({ env, resource, ref, context }: Call, version?: string): Promise<Pod> {
  const condition = {
    type: 'DisruptionTarget',
    status: 'True',
    reason: 'EvictionByEvictionAPI',
    message: 'Eviction API: evicting',
    lastTransitionTime: toTime(env.clock.now()),
  };
  const { object } = await modify(env, resource, ref, context, {
    produce: (pod) => ({
      ...pod,
      metadata: { ...pod.metadata, ...(version && { resourceVersion: version }) },
      status: { ...pod.status, conditions: withCondition(pod.status?.conditions, condition) },
    }),
    prepare: (pod) => pod,
    validate: () => [],
    keepsGeneration: true,
  });
  return object;
}
