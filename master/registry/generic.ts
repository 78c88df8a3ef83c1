/**
 * 2. The registry, put together: one verb per file, this file only connects them to the store and the resource table.
 *
 * `start` rebuilds what is kept in memory beside the store (which numbers are taken, when events end) and must have
 * returned before the first write. All bytes come from `stamp`, so the store has to be made with it.
 */
import type { KubeObject } from '../../src/api/types.js';
import type { Clock } from '../../src/host/clock.js';
import { type Component, type Health, healthyNow } from '../../src/host/component.js';
import type { Logger } from '../../src/host/log.js';
import type { Resource } from '../resources/resource.js';
import { ResourceSet } from '../resources/set.js';
import type { Store } from '../store/store.js';
import { type Admission, admitAll } from './admission.js';
import { admitOther } from './admit.js';
import type { AllocationHook } from './allocation.js';
import { create } from './create.js';
import { remove, removeCollection } from './delete.js';
import { type Environment, resourceKey, toStored } from './environment.js';
import { Expiry } from './expiry.js';
import { get } from './get.js';
import { prefixOf } from './keys.js';
import { list } from './list.js';
import { patch } from './patch.js';
import { post } from './post.js';
import type { Registry, Stored } from './registry.js';
import { update } from './update.js';
import { shown, shownAll, shownEvents, storedOptions, storedRow } from './views.js';
import type { Action, Virtual } from './virtual.js';
import { virtualCreate, virtualGet, virtualList } from './virtuals.js';
import { watch } from './watch.js';

export { stamp } from './codec.js';

export interface RegistryOptions {
  /** Made with `stamp`; started before the registry, stopped after it. */
  store: Store;
  resources: readonly Resource[] | ResourceSet;
  clock: Clock;
  log: Logger;
  newUid(): string;
  /** In [0, 1); for generated names. `Math.random` by default. */
  random?(): number;
  /** Per `<resource>.<group>`, such as `services.`; none by default. */
  allocators?: ReadonlyMap<string, AllocationHook>;
  /** Asked on every write; everything is admitted when absent. */
  admission?: Admission;
  virtuals?: ReadonlyMap<string, Virtual>;
  actions?: ReadonlyMap<string, Action>;
  /** Tests: whoever changes a shared object gets a TypeError. */
  freeze?: boolean;
}

export function createRegistry(options: RegistryOptions): Registry & Component {
  const env = environmentOf(options);
  return {
    name: 'registry',
    resources: env.resources,
    start: () => load(env),
    stop: () => env.expiry.stop(),
    healthy: (): Health => healthyNow,
    ...readsOf(env),
    ...writesOf(env),
  };
}

function environmentOf(options: RegistryOptions): Environment {
  const { store, clock } = options;
  const log = options.log.child({ component: 'registry' });
  return {
    store,
    clock,
    log,
    resources:
      options.resources instanceof ResourceSet ? options.resources : new ResourceSet(options.resources),
    newUid: options.newUid,
    random: options.random ?? Math.random,
    allocators: options.allocators ?? new Map<string, AllocationHook>(),
    expiry: new Expiry(store, clock, log),
    admission: options.admission ?? admitAll,
    virtuals: options.virtuals ?? new Map<string, Virtual>(),
    actions: options.actions ?? new Map<string, Action>(),
    freeze: options.freeze ?? false,
  };
}

function readsOf(env: Environment): Pick<Registry, 'get' | 'list' | 'watch'> {
  return {
    async get(resource, ref, context, subresource) {
      if (resource.verbs) return virtualGet(env, resource, ref, context);
      const stored = await get(env, storedRow(resource), ref, subresource);
      return resource.view && subresource !== 'scale' ? shown(resource, stored) : stored;
    },
    async list(resource, which, context) {
      if (resource.verbs) return virtualList(env, resource, which, context);
      const found = await list(env, storedRow(resource), storedOptions(resource, which));
      return resource.view ? { ...found, items: await shownAll(resource, found.items) } : found;
    },
    watch(resource, which, context) {
      const events = watch(env, storedRow(resource), storedOptions(resource, which), context);
      return resource.view ? shownEvents(resource, events) : events;
    },
  };
}

function writesOf(env: Environment): Omit<Registry, 'get' | 'list' | 'watch' | 'resources'> {
  const result = async <T extends KubeObject, S extends Stored<T>>(
    resource: Resource<T>,
    written: Promise<S>,
  ): Promise<S> => (resource.view ? shown<T, S>(resource, await written) : written);
  return {
    create: (resource, namespace, body, context) =>
      resource.verbs
        ? virtualCreate(env, resource, namespace, body, context)
        : result(resource, create(env, resource, namespace, body, context)),
    update(resource, ref, body, context, subresource) {
      const written = update(env, resource, ref, body, context, subresource);
      return subresource === 'scale' ? written : result(resource, written);
    },
    patch(resource, ref, change, context, subresource) {
      const written = patch(env, resource, ref, change, context, subresource);
      return subresource === 'scale' ? written : result(resource, written);
    },
    delete: (resource, ref, how, context) => result(resource, remove(env, resource, ref, how, context)),
    async deleteCollection(resource, which, how, context) {
      const found = await removeCollection(env, resource, storedOptions(resource, which), how, context);
      return resource.view ? { ...found, items: await shownAll(resource, found.items) } : found;
    },
    async connect(resource, ref, subresource, object, context) {
      await admitOther(env, { operation: 'CONNECT', resource, subresource, ref, object, context });
    },
    post: (resource, ref, subresource, body, context) => post(env, resource, ref, subresource, body, context),
  };
}

async function load(env: Environment): Promise<void> {
  const now = env.clock.now().getTime();
  for (const resource of env.resources.stored) {
    const hook = env.allocators.get(resourceKey(resource.type));
    const ttlSeconds = resource.storageTtlSeconds;
    if (!hook && !ttlSeconds) continue;
    const { entries } = await env.store.range(prefixOf(resource.type));
    if (hook) hook.load(entries.map((entry) => toStored(env, entry).object));
    if (!ttlSeconds) continue;
    const aged = entries.map((entry) => ({ entry, atMs: lastTouched(toStored(env, entry).object) ?? now }));
    aged.sort((a, b) => a.atMs - b.atMs);
    for (const { entry, atMs } of aged)
      env.expiry.written(entry.key, entry.modRevision, ttlSeconds, Math.max(now - atMs, 0));
  }
}

/** When an event was last written, as far as it says; its end is counted from there after a restart. */
function lastTouched(object: KubeObject): number | undefined {
  const { lastTimestamp, eventTime } = object as { lastTimestamp?: string; eventTime?: string };
  const times = [lastTimestamp, eventTime, object.metadata.creationTimestamp].map((text) =>
    Date.parse(text ?? ''),
  );
  const known = times.filter((time) => !Number.isNaN(time));
  return known.length > 0 ? Math.max(...known) : undefined;
}
