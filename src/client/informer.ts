/**
 * 4. Keeps a cache of one kind current: list, then watch from the list's version, for ever.
 *
 *   list ---> watch <--+ stream ended or broke: watch again from the last version seen (bookmarks move it on)
 *    ^          |------+
 *    +----------+ 410 Expired: list again; the difference to the cache is told as changes
 *
 * `start` returns at once; `whenSynced` waits for the first list. Handlers run one after another in the order of the
 * changes, after the cache changed; one that throws is reported and does not disturb the others or the stream.
 */
import { isReason } from '../api/errors.js';
import { apiVersionOf, type ResourceType } from '../api/kinds.js';
import { keyOf } from '../api/meta.js';
import type { KubeObject } from '../api/types.js';
import type { Clock } from '../host/clock.js';
import { type Component, healthyNow } from '../host/component.js';
import type { Logger } from '../host/log.js';
import { type BackoffPolicy, createBackoff } from './backoff.js';
import type { Change, Indexers, Source } from './cache.js';
import type { Client, ListOptions } from './client.js';
import { deepFreeze, freezesObjects } from './freeze.js';
import { createIndexedStore } from './indexed.js';
import { createStop, deferred, orAborted, untilAborted } from './wait.js';

export interface InformerOptions<T extends KubeObject> {
  client: Pick<Client, 'list' | 'watch'>;
  type: ResourceType<T>;
  /** All namespaces when absent. */
  namespace?: string | undefined;
  labelSelector?: string | undefined;
  fieldSelector?: string | undefined;
  indexers?: Indexers<T>;
  clock: Clock;
  log: Logger;
  /** Between failed attempts; 0.2 s to 10 s, jittered, by default. */
  backoff?: BackoffPolicy;
}

export interface Informer<T extends KubeObject> extends Source<T>, Component {
  addIndexers(indexers: Indexers<T>): void;
  /** Of the last list or event; empty before. */
  resourceVersion(): string;
}

const defaultBackoff: BackoffPolicy = { minMs: 200, maxMs: 10_000, jitter: 1 };
/** The server ends a watch after this time; it is then taken up again from where it was. */
const watchTimeoutSeconds = 1_800;
/** A watch that ended by itself after less than this counts as a failure. */
const minWatchMs = 1_000;

export function createInformer<T extends KubeObject>(options: InformerOptions<T>): Informer<T> {
  const { client, type, clock } = options;
  const name = `informer/${type.resource}`;
  const log = options.log.child({ informer: type.resource });
  const selector: ListOptions = {
    namespace: options.namespace,
    ...(options.labelSelector && { labelSelector: options.labelSelector }),
    ...(options.fieldSelector && { fieldSelector: options.fieldSelector }),
  };
  const store = createIndexedStore(options.indexers);
  const handlers = new Set<(change: Change<T>) => void>();
  const backoff = createBackoff(options.backoff ?? defaultBackoff);
  const seal = freezesObjects() ? deepFreeze : <V>(value: V): V => value;
  const stopping = createStop();
  const synced = deferred();
  let hasSynced = false;
  /** Where the next watch starts; undefined asks for a list first. */
  let version: string | undefined;
  let trouble = '';
  let running: Promise<void> = Promise.resolve();

  function tell(handler: (change: Change<T>) => void, change: Change<T>): void {
    try {
      handler(change);
    } catch (error) {
      log.error({ err: error, key: change.key }, 'a change handler failed');
    }
  }

  function publish(change: Change<T>): void {
    for (const handler of handlers) tell(handler, change);
  }

  function put(object: T): void {
    const old = store.put(seal(object));
    if (old?.metadata.resourceVersion === object.metadata.resourceVersion && old !== undefined) return;
    publish({ key: keyOf(object), old, current: object });
  }

  function remove(key: string): void {
    const old = store.remove(key);
    if (old) publish({ key, old, current: undefined });
  }

  async function list(signal: AbortSignal): Promise<string> {
    const answer = await client.list(type, { ...selector, signal });
    const present = new Set<string>();
    for (const item of answer.items) {
      present.add(keyOf(item));
      put(withKind(type, item));
    }
    for (const key of [...store.keys()]) if (!present.has(key)) remove(key);
    return answer.metadata.resourceVersion ?? '';
  }

  /** Follows one watch until it ends; `version` moves on with every event, so nothing is missed or repeated. */
  async function follow(from: string, signal: AbortSignal): Promise<void> {
    const stream = client.watch(type, {
      ...selector,
      resourceVersion: from,
      allowBookmarks: true,
      timeoutSeconds: watchTimeoutSeconds,
      signal,
    });
    for await (const event of stream) {
      if (event.type === 'DELETED') remove(keyOf(event.object));
      else if (event.type !== 'BOOKMARK') put(withKind(type, event.object));
      version = event.object.metadata.resourceVersion ?? version;
      recovered();
    }
  }

  function recovered(): void {
    backoff.reset();
    trouble = '';
  }

  function failed(error: unknown): void {
    trouble = error instanceof Error ? error.message : String(error);
    if (isReason(error, 'Expired', 'Gone')) {
      version = undefined;
      log.info({ reason: trouble }, 'watch is too old, listing again');
    } else {
      log.warn({ err: error }, 'list or watch failed, will retry');
    }
  }

  async function run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const startedMs = clock.monotonicMs();
      let delayMs = 0;
      try {
        if (version === undefined) {
          version = await list(signal);
          recovered();
          hasSynced = true;
          synced.resolve(undefined);
        }
        await follow(version, signal);
        // A stream that ends at once, every time, must not spin.
        if (clock.monotonicMs() - startedMs < minWatchMs) delayMs = backoff.next();
      } catch (error) {
        if (signal.aborted) return;
        failed(error);
        delayMs = backoff.next();
      }
      if (delayMs > 0) await untilAborted(clock.sleep(delayMs, signal), signal);
    }
  }

  return {
    name,
    start(signal) {
      stopping.follow(signal);
      running = run(stopping.signal);
      return Promise.resolve();
    },
    async stop() {
      stopping.abort(new Error(`${name} stops`));
      await running;
    },
    healthy: () => (trouble === '' ? healthyNow : { ok: false, reason: `${type.resource}: ${trouble}` }),
    onChange(handler) {
      for (const object of store.list())
        tell(handler, { key: keyOf(object), old: undefined, current: object });
      handlers.add(handler);
      return () => handlers.delete(handler);
    },
    whenSynced: (signal) => orAborted(synced.promise, signal),
    hasSynced: () => hasSynced,
    get: (ref) => store.get(ref),
    getByKey: (key) => store.getByKey(key),
    list: (namespace) => store.list(namespace),
    byIndex: (index, value) => store.byIndex(index, value),
    addIndexers: (indexers) => store.addIndexers(indexers),
    resourceVersion: () => version ?? '',
  };
}

/** Items of a list may lack kind and apiVersion (kube-apiserver leaves them out); objects in a cache have them. */
function withKind<T extends KubeObject>(type: ResourceType<T>, object: T): T {
  return object.kind ? object : { ...object, kind: type.kind, apiVersion: apiVersionOf(type) };
}
