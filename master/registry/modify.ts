/**
 * 2. The one way an existing object changes: read, let `produce` make the next state, check it, write it back if nobody
 * wrote in between, else again. PUT, PATCH, scale, binding and finalize are all `produce` functions.
 */
import {
  badRequest,
  conflict,
  type FieldError,
  fieldErrorText,
  invalid,
  staleVersion,
} from '../../src/api/errors.js';
import type { ObjectRef } from '../../src/api/meta.js';
import type { KubeObject } from '../../src/api/types.js';
import type { Resource } from '../resources/resource.js';
import { CompareFailed } from '../store/store.js';
import { type Admitted, mutate, type Settle, unheard, validate } from './admit.js';
import { releaseOf, reserve } from './allocate.js';
import { isSameJson, managedOf, restamp, serialise, stamp } from './codec.js';
import {
  type Environment,
  fromStoreError,
  kindSubjectOf,
  shared,
  subjectOf,
  toStored,
} from './environment.js';
import { read } from './get.js';
import type { OwnedWrite } from './managed.js';
import type { RequestContext, Stored, WriteResult } from './registry.js';
import { mayLeave } from './removal.js';
import { validateMetadata, validateMetadataUpdate } from './validation/metadata.js';
import { storedRow } from './views.js';

const maxAttempts = 10;

export interface Change<T extends KubeObject> {
  /** The next state; with a resourceVersion it is conditional on that version. Called again after a lost race. */
  produce(old: T, stored: Stored<T>): T | Promise<T>;
  /** Fills what is left out, before admission looks at it. */
  default?: ((object: T) => T) | undefined;
  /** Takes over from the produced object what this request may set; `prepareForUpdate` and its like. */
  prepare(object: T, old: T): T;
  validate(object: T, old: T): readonly FieldError[];
  /** The change is no new intention of the owner: `generation` stays. */
  keepsGeneration?: true;
  /** Who owns which fields after the write, as text; by default nobody's ownership changes. */
  owners?(write: OwnedWrite<T>): string | undefined | Promise<string | undefined>;
  /** As what admission sees the write; absent for what it has seen already. */
  admission?: { resource: Resource<T>; subresource: string };
}

/** Rejects with `NotFound`, `BadRequest`, `Conflict`, `Invalid`. */
export async function modify<T extends KubeObject>(
  env: Environment,
  requested: Resource<T>,
  ref: ObjectRef,
  context: RequestContext,
  change: Change<T>,
): Promise<WriteResult<T>> {
  const resource = storedRow(requested);
  let base: Base<T> = await read(env, resource, ref);
  for (let attempt = 1; ; attempt += 1) {
    const old = base.stored.object;
    const produced = await change.produce(old, base.stored);
    checkIdentity(resource, ref, produced, old);
    const next = { ...produced, metadata: ownedMetadata(resource, produced, old) };
    const { object, settle } = await admitted(env, resource, change, { next, old, context });
    const { managedFields } = produced.metadata;
    let written = false;
    try {
      const owners = change.owners
        ? await change.owners({ stored: base.stored, next: object, managedFields })
        : managedOf(base.stored.bytes);
      const stored = await writeBack(env, resource, { object, base, context, owners });
      written = !context.dryRun;
      return { bytes: stored.bytes, object: stored.object, created: false };
    } catch (error) {
      if (!(error instanceof CompareFailed)) throw fromStoreError(error);
      if (attempt >= maxAttempts) throw staleVersion(subjectOf(resource, ref.name));
      base = error.current
        ? {
            stored: toStored<T>(env, error.current),
            key: base.key,
            modRevision: error.current.modRevision,
            isPending: true,
          }
        : await read(env, resource, ref);
    } finally {
      settle(written);
    }
  }
}

interface Base<T extends KubeObject> {
  stored: Stored<T>;
  key: string;
  modRevision: number;
  /** Another write is just putting this state on disk: an answer must not rest on it alone. */
  isPending?: true;
}

/** The body must be about the object it was sent to. */
function checkIdentity(resource: Resource, ref: ObjectRef, produced: KubeObject, old: KubeObject): void {
  const { name, namespace, uid, resourceVersion } = produced.metadata;
  if (name && name !== ref.name) {
    throw badRequest(`the name of the object (${name}) does not match the name on the URL (${ref.name})`);
  }
  if (resource.type.namespaced && namespace && namespace !== old.metadata.namespace) {
    throw badRequest('the namespace of the provided object does not match the namespace sent on the request');
  }
  if (uid && uid !== old.metadata.uid) {
    const why = `Precondition failed: UID in precondition: ${uid}, UID in object meta: ${old.metadata.uid}`;
    throw conflict(subjectOf(resource, ref.name), why);
  }
  if (resourceVersion && resourceVersion !== old.metadata.resourceVersion)
    throw staleVersion(subjectOf(resource, ref.name));
}

/** The next state as admission, the kind's rules and admission again leave it. */
async function admitted<T extends KubeObject>(
  env: Environment,
  resource: Resource<T>,
  change: Change<T>,
  { next, old, context }: { next: T; old: T; context: RequestContext },
): Promise<{ object: T; settle: Settle }> {
  const object = change.default?.(next) ?? next;
  const { admission } = change;
  if (
    !admission ||
    !env.admission.concerns(admission.resource as Resource<never>, 'UPDATE', admission.subresource)
  )
    return { object: complete(resource, change, object, old), settle: unheard };
  const { namespace, name } = old.metadata;
  const request: Admitted<T> = {
    ...{ operation: 'UPDATE', ...admission, namespace, name, object, oldObject: old },
    ...{ options: context.options, context },
  };
  const changed = (await mutate(env, request)) ?? object;
  const defaulted = changed === object ? object : (change.default?.(changed) ?? changed);
  const completed = complete(resource, change, defaulted, old);
  return { object: completed, settle: await validate(env, { ...request, object: completed }) };
}

/** The next state prepared and validated. */
function complete<T extends KubeObject>(resource: Resource<T>, change: Change<T>, next: T, old: T): T {
  const prepared = change.prepare(next, old);
  const object = change.keepsGeneration ? prepared : withGeneration(resource, prepared, old);
  const errors = [
    ...validateMetadata(object.metadata, resource),
    ...validateMetadataUpdate(object.metadata, old.metadata),
    ...change.validate(object, old),
  ];
  if (errors.length > 0) throw invalid(kindSubjectOf(resource, old.metadata.name ?? ''), unique(errors));
  return object;
}

function ownedMetadata(
  resource: Resource,
  produced: KubeObject,
  { metadata: old }: KubeObject,
): KubeObject['metadata'] {
  const {
    name: _name,
    creationTimestamp,
    deletionTimestamp,
    deletionGracePeriodSeconds,
    managedFields: _managed,
    ...given
  } = produced.metadata;
  return {
    name: old.name,
    ...given,
    namespace: resource.type.namespaced ? old.namespace : given.namespace,
    uid: old.uid,
    generateName: given.generateName ?? old.generateName,
    creationTimestamp: creationTimestamp ?? old.creationTimestamp,
    generation: old.generation,
    resourceVersion: old.resourceVersion,
    ...(old.deletionTimestamp
      ? {
          deletionTimestamp: old.deletionTimestamp,
          deletionGracePeriodSeconds: old.deletionGracePeriodSeconds,
        }
      : { deletionTimestamp, deletionGracePeriodSeconds }),
  };
}

function withGeneration<T extends KubeObject>(resource: Resource<T>, object: T, old: T): T {
  const generation = old.metadata.generation;
  if (resource.strategy.generation === false || generation === undefined) return object;
  if (isSameJson(intentOf(resource as Resource<never>, object), intentOf(resource as Resource<never>, old)))
    return object;
  return { ...object, metadata: { ...object.metadata, generation: generation + 1 } };
}

/** What the owner asks for; a change of it makes a new generation. */
function intentOf(resource: Resource<never>, object: KubeObject): unknown {
  const {
    apiVersion: _version,
    kind: _kind,
    metadata: _metadata,
    ...body
  } = object as KubeObject & {
    spec?: unknown;
    status?: unknown;
  };
  if (resource.strategy.generation !== 'body') return body.spec;
  return resource.subresources.includes('status') ? { ...body, status: undefined } : body;
}

function unique(errors: readonly FieldError[]): FieldError[] {
  const seen = new Set<string>();
  return errors.filter((error) => {
    const text = `${error.field}: ${fieldErrorText(error)}`;
    return !seen.has(text) && seen.add(text);
  });
}

interface Write<T extends KubeObject> {
  object: T;
  owners: string | undefined;
  base: Base<T>;
  context: RequestContext;
}

async function writeBack<T extends KubeObject>(
  env: Environment,
  resource: Resource<T>,
  write: Write<T>,
): Promise<Stored<T>> {
  const { base, context, object, owners } = write;
  const old = base.stored.object;
  if (old.metadata.deletionTimestamp && mayLeave(resource, object) && !mayLeave(resource, old)) {
    return removeInstead(env, resource, write);
  }
  for (const warning of resource.strategy.warnings?.(object, old) ?? []) context.warn(warning);
  return reserve(env, resource, object, old, context, async (allocated) => {
    if (!base.isPending && isSameJson(allocated, old) && owners === managedOf(base.stored.bytes))
      return base.stored;
    const bytes = serialise(allocated, owners);
    if (context.dryRun) return shared(env, { bytes: stamp(bytes, base.modRevision), object: allocated });
    const entry = await env.store.put(base.key, bytes, base.modRevision);
    if (resource.storageTtlSeconds)
      env.expiry.written(base.key, entry.modRevision, resource.storageTtlSeconds);
    return toStored<T>(env, entry);
  });
}

/** The last finalizer of an object that waits for deletion is gone: so is the object. */
async function removeInstead<T extends KubeObject>(
  env: Environment,
  resource: Resource<T>,
  write: Write<T>,
): Promise<Stored<T>> {
  const { base, context, object, owners } = write;
  const last = { bytes: stamp(serialise(object, owners), base.modRevision), object };
  if (context.dryRun) return shared(env, last);
  const revision = await env.store.delete(base.key, base.modRevision);
  env.expiry.removed(base.key);
  releaseOf(env, resource, base.stored.object);
  return shared(env, restamp(last, revision) as Stored<T>);
}
