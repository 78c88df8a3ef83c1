/** The strategy of Deployments. Pure. */
import type { FieldError } from '../../../src/api/errors.js';
import type { Deployment, DeploymentSpec, DeploymentStatus } from '../../../src/api/types.js';
import type { Strategy } from '../strategy.js';
import { forbiddenField, invalidValue, nonNegative, notSupported, required } from '../validation/field.js';
import { isZero, validateAtMostAll, validateShare } from './share.js';
import { templatedWarnings, validateSelectorUpdate, validateTemplated } from './template.js';

export const deploymentStrategy: Strategy<Deployment> = {
  prepareForCreate: (_context, deployment) => ({ ...deployment, status: {} }),
  prepareForUpdate: (_context, deployment, old) => ({ ...deployment, status: old.status }),
  validate: ({ spec }) =>
    spec ? [...validateTemplated(spec), ...validateRollout(spec)] : [required('spec.selector')],
  validateUpdate: ({ spec }, old) => validateSelectorUpdate(spec, old.spec),
  validateStatusUpdate: ({ status }, old) => validateStatus(status ?? {}, old.status ?? {}),
  warnings: templatedWarnings,
};

const counts = [
  'observedGeneration',
  'replicas',
  'updatedReplicas',
  'readyReplicas',
  'availableReplicas',
  'unavailableReplicas',
  'terminatingReplicas',
  'collisionCount',
] as const;

function validateStatus(status: DeploymentStatus, old: DeploymentStatus): FieldError[] {
  const errors = counts.flatMap((name) => nonNegative(`status.${name}`, status[name]));
  const { replicas = 0, readyReplicas = 0, availableReplicas = 0, collisionCount = 0 } = status;
  for (const name of ['updatedReplicas', 'readyReplicas', 'availableReplicas'] as const) {
    const value = status[name] ?? 0;
    if (value > replicas)
      errors.push(invalidValue(`status.${name}`, value, 'cannot be greater than status.replicas'));
  }
  if (availableReplicas > readyReplicas) {
    errors.push(
      invalidValue('status.availableReplicas', availableReplicas, 'cannot be greater than readyReplicas'),
    );
  }
  if (collisionCount < (old.collisionCount ?? 0))
    errors.push(invalidValue('status.collisionCount', collisionCount, 'cannot be decremented'));
  return errors;
}

function validateRollout(spec: DeploymentSpec): FieldError[] {
  const { progressDeadlineSeconds: deadline, minReadySeconds = 0 } = spec;
  const errors = [
    ...validateStrategy(spec),
    ...nonNegative('spec.revisionHistoryLimit', spec.revisionHistoryLimit),
    ...nonNegative('spec.progressDeadlineSeconds', deadline),
  ];
  if (deadline !== undefined && deadline <= minReadySeconds) {
    errors.push(
      invalidValue('spec.progressDeadlineSeconds', deadline, 'must be greater than minReadySeconds'),
    );
  }
  return errors;
}

function validateStrategy({ strategy }: DeploymentSpec): FieldError[] {
  const { type, rollingUpdate } = strategy ?? {};
  const path = 'spec.strategy.rollingUpdate';
  if (type === 'Recreate') {
    return rollingUpdate
      ? [forbiddenField(path, "may not be specified when strategy `type` is 'Recreate'")]
      : [];
  }
  if (type !== undefined && type !== 'RollingUpdate')
    return [notSupported('spec.strategy', strategy, ['Recreate', 'RollingUpdate'])];
  if (!rollingUpdate) return [required(path, 'this should be defaulted and never be nil')];
  const { maxUnavailable = 0, maxSurge = 0 } = rollingUpdate;
  const errors = [
    ...validateShare(`${path}.maxUnavailable`, maxUnavailable),
    ...validateShare(`${path}.maxSurge`, maxSurge),
  ];
  if (isZero(maxUnavailable) && isZero(maxSurge)) {
    errors.push(invalidValue(`${path}.maxUnavailable`, maxUnavailable, 'may not be 0 when `maxSurge` is 0'));
  }
  return [...errors, ...validateAtMostAll(`${path}.maxUnavailable`, maxUnavailable)];
}
