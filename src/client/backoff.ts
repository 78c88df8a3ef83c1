/**
 * The one backoff of the repo: how long to wait after the n-th failure in a row, and a counter around it.
 *
 * Called by the workqueue (one counter per key), the informer and the lease loops. Delays double from `minMs` up to
 * `maxMs`; `jitter` 0.5 means up to half as much again, so that many clients do not come back in step.
 */

export interface BackoffPolicy {
  minMs: number;
  maxMs: number;
  /** 0 by default. */
  jitter?: number;
}

/** Delay before the next try after `failures` (1, 2, ...) failures in a row. `random` yields 0 <= x < 1. */
export function backoffMs(
  failures: number,
  policy: BackoffPolicy,
  random: () => number = Math.random,
): number {
  const base = Math.min(policy.maxMs, policy.minMs * 2 ** Math.min(Math.max(failures, 1) - 1, 52));
  return Math.min(policy.maxMs, base * (1 + (policy.jitter ?? 0) * random()));
}

export interface Backoff {
  /** Counts a failure and says how long to wait before the next try, in milliseconds. */
  next(): number;
  /** Forgets the failures: something worked. */
  reset(): void;
}

export function createBackoff(policy: BackoffPolicy, random: () => number = Math.random): Backoff {
  let failures = 0;
  return {
    next: () => backoffMs(++failures, policy, random),
    reset: () => {
      failures = 0;
    },
  };
}
