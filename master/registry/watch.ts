/**
 * 2. WATCH: the changes of a kind behind a revision, filtered, with the buffers that were stored.
 *
 * A watcher of a selection sees an object that enters it as ADDED and one that leaves it as DELETED. Bookmarks tell
 * how far it is: about once a minute, at the end, and behind the initial events of a WatchList. The revision of a
 * periodic bookmark was read one tick earlier, when nothing behind it could still be under way.
 */

import type { KubeObject } from '../../src/api/types.js';
import type { WatchOptions } from '../../src/client/client.js';
import { createStop } from '../../src/client/wait.js';
import type { Resource } from '../resources/resource.js';
import type { StoreEvent } from '../store/store.js';
import { restamp } from './codec.js';
import { type Environment, fromStoreError, shared, tooLargeVersion, toStored } from './environment.js';
import { prefixOf, storeKeyOf } from './keys.js';
import { list } from './list.js';
import type { RequestContext, Stored, StoredEvent } from './registry.js';
import { type Selection, selectionOf } from './selection.js';
import { checkWatchOptions, parseVersion } from './version.js';

const bookmarkMs = 60_000;

/** Initial events per batch. */
const initialBatch = 500;

type Batch<T extends KubeObject> = readonly StoredEvent<T>[];

/**
 * Without a version (or with 0) it begins with the present objects as ADDED; `sendInitialEvents` asks for them (or
 * not) explicitly and gets a bookmark behind them. Rejects with `Expired` when the version is compacted.
 */
export async function* watch<T extends KubeObject>(
  env: Environment,
  resource: Resource<T>,
  options: WatchOptions,
  context: RequestContext,
): AsyncGenerator<Batch<T>, void, undefined> {
  checkWatchOptions(options);
  const selection = selectionOf(resource, options);
  const version = parseVersion(options.resourceVersion);
  if (version !== undefined && version > env.store.revision())
    throw tooLargeVersion(version, env.store.revision());
  const endsAt = options.timeoutSeconds ? env.clock.monotonicMs() + options.timeoutSeconds * 1000 : undefined;

  let after = version ?? 0;
  if (options.sendInitialEvents ?? !version) {
    const { items, resourceVersion } = await list<T>(env, resource, selectorsOf(options));
    after = Number(resourceVersion);
    for (let start = 0; start < items.length; start += initialBatch) {
      yield items.slice(start, start + initialBatch).map((item) => ({ type: 'ADDED', item }));
    }
    if (options.sendInitialEvents) yield [{ type: 'BOOKMARK', resourceVersion, initialEventsEnd: true }];
  } else if (!version) after = env.store.revision();

  yield* changes<T>(env, resource, options, { selection, after, endsAt, signal: context.signal });
}

const selectorsOf = (options: WatchOptions): WatchOptions => ({
  ...(options.namespace && { namespace: options.namespace }),
  ...(options.labelSelector && { labelSelector: options.labelSelector }),
  ...(options.fieldSelector && { fieldSelector: options.fieldSelector }),
});

interface Following {
  selection: Selection;
  after: number;
  endsAt: number | undefined;
  signal: AbortSignal;
}

async function* changes<T extends KubeObject>(
  env: Environment,
  resource: Resource<T>,
  options: WatchOptions,
  { selection, after, endsAt, signal }: Following,
): AsyncGenerator<Batch<T>, void, undefined> {
  const stop = createStop();
  stop.follow(signal);
  const events = env.store.watch(watchPrefix(resource, options, selection), after, stop.signal);
  const source = events[Symbol.asyncIterator]();
  const ticker = new Ticker(env, endsAt);
  const bookmarks = new Bookmarks(after);
  let next: Promise<IteratorResult<readonly StoreEvent[]> | 'tick'> | undefined;
  try {
    for (;;) {
      next ??= source.next();
      const result = await ticker.orTick(next);
      if (result === 'tick') {
        const due = bookmarks.tick(env.store.revision());
        if (options.allowBookmarks)
          yield [{ type: 'BOOKMARK', resourceVersion: due, initialEventsEnd: false }];
        if (ticker.isOver()) return;
        continue;
      }
      next = undefined;
      if (result.done) return;
      const batch = result.value.flatMap((event) => toWatchEvent<T>(env, event, selection));
      bookmarks.seen(result.value.at(-1)?.revision ?? 0);
      if (batch.length > 0) yield batch;
    }
  } catch (error) {
    if (signal.aborted) return;
    throw fromStoreError(error, `too old resource version: ${after} (${env.store.compactedRevision()})`);
  } finally {
    ticker.cancel();
    stop.abort();
    next?.catch((error: unknown) => env.log.debug({ err: error }, 'watch ended'));
    await source.return?.();
  }
}

/** A watch of one name looks at the keys that begin with it only; the selection drops the others. */
function watchPrefix(resource: Resource, options: WatchOptions, selection: Selection): string {
  const namespace = resource.type.namespaced ? options.namespace || selection.namespace : undefined;
  if (selection.name !== undefined && (namespace !== undefined || !resource.type.namespaced)) {
    return storeKeyOf(resource.type, { namespace, name: selection.name });
  }
  return prefixOf(resource.type, namespace);
}

/** What a DELETED event carries: the last state, at the revision of its end. One for all watchers that keep up. */
const lastStates = new Map<StoreEvent, Stored>();
const maxLastStates = 256;

function lastState<T extends KubeObject>(
  env: Environment,
  event: StoreEvent,
  previous: Stored<T>,
): Stored<T> {
  let last = lastStates.get(event);
  if (!last) {
    last = shared(env, restamp(previous, event.revision));
    lastStates.set(event, last);
    const oldest = lastStates.size > maxLastStates ? lastStates.keys().next().value : undefined;
    if (oldest) lastStates.delete(oldest);
  }
  return last as Stored<T>;
}

function toWatchEvent<T extends KubeObject>(
  env: Environment,
  event: StoreEvent,
  { matches }: Selection,
): StoredEvent<T>[] {
  const current = event.entry && toStored<T>(env, event.entry);
  const previous = event.previous && toStored<T>(env, event.previous);
  const isIn = current !== undefined && (!matches || matches(current.object));
  const wasIn = previous !== undefined && (!matches || matches(previous.object));
  if (isIn) return [{ type: wasIn ? 'MODIFIED' : 'ADDED', item: current }];
  return wasIn ? [{ type: 'DELETED', item: lastState(env, event, previous) }] : [];
}

const nobody = (): void => undefined;

/** Fires about every minute and at the end of the watch; one timer at a time. */
class Ticker {
  readonly #env: Environment;
  readonly #endsAt: number | undefined;
  #isDue = false;
  #cancel: (() => void) | undefined;
  /** Tells who waits; a tick that nobody waits for stays due. */
  #wake = nobody;

  constructor(env: Environment, endsAt: number | undefined) {
    this.#env = env;
    this.#endsAt = endsAt;
  }

  /**
   * What `next` resolves with, unless a tick comes first. No `Promise.race` with a promise per minute: that one would
   * hold every result of its minute.
   */
  orTick<R>(next: Promise<R>): Promise<R | 'tick'> {
    if (!this.#isDue) this.#arm();
    return new Promise((resolve, reject) => {
      this.#wake = () => {
        this.#isDue = false;
        this.#wake = nobody;
        resolve('tick');
      };
      if (this.#isDue) this.#wake();
      next.then((result) => {
        this.#wake = nobody;
        resolve(result);
      }, reject);
    });
  }

  #arm(): void {
    if (this.#cancel) return;
    const leftMs = (this.#endsAt ?? Number.POSITIVE_INFINITY) - this.#env.clock.monotonicMs();
    this.#cancel = this.#env.clock.after(Math.max(Math.min(bookmarkMs, leftMs), 0), () => {
      this.#cancel = undefined;
      this.#isDue = true;
      this.#wake();
    });
  }

  isOver(): boolean {
    return this.#endsAt !== undefined && this.#env.clock.monotonicMs() >= this.#endsAt;
  }

  cancel(): void {
    this.#cancel?.();
  }
}

/** Which revision may be promised: everything up to it has been yielded. */
class Bookmarks {
  #safe: number;
  #earlier: number;

  constructor(after: number) {
    this.#safe = after;
    this.#earlier = after;
  }

  seen(revision: number): void {
    this.#safe = Math.max(this.#safe, revision);
  }

  /** `present` will be safe at the next tick. */
  tick(present: number): string {
    this.#safe = Math.max(this.#safe, this.#earlier);
    this.#earlier = present;
    return String(this.#safe);
  }
}
