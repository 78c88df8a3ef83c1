/**
 * What the runtime can, asked rarely: it changes only when the runtime is replaced. Called for every sandbox and
 * container that is made.
 */
import type { Clock } from '../../src/host/clock.js';
import type { Runtime, RuntimeFeatures } from '../runtime/runtime.js';

export type FeatureReader = () => Promise<RuntimeFeatures>;

const freshMs = 60_000;

/** Rejects as `Runtime.version` does; a failed answer is not kept. */
export function createFeatureReader(runtime: Pick<Runtime, 'version'>, clock: Clock): FeatureReader {
  let known: { at: number; features: Promise<RuntimeFeatures> } | undefined;
  return () => {
    const now = clock.monotonicMs();
    if (known && now - known.at < freshMs) return known.features;
    const asked = { at: now, features: runtime.version().then(({ features }) => features) };
    asked.features.catch(() => {
      if (known === asked) known = undefined;
    });
    known = asked;
    return asked.features;
  };
}
