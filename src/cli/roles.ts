/**
 * Starts a role as a process. The only file of `src/` that reaches up into `master/` and `agent/`, and only by dynamic
 * import: an agent's process never loads the control plane.
 */

import { setFlagsFromString } from 'node:v8';
import { systemClock } from '../host/clock.js';
import { runProcess } from '../host/lifecycle.js';
import { createLogger, type LogLevel } from '../host/log.js';
import type { RawOptions } from './config.js';

/** Hides the arguments (a join token may be among them) from process lists, before anything else happens. */
function hideArguments(role: string): void {
  process.title = `wherry ${role}`;
}

export async function runMaster(raw: RawOptions): Promise<void> {
  hideArguments('master');
  const { parseMasterOptions } = await import('../../master/options.js');
  const { createMaster } = await import('../../master/main.js');
  const options = parseMasterOptions(raw);
  const log = createLogger(options.logLevel).child({ role: 'master' });
  process.exitCode = await runProcess({
    component: createMaster(options, { log, clock: systemClock }),
    clock: systemClock,
    log,
  });
}

/**
 * An agent makes little garbage at a time, and every node pays for its memory: the part of the heap for new objects
 * stays at the 2 MB it begins with instead of growing to 32. V8 reads this flag at each growth, so it may be set late.
 */
function keepYoungHeapSmall(): void {
  setFlagsFromString('--semi-space-growth-factor=1');
}

export async function runAgent(raw: RawOptions): Promise<void> {
  hideArguments('agent');
  keepYoungHeapSmall();
  const { parseAgentOptions } = await import('../../agent/options.js');
  const { createAgent } = await import('../../agent/main.js');
  const options = parseAgentOptions(raw);
  const log = createLogger(options.logLevel).child({ role: 'agent' });
  process.exitCode = await runProcess({
    component: createAgent(options, { log, clock: systemClock }),
    clock: systemClock,
    log,
  });
}

/** The answer is what `purge` left because it is not the agent's. */
export async function cleanUpAgent(raw: RawOptions, purge: boolean): Promise<readonly string[]> {
  const { parseAgentOptions } = await import('../../agent/options.js');
  const { cleanUp } = await import('../../agent/cleanup.js');
  const level: LogLevel = 'warn';
  return cleanUp(parseAgentOptions(raw), { purge, log: createLogger(level) });
}
