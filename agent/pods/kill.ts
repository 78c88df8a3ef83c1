/**
 * Ends one container in the background: preStop hook, stop signal, SIGKILL when the grace is over. The hook's time is
 * taken from the grace, but the process gets at least two seconds for its signal (as Kubernetes documents).
 *
 * The worker goes on meanwhile: the record's `killing` keeps the plan from asking twice, and a later, shorter grace
 * (a faster second delete) is applied to the kill under way.
 */
import { createStop } from '../../src/client/wait.js';
import type { Clock } from '../../src/host/clock.js';
import type { Runtime } from '../runtime/runtime.js';
import type { ContainerKill } from './actions.js';
import type { StepContext } from './executors.js';
import type { RunHook } from './hooks.js';
import type { PodEvents } from './needs.js';
import { specOf } from './observed.js';

const minimumGraceMs = 2000;
/** How soon a kill that the runtime refused is tried again. */
const retryMs = 1000;

export type KillContainer = (kill: ContainerKill, context: StepContext) => void;

export interface KillOptions {
  runtime: Runtime;
  events: PodEvents;
  runHook: RunHook;
  clock: Clock;
  /** Looks at the pod again, after `ms`. */
  enqueueAfter(uid: string, ms: number): void;
  /** Aborts when the agent stops; the container is then left as it is. */
  signal: AbortSignal;
}

export function createKill(options: KillOptions): KillContainer {
  const { runtime, events, clock } = options;
  /** Hooks under way by container id, so that a shorter grace can cut them off. */
  const hooks = new Map<string, AbortController>();

  async function end(
    kill: ContainerKill,
    context: StepContext,
    deadlineMs: number,
    isFirst: boolean,
  ): Promise<void> {
    const hook = specOf(context.pod, kill.container)?.lifecycle?.preStop;
    hooks.get(kill.id)?.abort(new Error('the grace period was shortened'));
    let leastMs = 0;
    if (hook && isFirst && kill.graceMs > 0) {
      leastMs = minimumGraceMs;
      const cutOff = createStop();
      const release = cutOff.follow(options.signal);
      hooks.set(kill.id, cutOff);
      try {
        await options.runHook(
          { ...context, hook, container: kill.container, id: kill.id, timeoutMs: kill.graceMs },
          cutOff.signal,
        );
      } catch (error) {
        const message = error instanceof Error ? error.message : String(error);
        events.record(
          context.pod,
          'Warning',
          'FailedPreStopHook',
          `PreStopHook failed: ${message}`,
          kill.container,
        );
      } finally {
        release();
        hooks.delete(kill.id);
      }
    }
    if (options.signal.aborted) return;
    await runtime.stopContainer(kill.id, Math.max(deadlineMs - clock.monotonicMs(), leastMs));
  }

  return (kill, context) => {
    const { record, pod, log } = context;
    const isFirst = !record.killing.has(kill.id);
    const deadline = new Date(clock.now().getTime() + kill.graceMs);
    record.killing.set(kill.id, deadline);
    if (isFirst) events.record(pod, 'Normal', 'Killing', kill.message, kill.container);
    const settle = (delayMs: number): void => {
      if (record.killing.get(kill.id) !== deadline) return;
      record.killing.delete(kill.id);
      record.isStale = true;
      options.enqueueAfter(record.uid, delayMs);
    };
    end(kill, context, clock.monotonicMs() + kill.graceMs, isFirst).then(
      () => settle(0),
      (error: unknown) => {
        log.warn({ err: error, container: kill.container }, 'cannot stop container, will retry');
        settle(retryMs);
      },
    );
  };
}
