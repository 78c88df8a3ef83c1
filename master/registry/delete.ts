/**
 * 2. DELETE: removes an object at once, or marks it and leaves the rest to its finalizers and its agent.
 */
import { conflict, forbidden, invalid, isReason } from '../../src/api/errors.js';
import type { ObjectRef } from '../../src/api/meta.js';
import type { KubeObject } from '../../src/api/types.js';
import type { DeleteOptions, ListOptions } from '../../src/client/client.js';
import type { Resource } from '../resources/resource.js';
import { CompareFailed } from '../store/store.js';
import { type Admitted, mutate, validate } from './admit.js';
import { releaseOf } from './allocate.js';
import { isSameJson, managedOf, restamp, serialise, stamp } from './codec.js';
import {
  type Environment,
  fromStoreError,
  shared,
  strategyContext,
  subjectOf,
  toStored,
} from './environment.js';
import { read } from './get.js';
import { list } from './list.js';
import type { DeleteResult, RequestContext, Stored, StoredList } from './registry.js';
import { marked, mayLeave } from './removal.js';
import { notSupported } from './validation/field.js';
import { storedRow } from './views.js';

const policies = ['Foreground', 'Background', 'Orphan'];

/** Rejects with `NotFound`, `Conflict` (preconditions), `Forbidden` (what may never go). */
export async function remove<T extends KubeObject>(
  env: Environment,
  requested: Resource<T>,
  ref: ObjectRef,
  options: DeleteOptions,
  context: RequestContext,
): Promise<DeleteResult<T>> {
  const resource = storedRow(requested);
  checkPolicy(options);
  for (;;) {
    const { stored, key, modRevision } = await read(env, resource, ref);
    checkPreconditions(resource, stored.object, options);
    const why = resource.strategy.forbidDelete?.(stored.object);
    if (why) throw forbidden(subjectOf(resource, ref.name), why);
    await admit(env, requested, stored.object, context);
    try {
      return await removeOnce(env, resource, { stored, key, modRevision, options, context });
    } catch (error) {
      // Somebody wrote in between: look again. A delete is meant for whatever is there now.
      if (!(error instanceof CompareFailed)) throw fromStoreError(error);
      if (error.current) await landed(env, key, error.current.modRevision, context.signal);
    }
  }
}

async function admit<T extends KubeObject>(
  env: Environment,
  resource: Resource<T>,
  oldObject: T,
  context: RequestContext,
): Promise<void> {
  if (!env.admission.concerns(resource as Resource<never>, 'DELETE', '')) return;
  const { namespace, name } = oldObject.metadata;
  const request: Admitted<T> = {
    ...{ operation: 'DELETE', resource, subresource: '', namespace, name, object: undefined, oldObject },
    ...{ options: context.options, context },
  };
  await mutate(env, request);
  await validate(env, request);
}

/** Waits until a write that was seen under way can be read (or was undone). */
async function landed(env: Environment, key: string, revision: number, signal: AbortSignal): Promise<void> {
  for (let tries = 0; tries < 100 && env.store.revision() < revision; tries += 1)
    await env.clock.sleep(1, signal);
  await env.store.get(key);
}

interface Removal<T extends KubeObject> {
  stored: Stored<T>;
  key: string;
  modRevision: number;
  options: DeleteOptions;
  context: RequestContext;
}

async function removeOnce<T extends KubeObject>(
  env: Environment,
  resource: Resource<T>,
  { stored, key, modRevision, options, context }: Removal<T>,
): Promise<DeleteResult<T>> {
  const old = stored.object;
  const now = env.clock.now();
  const isDryRun = context.dryRun || options.dryRun === true;
  const next = marked(resource, old, options, now);
  if (mayLeave(resource, next)) {
    if (isDryRun) return { ...stored, gone: true };
    const revision = await env.store.delete(key, modRevision);
    env.expiry.removed(key);
    releaseOf(env, resource, old);
    return { ...shared(env, restamp(stored, revision) as Stored<T>), gone: true };
  }
  const isFirst = !old.metadata.deletionTimestamp;
  const object = isFirst
    ? (resource.strategy.prepareForDelete?.(strategyContext(env, context), next) ?? next)
    : next;
  if (isSameJson(object, old)) return { ...stored, gone: false };
  const bytes = serialise(object, managedOf(stored.bytes));
  if (isDryRun) return { ...shared(env, { bytes: stamp(bytes, modRevision), object }), gone: false };
  return { ...toStored<T>(env, await env.store.put(key, bytes, modRevision)), gone: false };
}

function checkPolicy({ propagationPolicy }: DeleteOptions): void {
  if (!propagationPolicy || policies.includes(propagationPolicy)) return;
  const error = notSupported('propagationPolicy', propagationPolicy, [...policies, 'nil']);
  throw invalid({ group: 'meta.k8s.io', kind: 'DeleteOptions', name: '' }, [error]);
}

function checkPreconditions(
  resource: Resource,
  { metadata }: KubeObject,
  { preconditions }: DeleteOptions,
): void {
  const { uid, resourceVersion } = preconditions ?? {};
  const fail = (what: string, wanted: string, found: string | undefined): never => {
    const why = `Precondition failed: ${what} in precondition: ${wanted}, ${what} in object meta: ${found}`;
    throw conflict(subjectOf(resource, metadata.name ?? ''), why);
  };
  if (uid && uid !== metadata.uid) fail('UID', uid, metadata.uid);
  if (resourceVersion && resourceVersion !== metadata.resourceVersion) {
    fail('ResourceVersion', resourceVersion, metadata.resourceVersion);
  }
}

/** Deletions under way at a time: enough to share group commits. */
const parallel = 64;

/** Deletes everything the list options select; answers what was selected. What is already gone is no error. */
export async function removeCollection(
  env: Environment,
  resource: Resource,
  which: ListOptions,
  options: DeleteOptions,
  context: RequestContext,
): Promise<StoredList> {
  const found = await list(env, storedRow(resource), which);
  for (let start = 0; start < found.items.length; start += parallel) {
    const some = found.items.slice(start, start + parallel);
    await Promise.all(some.map((item) => removeListed(env, resource, item.object, options, context)));
  }
  return found;
}

async function removeListed(
  env: Environment,
  resource: Resource,
  { metadata }: KubeObject,
  options: DeleteOptions,
  context: RequestContext,
): Promise<void> {
  try {
    await remove(
      env,
      resource,
      { namespace: metadata.namespace, name: metadata.name ?? '' },
      options,
      context,
    );
  } catch (error) {
    if (!isReason(error, 'NotFound')) throw error;
  }
}
