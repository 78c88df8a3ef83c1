/**
 * How far the agent's runtime may protect a process from the kernel's out-of-memory killer. Called once at start.
 *
 * Lowering `oom_score_adj` needs CAP_SYS_RESOURCE; in a container or a small VM without it every start with a negative
 * score would fail, so scores are then cut at 0 and somebody is told.
 */
import { readFile } from 'node:fs/promises';
import type { Logger } from '../../src/host/log.js';

const capSysResource = 24n;

/** Whether the `CapEff` line of a /proc/<pid>/status allows it. */
export const mayLowerOomScore = (status: string): boolean => {
  const effective = /^CapEff:\s*([0-9a-f]+)$/m.exec(status)?.[1];
  return effective !== undefined && ((BigInt(`0x${effective}`) >> capSysResource) & 1n) === 1n;
};

/** The lowest score that may be set: -1000, or 0 without the capability. */
export async function readOomScoreFloor(log: Logger): Promise<number> {
  if (mayLowerOomScore(await readFile('/proc/self/status', 'utf8'))) return -1000;
  log.warn(
    { missing: 'CAP_SYS_RESOURCE' },
    'containers cannot be protected from the out-of-memory killer here',
  );
  return 0;
}
