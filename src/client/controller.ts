/**
 * 5. The one controller loop: sources -> keys -> queue -> workers -> reconcile. Every controller, the scheduler's binder
 * and the agent's syncs are made with it.
 *
 * A worker judges the outcome of `reconcile` as `reconciler.ts` promises: done, `requeueAfterMs`, a throw (retry with
 * the backoff of that key), `TerminalError` (report, wait for a change). Workers start when all sources have synced,
 * so a reconciler never acts on half a cache. `stop` aborts the signal, then waits for the reconciles under way.
 */
import { isReason } from '../api/errors.js';
import type { KubeObject } from '../api/types.js';
import type { Clock } from '../host/clock.js';
import { type Component, healthyNow } from '../host/component.js';
import type { Logger } from '../host/log.js';
import type { BackoffPolicy } from './backoff.js';
import type { Change, Source } from './cache.js';
import { type Reconciler, ReportedError, TerminalError } from './reconciler.js';
import { createStop } from './wait.js';
import { createWorkQueue, defaultQueueBackoff } from './workqueue.js';

/** One source with its mapping from a change to the keys to look at. Made by `on`. */
export interface Trigger {
  whenSynced(signal: AbortSignal): Promise<void>;
  subscribe(enqueue: (key: string) => void): () => void;
}

/** Binds a source to the keys its changes concern; by default the key of the changed object itself. */
export function on<T extends KubeObject>(
  source: Source<T>,
  keys: (change: Change<T>) => Iterable<string> = (change) => [change.key],
): Trigger {
  return {
    whenSynced: (signal) => source.whenSynced(signal),
    subscribe: (enqueue) =>
      source.onChange((change) => {
        for (const key of keys(change)) enqueue(key);
      }),
  };
}

export interface ControllerOptions {
  name: string;
  reconciler: Reconciler;
  sources: readonly Trigger[];
  /** How many keys are reconciled at a time; 1 by default. */
  workers?: number;
  clock: Clock;
  log: Logger;
  backoff?: BackoffPolicy;
  /** Says in the log which object a key stands for, where the key itself does not. */
  fieldsOf?: (key: string) => object;
}

/** Plain counters since start, for `/metrics`. */
export interface ControllerMetrics {
  reconciles: number;
  failures: number;
  terminal: number;
  depth: number;
  delayed: number;
  active: number;
}

export interface Controller extends Component {
  /** For wake-ups that no source carries. */
  enqueue(key: string): void;
  enqueueAfter(key: string, ms: number): void;
  metrics(): ControllerMetrics;
}

export function createController(options: ControllerOptions): Controller {
  const { name, reconciler, sources, clock } = options;
  const log = options.log.child({ controller: name });
  const queue = createWorkQueue({ clock, backoff: options.backoff ?? defaultQueueBackoff });
  const counts = { reconciles: 0, failures: 0, terminal: 0, active: 0 };
  const stopping = createStop();
  const unsubscribe: (() => void)[] = [];
  let running: Promise<unknown> = Promise.resolve();
  stopping.signal.addEventListener('abort', () => queue.shutDown(), { once: true });

  async function work(): Promise<void> {
    for (let key = await queue.get(); key !== undefined; key = await queue.get()) {
      counts.active += 1;
      await reconcileOne(key);
      counts.active -= 1;
      queue.done(key);
    }
  }

  async function reconcileOne(key: string): Promise<void> {
    counts.reconciles += 1;
    const fields = { key, ...options.fieldsOf?.(key), reconcileId: counts.reconciles };
    const context = { signal: stopping.signal, log: log.child(fields) };
    try {
      const result = await reconciler.reconcile(key, context);
      queue.forget(key);
      if (result) queue.addAfter(key, result.requeueAfterMs);
    } catch (error) {
      if (stopping.signal.aborted) return;
      if (error instanceof TerminalError) {
        counts.terminal += 1;
        queue.forget(key);
        context.log.error({ err: error }, 'reconcile failed for good, waiting for a change');
        return;
      }
      counts.failures += 1;
      queue.addRateLimited(key);
      if (isReason(error, 'Conflict'))
        context.log.debug({ err: error }, 'somebody else wrote first, will retry');
      else if (error instanceof ReportedError)
        context.log[queue.failures(key) === 1 ? 'info' : 'debug'](
          { reason: error.message },
          'cannot be done now, will retry',
        );
      else context.log.warn({ err: error, failures: queue.failures(key) }, 'reconcile failed, will retry');
    }
  }

  return {
    name,
    async start(signal) {
      stopping.follow(signal);
      await Promise.all(sources.map((source) => source.whenSynced(signal)));
      for (const source of sources) unsubscribe.push(source.subscribe((key) => queue.add(key)));
      running = Promise.all(Array.from({ length: options.workers ?? 1 }, work));
      log.debug({ queued: queue.length }, 'controller started');
    },
    async stop() {
      for (const off of unsubscribe.splice(0)) off();
      stopping.abort(new Error(`controller ${name} stops`));
      await running;
    },
    healthy: () => healthyNow,
    enqueue: (key) => queue.add(key),
    enqueueAfter: (key, ms) => queue.addAfter(key, ms),
    metrics: () => ({ ...counts, depth: queue.length, delayed: queue.delayed }),
  };
}
