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
import { reserve } from './allocate.js';
import { readBody } from './body.js';
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
import { namespaceOf, requireNamespace } from './namespace.js';
import type { RequestContext, Stored, WriteResult } from './registry.js';
import { validateMetadata } from './validation/metadata.js';

/** What names are generated from: no vowels and nothing that looks like another character, as in Kubernetes. */
const alphabet = 'bcdfghjklmnpqrstvwxz2456789';
const suffixLength = 5;
const maxPrefixLength = 63 - suffixLength;
const maxNameAttempts = 8;

/** Rejects with `BadRequest`, `NotFound` (namespace), `Forbidden`, `Invalid`, `AlreadyExists`. */
export async function create<T extends KubeObject>(
  env: Environment,
  resource: Resource<T>,
  namespace: string | undefined,
  body: unknown,
  context: RequestContext,
): Promise<WriteResult<T>> {
  const decoded = readBody(resource, body, context);
  const prepared = withFreshMetadata(env, resource, namespace, decoded);
  const { name = '', namespace: target } = prepared.metadata;
  if (resource.type.namespaced && target) await requireNamespace(env, resource, target, name);

  const generateName = decoded.metadata.name ? undefined : decoded.metadata.generateName;
  for (let attempt = 1; ; attempt += 1) {
    const object = generateName
      ? { ...prepared, metadata: { ...prepared.metadata, name: generatedName(env, generateName) } }
      : prepared;
    try {
      return { ...(await store(env, resource, object, context)), created: true };
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

function generatedName(env: Environment, prefix: string): string {
  const suffix = Array.from(
    { length: suffixLength },
    () => alphabet[Math.floor(env.random() * alphabet.length)] ?? 'b',
  );
  return prefix.slice(0, maxPrefixLength) + suffix.join('');
}

/** Rejects with `CompareFailed` when the name is taken. */
async function store<T extends KubeObject>(
  env: Environment,
  resource: Resource<T>,
  given: T,
  context: RequestContext,
): Promise<Stored<T>> {
  const { strategy } = resource;
  defaultsFor(resource.type)(given);
  const defaulted = strategy.default?.(given) ?? given;
  const object =
    strategy.prepareForCreate?.(strategyContext(env, context), defaulted) ??
    withoutStatus(resource, defaulted);
  const errors = [...validateMetadata(object.metadata, resource), ...(strategy.validate?.(object) ?? [])];
  if (errors.length > 0) throw invalid(kindSubjectOf(resource, object.metadata.name ?? ''), errors);
  for (const warning of strategy.warnings?.(object, undefined) ?? []) context.warn(warning);

  const key = storeKeyOf(resource.type, {
    namespace: object.metadata.namespace,
    name: object.metadata.name ?? '',
  });
  return reserve(env, resource, object, undefined, context, async (complete) => {
    const bytes = serialise(complete);
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
