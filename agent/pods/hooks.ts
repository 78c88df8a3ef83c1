/**
 * Runs lifecycle hooks (postStart, preStop): exec in the container, an HTTP GET, a TCP connect, or a sleep. Called by
 * `kill.ts` before the stop signal and by the worker after a start. Rejects when the hook fails or takes too long.
 */
import type { LifecycleHandler, Pod } from '../../src/api/types.js';
import type { Clock } from '../../src/host/clock.js';
import { resolvePort } from '../probes/ports.js';
import type { ProbeRunner } from '../probes/runner.js';
import { specOf } from './observed.js';
import type { PodRecord } from './record.js';

export interface HookCall {
  pod: Pod;
  record: PodRecord;
  hook: LifecycleHandler;
  container: string;
  /** The container's id. */
  id: string;
  timeoutMs: number;
}

export type RunHook = (call: HookCall, signal: AbortSignal) => Promise<void>;

/** Hooks do what probes do, once: a failed check is a failed hook. */
export function createHooks(options: { runner: ProbeRunner; clock: Clock }): RunHook {
  return async ({ pod, record, hook, container, id, timeoutMs }, signal) => {
    if (hook.sleep) {
      await options.clock.sleep(Math.min(hook.sleep.seconds * 1000, timeoutMs), signal);
      return;
    }
    const spec = specOf(pod, container);
    const port = hook.httpGet?.port ?? hook.tcpSocket?.port;
    const target = {
      containerId: id,
      podIp: record.network?.ips[0] ?? pod.status?.podIP ?? '',
      port: port === undefined ? undefined : resolvePort(port, spec?.ports ?? []),
    };
    const outcome = await options.runner(hook, target, timeoutMs, signal);
    if (!outcome.success) throw new Error(outcome.output);
  };
}
