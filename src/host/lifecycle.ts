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
  const systemd = takeSystemd(log);
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
  await systemd.notify(['--ready', `--status=${component.name} serves`]);
  const stopWatchdog = startWatchdog(component, clock, systemd);
  const name = await signalled;
  log.info({ signal: name }, 'stopping');
  stopWatchdog();
  await systemd.notify(['STOPPING=1']);
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

interface Systemd {
  /** Does nothing where systemd did not start this process. */
  notify(args: readonly string[]): Promise<void>;
  /** 0 without a watchdog. */
  watchdogMs: number;
}

/** Takes what systemd put into the environment out of it: children (busctl, say) would report their failures as ours. */
function takeSystemd(log: Logger): Systemd {
  const { NOTIFY_SOCKET: socket, WATCHDOG_USEC: watchdogMicros } = process.env;
  for (const name of ['NOTIFY_SOCKET', 'WATCHDOG_USEC', 'WATCHDOG_PID']) delete process.env[name];
  return {
    watchdogMs: Number(watchdogMicros ?? 0) / 1000,
    async notify(args) {
      if (!socket) return;
      const options = { env: { NOTIFY_SOCKET: socket }, timeoutMs: 20_000 };
      const result = await run('systemd-notify', args, options).catch((error: unknown) => ({
        code: -1,
        stderr: String(error),
      }));
      if (result.code !== 0) log.warn({ stderr: result.stderr }, 'cannot notify systemd');
    },
  };
}

/**
 * Tells systemd three times per interval that this process still turns, and how it is; systemd restarts the unit when that
 * stops. Being unhealthy is not the same: a disk that is full, a master or a runtime that is away does not get better by
 * a restart, and what still works would stop.
 */
function startWatchdog(component: Component, clock: Clock, systemd: Systemd): () => void {
  const intervalMs = systemd.watchdogMs / 3;
  if (!(intervalMs > 0)) return () => undefined;
  let cancel = (): void => undefined;
  const tick = (): void => {
    const { ok, reason } = component.healthy();
    const status = ok ? `${component.name} serves` : reason.replaceAll('\n', ' ');
    void systemd.notify(['WATCHDOG=1', `--status=${status}`]);
    cancel = clock.after(intervalMs, tick);
  };
  tick();
  return () => cancel();
}
