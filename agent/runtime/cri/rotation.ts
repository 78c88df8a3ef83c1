/**
 * 8. Keeps container logs small: what has grown beyond 10 MB gets another name and the runtime opens a new file; of the
 * old ones four are kept (kubelet's containerLogMaxSize and -MaxFiles). Wired by `agent/main.ts` beside the runtime.
 *
 * One loop for all containers. A crash between the two steps leaves a container that writes to the renamed file; the next
 * look finds its log missing and has it opened again.
 */
import { rename, rm, stat } from 'node:fs/promises';
import { createController } from '../../../src/client/controller.js';
import type { Clock } from '../../../src/host/clock.js';
import type { Component } from '../../../src/host/component.js';
import { ifExists } from '../../../src/host/files.js';
import type { Logger } from '../../../src/host/log.js';
import { logFiles } from './logs.js';

/** The runtime, as far as logs need it. */
export interface LogOwner {
  /** Of the containers that run. */
  runningLogs(): Promise<{ id: string; path: string }[]>;
  reopenLog(id: string): Promise<void>;
}

export interface RotationOptions {
  owner: LogOwner;
  clock: Clock;
  log: Logger;
  maxBytes?: number;
  maxFiles?: number;
}

const lookMs = 10_000;

export function createLogRotation(options: RotationOptions): Component {
  const { owner, clock, maxBytes = 10 * 1024 * 1024, maxFiles = 5 } = options;
  const log = options.log.child({ component: 'log-rotation' });

  async function rotate(id: string, path: string): Promise<void> {
    const size = (await ifExists(stat(path)))?.size;
    if (size === undefined) return owner.reopenLog(id);
    if (size < maxBytes) return;
    const old = (await logFiles(path)).slice(0, -1);
    const surplus = old.slice(0, Math.max(0, old.length - (maxFiles - 2)));
    for (const file of surplus) await rm(file, { force: true });
    await rename(path, `${path}.${stampOf(clock.now())}`);
    await owner.reopenLog(id);
  }

  const controller = createController({
    name: 'log-rotation',
    sources: [],
    clock,
    log,
    reconciler: {
      async reconcile() {
        for (const { id, path } of await owner.runningLogs()) {
          await rotate(id, path).catch((error: unknown) => {
            log.warn({ err: error, container: id }, 'cannot rotate the log of a container');
          });
        }
        return { requeueAfterMs: lookMs };
      },
    },
  });
  return {
    ...controller,
    async start(signal) {
      await controller.start(signal);
      controller.enqueue('logs');
    },
  };
}

/** `20260301-120000.000`: sorts as time does. */
const stampOf = (now: Date): string => now.toISOString().replace(/[-:Z]/g, '').replace('T', '-');
