/**
 * Signals and thresholds of node-pressure eviction, from the flags to numbers. Pure. Called by `agent/options.ts`, by
 * pressure.ts and by whoever keeps back from `allocatable` what the hard thresholds say.
 *
 * Grammar and defaults are those documented under "Node-pressure Eviction". Given hard thresholds are put on top of the
 * defaults; one of 0% or 100% takes a default away.
 */
import { parseDuration } from '../../src/api/duration.js';
import { toBytes } from '../../src/api/quantity.js';
import type { Pressure } from '../node/conditions.js';

export type Signal =
  | 'memory.available'
  /** Of the cgroup of all pods: what is left below `allocatable`. Follows `memory.available`, not a flag of its own. */
  | 'allocatableMemory.available'
  | 'nodefs.available'
  | 'nodefs.inodesFree'
  | 'imagefs.available'
  | 'imagefs.inodesFree'
  | 'pid.available';

/** What is starved, as messages and events call it. */
export type Starved = 'memory' | 'ephemeral-storage' | 'inodes' | 'pids';

export const signalFacts: Record<Signal, { pressure: Pressure; starved: Starved }> = {
  'memory.available': { pressure: 'MemoryPressure', starved: 'memory' },
  'allocatableMemory.available': { pressure: 'MemoryPressure', starved: 'memory' },
  'nodefs.available': { pressure: 'DiskPressure', starved: 'ephemeral-storage' },
  'nodefs.inodesFree': { pressure: 'DiskPressure', starved: 'inodes' },
  'imagefs.available': { pressure: 'DiskPressure', starved: 'ephemeral-storage' },
  'imagefs.inodesFree': { pressure: 'DiskPressure', starved: 'inodes' },
  'pid.available': { pressure: 'PIDPressure', starved: 'pids' },
};

/** Whole units (bytes, inodes, processes) or a share of the capacity, 0 to 1. */
export type Size = { units: number } | { ratio: number };

export interface Threshold {
  signal: Signal;
  /** Met when less than this is available. */
  value: Size;
  /** How long it has to be met before pods are evicted; 0: a hard threshold. */
  graceMs: number;
  /** How much more than `value` must be available until it counts as over. */
  minReclaim: Size | undefined;
}

export interface EvictionFlags {
  hard: string;
  soft: string;
  softGracePeriod: string;
  minimumReclaim: string;
}

const defaultHard =
  'memory.available<100Mi,nodefs.available<10%,nodefs.inodesFree<5%,imagefs.available<15%,imagefs.inodesFree<5%';

const flagSignals = Object.keys(signalFacts).filter((signal) => signal !== 'allocatableMemory.available');
const isSignal = (name: string): name is Signal => flagSignals.includes(name);

/** `signal<value` or `signal=value`, separated by commas. Throws with the part that is wrong. */
function entries(text: string, separator: '<' | '='): [Signal, string][] {
  return text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '')
    .map((part) => {
      const at = part.indexOf(separator);
      const signal = part.slice(0, at).trim();
      const value = part.slice(at + 1).trim();
      if (at < 0 || value === '')
        throw new Error(`${JSON.stringify(part)} is not like ${flagSignals[0]}${separator}...`);
      if (!isSignal(signal))
        throw new Error(
          `${JSON.stringify(signal)} is no eviction signal; take one of ${flagSignals.join(', ')}`,
        );
      return [signal, value];
    });
}

function sizeOf(text: string): Size {
  const percent = /^(\d+(?:\.\d+)?)%$/.exec(text)?.[1];
  if (percent !== undefined) {
    if (Number(percent) > 100) throw new Error(`${text} is more than 100%`);
    return { ratio: Number(percent) / 100 };
  }
  const units = toBytes(text);
  if (units < 0) throw new Error(`${text} is negative`);
  return { units };
}

const isOff = (size: Size): boolean => 'ratio' in size && (size.ratio === 0 || size.ratio === 1);

function sizes(text: string, separator: '<' | '='): Map<Signal, Size> {
  return new Map(entries(text, separator).map(([signal, value]) => [signal, sizeOf(value)]));
}

/** Throws an `Error` that says what is wrong; the caller names the flag. */
export function parseThresholds(flags: EvictionFlags): Threshold[] {
  const hard = new Map([...sizes(defaultHard, '<'), ...sizes(flags.hard, '<')]);
  const graces = new Map(entries(flags.softGracePeriod, '='));
  const reclaims = sizes(flags.minimumReclaim, '=');
  const threshold = (signal: Signal, value: Size, graceMs: number): Threshold[] => {
    if (isOff(value)) return [];
    if ('units' in value && value.units === 0)
      throw new Error(`the threshold of ${signal} must be more than 0`);
    return [{ signal, value, graceMs, minReclaim: reclaims.get(signal) }];
  };
  const soft = [...sizes(flags.soft, '<')].flatMap(([signal, value]) => {
    const grace = graces.get(signal);
    if (grace === undefined)
      throw new Error(`the soft threshold of ${signal} needs --eviction-soft-grace-period`);
    return threshold(signal, value, parseDuration(grace));
  });
  return [...[...hard].flatMap(([signal, value]) => threshold(signal, value, 0)), ...soft];
}

/** What `enforceNodeAllocatable=pods` adds: the hard memory threshold, for the cgroup of all pods. */
export const withAllocatable = (thresholds: readonly Threshold[]): Threshold[] => [
  ...thresholds,
  ...thresholds
    .filter(({ signal, graceMs }) => signal === 'memory.available' && graceMs === 0)
    .map((threshold): Threshold => ({ ...threshold, signal: 'allocatableMemory.available' })),
];

/** Whole units, of a capacity. */
export const unitsOf = (size: Size, capacity: number): number =>
  'units' in size ? size.units : Math.trunc(capacity * size.ratio);

/** What the hard threshold of a signal keeps back of a capacity, for `allocatable`; 0 without one. */
export function hardReserve(thresholds: readonly Threshold[], signal: Signal, capacity: number): number {
  const hard = thresholds.find((threshold) => threshold.signal === signal && threshold.graceMs === 0);
  return hard ? unitsOf(hard.value, capacity) : 0;
}
