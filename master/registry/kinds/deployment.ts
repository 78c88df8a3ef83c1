/** The strategy of Deployments. Pure. */
import type { FieldError } from '../../../src/api/errors.js';
import type { Deployment, DeploymentSpec, IntOrString } from '../../../src/api/types.js';
import type { Strategy } from '../strategy.js';
import {
  forbiddenField,
  invalidValue,
  mustNotBeNegative,
  nonNegative,
  notSupported,
  required,
} from '../validation/field.js';
import { validateSelectorUpdate, validateTemplated } from './template.js';

export const deploymentStrategy: Strategy<Deployment> = {
  prepareForCreate: (_context, deployment) => ({ ...deployment, status: {} }),
  prepareForUpdate: (_context, deployment, old) => ({ ...deployment, status: old.status }),
  validate: ({ spec }) =>
    spec ? [...validateTemplated(spec), ...validateRollout(spec)] : [required('spec.selector')],
  validateUpdate: ({ spec }, old) => validateSelectorUpdate(spec, old.spec),
  validateStatusUpdate: ({ status }) =>
    (
      ['replicas', 'updatedReplicas', 'readyReplicas', 'availableReplicas', 'unavailableReplicas'] as const
    ).flatMap((name) => nonNegative(`status.${name}`, status?.[name])),
};

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
    return [notSupported('spec.strategy.type', type, ['Recreate', 'RollingUpdate'])];
  if (!rollingUpdate) return [required(path, 'this should be defaulted and never be nil')];
  const { maxUnavailable = 0, maxSurge = 0 } = rollingUpdate;
  const errors = [
    ...validateShare(`${path}.maxUnavailable`, maxUnavailable),
    ...validateShare(`${path}.maxSurge`, maxSurge),
  ];
  if (isZero(maxUnavailable) && isZero(maxSurge)) {
    errors.push(invalidValue(`${path}.maxUnavailable`, maxUnavailable, 'may not be 0 when `maxSurge` is 0'));
  }
  if (percentOf(maxUnavailable) > 100)
    errors.push(invalidValue(`${path}.maxUnavailable`, maxUnavailable, 'must not be greater than 100%'));
  return errors;
}

const percentText =
  "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')";

function validateShare(field: string, share: IntOrString): FieldError[] {
  if (typeof share === 'number') return share < 0 ? [invalidValue(field, share, mustNotBeNegative)] : [];
  return /^\d+%$/.test(share) ? [] : [invalidValue(field, share, percentText)];
}

const percentOf = (share: IntOrString): number =>
  typeof share === 'string' ? Number.parseInt(share, 10) : 0;

const isZero = (share: IntOrString): boolean =>
  share === 0 || (typeof share === 'string' && percentOf(share) === 0);
