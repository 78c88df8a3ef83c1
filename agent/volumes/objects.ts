/**
 * The ConfigMaps, Secrets and claims that pods of this node refer to: each is watched by its name (a node may read no
 * others), from the first use until the last pod that refers to it is gone. A claim is let go once it is bound, an
 * object that is immutable is kept but watched no longer.
 *
 * `get` answers from the cache, so a restart of a container needs no API. It rejects when the object was never seen.
 */
import { configMaps, persistentVolumeClaims, type ResourceType, secrets } from '../../src/api/kinds.js';
import type { ConfigMap, KubeObject, PersistentVolumeClaim, Secret } from '../../src/api/types.js';
import type { Client } from '../../src/client/client.js';
import { createInformer, type Informer } from '../../src/client/informer.js';
import { createStop, orAborted } from '../../src/client/wait.js';
import type { Clock } from '../../src/host/clock.js';
import type { Logger } from '../../src/host/log.js';

export interface ObjectRequest {
  namespace: string;
  name: string;
  /** The pod that refers to it; `release` of it may end the watch. */
  podUid: string;
}

export interface ReferencedObjects {
  /** Undefined when there is no such object. */
  configMap(request: ObjectRequest, signal: AbortSignal): Promise<ConfigMap | undefined>;
  secret(request: ObjectRequest, signal: AbortSignal): Promise<Secret | undefined>;
  claim(request: ObjectRequest, signal: AbortSignal): Promise<PersistentVolumeClaim | undefined>;
  /** The pod needs to hear no more of this claim. */
  releaseClaim(request: ObjectRequest): Promise<void>;
  release(podUid: string): Promise<void>;
  stop(): Promise<void>;
}

export interface ReferencedObjectsOptions {
  client: Client;
  clock: Clock;
  log: Logger;
  /** An object changed after it was first read. */
  onChange(podUid: string): void;
}

interface Watched {
  informer: Informer<KubeObject>;
  pods: Set<string>;
  stop: AbortController;
}

/** How long a pod waits for the first answer before it tries again later. */
const firstAnswerMs = 5000;

export function createReferencedObjects(options: ReferencedObjectsOptions): ReferencedObjects {
  const watched = new Map<string, Watched>();

  function watch(type: ResourceType<KubeObject>, { namespace, name }: ObjectRequest): Watched {
    const informer = createInformer({
      client: options.client,
      type,
      namespace,
      fieldSelector: `metadata.name=${name}`,
      clock: options.clock,
      log: options.log,
    });
    const entry: Watched = { informer, pods: new Set(), stop: new AbortController() };
    informer.onChange(() => {
      // The first list is what the pod is waiting for anyway.
      if (!informer.hasSynced()) return;
      for (const podUid of entry.pods) options.onChange(podUid);
    });
    return entry;
  }

  async function get<T extends KubeObject>(
    type: ResourceType<T>,
    request: ObjectRequest,
    signal: AbortSignal,
  ): Promise<T | undefined> {
    const key = keyOf(type, request);
    let entry = watched.get(key);
    if (!entry) {
      entry = watch(type, request);
      watched.set(key, entry);
      entry.pods.add(request.podUid);
      await entry.informer.start(entry.stop.signal);
    }
    const { informer, pods, stop } = entry;
    pods.add(request.podUid);
    if (!informer.hasSynced()) await firstAnswer(informer, key, signal);
    const found = informer.get({ namespace: request.namespace, name: request.name }) as T | undefined;
    if (found && 'immutable' in found && found.immutable === true) {
      stop.abort(new Error('the object is immutable'));
      await informer.stop();
    }
    return found;
  }

  async function drop(key: string, entry: Watched, podUid: string): Promise<void> {
    if (!entry.pods.delete(podUid) || entry.pods.size > 0) return;
    watched.delete(key);
    entry.stop.abort();
    await entry.informer.stop();
  }

  async function firstAnswer(
    informer: Informer<KubeObject>,
    key: string,
    signal: AbortSignal,
  ): Promise<void> {
    const timeout = createStop();
    const release = timeout.follow(signal);
    const cancel = options.clock.after(firstAnswerMs, () =>
      timeout.abort(
        new Error(
          `failed to sync ${key.split('/')[0]?.slice(0, -1)} cache: timed out waiting for the condition`,
        ),
      ),
    );
    try {
      await orAborted(informer.whenSynced(timeout.signal), timeout.signal);
    } finally {
      cancel();
      release();
    }
  }

  return {
    configMap: (request, signal) => get(configMaps, request, signal),
    secret: (request, signal) => get(secrets, request, signal),
    claim: (request, signal) => get(persistentVolumeClaims, request, signal),
    async releaseClaim(request) {
      const key = keyOf(persistentVolumeClaims, request);
      const entry = watched.get(key);
      if (entry) await drop(key, entry, request.podUid);
    },
    async release(podUid) {
      for (const [key, entry] of watched) await drop(key, entry, podUid);
    },
    async stop() {
      const all = [...watched.values()];
      watched.clear();
      for (const { stop } of all) stop.abort();
      await Promise.all(all.map(({ informer }) => informer.stop()));
    },
  };
}

const keyOf = (type: Pick<ResourceType, 'resource'>, { namespace, name }: ObjectRequest): string =>
  `${type.resource}/${namespace}/${name}`;
