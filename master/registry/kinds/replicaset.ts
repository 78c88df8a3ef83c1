/** The strategy of ReplicaSets. Pure. */
import type { FieldError } from '../../../src/api/errors.js';
import type { ReplicaSet, ReplicaSetStatus } from '../../../src/api/types.js';
import type { Strategy } from '../strategy.js';
import { invalidValue, nonNegative, required } from '../validation/field.js';
import { templatedWarnings, validateSelectorUpdate, validateTemplated } from './template.js';

export const replicaSetStrategy: Strategy<ReplicaSet> = {
  prepareForCreate: (_context, set) => ({ ...set, status: { replicas: 0 } }),
  prepareForUpdate: (_context, set, old) => ({ ...set, status: old.status }),
  validate: ({ spec }) => (spec ? validateTemplated(spec) : [required('spec.selector')]),
  validateUpdate: ({ spec }, old) => validateSelectorUpdate(spec, old.spec),
  validateStatusUpdate: ({ status }) => validateReplicaStatus(status ?? { replicas: 0 }),
  warnings: templatedWarnings,
  fields: ({ status }) => ({ 'status.replicas': String(status?.replicas ?? 0) }),
};

const counts = [
  'replicas',
  'fullyLabeledReplicas',
  'readyReplicas',
  'availableReplicas',
  'observedGeneration',
] as const;

/** Of ReplicationControllers too. */
export function validateReplicaStatus(status: ReplicaSetStatus): FieldError[] {
  const errors = counts.flatMap((name) => nonNegative(`status.${name}`, status[name]));
  const { replicas, readyReplicas = 0, availableReplicas = 0 } = status;
  for (const name of ['fullyLabeledReplicas', 'readyReplicas', 'availableReplicas'] as const) {
    const value = status[name] ?? 0;
    if (value > replicas)
      errors.push(invalidValue(`status.${name}`, value, 'cannot be greater than status.replicas'));
  }
  if (availableReplicas > readyReplicas) {
    errors.push(
      invalidValue('status.availableReplicas', availableReplicas, 'cannot be greater than readyReplicas'),
    );
  }
  return errors;
}
