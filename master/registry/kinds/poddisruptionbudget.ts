/** The strategy of PodDisruptionBudgets. Pure. */
import type { FieldError } from '../../../src/api/errors.js';
import type { PodDisruptionBudget, PodDisruptionBudgetSpec } from '../../../src/api/types.js';
import type { Strategy } from '../strategy.js';
import { invalidValue, nonNegative, oneOf } from '../validation/field.js';
import { validateLabelSelector } from './selector.js';
import { validateAtMostAll, validateShare } from './share.js';

const counts = ['disruptionsAllowed', 'currentHealthy', 'desiredHealthy', 'expectedPods'] as const;

export const podDisruptionBudgetStrategy: Strategy<PodDisruptionBudget> = {
  prepareForCreate: (_context, budget) => ({
    ...budget,
    status: { disruptionsAllowed: 0, currentHealthy: 0, desiredHealthy: 0, expectedPods: 0 },
  }),
  prepareForUpdate: (_context, budget, old) => ({ ...budget, status: old.status }),
  validate: ({ spec }) => validateSpec(spec ?? {}),
  validateStatusUpdate: ({ status }) =>
    counts.flatMap((name) => nonNegative(`status.${name}`, status?.[name])),
};

function validateSpec(spec: PodDisruptionBudgetSpec): FieldError[] {
  const { minAvailable, maxUnavailable, selector, unhealthyPodEvictionPolicy: policy } = spec;
  const errors: FieldError[] = [];
  if (minAvailable !== undefined && maxUnavailable !== undefined)
    errors.push(invalidValue('spec', spec, 'minAvailable and maxUnavailable cannot be both set'));
  for (const [name, share] of Object.entries({ minAvailable, maxUnavailable })) {
    if (share === undefined) continue;
    errors.push(...validateShare(`spec.${name}`, share), ...validateAtMostAll(`spec.${name}`, share));
  }
  return [
    ...errors,
    ...validateLabelSelector('spec.selector', selector),
    ...oneOf('spec.unhealthyPodEvictionPolicy', policy, ['AlwaysAllow', 'IfHealthyBudget']),
  ];
}
