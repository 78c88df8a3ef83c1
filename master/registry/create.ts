/**
 * 2. POST: a new object. prepare -> validate -> allocate -> store; a name that is taken answers 409.
 */
import { defaultsFor } from '../../src/api/defaults/defaults.js';
import { alreadyExists, badRequest, invalid } from '../../src/api/errors.js';
import { apiVersionOf } from '../../src/api/kinds.js';
import type { KubeObject } from '../../src/api/types.js';
import { toTime } from '../../src/host/clock.js';
import type { Resource } from '../resources/resource.js';
import { CompareFailed } from '../store/store.js';
import { type Admitted, mutate, unheard, validate } from './admit.js';
import { reserve } from './allocate.js';
import { serialise } from './codec.js';
import {
  type Environment,
  fromStoreError,
  kindSubjectOf,
  shared,
  strategyContext,
  subjectOf,
  toStored,
} from './environment.js';
import { storeKeyOf } from './keys.js';
import { ownersOfNew } from './managed.js';
import { namespaceOf, requireNamespace } from './namespace.js';
import type { RequestContext, Stored, WriteResult } from './registry.js';
import { validateMetadata } from './validation/metadata.js';
import { readStored, shownErrors, storedRow } from './views.js';

/** What names are generated from: no vowels and nothing that looks like another character, as in Kubernetes. */
const alphabet = 'bcdfghjklmnpqrstvwxz2456789';
const suffixLength = 5;
const maxPrefixLength = 63 - suffixLength;
const maxNameAttempts = 8;

/** Rejects with `BadRequest`, `NotFound` (namespace), `Forbidden`, `Invalid`, `AlreadyExists`. */
export async function create<T extends KubeObject>(
  env: Environment,
  requested: Resource<T>,
  namespace: string | undefined,
  body: unknown,
  context: RequestContext,
  applied?: { owners: string | undefined },
): Promise<WriteResult<T>> {
  const resource = storedRow(requested);
  const decoded = await readStored(requested, body, context);
  const fresh = withFreshMetadata(env, resource, namespace, decoded);
  const { name = '', namespace: target } = fresh.metadata;
  if (resource.type.namespaced && target) await requireNamespace(env, resource, target, name);
  const prepared = await admitted(env, requested, withDefaults(resource, fresh), context);

  const { owners } = applied ?? { owners: await ownersOfNew(env, requested, prepared, context) };
  const generateName = decoded.metadata.name ? undefined : decoded.metadata.generateName;
  for (let attempt = 1; ; attempt += 1) {
    const object = generateName
      ? { ...prepared, metadata: { ...prepared.metadata, name: generatedName(env, generateName) } }
      : prepared;
    try {
      const { bytes, object: written } = await store(env, requested, { object, owners }, context);
      return { bytes, object: written, created: true };
    } catch (error) {
      if (!(error instanceof CompareFailed)) throw fromStoreError(error);
      if (!generateName || attempt >= maxNameAttempts)
        throw alreadyExists(subjectOf(resource, object.metadata.name ?? ''));
    }
  }
}

function withFreshMetadata<T extends KubeObject>(
  env: Environment,
  resource: Resource<T>,
  requested: string | undefined,
  object: T,
): T {
  const {
    name,
    resourceVersion,
    deletionTimestamp: _at,
    deletionGracePeriodSeconds: _grace,
    ...given
  } = object.metadata;
  if (resourceVersion) throw badRequest('resourceVersion should not be set on objects to be created');
  return {
    ...object,
    apiVersion: apiVersionOf(resource.type),
    kind: resource.type.kind,
    metadata: {
      name,
      ...given,
      namespace: namespaceOf(given, resource, requested),
      uid: env.newUid(),
      creationTimestamp: toTime(env.clock.now()),
      generation: resource.strategy.generation === false ? undefined : 1,
    },
  };
}

const generatedName = (env: Environment, prefix: string): string =>
  prefix.slice(0, maxPrefixLength) + nameSuffix(env.random);

/** Five characters that make a name its own. `random` answers in [0, 1). */
export const nameSuffix = (random: () => number): string =>
  Array.from({ length: suffixLength }, () => alphabet[Math.floor(random() * alphabet.length)] ?? 'b').join(
    '',
  );

function withDefaults<T extends KubeObject>(resource: Resource<T>, object: T): T {
  defaultsFor(resource.type)(object);
  return resource.strategy.default?.(object) ?? object;
}

/** What mutating admission makes of a new object. */
async function admitted<T extends KubeObject>(
  env: Environment,
  requested: Resource<T>,
  object: T,
  context: RequestContext,
): Promise<T> {
  if (!env.admission.concerns(requested as Resource<never>, 'CREATE', '')) return object;
  const changed = await mutate(env, requestOf(requested, object, context));
  if (!changed || changed === object) return object;
  const resource = storedRow(requested);
  return withDefaults(resource, withOwnMetadata(resource, changed, object));
}

/** What is the registry's stays: a webhook moves nothing to where its client may not write. The name is its to choose. */
function withOwnMetadata<T extends KubeObject>(resource: Resource<T>, changed: T, own: T): T {
  const {
    resourceVersion: _version,
    deletionTimestamp: _at,
    deletionGracePeriodSeconds: _grace,
    ...given
  } = changed.metadata;
  const { uid, creationTimestamp, generation } = own.metadata;
  const namespace = namespaceOf(given, resource, own.metadata.namespace);
  return { ...changed, metadata: { ...given, namespace, uid, creationTimestamp, generation } };
}

const requestOf = <T extends KubeObject>(
  resource: Resource<T>,
  object: T,
  context: RequestContext,
): Admitted<T> => ({
  operation: 'CREATE',
  resource,
  subresource: '',
  namespace: object.metadata.namespace,
  name: object.metadata.name,
  object,
  oldObject: undefined,
  options: context.options,
  context,
});

/** Rejects with `CompareFailed` when the name is taken. */
async function store<T extends KubeObject>(
  env: Environment,
  requested: Resource<T>,
  { object: given, owners }: { object: T; owners: string | undefined },
  context: RequestContext,
): Promise<Stored<T>> {
  const resource = storedRow(requested);
  const { strategy } = resource;
  const object =
    strategy.prepareForCreate?.(strategyContext(env, context), given) ?? withoutStatus(resource, given);
  const errors = shownErrors(
    requested,
    [
      ...validateMetadata(object.metadata, resource),
      ...(strategy.validate?.(object) ?? []),
      ...(strategy.validateCreate?.(object) ?? []),
    ],
    object,
  );
  if (errors.length > 0) throw invalid(kindSubjectOf(resource, object.metadata.name ?? ''), errors);
  for (const warning of strategy.warnings?.(object, undefined) ?? []) context.warn(warning);
  const settle = env.admission.concerns(requested as Resource<never>, 'CREATE', '')
    ? await validate(env, requestOf(requested, object, context))
    : unheard;
  let written = false;
  try {
    const stored = await put(env, resource, { object, owners }, context);
    written = !context.dryRun;
    return stored;
  } finally {
    settle(written);
  }
}

function put<T extends KubeObject>(
  env: Environment,
  resource: Resource<T>,
  { object, owners }: { object: T; owners: string | undefined },
  context: RequestContext,
): Promise<Stored<T>> {
  const key = storeKeyOf(resource.type, {
    namespace: object.metadata.namespace,
    name: object.metadata.name ?? '',
  });
  return reserve(env, resource, object, undefined, context, async (complete) => {
    const bytes = serialise(complete, owners);
    if (context.dryRun) {
      const current = await env.store.get(key);
      if (current) throw new CompareFailed(key, current);
      return shared(env, { bytes, object: complete });
    }
    const entry = await env.store.put(key, bytes, 0);
    if (resource.storageTtlSeconds) env.expiry.written(key, entry.modRevision, resource.storageTtlSeconds);
    return toStored<T>(env, entry);
  });
}

/** Status is not the creator's to write, where it has a subresource of its own. */
function withoutStatus<T extends KubeObject>(resource: Resource<T>, object: T): T {
  return resource.subresources.includes('status') ? { ...object, status: undefined } : object;
}
