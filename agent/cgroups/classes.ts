/**
 * What the cgroups above the pods get: every class weighs what its pods asked for together, and protects what they
 * reserved. Pure. Called by manager.ts.
 */

import type { QosClass } from '../../src/api/qos.js';
import type { CgroupLimits } from './files.js';
import { clampShares, minShares } from './limits.js';

/** What one pod asked for. */
export interface Demand {
  qos: QosClass;
  cpuShares: number;
  /** Bytes; 0 where memory is not reserved. */
  memoryBytes: number;
}

const sum = (demands: Iterable<Demand>, counts: (demand: Demand) => number): number =>
  [...demands].reduce((total, demand) => total + counts(demand), 0);

const of =
  (qos: QosClass, amount: 'cpuShares' | 'memoryBytes') =>
  (demand: Demand): number =>
    demand.qos === qos ? demand[amount] : 0;

/** Best effort gets what is left. */
export function classLimits(
  qos: 'Burstable' | 'BestEffort',
  demands: Iterable<Demand>,
  reservesMemory: boolean,
): CgroupLimits {
  if (qos === 'BestEffort') return { cpuShares: minShares };
  const all = [...demands];
  return {
    cpuShares: clampShares(sum(all, of('Burstable', 'cpuShares'))),
    ...(reservesMemory && { memoryReservationBytes: sum(all, of('Burstable', 'memoryBytes')) }),
  };
}

/** A pod's protection counts only as far as its parents protect as much. */
export function rootReservation(demands: Iterable<Demand>): CgroupLimits {
  const all = [...demands];
  const guaranteed = sum(all, of('Guaranteed', 'memoryBytes'));
  return {
    memoryMinBytes: guaranteed,
    memoryReservationBytes: guaranteed + sum(all, of('Burstable', 'memoryBytes')),
  };
}
