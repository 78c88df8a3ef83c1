/**
 * Who goes when, at a shutdown of the host: ordinary pods first, critical ones with the last part of the time. Pure.
 * Called by `shutdown.ts`. Times, reason and messages are those of "Graceful node shutdown".
 */
import type { Pod } from '../../src/api/types.js';
import { isCritical } from '../admission/critical.js';
import { disruptionReason } from '../eviction/messages.js';
import type { PodEnd } from '../pods/needs.js';

const message = 'Pod was terminated in response to imminent node shutdown.';

/** What `AdmitPod` answers meanwhile. */
export const refusal = {
  reason: 'NodeShutdown',
  message: 'Pod was rejected as the node is shutting down.',
} as const;

export interface Wave {
  /** Ends of the pods, by uid; all at once. */
  ends: ReadonlyMap<string, PodEnd>;
  /** How long the next wave waits for this one at most. */
  waitMs: number;
}

const isOver = ({ status }: Pod): boolean => status?.phase === 'Succeeded' || status?.phase === 'Failed';

/** A wave without pods is left out: nobody waits for it. `criticalMs` is a part of `totalMs`. */
export function planShutdown(pods: readonly Pod[], time: { totalMs: number; criticalMs: number }): Wave[] {
  const active = pods.filter((pod) => !isOver(pod));
  const waves = [
    waveOf(
      active.filter((pod) => !isCritical(pod)),
      time.totalMs - time.criticalMs,
    ),
    waveOf(active.filter(isCritical), time.criticalMs),
  ];
  return waves.filter(({ ends }) => ends.size > 0);
}

function waveOf(pods: readonly Pod[], waitMs: number): Wave {
  const ends = pods.map(({ metadata, spec }): [string, PodEnd] => {
    const ownSeconds = spec?.terminationGracePeriodSeconds ?? 30;
    const graceSeconds = Math.min(ownSeconds, Math.floor(waitMs / 1000));
    return [
      metadata.uid ?? '',
      { reason: 'Terminated', message, graceSeconds, disruption: { reason: disruptionReason, message } },
    ];
  });
  return { ends: new Map(ends), waitMs };
}
