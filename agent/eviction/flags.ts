/**
 * The flags of eviction and garbage collection, with the names and defaults of kubelet's. Called by `agent/options.ts`.
 */
import { durationFlag, given, numberFlag, type RawFlags } from '../../src/host/config.js';
import type { ImageGcPolicy } from '../images/gc.js';
import { parseThresholds, type Threshold } from './signals.js';

export interface EvictionConfig {
  thresholds: readonly Threshold[];
  /** How long a pressure is reported after it was seen last. */
  transitionMs: number;
  /** Grace of pods that a soft threshold ends. */
  maxPodGraceSeconds: number;
}

export interface ReclaimFlags {
  eviction: EvictionConfig;
  imageGc: ImageGcPolicy;
}

/** Throws an `Error` that names the flag. */
export function reclaimFlags(raw: RawFlags): ReclaimFlags {
  return {
    eviction: {
      thresholds: thresholds(raw),
      transitionMs: durationFlag(raw, 'eviction-pressure-transition-period', '5m'),
      maxPodGraceSeconds: numberFlag(raw, 'eviction-max-pod-grace-period', {
        otherwise: 0,
        from: 0,
        to: 86_400,
      }),
    },
    imageGc: imageGc(raw),
  };
}

function thresholds(raw: RawFlags): Threshold[] {
  const text = (flag: string): string => given(raw, flag) ?? '';
  try {
    return parseThresholds({
      hard: text('eviction-hard'),
      soft: text('eviction-soft'),
      softGracePeriod: text('eviction-soft-grace-period'),
      minimumReclaim: text('eviction-minimum-reclaim'),
    });
  } catch (error) {
    const what = error instanceof Error ? error.message : String(error);
    throw new Error(`--eviction-hard, --eviction-soft and their periods: ${what}`, { cause: error });
  }
}

function imageGc(raw: RawFlags): ImageGcPolicy {
  const percent = (flag: string, otherwise: number): number =>
    numberFlag(raw, flag, { otherwise, from: 0, to: 100 });
  const highPercent = percent('image-gc-high-threshold', 85);
  const lowPercent = percent('image-gc-low-threshold', Math.min(80, highPercent));
  if (lowPercent > highPercent)
    throw new Error(`--image-gc-low-threshold: ${lowPercent} is above the high threshold ${highPercent}`);
  return {
    highPercent,
    lowPercent,
    minAgeMs: durationFlag(raw, 'minimum-image-ttl-duration', '2m'),
    maxAgeMs: durationFlag(raw, 'image-maximum-gc-age', '0s'),
  };
}
