/** The strategy of ReplicaSets. Pure. */
import type { FieldError } from '../../../src/api/errors.js';
import type { ReplicaSet } from '../../../src/api/types.js';
import type { Strategy } from '../strategy.js';
import { invalidValue, nonNegative, required } from '../validation/field.js';
import { validateSelectorUpdate, validateTemplated } from './template.js';

export const replicaSetStrategy: Strategy<ReplicaSet> = {
  prepareForCreate: (_context, set) => ({ ...set, status: { replicas: 0 } }),
  prepareForUpdate: (_context, set, old) => ({ ...set, status: old.status }),
  validate: ({ spec }) => (spec ? validateTemplated(spec) : [required('spec.selector')]),
  validateUpdate: ({ spec }, old) => validateSelectorUpdate(spec, old.spec),
  validateStatusUpdate: validateStatus,
  fields: ({ status }) => ({ 'status.replicas': String(status?.replicas ?? 0) }),
};

const counts = [
  'replicas',
  'fullyLabeledReplicas',
  'readyReplicas',
  'availableReplicas',
  'observedGeneration',
] as const;

function validateStatus({ status }: ReplicaSet): FieldError[] {
  const errors = counts.flatMap((name) => nonNegative(`status.${name}`, status?.[name]));
  const { replicas = 0, readyReplicas = 0, availableReplicas = 0 } = status ?? {};
  if (readyReplicas > replicas)
    errors.push(
      invalidValue('status.readyReplicas', readyReplicas, 'cannot be greater than status.replicas'),
    );
  if (availableReplicas > readyReplicas) {
    errors.push(
      invalidValue('status.availableReplicas', availableReplicas, 'cannot be greater than readyReplicas'),
    );
  }
  return errors;
}
