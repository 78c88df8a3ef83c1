/**
 * What one write takes of one quota, and why not. Pure. A quota counts as far as its status says: `status.hard` holds the
 * limits that are in force, `status.used` what is taken of them.
 */
import type { KubeObject, ResourceQuota } from '../../../../src/api/types.js';
import { type Amounts, add, isMore, nonZero, only, textOf, without } from './amounts.js';
import type { Evaluator } from './evaluators.js';
import { requirementsOf } from './scopes.js';

/** A write that may take more: of a new object, or of one that grows. */
export interface Demand {
  evaluator: Evaluator;
  object: KubeObject;
  old: KubeObject | undefined;
}

/** `increase` is empty when the quota has nothing to do with the write. */
export type Assessment = { refusal: string } | { increase: Amounts };

const nothing: Assessment = { increase: {} };

/** `used` is what the quota has to count with by now. */
export function assess(quota: ResourceQuota, used: Amounts, demand: Demand, now: Date): Assessment {
  const { evaluator, object, old } = demand;
  const name = quota.metadata.name ?? '';
  const hard = quota.status?.hard ?? {};
  const names = Object.keys(hard).filter((one) => evaluator.counts(one));
  if (names.length === 0 || !isMeant(quota, evaluator, object)) return nothing;
  const missing = evaluator.missing?.(object, names);
  if (missing) return { refusal: `failed quota: ${name}: ${missing}` };
  const unknown = names.filter((one) => used[one] === undefined);
  if (unknown.length > 0)
    return { refusal: `status unknown for quota: ${name}, resources: ${names.sort().join(',')}` };
  const before = old ? usageFor(quota, evaluator, old, now) : {};
  const increase = only(nonZero(without(evaluator.usage(object, now), before)), names);
  const after = add(only(used, Object.keys(increase)), increase);
  const exceeded = Object.keys(increase).filter((one) => isMore(after[one] ?? '0', hard[one] ?? '0'));
  if (exceeded.length === 0) return { increase };
  const [requested, taken, limited] = [increase, used, hard].map((list) => textOf(only(list, exceeded)));
  return {
    refusal: `exceeded quota: ${name}, requested: ${requested}, used: ${taken}, limited: ${limited}`,
  };
}

const isMeant = ({ spec }: ResourceQuota, evaluator: Evaluator, object: KubeObject): boolean =>
  requirementsOf(spec).every((requirement) => evaluator.isInScope(object, requirement));

/** What the object counts for in the quota, by all names that its kind knows. */
export const usageFor = (
  quota: ResourceQuota,
  evaluator: Evaluator,
  object: KubeObject,
  now: Date,
): Amounts => (isMeant(quota, evaluator, object) ? evaluator.usage(object, now) : {});
