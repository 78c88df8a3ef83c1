/**
 * The conditions of a node, in the words of the kubelet. Pure. What presses the node is judged by `agent/eviction`.
 */
import { findCondition } from '../../src/api/meta.js';
import type { NodeCondition } from '../../src/api/types.js';
import { toTime } from '../../src/host/clock.js';
import type { Health } from '../../src/host/component.js';

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

export interface ConditionFacts {
  now: Date;
  /** What the node is short of, as `agent/eviction` judges it. */
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

/** A check of this name fails while the host shuts down. */
export const shutdownCheck = 'node-shutdown';

function problem(name: string, reason: string): string {
  if (name === shutdownCheck) return reason;
  return name === 'pod-network'
    ? `container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady message:${reason}`
    : `${name}: ${reason}`;
}
