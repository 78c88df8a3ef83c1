/**
 * Asks the runtime whether it lives, and never waits longer than ten seconds for the answer: a runtime that hangs is a
 * runtime that is down. One question at a time; what it said last stands while it is silent. Called by `node.ts`.
 */
import { orAborted } from '../../src/client/wait.js';
import type { Clock } from '../../src/host/clock.js';
import type { ImageState, Runtime, RuntimeFeatures } from '../runtime/runtime.js';

export interface RuntimeFacts {
  /** `docker`. */
  name: string;
  version: string;
  images: readonly ImageState[];
  /** Undefined until it answered once. */
  features: RuntimeFeatures | undefined;
}

export interface RuntimeProbe {
  /** Rejects only when `signal` aborts: `error` is '' or says why the runtime counts as down. */
  ask(signal: AbortSignal): Promise<{ error: string; facts: RuntimeFacts }>;
}

const deadlineMs = 10_000;

export function createRuntimeProbe(options: {
  runtime: Pick<Runtime, 'version' | 'listImages'>;
  /** What to call it before it has answered. */
  name: string;
  clock: Clock;
}): RuntimeProbe {
  const { runtime, clock } = options;
  let facts: RuntimeFacts = { name: options.name, version: 'Unknown', images: [], features: undefined };
  /** The question that is open; a runtime that hangs is not asked again and again. */
  let asking: Promise<void> | undefined;

  async function askBoth(): Promise<void> {
    const { name, version, features } = await runtime.version();
    facts = { name, version, features, images: await runtime.listImages() };
  }

  return {
    async ask(signal) {
      asking ??= askBoth().finally(() => {
        asking = undefined;
      });
      try {
        await orAborted(withinDeadline(asking, clock), signal);
        return { error: '', facts };
      } catch (error) {
        signal.throwIfAborted();
        return { error: error instanceof Error ? error.message : String(error), facts };
      }
    },
  };
}

function withinDeadline(promise: Promise<void>, clock: Clock): Promise<void> {
  return new Promise((resolve, reject) => {
    const cancel = clock.after(deadlineMs, () =>
      reject(new Error(`it did not answer within ${deadlineMs / 1000} s`)),
    );
    promise.then(resolve, reject).finally(cancel);
  });
}
