/**
 * Where runtime events wait until the agent looks: one per pod at most, so that the queue can never outgrow the number
 * of pods, however long the agent is busy. Used by all runtimes.
 *
 * Invariants: an event pushed while none waits is delivered; a `resync` swallows what waits, for it says more. One
 * reader per queue; its iteration ends when the signal aborts.
 */
import { createStop } from '../../src/client/wait.js';
import type { RuntimeEvent } from './runtime.js';

export class EventQueue {
  #pods = new Set<string>();
  #resync = false;
  #wake: (() => void) | undefined;

  push(event: RuntimeEvent): void {
    if (event.type === 'resync') {
      this.#resync = true;
      this.#pods.clear();
    } else if (!this.#resync) {
      this.#pods.add(event.podUid);
    }
    this.#wake?.();
  }

  async *drain(signal: AbortSignal): AsyncGenerator<RuntimeEvent, void, undefined> {
    const wake = (): void => this.#wake?.();
    signal.addEventListener('abort', wake, { once: true });
    try {
      while (!signal.aborted) {
        const event = this.#take();
        if (event) yield event;
        else
          await new Promise<void>((resolve) => {
            this.#wake = resolve;
          });
      }
    } finally {
      signal.removeEventListener('abort', wake);
    }
  }

  #take(): RuntimeEvent | undefined {
    if (this.#resync) {
      this.#resync = false;
      return { type: 'resync' };
    }
    for (const podUid of this.#pods) {
      this.#pods.delete(podUid);
      return { type: 'pod', podUid };
    }
    return undefined;
  }
}

/** What `listen` pushes, until the reader leaves or the signal aborts; then waits for `listen` to end too. */
export async function* eventsOf(
  given: AbortSignal,
  listen: (queue: EventQueue, signal: AbortSignal) => Promise<void>,
): AsyncGenerator<RuntimeEvent, void, undefined> {
  const stop = createStop();
  stop.follow(given);
  const queue = new EventQueue();
  const listening = listen(queue, stop.signal);
  try {
    yield* queue.drain(stop.signal);
  } finally {
    stop.abort();
    await listening;
  }
}
