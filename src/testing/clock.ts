/**
 * A clock that stands still until a test moves it. `advance` runs the timers that come due, in order, and lets the
 * promises that each one wakes settle before the next.
 */
import type { Clock } from '../host/clock.js';

export interface FakeClock extends Clock {
  advance(ms: number): Promise<void>;
  /** Timers and sleeps not yet due. */
  readonly pending: number;
  /** Moves wall time only, as when somebody sets the host's clock. */
  jump(ms: number): void;
}

interface Timer {
  atMs: number;
  run: () => void;
}

export function createFakeClock(start = '2026-01-01T00:00:00Z'): FakeClock {
  const timers = new Set<Timer>();
  let nowMs = 0;
  let wallMs = Date.parse(start);

  function after(ms: number, run: () => void): () => void {
    const timer: Timer = { atMs: nowMs + Math.max(ms, 0), run };
    timers.add(timer);
    return () => timers.delete(timer);
  }

  function nextDue(untilMs: number): Timer | undefined {
    const due = [...timers].filter((timer) => timer.atMs <= untilMs);
    return due.reduce<Timer | undefined>(
      (first, timer) => (first && first.atMs <= timer.atMs ? first : timer),
      undefined,
    );
  }

  function moveTo(atMs: number): void {
    wallMs += atMs - nowMs;
    nowMs = atMs;
  }

  return {
    now: () => new Date(wallMs),
    monotonicMs: () => nowMs,
    after,
    sleep: (ms, signal) =>
      new Promise((resolve, reject) => {
        if (signal.aborted) return reject(signal.reason);
        const cancel = after(ms, () => {
          signal.removeEventListener('abort', onAbort);
          resolve();
        });
        const onAbort = (): void => {
          cancel();
          reject(signal.reason);
        };
        signal.addEventListener('abort', onAbort, { once: true });
      }),
    async advance(ms) {
      const untilMs = nowMs + ms;
      await settled();
      for (let timer = nextDue(untilMs); timer; timer = nextDue(untilMs)) {
        timers.delete(timer);
        moveTo(timer.atMs);
        timer.run();
        await settled();
      }
      moveTo(untilMs);
      await settled();
    },
    jump: (ms) => {
      wallMs += ms;
    },
    get pending() {
      return timers.size;
    },
  };
}

/** Resolves when the promises that can settle without I/O or time have settled. */
export async function settled(): Promise<void> {
  for (let turn = 0; turn < 4; turn++) await new Promise((resolve) => setImmediate(resolve));
}
