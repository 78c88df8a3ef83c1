/**
 * How a row of probe results becomes a verdict. Pure.
 *
 * A verdict changes only after `successThreshold` successes, or `failureThreshold` failures, in a row.
 */
import type { Probe } from '../../src/api/types.js';

export interface Streak {
  success: boolean;
  /** How many results in a row were like the last. */
  count: number;
}

export function addResult(streak: Streak | undefined, success: boolean): Streak {
  return { success, count: streak?.success === success ? streak.count + 1 : 1 };
}

/** True or false once the threshold is reached, undefined before: the old verdict stands. */
export function verdictOf(streak: Streak, probe: Probe): boolean | undefined {
  const threshold = streak.success ? (probe.successThreshold ?? 1) : (probe.failureThreshold ?? 3);
  return streak.count >= threshold ? streak.success : undefined;
}

/** Kubernetes' defaults for what the API may leave out. */
export const timingOf = (probe: Probe): { initialDelayMs: number; periodMs: number; timeoutMs: number } => ({
  initialDelayMs: (probe.initialDelaySeconds ?? 0) * 1000,
  periodMs: Math.max(probe.periodSeconds ?? 10, 1) * 1000,
  timeoutMs: Math.max(probe.timeoutSeconds ?? 1, 1) * 1000,
});
