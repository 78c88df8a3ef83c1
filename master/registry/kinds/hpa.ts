/** The strategy of HorizontalPodAutoscalers, as stored: autoscaling/v2. Pure. */
import type { FieldError } from '../../../src/api/errors.js';
import { compareQuantities } from '../../../src/api/quantity.js';
import type {
  CrossVersionObjectReference,
  HorizontalPodAutoscaler,
  HorizontalPodAutoscalerSpec,
  HPAScalingPolicy,
  HPAScalingRules,
} from '../../../src/api/types.js';
import type { Strategy } from '../strategy.js';
import { allInvalid, invalidValue, nonNegative, notSupported, oneOf, required } from '../validation/field.js';
import { pathSegmentErrors, validateMetric } from './hpametric.js';

const maxPeriodSeconds = 1800;
const maxWindowSeconds = 3600;

export const autoscalerStrategy: Strategy<HorizontalPodAutoscaler> = {
  generation: false,
  prepareForCreate: (_context, autoscaler) => ({ ...autoscaler, status: undefined }),
  prepareForUpdate: (_context, autoscaler, old) => ({ ...autoscaler, status: old.status }),
  validate: ({ spec }) => (spec ? validateSpec(spec) : [required('spec.scaleTargetRef.kind')]),
  validateStatusUpdate: ({ status }) => [
    ...nonNegative('status.currentReplicas', status?.currentReplicas),
    ...nonNegative('status.desiredReplicas', status?.desiredReplicas),
  ],
};

function validateSpec(spec: HorizontalPodAutoscalerSpec): FieldError[] {
  const { minReplicas, maxReplicas = 0, metrics = [], behavior } = spec;
  const errors: FieldError[] = [];
  if (minReplicas !== undefined && minReplicas < 1)
    errors.push(invalidValue('spec.minReplicas', minReplicas, 'must be greater than or equal to 1'));
  if (maxReplicas < 1) errors.push(invalidValue('spec.maxReplicas', maxReplicas, 'must be greater than 0'));
  if (minReplicas !== undefined && maxReplicas < minReplicas) {
    const detail = 'must be greater than or equal to `minReplicas`';
    errors.push(invalidValue('spec.maxReplicas', maxReplicas, detail));
  }
  return [
    ...errors,
    ...validateReference('spec.scaleTargetRef', spec.scaleTargetRef),
    ...metrics.flatMap((metric, index) =>
      validateMetric(`spec.metrics[${index}]`, metric, validateReference),
    ),
    ...validateRules('spec.behavior.scaleUp', behavior?.scaleUp),
    ...validateRules('spec.behavior.scaleDown', behavior?.scaleDown),
  ];
}

function validateReference(field: string, reference: CrossVersionObjectReference | undefined): FieldError[] {
  return (['kind', 'name'] as const).flatMap((part) => {
    const value = reference?.[part];
    return value
      ? allInvalid(`${field}.${part}`, value, pathSegmentErrors(value))
      : [required(`${field}.${part}`)];
  });
}

function validateRules(field: string, rules: HPAScalingRules | undefined): FieldError[] {
  if (!rules) return [];
  const { stabilizationWindowSeconds: seconds, selectPolicy, policies = [], tolerance } = rules;
  const errors: FieldError[] = [];
  const window = `${field}.stabilizationWindowSeconds`;
  if (seconds !== undefined && seconds < 0)
    errors.push(invalidValue(window, seconds, 'must be greater than or equal to zero'));
  if (seconds !== undefined && seconds > maxWindowSeconds)
    errors.push(invalidValue(window, seconds, `must be less than or equal to ${maxWindowSeconds}`));
  errors.push(...oneOf(`${field}.selectPolicy`, selectPolicy, ['Disabled', 'Max', 'Min']));
  if (policies.length === 0) errors.push(required(`${field}.policies`, 'must specify at least one Policy'));
  for (const [index, policy] of policies.entries())
    errors.push(...validatePolicy(`${field}.policies[${index}]`, policy));
  if (tolerance !== undefined && compareQuantities(tolerance, '0') < 0)
    errors.push(invalidValue(`${field}.tolerance`, tolerance, 'must be greater or equal to zero'));
  return errors;
}

function validatePolicy(
  path: string,
  { type, value = 0, periodSeconds = 0 }: HPAScalingPolicy,
): FieldError[] {
  const errors: FieldError[] = [];
  if (type !== 'Pods' && type !== 'Percent')
    errors.push(notSupported(`${path}.type`, type ?? '', ['Percent', 'Pods']));
  if (value <= 0) errors.push(invalidValue(`${path}.value`, value, 'must be greater than zero'));
  const period = `${path}.periodSeconds`;
  if (periodSeconds <= 0) errors.push(invalidValue(period, periodSeconds, 'must be greater than zero'));
  if (periodSeconds > maxPeriodSeconds)
    errors.push(invalidValue(period, periodSeconds, `must be less than or equal to ${maxPeriodSeconds}`));
  return errors;
}
