/**
 * Graceful node shutdown: while the host prepares to go down, the node says so, takes no new pods and ends those it has
 * in order, and the host waits. Wired by the composition root, and only when `--shutdown-grace-period` is set.
 *
 *   watching --begins--> ending --all gone, or time is up--> lock released, host goes on
 *      ^---called off-------'                                 (called off: lock taken again)
 *
 * Where there is no login manager nothing happens but a warning now and then.
 */
import type { Pod } from '../../src/api/types.js';
import { type Controller, createController } from '../../src/client/controller.js';
import type { ReconcileResult } from '../../src/client/reconciler.js';
import { createStop, untilAborted } from '../../src/client/wait.js';
import type { Clock } from '../../src/host/clock.js';
import { type Health, healthyNow } from '../../src/host/component.js';
import type { Logger } from '../../src/host/log.js';
import { type Check, shutdownCheck } from '../node/conditions.js';
import type { AdmitPod, PodEnd } from '../pods/needs.js';
import type { Lock, ShutdownSource, Watch } from './logind.js';
import { planShutdown, refusal } from './plan.js';

export interface NodeShutdownOptions {
  /** The whole time, and the last part of it for critical pods. */
  graceMs: number;
  criticalMs: number;
  source: ShutdownSource;
  pods(): readonly Pod[];
  end(uid: string, end: PodEnd): void;
  /** Uids of the pods that have a running container. */
  running(): Promise<ReadonlySet<string>>;
  /** A shutdown began or was called off: the node's status says it. */
  onChange(): void;
  clock: Clock;
  log: Logger;
}

export interface NodeShutdown extends Controller {
  readonly check: Check;
  readonly admit: AdmitPod;
}

const lookMs = 500;
/** After the watch or the lock was lost. */
const rewatchMs = 5_000;
/** On top of the pods' time, so that the last statuses reach the master. */
const reportMs = 2_000;

export function createNodeShutdown(options: NodeShutdownOptions): NodeShutdown {
  const { source, clock } = options;
  const log = options.log.child({ component: 'shutdown' });
  const stopping = createStop();
  let watch: Watch | undefined;
  let lock: Lock | undefined;
  let graceMs = options.graceMs;
  let isBegun = false;
  /** Of the shutdown that is under way; a call-off aborts it. */
  let ending: AbortController | undefined;

  function change(begins: boolean): void {
    if (begins === isBegun) return;
    isBegun = begins;
    log.warn({ begins }, begins ? 'the host shuts down' : 'the shutdown was called off');
    options.onChange();
    ending?.abort(new Error('the shutdown was called off'));
    if (begins) {
      ending = new AbortController();
      void endAll(ending.signal).catch((error: unknown) =>
        log.error({ err: error }, 'pods did not end in order'),
      );
    } else controller.enqueue('logind');
  }

  async function endAll(signal: AbortSignal): Promise<void> {
    try {
      const criticalMs = Math.min(options.criticalMs, graceMs);
      for (const wave of planShutdown(options.pods(), { totalMs: graceMs, criticalMs })) {
        log.info({ pods: wave.ends.size, waitMs: wave.waitMs }, 'ending pods');
        for (const [uid, end] of wave.ends) options.end(uid, end);
        await untilGone(new Set(wave.ends.keys()), wave.waitMs, signal);
      }
      await untilReported(signal);
    } finally {
      // The host need not wait any longer; it goes down at the latest when its own patience ends.
      if (!signal.aborted) releaseLock();
    }
  }

  /** Resolves when none of them runs any more, or after `waitMs`. */
  async function untilGone(uids: ReadonlySet<string>, waitMs: number, signal: AbortSignal): Promise<void> {
    const untilMs = clock.monotonicMs() + waitMs;
    while (!signal.aborted && clock.monotonicMs() < untilMs) {
      const running = await options.running();
      if (![...uids].some((uid) => running.has(uid))) return;
      await untilAborted(clock.sleep(lookMs, signal), signal);
    }
  }

  async function untilReported(signal: AbortSignal): Promise<void> {
    const untilMs = clock.monotonicMs() + reportMs;
    const isReported = ({ status }: Pod): boolean =>
      status?.phase === 'Failed' || status?.phase === 'Succeeded';
    while (!signal.aborted && clock.monotonicMs() < untilMs && !options.pods().every(isReported)) {
      await untilAborted(clock.sleep(lookMs, signal), signal);
    }
  }

  function releaseLock(): void {
    lock?.release();
    lock = undefined;
  }

  /** Watches and holds the lock, both again whenever they were lost. */
  async function ensure(): Promise<ReconcileResult> {
    if (!watch) {
      const own = source.watch(change);
      watch = own;
      void own.ended.then((reason) => {
        if (stopping.signal.aborted) return;
        log.warn({ reason }, 'shutdowns of the host are not heard of any more');
        if (watch === own) watch = undefined;
        controller.enqueueAfter('logind', rewatchMs);
      });
      if (await source.isBegun()) change(true);
    }
    if (lock || isBegun) return undefined;
    graceMs = Math.min(await source.allowDelay(options.graceMs + reportMs), options.graceMs);
    if (graceMs < options.graceMs)
      log.warn({ wantedMs: options.graceMs, graceMs }, 'the host does not wait as long as it should');
    const own = await source.inhibit();
    lock = own;
    void own.gone.then(() => {
      if (lock !== own) return;
      lock = undefined;
      if (!stopping.signal.aborted) controller.enqueueAfter('logind', rewatchMs);
    });
    return undefined;
  }

  const controller = createController({
    name: 'node-shutdown',
    sources: [],
    clock,
    log,
    backoff: { minMs: 1_000, maxMs: 600_000, jitter: 0.2 },
    reconciler: { reconcile: ensure },
  });

  return {
    ...controller,
    async start(signal) {
      stopping.follow(signal);
      await controller.start(signal);
      controller.enqueue('logind');
    },
    async stop() {
      stopping.abort(new Error('the agent stops'));
      ending?.abort(stopping.signal.reason);
      await controller.stop();
      watch?.stop();
      releaseLock();
    },
    // A host without a login manager is no reason for anything.
    healthy: () => healthyNow,
    check: {
      name: shutdownCheck,
      healthy: (): Health => (isBegun ? { ok: false, reason: 'node is shutting down' } : healthyNow),
    },
    admit: () => (isBegun ? refusal : undefined),
  };
}
