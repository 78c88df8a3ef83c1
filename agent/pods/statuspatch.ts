/**
 * The difference between two pod statuses as a strategic merge patch of `/status`. Pure.
 *
 * Conditions are merged by type, so conditions of others are left alone; addresses are merged by `ip`, so the ones that
 * are gone have to be named; all other lists are replaced.
 */
import { isDeepStrictEqual } from 'node:util';
import type { PodStatus } from '../../src/api/types.js';

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
  if (field === 'conditions') {
    const before = normal(old?.conditions ?? []) as unknown[];
    return (next.conditions ?? []).filter(
      (condition) => !before.some((known) => isDeepStrictEqual(known, normal(condition))),
    );
  }
  if (field === 'podIPs' || field === 'hostIPs') {
    const gone = (old?.[field] ?? []).filter(({ ip }) => !next[field]?.some((kept) => kept.ip === ip));
    return [...(next[field] ?? []), ...gone.map(({ ip }) => ({ $patch: 'delete', ip }))];
  }
  return next[field];
}

/** As it looks after a trip over the wire: absent and undefined are the same. */
const normal = (value: unknown): unknown =>
  value === undefined ? undefined : JSON.parse(JSON.stringify(value));
