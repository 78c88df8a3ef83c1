/**
 * Runs one component as a process: start, tell systemd, wait for SIGTERM or SIGINT, stop. The last word of `master` and
 * `agent`. A second signal, or a stop that takes longer than `stopTimeoutMs`, ends the process at once: everything here
 * is crash-only, so that loses nothing.
 */

import type { Clock } from './clock.js';
import type { Component } from './component.js';
import { run } from './exec.js';
import type { Logger } from './log.js';

export interface ProcessOptions {
  component: Component;
  clock: Clock;
  log: Logger;
  stopTimeoutMs?: number;
}

/** Resolves with the exit code. */
export async function runProcess(options: ProcessOptions): Promise<number> {
  const { component, clock, log } = options;
  const stopping = new AbortController();
  const signalled = new Promise<string>((resolve) => {
    for (const name of ['SIGTERM', 'SIGINT'] as const) {
      process.on(name, () => {
        if (stopping.signal.aborted) process.exit(1);
        resolve(name);
      });
    }
  });
  try {
    await component.start(stopping.signal);
  } catch (error) {
    log.error({ err: error, component: component.name }, 'start failed');
    return 1;
  }
  await notifySystemd(['--ready', `--status=${component.name} serves`], log);
  const stopWatchdog = startWatchdog(component, clock, log);
  const name = await signalled;
  log.info({ signal: name }, 'stopping');
  stopWatchdog();
  await notifySystemd(['STOPPING=1'], log);
  const cancelTimeout = clock.after(options.stopTimeoutMs ?? 20_000, () => process.exit(1));
  stopping.abort();
  try {
    await component.stop();
    return 0;
  } catch (error) {
    log.error({ err: error }, 'stop failed');
    return 1;
  } finally {
    cancelTimeout();
  }
}

/** Does nothing where systemd did not start this process (`NOTIFY_SOCKET` unset). */
async function notifySystemd(args: readonly string[], log: Logger): Promise<void> {
  if (!process.env['NOTIFY_SOCKET']) return;
  const result = await run('systemd-notify', args, { timeoutMs: 5_000 }).catch((error: unknown) => ({
    code: -1,
    stderr: String(error),
  }));
  if (result.code !== 0) log.warn({ stderr: result.stderr }, 'cannot notify systemd');
}

/**
 * Tells systemd twice per interval that this process still turns, and how it is; systemd restarts the unit when that
 * stops. Being unhealthy is not the same: a disk that is full, a master or a runtime that is away does not get better by
 * a restart, and what still works would stop.
 */
function startWatchdog(component: Component, clock: Clock, log: Logger): () => void {
  const intervalMs = Number(process.env['WATCHDOG_USEC'] ?? 0) / 2000;
  if (!(intervalMs > 0)) return () => undefined;
  let cancel = (): void => undefined;
  const tick = (): void => {
    const { ok, reason } = component.healthy();
    const status = ok ? `${component.name} serves` : reason.replaceAll('\n', ' ');
    void notifySystemd(['WATCHDOG=1', `--status=${status}`], log);
    cancel = clock.after(intervalMs, tick);
  };
  tick();
  return () => cancel();
}
