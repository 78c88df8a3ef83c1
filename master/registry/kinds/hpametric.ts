/** Validation of what a HorizontalPodAutoscaler measures. Pure. */
import type { FieldError } from '../../../src/api/errors.js';
import { dnsLabelErrors } from '../../../src/api/names.js';
import { compareQuantities } from '../../../src/api/quantity.js';
import type {
  CrossVersionObjectReference,
  MetricIdentifier,
  MetricSpec,
  MetricTarget,
} from '../../../src/api/types.js';
import { allInvalid, forbiddenField, invalidValue, notSupported, required } from '../validation/field.js';
import { validateLabelSelector } from './selector.js';

/** What may not be part of a URL. */
export function pathSegmentErrors(name: string): string[] {
  if (name === '.' || name === '..') return [`may not be '${name}'`];
  return ['/', '%'].flatMap((sign) => (name.includes(sign) ? [`may not contain '${sign}'`] : []));
}

const types = ['ContainerResource', 'External', 'Object', 'Pods', 'Resource'];

/** In the order in which they are looked at: only the first that is there is checked. */
const sources = ['object', 'external', 'pods', 'resource', 'containerResource'] as const;

type Source = (typeof sources)[number];

export function validateMetric(
  path: string,
  metric: MetricSpec,
  validateReference: (field: string, reference: CrossVersionObjectReference | undefined) => FieldError[],
): FieldError[] {
  const { type = '' } = metric;
  const errors: FieldError[] = [];
  if (type === '') errors.push(required(`${path}.type`, 'must specify a metric source type'));
  if (!types.includes(type)) errors.push(notSupported(`${path}.type`, type, types));
  const present = sources.filter((name) => metric[name] !== undefined);
  const [first] = present;
  if (first) errors.push(...validateSource(`${path}.${first}`, metric, first, validateReference));
  const expected = `${type.slice(0, 1).toLowerCase()}${type.slice(1)}` as Source;
  if (sources.includes(expected) && metric[expected] === undefined)
    errors.push(required(`${path}.${expected}`, 'must populate information for the given metric source'));
  if (present.length === 1) return errors;
  const extra = present.filter((name) => name !== expected);
  return [
    ...errors,
    ...extra.map((name) => forbiddenField(`${path}.${name}`, 'must populate the given metric source only')),
  ];
}

function validateSource(
  path: string,
  metric: MetricSpec,
  source: Source,
  validateReference: (field: string, reference: CrossVersionObjectReference | undefined) => FieldError[],
): FieldError[] {
  const target = validateTarget(`${path}.target`, metric[source]?.target);
  switch (source) {
    case 'object':
      return [
        ...validateReference(`${path}.describedObject`, metric.object?.describedObject),
        ...validateIdentifier(`${path}.metric`, metric.object?.metric),
        ...target,
        ...needsValue(path, metric.object?.target, 'must set either a target value or averageValue'),
      ];
    case 'external':
      return [
        ...validateIdentifier(`${path}.metric`, metric.external?.metric),
        ...target,
        ...validateExternal(path, metric.external?.target),
      ];
    case 'pods':
      return [
        ...validateIdentifier(`${path}.metric`, metric.pods?.metric),
        ...target,
        ...(metric.pods?.target?.averageValue === undefined
          ? [required(`${path}.target.averageValue`, 'must specify a positive target averageValue')]
          : []),
      ];
    case 'resource':
      return [
        ...needsName(path, metric.resource?.name),
        ...target,
        ...validateUsage(path, metric.resource?.target),
      ];
    case 'containerResource': {
      const { name, container } = metric.containerResource ?? {};
      const errors = container
        ? allInvalid(`${path}.container`, container, dnsLabelErrors(container))
        : [required(`${path}.container`, 'must specify a container')];
      const usage = validateUsage(path, metric.containerResource?.target);
      return [...needsName(path, name), ...errors, ...target, ...usage];
    }
  }
}

const needsName = (path: string, name: string | undefined): FieldError[] =>
  name ? [] : [required(`${path}.name`, 'must specify a resource name')];

const needsValue = (path: string, target: MetricTarget | undefined, detail: string): FieldError[] =>
  target?.value === undefined && target?.averageValue === undefined
    ? [required(`${path}.target.averageValue`, detail)]
    : [];

function validateExternal(path: string, target: MetricTarget | undefined): FieldError[] {
  const either = 'must set either a target value for metric or a per-pod target';
  const errors = needsValue(path, target, either);
  if (target?.value === undefined || target.averageValue === undefined) return errors;
  const both = 'may not set both a target value for metric and a per-pod target';
  return [...errors, forbiddenField(`${path}.target.value`, both)];
}

function validateUsage(path: string, target: MetricTarget | undefined): FieldError[] {
  const { averageUtilization, averageValue } = target ?? {};
  if (averageUtilization === undefined && averageValue === undefined) {
    const detail = 'must set either a target raw value or a target utilization';
    return [required(`${path}.target.averageUtilization`, detail)];
  }
  if (averageUtilization === undefined || averageValue === undefined) return [];
  const detail = 'may not set both a target raw value and a target utilization';
  return [forbiddenField(`${path}.target.averageValue`, detail)];
}

function validateTarget(path: string, target: MetricTarget | undefined): FieldError[] {
  const { type = '', averageUtilization } = target ?? {};
  const errors: FieldError[] = [];
  if (type === '') errors.push(required(`${path}.type`, 'must specify a metric target type'));
  if (!['Utilization', 'Value', 'AverageValue'].includes(type))
    errors.push(invalidValue(`${path}.type`, type, 'must be either Utilization, Value, or AverageValue'));
  for (const name of ['value', 'averageValue'] as const) {
    const amount = target?.[name];
    if (amount !== undefined && compareQuantities(amount, '0') <= 0)
      errors.push(invalidValue(`${path}.${name}`, amount, 'must be positive'));
  }
  if (averageUtilization !== undefined && averageUtilization < 1)
    errors.push(invalidValue(`${path}.averageUtilization`, averageUtilization, 'must be greater than 0'));
  return errors;
}

function validateIdentifier(path: string, metric: MetricIdentifier | undefined): FieldError[] {
  const { name, selector } = metric ?? {};
  if (!name) return [required(`${path}.name`, 'must specify a metric name')];
  return [
    ...allInvalid(`${path}.name`, name, pathSegmentErrors(name)),
    ...validateLabelSelector(`${path}.selector`, selector),
  ];
}
