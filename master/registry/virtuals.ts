/**
 * 2. The verbs of kinds that are answered instead of stored. What a `Virtual` gives back gets its apiVersion and kind and
 * is serialised for this one answer.
 */
import { ApiError } from '../../src/api/errors.js';
import { apiVersionOf } from '../../src/api/kinds.js';
import type { ObjectRef } from '../../src/api/meta.js';
import type { KubeObject } from '../../src/api/types.js';
import type { ListOptions } from '../../src/client/client.js';
import type { Resource } from '../resources/resource.js';
import { readBody } from './body.js';
import { type Environment, refIn, resourceKey } from './environment.js';
import { namespaceOf } from './namespace.js';
import type { RequestContext, Stored, StoredList, WriteResult } from './registry.js';
import { selectionOf } from './selection.js';
import type { Virtual } from './virtual.js';

export async function virtualCreate<T extends KubeObject>(
  env: Environment,
  resource: Resource<T>,
  namespace: string | undefined,
  body: unknown,
  context: RequestContext,
): Promise<WriteResult<T>> {
  const object = readBody(resource, body, context);
  const asked = {
    ...object,
    metadata: { ...object.metadata, namespace: namespaceOf(object.metadata, resource, namespace) },
  };
  const { create } = virtualOf(env, resource);
  if (!create) throw notAllowed();
  return { ...answerOf(resource, await create(asked, context)), created: true };
}

export async function virtualGet<T extends KubeObject>(
  env: Environment,
  resource: Resource<T>,
  ref: ObjectRef,
  context: RequestContext,
): Promise<Stored<T>> {
  const { get } = virtualOf(env, resource);
  if (!get) throw notAllowed();
  return answerOf(resource, await get(refIn(resource, ref), context));
}

export async function virtualList<T extends KubeObject>(
  env: Environment,
  resource: Resource<T>,
  options: ListOptions,
  context: RequestContext,
): Promise<StoredList<T>> {
  const { list } = virtualOf(env, resource);
  if (!list) throw notAllowed();
  const { matches } = selectionOf(resource, options);
  const objects = await list(options, context);
  const selected = matches ? objects.filter(matches) : objects;
  return {
    items: selected.map((object) => answerOf<T>(resource, object)),
    resourceVersion: String(env.store.revision()),
  };
}

const notAllowed = (): ApiError =>
  new ApiError('MethodNotAllowed', 'the server does not allow this method on the requested resource');

function virtualOf(env: Environment, resource: Resource): Virtual {
  const virtual = env.virtuals.get(resourceKey(resource.type));
  if (!virtual) throw new ApiError('NotFound', 'the server could not find the requested resource');
  return virtual;
}

function answerOf<T extends KubeObject>(
  { type }: Resource<T>,
  { apiVersion: _v, kind: _k, ...rest }: KubeObject,
): Stored<T> {
  const object = { kind: type.kind, apiVersion: apiVersionOf(type), ...rest } as KubeObject as T;
  return { bytes: Buffer.from(JSON.stringify(object)), object };
}
