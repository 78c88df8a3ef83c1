/**
 * The conditions of a node, in the words of the kubelet. Pure. Thresholds are the documented defaults of hard eviction
 * ("Node-pressure Eviction"); a pressure that ends is reported for five more minutes, so that pods do not come and go.
 */
import { findCondition } from '../../src/api/meta.js';
import type { NodeCondition } from '../../src/api/types.js';
import { toTime } from '../../src/host/clock.js';
import type { Health } from '../../src/host/component.js';
import type { Usage } from './machine.js';

/** `memory.available<100Mi`: below it the node is under memory pressure; also kept back from `allocatable`. */
export const memoryReserveBytes = 100 * 1024 * 1024;
/** `nodefs.available<10%`; kept back from `allocatable` too. */
export const diskReserveRatio = 0.1;
const inodesFreeRatio = 0.05;
const processesFreeRatio = 0.05;
export const pressureTransitionMs = 5 * 60_000;

export interface Check {
  name: string;
  healthy(): Health;
}

export type Pressure = 'MemoryPressure' | 'DiskPressure' | 'PIDPressure';

const pressureWords: Record<Pressure, { yes: [string, string]; no: [string, string] }> = {
  MemoryPressure: {
    yes: ['KubeletHasInsufficientMemory', 'kubelet has insufficient memory available'],
    no: ['KubeletHasSufficientMemory', 'kubelet has sufficient memory available'],
  },
  DiskPressure: {
    yes: ['KubeletHasDiskPressure', 'kubelet has disk pressure'],
    no: ['KubeletHasNoDiskPressure', 'kubelet has no disk pressure'],
  },
  PIDPressure: {
    yes: ['KubeletHasInsufficientPID', 'kubelet has insufficient PID available'],
    no: ['KubeletHasSufficientPID', 'kubelet has sufficient PID available'],
  },
};

export const pressures = Object.keys(pressureWords) as Pressure[];

/** Which thresholds are crossed at this moment. */
export function pressuresOf({ memoryAvailableBytes, disk, processes }: Usage): ReadonlySet<Pressure> {
  const found = new Set<Pressure>();
  if (memoryAvailableBytes < memoryReserveBytes) found.add('MemoryPressure');
  // Some file systems (btrfs, overlays) do not count inodes.
  const lacksInodes = disk.inodes > 0 && disk.inodesFree < disk.inodes * inodesFreeRatio;
  if (disk.availableBytes < disk.totalBytes * diskReserveRatio || lacksInodes) found.add('DiskPressure');
  if (processes.limit - processes.used < processes.limit * processesFreeRatio) found.add('PIDPressure');
  return found;
}

export interface ConditionFacts {
  now: Date;
  /** Crossed now, or not long enough ago. */
  pressures: ReadonlySet<Pressure>;
  /** Why the runtime does not answer; '' when it does. */
  runtimeError: string;
  checks: readonly Check[];
}

/** What the agent says of its node. `before` is only needed for the times of transition; others' conditions are kept. */
export function conditionsOf(before: readonly NodeCondition[], facts: ConditionFacts): NodeCondition[] {
  const now = toTime(facts.now);
  const own = [
    ...pressures.map((type) => pressureCondition(type, facts.pressures.has(type))),
    readyCondition(facts),
  ];
  const stamped = own.map((condition): NodeCondition => {
    const old = findCondition(before, condition.type);
    const lastTransitionTime = old?.status === condition.status ? old.lastTransitionTime : undefined;
    return { ...condition, lastHeartbeatTime: now, lastTransitionTime: lastTransitionTime ?? now };
  });
  return [...before.filter((old) => !findCondition(own, old.type)), ...stamped];
}

function pressureCondition(type: Pressure, isPressed: boolean): NodeCondition {
  const [reason, message] = pressureWords[type][isPressed ? 'yes' : 'no'];
  return { type, status: isPressed ? 'True' : 'False', reason, message };
}

function readyCondition({ runtimeError, checks }: ConditionFacts): NodeCondition {
  const failed = checks.flatMap((check) => {
    const health = check.healthy();
    return health.ok ? [] : [problem(check.name, health.reason)];
  });
  const problems = runtimeError === '' ? failed : [`container runtime is down: ${runtimeError}`, ...failed];
  if (problems.length === 0) {
    return {
      type: 'Ready',
      status: 'True',
      reason: 'KubeletReady',
      message: 'kubelet is posting ready status',
    };
  }
  const message = problems.length === 1 ? (problems[0] ?? '') : `[${problems.join(', ')}]`;
  return { type: 'Ready', status: 'False', reason: 'KubeletNotReady', message };
}

const problem = (name: string, reason: string): string =>
  name === 'pod-network'
    ? `container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady message:${reason}`
    : `${name}: ${reason}`;
