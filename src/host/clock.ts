/**
 * Contract: the only source of time and the only place that calls `setTimeout`.
 *
 * Everything that waits takes a `Clock` and an `AbortSignal`, so that tests run without sleeping and a stop never
 * hangs. `now` is wall time (what goes into objects); `monotonicMs` never jumps (what durations are measured with).
 */

export interface Clock {
  /** Wall time. Jumps when the host's clock is set. */
  now(): Date;
  /** Milliseconds on a clock that never goes back; only differences mean anything. */
  monotonicMs(): number;
  /** Resolves after `ms`; rejects with the signal's reason as soon as it aborts. */
  sleep(ms: number, signal: AbortSignal): Promise<void>;
  /** Calls `run` once after `ms`; the returned function cancels it. Does not keep the process alive. */
  after(ms: number, run: () => void): () => void;
}

/** Longest delay `setTimeout` takes without wrapping round to 1 ms. */
const maxTimerMs = 2 ** 31 - 1;

export const systemClock: Clock = {
  now: () => new Date(),
  monotonicMs: () => performance.now(),
  sleep: (ms, signal) =>
    new Promise((resolve, reject) => {
      if (signal.aborted) {
        reject(signal.reason);
        return;
      }
      const onAbort = (): void => {
        clearTimeout(timer);
        reject(signal.reason);
      };
      const timer = setTimeout(
        () => {
          signal.removeEventListener('abort', onAbort);
          resolve();
        },
        Math.min(Math.max(ms, 0), maxTimerMs),
      );
      signal.addEventListener('abort', onAbort, { once: true });
    }),
  after: (ms, run) => {
    const timer = setTimeout(run, Math.min(Math.max(ms, 0), maxTimerMs));
    timer.unref();
    return () => clearTimeout(timer);
  },
};

/** Kubernetes `metav1.Time`: seconds, UTC. */
export const toTime = (date: Date): string => `${date.toISOString().slice(0, 19)}Z`;

/** Kubernetes `metav1.MicroTime`, as Leases and events.k8s.io use it. */
export const toMicroTime = (date: Date): string => `${date.toISOString().slice(0, 23)}000Z`;
