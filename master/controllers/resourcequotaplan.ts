/**
 * What the status of a quota should say, from all the objects that count and from the writes that were let through and are
 * not stored yet. Pure. Called by `resourcequota.ts`.
 */
import type { KubeObject, ResourceQuota } from '../../src/api/types.js';
import { type Amounts, larger, only, Sum } from '../admission/plugins/quota/amounts.js';
import { type Demand, usageFor } from '../admission/plugins/quota/charge.js';
import type { Evaluator } from '../admission/plugins/quota/evaluators.js';

/** The objects of one kind in the namespace of the quota. */
export interface Census {
  evaluator: Evaluator;
  objects: readonly KubeObject[];
}

export interface Count {
  status: { hard: Amounts; used: Amounts };
  /** When the count changes without a write, as a time in ms. */
  changesAtMs: number;
}

/** A write under way counts as if it were stored: its charge must not be taken for one that nobody needs. */
export function countUsage(
  quota: ResourceQuota,
  censuses: readonly Census[],
  underWay: readonly Demand[],
  now: Date,
): Count {
  const hard = quota.spec?.hard ?? {};
  const names = Object.keys(hard);
  const coming = new Map(underWay.map((demand) => [demand.object.metadata.uid, demand]));
  const sum = new Sum();
  let changesAtMs = Number.POSITIVE_INFINITY;
  const usageOf = ({ evaluator, object }: Pick<Demand, 'evaluator' | 'object'>): Amounts =>
    only(usageFor(quota, evaluator, object, now), names);
  for (const { evaluator, objects } of censuses) {
    for (const object of objects) {
      const stored = usageOf({ evaluator, object });
      const next = coming.get(object.metadata.uid);
      coming.delete(object.metadata.uid);
      sum.add(next ? larger(stored, usageOf(next)) : stored);
      const atMs = evaluator.changesAtMs?.(object) ?? Number.POSITIVE_INFINITY;
      if (atMs >= now.getTime()) changesAtMs = Math.min(changesAtMs, atMs);
    }
  }
  for (const demand of coming.values()) sum.add(usageOf(demand));
  const counted = names.filter((name) => censuses.some(({ evaluator }) => evaluator.counts(name)));
  const zeros = Object.fromEntries(counted.map((name) => [name, '0']));
  // What is of a kind that is not served stays as it was.
  const kept = only(quota.status?.used ?? {}, names);
  return { status: { hard, used: { ...kept, ...zeros, ...sum.toAmounts() } }, changesAtMs };
}

/** The count, but nothing of it lower than before. */
export const notLowered = ({ hard, used }: Count['status'], before: Amounts): Count['status'] => ({
  hard,
  used: larger(used, only(before, Object.keys(used))),
});
