/**
 * What every part of the composition gets, and two wrappers for what is not quite a component.
 */

import type { Clock } from '../../src/host/clock.js';
import { type Component, healthyNow } from '../../src/host/component.js';
import type { Logger } from '../../src/host/log.js';
import type { AgentOptions } from '../options.js';

export interface Base {
  options: AgentOptions;
  clock: Clock;
  log: Logger;
  /** `<data-dir>/agent`. */
  directory: string;
  /** Starts it now; it is stopped with the agent, after everything that was started later. */
  start(component: Component): Promise<void>;
  /** Aborts when the agent stops. */
  signal: AbortSignal;
}

/** Something that only has to be closed at the end. */
export const closing = (name: string, close: () => Promise<void>): Component => ({
  name,
  start: async () => undefined,
  stop: close,
  healthy: () => healthyNow,
});

/** A part whose start waits for the API: the agent goes on meanwhile. */
export function inBackground(component: Component, log: Logger): Component {
  let trouble = `${component.name} has not started yet`;
  return {
    name: component.name,
    async start(signal) {
      component.start(signal).then(
        () => {
          trouble = '';
        },
        (error: unknown) => {
          trouble = `${component.name} did not start`;
          if (!signal.aborted) log.error({ err: error, part: component.name }, 'a part did not start');
        },
      );
    },
    stop: () => component.stop(),
    healthy: () => (trouble === '' ? component.healthy() : { ok: false, reason: trouble }),
  };
}
