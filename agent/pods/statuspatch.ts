/**
 * The difference between two pod statuses as a strategic merge patch of `/status`. Pure.
 *
 * Conditions are merged by type, so conditions of others are left alone; addresses are merged by `ip`, so the ones that
 * are gone have to be named; all other lists are replaced.
 */
import { isDeepStrictEqual } from 'node:util';
import type { PodCondition, PodStatus } from '../../src/api/types.js';

/** Conditions that only the agent sets, and takes away again. */
const ownConditions = [
  'PodReadyToStartContainers',
  'Initialized',
  'Ready',
  'ContainersReady',
  'PodResizePending',
  'PodResizeInProgress',
  'AllContainersRestarting',
];

export const isOwnCondition = (type: string): boolean => ownConditions.includes(type);

/** The fields the agent owns. */
const owned = [
  'phase',
  'conditions',
  'reason',
  'message',
  'hostIP',
  'hostIPs',
  'podIP',
  'podIPs',
  'startTime',
  'initContainerStatuses',
  'containerStatuses',
  'ephemeralContainerStatuses',
  'qosClass',
  'observedGeneration',
] as const satisfies readonly (keyof PodStatus)[];

/** Undefined when nothing differs. */
export function statusPatch(
  old: PodStatus | undefined,
  next: PodStatus,
): Record<string, unknown> | undefined {
  const patch: Record<string, unknown> = {};
  for (const field of owned) {
    const before = normal(old?.[field]);
    const after = normal(next[field]);
    if (isDeepStrictEqual(before, after)) continue;
    patch[field] = after === undefined ? null : fieldPatch(field, old, next);
  }
  if (Array.isArray(patch['conditions']) && patch['conditions'].length === 0) delete patch['conditions'];
  return Object.keys(patch).length > 0 ? patch : undefined;
}

function fieldPatch(field: (typeof owned)[number], old: PodStatus | undefined, next: PodStatus): unknown {
  if (field === 'conditions') return conditionsPatch(old?.conditions ?? [], next.conditions ?? []);
  if (field === 'podIPs' || field === 'hostIPs') {
    const gone = (old?.[field] ?? []).filter(({ ip }) => !next[field]?.some((kept) => kept.ip === ip));
    return [...(next[field] ?? []), ...gone.map(({ ip }) => ({ $patch: 'delete', ip }))];
  }
  return next[field];
}

/** The conditions that changed; what a condition no longer says has to be taken away by name. */
function conditionsPatch(old: readonly PodCondition[], next: readonly PodCondition[]): unknown[] {
  const gone = old.filter(({ type }) => isOwnCondition(type) && !next.some((kept) => kept.type === type));
  const changed = next.flatMap((condition) => {
    const before = old.find(({ type }) => type === condition.type);
    if (before && isDeepStrictEqual(normal(before), normal(condition))) return [];
    const unsaid = Object.keys(before ?? {}).filter(
      (name) => condition[name as keyof PodCondition] === undefined,
    );
    return [{ ...condition, ...Object.fromEntries(unsaid.map((name) => [name, null])) }];
  });
  return [...changed, ...gone.map(({ type }) => ({ $patch: 'delete', type }))];
}

/** As it looks after a trip over the wire: absent and undefined are the same. */
const normal = (value: unknown): unknown =>
  value === undefined ? undefined : JSON.parse(JSON.stringify(value));
