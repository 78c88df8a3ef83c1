/** Waiting for what no API announces: processes, sockets, files. Everything else waits by watch (`src/cli/up/wait.ts`). */
import { systemClock } from '../src/host/clock.js';

/** Milliseconds until `holds` was true; throws with `what` when that takes longer than `seconds`. */
export async function eventually(
  what: string,
  seconds: number,
  holds: () => Promise<boolean> | boolean,
): Promise<number> {
  const begun = systemClock.monotonicMs();
  for (;;) {
    let last: unknown;
    try {
      if (await holds()) return systemClock.monotonicMs() - begun;
    } catch (error) {
      last = error;
    }
    if (systemClock.monotonicMs() - begun > seconds * 1000)
      throw new Error(`not within ${seconds} s: ${what}`, { cause: last });
    await systemClock.sleep(100, new AbortController().signal);
  }
}
