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
import type { Store } from '../store/store.js';
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
import type { Registry } from './registry.js';
import { update } from './update.js';
import { watch } from './watch.js';

export { stamp } from './codec.js';

export interface RegistryOptions {
  /** Made with `stamp`; started before the registry, stopped after it. */
  store: Store;
  resources: readonly Resource[];
  clock: Clock;
  log: Logger;
  newUid(): string;
  /** In [0, 1); for generated names. `Math.random` by default. */
  random?(): number;
  /** Per `<resource>.<group>`, such as `services.`; none by default. */
  allocators?: ReadonlyMap<string, AllocationHook>;
  /** Tests: whoever changes a shared object gets a TypeError. */
  freeze?: boolean;
}

export function createRegistry(options: RegistryOptions): Registry & Component {
  const { store, clock } = options;
  const log = options.log.child({ component: 'registry' });
  const env: Environment = {
    store,
    clock,
    log,
    resources: options.resources,
    newUid: options.newUid,
    random: options.random ?? Math.random,
    allocators: options.allocators ?? new Map<string, AllocationHook>(),
    expiry: new Expiry(store, clock, log),
    freeze: options.freeze ?? false,
  };
  return {
    name: 'registry',
    resources: options.resources,
    start: () => load(env),
    stop: () => env.expiry.stop(),
    healthy: (): Health => healthyNow,
    get: (resource, ref, _context, subresource) => get(env, resource, ref, subresource),
    list: (resource, which) => list(env, resource, which),
    watch: (resource, which, context) => watch(env, resource, which, context),
    create: (resource, namespace, body, context) => create(env, resource, namespace, body, context),
    update: (resource, ref, body, context, subresource) =>
      update(env, resource, ref, body, context, subresource),
    patch: (resource, ref, change, context, subresource) =>
      patch(env, resource, ref, change, context, subresource),
    delete: (resource, ref, how, context) => remove(env, resource, ref, how, context),
    deleteCollection: (resource, which, how, context) => removeCollection(env, resource, which, how, context),
    post: (resource, ref, subresource, body, context) => post(env, resource, ref, subresource, body, context),
  };
}

async function load(env: Environment): Promise<void> {
  const now = env.clock.now().getTime();
  for (const resource of env.resources) {
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
