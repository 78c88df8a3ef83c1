/**
 * A `Client` in memory that behaves: versions, conflicts, generations, finalizers, graceful pod deletion, watches with
 * selectors. It passes the same contract suite as the real ones, and fails on demand (`failNext`, `dropWatches`,
 * `compact`). It does not validate or default objects; what it does not implement throws.
 */
import { randomUUID } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { ApiError, alreadyExists, badRequest, notFound, staleVersion } from '../api/errors.js';
import { apiVersionOf, type ResourceType } from '../api/kinds.js';
import { keyOf, keyOfRef, type ObjectRef } from '../api/meta.js';
import { matchesFields, parseFieldSelector, parseLabelSelector } from '../api/selectors.js';
import type { KubeObject, List, Pod } from '../api/types.js';
import type {
  Client,
  DeleteOptions,
  ListOptions,
  ObjectEvent,
  WatchOptions,
  WriteOptions,
} from '../client/client.js';
import { deepFreeze } from '../client/freeze.js';
import { type Clock, systemClock, toTime } from '../host/clock.js';
import { createFakeLog, type LoggedEvent } from './fakelog.js';
import { applyFakePatch } from './fakepatch.js';

export interface FakeCall {
  verb: 'get' | 'list' | 'create' | 'update' | 'patch' | 'post' | 'delete' | 'deleteCollection' | 'watch';
  resource: string;
  key: string;
  subresource?: string | undefined;
}

export interface FakeClient extends Client {
  /** Puts an object in, as if it had been created long ago. Returns it as stored. */
  seed<T extends KubeObject>(type: ResourceType<T>, object: T): T;
  /** Every write so far, in order; reads are left out. */
  readonly writes: readonly FakeCall[];
  /** The next `times` calls that match are refused with `error`. */
  failNext(matches: (call: FakeCall) => boolean, error: Error, times?: number): void;
  dropWatches(error?: Error): void;
  compact(): void;
  /** Sends a bookmark with the present version to every watch that allows them. */
  bookmark(): void;
  readonly watchers: number;
}

interface Stored {
  type: ResourceType;
  object: KubeObject & { spec?: unknown; status?: unknown };
}

const withStatus = new Set([
  'pods',
  'nodes',
  'services',
  'namespaces',
  'deployments',
  'replicasets',
  'certificatesigningrequests',
]);
/** What Kubernetes names the finalizers that a propagation policy sets. */
const policyFinalizers = { Foreground: 'foregroundDeletion', Orphan: 'orphan' } as const;

export function createFakeClient(options: { clock?: Clock } = {}): FakeClient {
  const clock = options.clock ?? systemClock;
  const objects = new Map<string, Stored>();
  const log = createFakeLog();
  const writes: FakeCall[] = [];
  const failures: { matches: (call: FakeCall) => boolean; error: Error; times: number }[] = [];
  // From 1: a list of nothing must not answer version 0, which asks a watch for "any".
  let version = 1;

  const idOf = (type: ResourceType, key: string): string => `${type.group}/${type.resource} ${key}`;
  const subject = (type: ResourceType, name: string) => ({
    group: type.group,
    resource: type.resource,
    name,
  });

  /** Every call passes here first, after one turn of the event loop, as over a wire. */
  async function arrive(call: FakeCall, isWrite: boolean): Promise<void> {
    await Promise.resolve();
    const failure = failures.find((candidate) => candidate.times > 0 && candidate.matches(call));
    if (failure) {
      failure.times -= 1;
      throw failure.error;
    }
    if (isWrite) writes.push(call);
  }

  function find(type: ResourceType, ref: ObjectRef): Stored {
    const found = objects.get(idOf(type, keyOfRef(ref)));
    if (!found) throw notFound(subject(type, ref.name));
    return found;
  }

  /** Writes the object with a new version and tells the watches. */
  function store<T extends KubeObject>(type: ResourceType<T>, object: T, old: KubeObject | undefined): T {
    version += 1;
    const metadata = { ...object.metadata, resourceVersion: String(version) };
    const written = deepFreeze({ ...object, apiVersion: apiVersionOf(type), kind: type.kind, metadata });
    objects.set(idOf(type, keyOf(written)), { type, object: written });
    const event = old ? 'MODIFIED' : 'ADDED';
    log.append({ version, resource: idOf(type, ''), type: event, object: written, old });
    return written;
  }

  function erase(type: ResourceType, old: KubeObject): void {
    version += 1;
    objects.delete(idOf(type, keyOf(old)));
    const object = deepFreeze({ ...old, metadata: { ...old.metadata, resourceVersion: String(version) } });
    log.append({ version, resource: idOf(type, ''), type: 'DELETED', object, old });
  }

  function add<T extends KubeObject>(type: ResourceType<T>, object: T, dryRun = false): T {
    const given = object.metadata;
    if (!given.name && !given.generateName) throw badRequest('name or generateName is required');
    if (type.namespaced && !given.namespace)
      throw badRequest('an empty namespace may not be set during creation');
    const name = given.name || `${given.generateName}${randomUUID().slice(0, 5)}`;
    const metadata = {
      ...given,
      name,
      uid: randomUUID() as string,
      creationTimestamp: toTime(clock.now()),
      generation: 1,
    };
    const initial =
      type.resource === 'namespaces'
        ? { spec: { finalizers: ['kubernetes'] }, status: { phase: 'Active' } }
        : {};
    const created = { ...initial, ...structuredClone(object), metadata };
    if (objects.has(idOf(type, keyOf(created)))) throw alreadyExists(subject(type, name));
    return dryRun ? created : store(type, created, undefined);
  }

  /** The one path of every change to an object that exists. */
  function replace<T extends KubeObject>(type: ResourceType<T>, next: T, write: WriteOptions): T {
    const ref = { namespace: next.metadata.namespace, name: next.metadata.name ?? '' };
    const old = find(type, ref).object;
    const { resourceVersion, uid } = next.metadata;
    if (uid && uid !== old.metadata.uid) throw staleVersion(subject(type, ref.name));
    if (resourceVersion && resourceVersion !== old.metadata.resourceVersion)
      throw staleVersion(subject(type, ref.name));
    const merged = merge(type, structuredClone<Stored['object']>(next), old, write.subresource);
    if (isDeepStrictEqual(merged, old)) return old as unknown as T;
    if (write.dryRun) return merged as unknown as T;
    if (isFinished(merged)) {
      erase(type, merged);
      return merged as unknown as T;
    }
    return store(type as ResourceType, merged, old) as unknown as T;
  }

  function remove(type: ResourceType, { object }: Stored, how: DeleteOptions): void {
    const { uid, resourceVersion } = how.preconditions ?? {};
    const name = object.metadata.name ?? '';
    if (uid && uid !== object.metadata.uid) throw staleVersion(subject(type, name));
    if (resourceVersion && resourceVersion !== object.metadata.resourceVersion)
      throw staleVersion(subject(type, name));
    if (how.dryRun) return;
    const policy = how.propagationPolicy === 'Background' ? undefined : how.propagationPolicy;
    const finalizers = new Set(object.metadata.finalizers ?? []);
    if (policy) finalizers.add(policyFinalizers[policy]);
    const grace = graceOf(type, object, how.gracePeriodSeconds);
    const metadata = {
      ...object.metadata,
      ...(finalizers.size > 0 && { finalizers: [...finalizers] }),
      deletionTimestamp:
        object.metadata.deletionTimestamp ?? toTime(new Date(clock.now().getTime() + grace * 1_000)),
      ...(type.resource === 'pods' && { deletionGracePeriodSeconds: grace }),
    };
    const ending = {
      ...object,
      metadata,
      ...(type.resource === 'namespaces' && { status: { phase: 'Terminating' } }),
    };
    if (isFinished(ending)) erase(type, object);
    else if (!isDeepStrictEqual(ending, object)) store(type, ending, object);
  }

  function select(type: ResourceType, options: ListOptions): (object: KubeObject) => boolean {
    const labels = parseLabelSelector(options.labelSelector ?? '');
    const fields = parseFieldSelector(options.fieldSelector ?? '');
    return (object) =>
      (!type.namespaced || !options.namespace || object.metadata.namespace === options.namespace) &&
      labels.matches(object.metadata.labels) &&
      matchesFields(fields, (field) => fieldText(object, field));
  }

  function matching(type: ResourceType, options: ListOptions): Stored[] {
    const isWanted = select(type, options);
    const prefix = idOf(type, '');
    return [...objects]
      .filter(([id, { object }]) => id.startsWith(prefix) && isWanted(object))
      .map(([, stored]) => stored);
  }

  async function* watch<T extends KubeObject>(
    type: ResourceType<T>,
    o: WatchOptions,
  ): AsyncIterable<ObjectEvent<T>> {
    await arrive({ verb: 'watch', resource: type.resource, key: '' }, false);
    const isWanted = select(type, o);
    const from = o.resourceVersion && o.resourceVersion !== '0' ? Number(o.resourceVersion) : version;
    const view = (event: LoggedEvent): ObjectEvent<KubeObject> | undefined => {
      if (event.type === 'BOOKMARK') {
        const metadata = { resourceVersion: String(event.version) };
        return o.allowBookmarks
          ? { type: 'BOOKMARK', object: { kind: type.kind, apiVersion: apiVersionOf(type), metadata } }
          : undefined;
      }
      if (event.resource !== idOf(type, '')) return undefined;
      const was = event.old !== undefined && isWanted(event.old);
      const is = event.type !== 'DELETED' && isWanted(event.object);
      if (!was && !is) return undefined;
      return { type: was ? (is ? 'MODIFIED' : 'DELETED') : 'ADDED', object: event.object };
    };
    yield* log.follow(from, view, o.signal) as AsyncIterable<ObjectEvent<T>>;
  }

  return {
    async get<T extends KubeObject>(type: ResourceType<T>, ref: ObjectRef): Promise<T> {
      await arrive({ verb: 'get', resource: type.resource, key: keyOfRef(ref) }, false);
      return find(type, ref).object as unknown as T;
    },
    async list<T extends KubeObject>(type: ResourceType<T>, o: ListOptions = {}): Promise<List<T>> {
      await arrive({ verb: 'list', resource: type.resource, key: o.namespace ?? '' }, false);
      const all = matching(type, o).map(({ object }) => object as unknown as T);
      all.sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
      const from = o.continue ? Number(o.continue) : 0;
      const items = o.limit ? all.slice(from, from + o.limit) : all;
      const isCut = from + items.length < all.length;
      const metadata = {
        resourceVersion: String(version),
        ...(isCut && { continue: String(from + items.length) }),
      };
      return { apiVersion: apiVersionOf(type), kind: `${type.kind}List`, metadata, items };
    },
    async create(type, object, o = {}) {
      await arrive({ verb: 'create', resource: type.resource, key: keyOf(object) }, true);
      return add(type, object, o.dryRun);
    },
    async update(type, object, o = {}) {
      await arrive(
        { verb: 'update', resource: type.resource, key: keyOf(object), subresource: o.subresource },
        true,
      );
      return replace(type, object, o);
    },
    async patch<T extends KubeObject>(
      type: ResourceType<T>,
      ref: ObjectRef,
      patch: Parameters<Client['patch']>[2],
      o: WriteOptions = {},
    ) {
      await arrive(
        { verb: 'patch', resource: type.resource, key: keyOfRef(ref), subresource: o.subresource },
        true,
      );
      return replace(type, applyFakePatch(find(type, ref).object as unknown as T, patch), o);
    },
    async post<R>(type: ResourceType, ref: ObjectRef, subresource: string, body: unknown): Promise<R> {
      await arrive({ verb: 'post', resource: type.resource, key: keyOfRef(ref), subresource }, true);
      if (type.resource !== 'pods' || subresource !== 'binding') {
        throw new ApiError('MethodNotAllowed', `the fake client has no ${type.resource}/${subresource}`);
      }
      const pod = find(type, ref).object as unknown as Pod;
      if (pod.spec?.nodeName)
        throw new ApiError('Conflict', `pod ${ref.name} is already assigned to node "${pod.spec.nodeName}"`);
      const nodeName = (body as { target: { name: string } }).target.name;
      store(type, { ...pod, spec: { ...pod.spec, nodeName } } as KubeObject, pod);
      return { kind: 'Status', apiVersion: 'v1', status: 'Success', code: 201 } as R;
    },
    async delete(type, ref, o = {}) {
      await arrive({ verb: 'delete', resource: type.resource, key: keyOfRef(ref) }, true);
      remove(type, find(type, ref), o);
    },
    async deleteCollection(type, list, o = {}) {
      await arrive({ verb: 'deleteCollection', resource: type.resource, key: list.namespace ?? '' }, true);
      for (const stored of matching(type, list)) remove(type, stored, o);
    },
    watch,
    seed: (type, object) => add(type, object),
    writes,
    failNext: (matches, error, times = 1) => void failures.push({ matches, error, times }),
    dropWatches: (error) => log.drop(error),
    compact: () => log.compact(),
    bookmark: () => {
      version += 1;
      log.append({ version, resource: '', type: 'BOOKMARK', object: { metadata: {} }, old: undefined });
    },
    get watchers() {
      return log.watchers;
    },
  };
}

/** What of `next` an update may change: status by `/status`, all else by the object itself; the server owns the rest. */
function merge(
  type: ResourceType,
  next: Stored['object'],
  old: Stored['object'],
  subresource: string | undefined,
): Stored['object'] {
  const owned = [
    'uid',
    'creationTimestamp',
    'deletionTimestamp',
    'deletionGracePeriodSeconds',
    'resourceVersion',
    'generation',
  ];
  const kept = Object.fromEntries(Object.entries(old.metadata).filter(([field]) => owned.includes(field)));
  const given = Object.fromEntries(Object.entries(next.metadata).filter(([field]) => !owned.includes(field)));
  const metadata = { ...given, ...kept };
  const same = { apiVersion: old.apiVersion, kind: old.kind };
  if (subresource === 'status') return { ...old, metadata, status: next.status };
  if (subresource === 'finalize') return { ...old, spec: next.spec };
  const merged = {
    ...next,
    ...same,
    metadata,
    ...(withStatus.has(type.resource) && old.status !== undefined && { status: old.status }),
  };
  if (isDeepStrictEqual(next.spec, old.spec)) return merged;
  return { ...merged, metadata: { ...metadata, generation: (old.metadata.generation ?? 0) + 1 } };
}

/** Marked for deletion, and nothing holds it back any more. */
function isFinished(object: Stored['object']): boolean {
  const { deletionTimestamp, deletionGracePeriodSeconds = 0, finalizers = [] } = object.metadata;
  const held =
    object.kind === 'Namespace'
      ? ((object.spec as { finalizers?: string[] } | undefined)?.finalizers ?? [])
      : [];
  return (
    deletionTimestamp !== undefined &&
    deletionGracePeriodSeconds === 0 &&
    finalizers.length + held.length === 0
  );
}

/** Only a pod that is on a node, and has not ended, gets time to stop. */
function graceOf(type: ResourceType, object: KubeObject, asked: number | undefined): number {
  if (type.resource !== 'pods') return 0;
  const { spec, status } = object as Pod;
  if (!spec?.nodeName || status?.phase === 'Succeeded' || status?.phase === 'Failed') return 0;
  return asked ?? spec.terminationGracePeriodSeconds ?? 30;
}

/** The text of `spec.nodeName` and the like; empty when unset. */
function fieldText(object: KubeObject, field: string): string {
  const value = field
    .split('.')
    .reduce<unknown>(
      (at, step) =>
        typeof at === 'object' && at !== null ? (at as Record<string, unknown>)[step] : undefined,
      object,
    );
  return value === undefined || value === null ? '' : String(value);
}

/** For assertions: the key of each write, as `create pods default/web`. */
export const describeWrites = (client: FakeClient): string[] =>
  client.writes.map(
    ({ verb, resource, key, subresource }) =>
      `${verb} ${resource}${subresource ? `/${subresource}` : ''} ${key}`,
  );
