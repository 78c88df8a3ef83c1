/**
 * Makes graceful node shutdown out of the flags and the real login manager. Used by the composition root only.
 */
import type { Pod } from '../../src/api/types.js';
import type { Clock } from '../../src/host/clock.js';
import { run } from '../../src/host/exec.js';
import type { Logger } from '../../src/host/log.js';
import type { PodEnd } from '../pods/needs.js';
import { labels, type Runtime } from '../runtime/runtime.js';
import { openChild } from './children.js';
import { createLogind } from './logind.js';
import { createNodeShutdown, type NodeShutdown } from './shutdown.js';

export interface ShutdownPartsOptions {
  options: { shutdownGracePeriodMs: number; shutdownGracePeriodCriticalPodsMs: number };
  runtime: Pick<Runtime, 'listContainers'>;
  pods(): readonly Pod[];
  end(uid: string, end: PodEnd): void;
  onChange(): void;
  clock: Clock;
  log: Logger;
  signal: AbortSignal;
}

const pauseMs = 100;

/** Undefined when no flag asks for it: then shutdowns are neither watched nor delayed. */
export function createShutdown(parts: ShutdownPartsOptions): NodeShutdown | undefined {
  const { options, runtime, clock, signal } = parts;
  if (options.shutdownGracePeriodMs === 0) return undefined;
  return createNodeShutdown({
    ...parts,
    graceMs: options.shutdownGracePeriodMs,
    criticalMs: options.shutdownGracePeriodCriticalPodsMs,
    source: createLogind({ exec: run, open: openChild, pause: () => clock.sleep(pauseMs, signal) }),
    async running() {
      const containers = await runtime.listContainers();
      const running = containers.filter(({ state }) => state === 'running');
      return new Set(running.map((container) => container.labels[labels.podUid] ?? ''));
    },
  });
}
