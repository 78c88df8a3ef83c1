/**
 * What the silence of a node means: its conditions, its taints, its pods. Pure. Called by `nodelifecycle.ts`.
 */
import { isDeepStrictEqual } from 'node:util';
import { findCondition } from '../../src/api/meta.js';
import type { Node, NodeCondition, Pod, Taint } from '../../src/api/types.js';
import { toTime } from '../../src/host/clock.js';
import { isReady } from './podstate.js';

export interface NodeFacts {
  node: Node;
  /** For how long neither its status nor its Lease has changed, by our own clock. */
  silentMs: number;
  graceMs: number;
  /** If this one is silent too, the master is more likely cut off than every node dead, and nobody is evicted. */
  isEveryOtherSilent: boolean;
  now: Date;
}

export interface NodePlan {
  /** The new conditions; undefined when they stay. */
  conditions: NodeCondition[] | undefined;
  /** The new taints; undefined when they stay. */
  taints: Taint[] | undefined;
  /** The pods can no longer be said to be ready. */
  isUnknown: boolean;
  /** When to look again if nothing happens; undefined once the node counts as gone. */
  nextMs: number | undefined;
}

const prefix = 'node.kubernetes.io/';
/** What the agent reports; all become Unknown when it falls silent. */
const reported = ['Ready', 'MemoryPressure', 'DiskPressure', 'PIDPressure'];
/** Conditions that keep new pods away while they are true. */
const pressureTaints: Record<string, string> = {
  MemoryPressure: `${prefix}memory-pressure`,
  DiskPressure: `${prefix}disk-pressure`,
  PIDPressure: `${prefix}pid-pressure`,
  NetworkUnavailable: `${prefix}network-unavailable`,
};
const notReady = `${prefix}not-ready`;
const unreachable = `${prefix}unreachable`;
const unschedulable = `${prefix}unschedulable`;
const owned = (taint: Taint): boolean =>
  [notReady, unreachable, unschedulable, ...Object.values(pressureTaints)].includes(taint.key);

export function plan(facts: NodeFacts): NodePlan {
  const { node, silentMs, graceMs } = facts;
  const isSilent = silentMs >= graceMs;
  const before = node.status?.conditions ?? [];
  const conditions = isSilent ? silenced(before, facts) : before;
  const taints = planTaints(facts, conditions);
  return {
    conditions: isDeepStrictEqual(conditions, before) ? undefined : conditions,
    taints: isDeepStrictEqual(taints, node.spec?.taints ?? []) ? undefined : taints,
    isUnknown: findCondition(conditions, 'Ready')?.status === 'Unknown',
    nextMs: isSilent ? undefined : graceMs - silentMs,
  };
}

/** Every reported condition as Unknown, in the words users search for. */
function silenced(before: readonly NodeCondition[], { node, now }: NodeFacts): NodeCondition[] {
  const at = toTime(now);
  const unknown = (type: string, old: NodeCondition | undefined): NodeCondition =>
    old
      ? {
          ...old,
          status: 'Unknown',
          reason: 'NodeStatusUnknown',
          message: 'Kubelet stopped posting node status.',
          lastTransitionTime: at,
        }
      : {
          type,
          status: 'Unknown',
          reason: 'NodeStatusNeverUpdated',
          message: 'Kubelet never posted node status.',
          lastHeartbeatTime: node.metadata.creationTimestamp ?? at,
          lastTransitionTime: at,
        };
  const kept = before.map((condition) =>
    reported.includes(condition.type) && condition.status !== 'Unknown'
      ? unknown(condition.type, condition)
      : condition,
  );
  const missing = reported.filter((type) => !findCondition(before, type));
  return [...kept, ...missing.map((type) => unknown(type, undefined))];
}

/**
 * The taints of a node in this state; those of others stay as they are. A node that never reported is not-ready for
 * new pods only; one that was ready and is not any more also sends its pods away (NoExecute), when others are alive.
 */
function planTaints(
  { node, isEveryOtherSilent, now }: NodeFacts,
  conditions: readonly NodeCondition[],
): Taint[] {
  const before = node.spec?.taints ?? [];
  const wanted: Taint[] = [];
  const ready = findCondition(conditions, 'Ready')?.status;
  if (ready !== 'True') {
    const key = ready === 'Unknown' ? unreachable : notReady;
    wanted.push({ key, effect: 'NoSchedule' });
    const isCutOff = ready === 'Unknown' && isEveryOtherSilent;
    if (ready !== undefined && !isCutOff) wanted.push({ key, effect: 'NoExecute' });
  }
  if (node.spec?.unschedulable) wanted.push({ key: unschedulable, effect: 'NoSchedule' });
  for (const [type, key] of Object.entries(pressureTaints)) {
    if (findCondition(conditions, type)?.status === 'True') wanted.push({ key, effect: 'NoSchedule' });
  }
  const isSame = (a: Taint, b: Taint): boolean => a.key === b.key && a.effect === b.effect;
  const kept = before.filter((taint) => !owned(taint) || wanted.some((want) => isSame(want, taint)));
  const added = wanted.filter((want) => !before.some((taint) => isSame(want, taint)));
  return [...kept, ...added.map((taint) => ({ ...taint, timeAdded: toTime(now) }))];
}

/** The pods whose Ready condition must be withdrawn, as they should be written. */
export function unreadied(pods: readonly Pod[], now: Date): Pod[] {
  return pods.filter(isReady).map((pod) => ({
    ...pod,
    status: {
      ...pod.status,
      conditions: (pod.status?.conditions ?? []).map((condition) =>
        condition.type === 'Ready'
          ? { ...condition, status: 'False', lastTransitionTime: toTime(now) }
          : condition,
      ),
    },
  }));
}
