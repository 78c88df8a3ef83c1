/**
 * 4. The in-process transport of `Client`: controllers inside the master call the registry without HTTP.
 *
 * Same rules, same errors as over HTTPS; admission by `user` alone (the master trusts its own parts). Objects are the
 * registry's shared ones: read-only.
 */
import { ApiError } from '../../src/api/errors.js';
import { apiVersionOf, type ResourceType } from '../../src/api/kinds.js';
import type { KubeObject, List } from '../../src/api/types.js';
import type { CallOptions, Client, ObjectEvent, WriteOptions } from '../../src/client/client.js';
import type { Resource } from '../resources/resource.js';
import type { Registry, RequestContext, StoredEvent, User } from './registry.js';

export function createRegistryClient(registry: Registry, user: User): Client {
  function rowOf<T extends KubeObject>(type: ResourceType<T>): Resource<T> {
    const row = registry.resources.of(type);
    if (!row) throw new ApiError('NotFound', 'the server could not find the requested resource');
    return row;
  }

  const contextOf = (options: WriteOptions): RequestContext => ({
    user,
    signal: options.signal ?? neverAborted,
    dryRun: options.dryRun ?? false,
    fieldValidation: options.fieldValidation ?? 'Ignore',
    fieldManager: options.fieldManager ?? user.name.replace(/^system:/, ''),
    warn: () => undefined,
  });

  return {
    get: async (type, ref, options = {}) => (await registry.get(rowOf(type), ref, contextOf(options))).object,
    async list<T extends KubeObject>(type: ResourceType<T>, options = {}): Promise<List<T>> {
      const {
        items,
        resourceVersion,
        continue: token,
        remainingItemCount,
      } = await registry.list(rowOf(type), options, contextOf(options));
      return {
        apiVersion: apiVersionOf(type),
        kind: `${type.kind}List`,
        metadata: {
          resourceVersion,
          ...(token !== undefined && { continue: token }),
          ...(remainingItemCount !== undefined && { remainingItemCount }),
        },
        items: items.map((item) => item.object),
      };
    },
    async create(type, object, options = {}) {
      const { namespace } = object.metadata;
      return (await registry.create(rowOf(type), namespace, object, contextOf(options))).object;
    },
    async update(type, object, options = {}) {
      const { namespace, name = '' } = object.metadata;
      const ref = { namespace, name };
      return (await registry.update(rowOf(type), ref, object, contextOf(options), options.subresource))
        .object;
    },
    patch: async (type, ref, patch, options = {}) =>
      (await registry.patch(rowOf(type), ref, patch, contextOf(options), options.subresource)).object,
    async post<R>(
      type: ResourceType,
      ref: { namespace?: string | undefined; name: string },
      subresource: string,
      body: unknown,
      options: CallOptions = {},
    ) {
      return (await registry.post(rowOf(type), ref, subresource, body, contextOf(options))) as R;
    },
    async delete(type, ref, options = {}) {
      await registry.delete(
        rowOf(type),
        ref,
        options,
        contextOf({ ...signalOf(options), dryRun: options.dryRun ?? false }),
      );
    },
    async deleteCollection(type, list, options = {}) {
      await registry.deleteCollection(
        rowOf(type),
        list,
        options,
        contextOf({ ...signalOf(options), dryRun: options.dryRun ?? false }),
      );
    },
    watch: (type, options) =>
      eventsOf(type, () => registry.watch(rowOf(type), options, contextOf(signalOf(options)))),
  };
}

const neverAborted = new AbortController().signal;

const signalOf = ({ signal }: CallOptions): CallOptions => (signal ? { signal } : {});

/** One event at a time; refusals come with the first, as over HTTPS. */
async function* eventsOf<T extends KubeObject>(
  type: ResourceType<T>,
  open: () => AsyncIterable<readonly StoredEvent<T>[]>,
): AsyncGenerator<ObjectEvent<T>, void, undefined> {
  for await (const batch of open()) {
    for (const event of batch) {
      if (event.type === 'BOOKMARK') yield { type: 'BOOKMARK', object: bookmark(type, event) };
      else yield { type: event.type, object: event.item.object };
    }
  }
}

function bookmark<T extends KubeObject>(
  type: ResourceType<T>,
  event: { resourceVersion: string; initialEventsEnd: boolean },
): T {
  const object: KubeObject = {
    apiVersion: apiVersionOf(type),
    kind: type.kind,
    metadata: {
      resourceVersion: event.resourceVersion,
      ...(event.initialEventsEnd && { annotations: { 'k8s.io/initial-events-end': 'true' } }),
    },
  };
  return object as T;
}
