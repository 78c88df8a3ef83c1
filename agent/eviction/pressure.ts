/**
 * Which thresholds are met, for how long, and what follows: conditions of the node, thresholds to act on. Pure.
 *
 *   available < value ------> met --- grace period over ---> due (pods are evicted)
 *   available >= value + minReclaim ---> not met            condition stays for the transition period
 *
 * Called by manager.ts every few seconds; what one call learned is handed to the next.
 */
import type { Pressure } from '../node/conditions.js';
import { type Signal, signalFacts, type Threshold, unitsOf } from './signals.js';

export interface Observation {
  available: number;
  capacity: number;
}

/** Without a signal that could not be read. */
export type Observations = ReadonlyMap<Signal, Observation>;

export interface PressureState {
  /** Since when each threshold is met, in monotonic milliseconds. */
  metSince: ReadonlyMap<Threshold, number>;
  /** The thresholds acted on last: they stay met until `minReclaim` is reached too. */
  due: readonly Threshold[];
  /** When a condition was seen last. */
  seenAt: ReadonlyMap<Pressure, number>;
}

export const noPressure: PressureState = { metSince: new Map(), due: [], seenAt: new Map() };

export interface Assessment {
  state: PressureState;
  /** What the node has to report. */
  pressures: ReadonlySet<Pressure>;
  /** What to act on, the most urgent first. */
  due: readonly Threshold[];
}

export interface PressureRules {
  thresholds: readonly Threshold[];
  /** How long a pressure is reported after it was seen last. */
  transitionMs: number;
}

export function assess(
  rules: PressureRules,
  observations: Observations,
  before: PressureState,
  nowMs: number,
): Assessment {
  const met = new Set([
    ...thresholdsMet(rules.thresholds, observations),
    ...before.due.filter((threshold) => isMet(threshold, observations, true)),
  ]);
  const metSince = new Map([...met].map((threshold) => [threshold, before.metSince.get(threshold) ?? nowMs]));
  const seenAt = new Map(before.seenAt);
  for (const { signal } of met) seenAt.set(signalFacts[signal].pressure, nowMs);
  for (const [pressure, atMs] of seenAt) {
    if (nowMs - atMs >= rules.transitionMs && atMs !== nowMs) seenAt.delete(pressure);
  }
  const due = rules.thresholds.filter((threshold) => {
    const sinceMs = metSince.get(threshold);
    return sinceMs !== undefined && nowMs - sinceMs >= threshold.graceMs;
  });
  return {
    state: { metSince, due, seenAt },
    pressures: new Set(seenAt.keys()),
    due: due.toSorted((a, b) => Number(isMemory(b)) - Number(isMemory(a))),
  };
}

export const thresholdsMet = (
  thresholds: readonly Threshold[],
  observations: Observations,
): readonly Threshold[] => thresholds.filter((threshold) => isMet(threshold, observations, false));

function isMet(
  { signal, value, minReclaim }: Threshold,
  observations: Observations,
  withReclaim: boolean,
): boolean {
  const observed = observations.get(signal);
  if (!observed) return false;
  const reclaim = withReclaim && minReclaim ? unitsOf(minReclaim, observed.capacity) : 0;
  return observed.available < unitsOf(value, observed.capacity) + reclaim;
}

/** Nothing else helps a node that is out of memory. */
const isMemory = ({ signal }: Threshold): boolean => signalFacts[signal].starved === 'memory';
