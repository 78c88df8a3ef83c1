/** Validation of the failure and success policies of Jobs. Pure. */
import { type FieldError, omitted } from '../../../src/api/errors.js';
import { labelKeyErrors } from '../../../src/api/names.js';
import type {
  JobSpec,
  PodFailurePolicyOnExitCodesRequirement,
  PodFailurePolicyOnPodConditionsPattern,
  PodFailurePolicyRule,
  SuccessPolicyRule,
} from '../../../src/api/types.js';
import {
  allInvalid,
  duplicate,
  invalidValue,
  nonNegative,
  notSupported,
  required,
  tooLong,
  tooMany,
} from '../validation/field.js';
import { countIndexes, IndexError, type Interval, parseIndexes } from './jobindexes.js';

const maxRules = 20;
const maxExitCodes = 255;
const maxIndexesBytes = 64 * 1024;

const actions = ['Count', 'FailIndex', 'FailJob', 'Ignore'];
const operators = ['In', 'NotIn'];
const statuses = ['False', 'True', 'Unknown'];

/** Missing, or none of the list. */
function chosen(field: string, value: string | undefined, supported: readonly string[]): FieldError[] {
  if (!value)
    return [required(field, `valid values: [${supported.map((one) => JSON.stringify(one)).join(' ')}]`)];
  return supported.includes(value) ? [] : [notSupported(field, value, supported)];
}

export function validateFailurePolicy(field: string, spec: JobSpec): FieldError[] {
  const rules = spec.podFailurePolicy?.rules ?? [];
  const { containers = [], initContainers = [] } = spec.template?.spec ?? {};
  const names = [...containers, ...initContainers].map(({ name }) => name);
  return [
    ...(rules.length > maxRules ? [tooMany(`${field}.rules`, maxRules)] : []),
    ...rules.flatMap((rule, index) => validateRule(`${field}.rules[${index}]`, rule, { spec, names })),
  ];
}

function validateRule(
  path: string,
  { action, onExitCodes, onPodConditions = [] }: PodFailurePolicyRule,
  { spec, names }: { spec: JobSpec; names: readonly string[] },
): FieldError[] {
  const needsLimit = action === 'FailIndex' && spec.backoffLimitPerIndex === undefined;
  const errors = needsLimit
    ? [invalidValue(`${path}.action`, action, 'requires the backoffLimitPerIndex to be set')]
    : chosen(`${path}.action`, action, actions);
  if (onExitCodes) errors.push(...validateExitCodes(`${path}.onExitCodes`, onExitCodes, names));
  if (onPodConditions.length > maxRules) errors.push(tooMany(`${path}.onPodConditions`, maxRules));
  for (const [index, pattern] of onPodConditions.entries())
    errors.push(...validatePattern(`${path}.onPodConditions[${index}]`, pattern));
  const hasPatterns = onPodConditions.length > 0;
  const both = 'specifying both OnExitCodes and OnPodConditions is not supported';
  const neither = 'specifying one of OnExitCodes and OnPodConditions is required';
  if (onExitCodes && hasPatterns) errors.push(invalidValue(path, omitted, both));
  if (!onExitCodes && !hasPatterns) errors.push(invalidValue(path, omitted, neither));
  return errors;
}

const validatePattern = (path: string, pattern: PodFailurePolicyOnPodConditionsPattern): FieldError[] => [
  ...allInvalid(`${path}.type`, pattern.type ?? '', labelKeyErrors(pattern.type ?? '')),
  ...chosen(`${path}.status`, pattern.status, statuses),
];

function validateExitCodes(
  path: string,
  { operator, containerName, values = [] }: PodFailurePolicyOnExitCodesRequirement,
  names: readonly string[],
): FieldError[] {
  const errors = chosen(`${path}.operator`, operator, operators);
  if (containerName !== undefined && !names.includes(containerName)) {
    const detail = 'must be one of the container or initContainer names in the pod template';
    errors.push(invalidValue(`${path}.containerName`, containerName, detail));
  }
  if (values.length === 0)
    errors.push(invalidValue(`${path}.values`, values, 'at least one value is required'));
  if (values.length > maxExitCodes) errors.push(tooMany(`${path}.values`, maxExitCodes));
  const seen = new Set<number>();
  for (const [index, value] of values.entries()) {
    if (operator === 'In' && value === 0)
      errors.push(invalidValue(`${path}.values[${index}]`, value, 'must not be 0 for the In operator'));
    if (seen.has(value)) errors.push(duplicate(`${path}.values[${index}]`, value));
    seen.add(value);
  }
  if (values.some((value, index) => index > 0 && (values[index - 1] ?? 0) > value))
    errors.push(invalidValue(`${path}.values`, values, 'must be ordered'));
  return errors;
}

export function validateSuccessPolicy(
  field: string,
  { successPolicy, completions = 0 }: JobSpec,
): FieldError[] {
  const rules = successPolicy?.rules ?? [];
  const errors: FieldError[] = [];
  if (rules.length === 0) {
    const detail = 'at least one rules must be specified when the successPolicy is specified';
    errors.push(required(`${field}.rules`, detail));
  }
  if (rules.length > maxRules) errors.push(tooMany(`${field}.rules`, maxRules));
  return [
    ...errors,
    ...rules.flatMap((rule, index) => validateSuccessRule(`${field}.rules[${index}]`, rule, completions)),
  ];
}

function validateSuccessRule(
  path: string,
  { succeededCount: count, succeededIndexes: indexes }: SuccessPolicyRule,
  completions: number,
): FieldError[] {
  if (count === undefined && indexes === undefined)
    return [required(path, 'at least one of succeededCount or succeededIndexes must be specified')];
  const errors: FieldError[] = [];
  let selected = 0;
  if (indexes !== undefined) {
    const at = `${path}.succeededIndexes`;
    if (Buffer.byteLength(indexes) > maxIndexesBytes) errors.push(tooLong(at, maxIndexesBytes));
    const parsed = checkIndexes(at, indexes, completions);
    errors.push(...parsed.errors);
    selected = countIndexes(parsed.intervals);
  }
  if (count === undefined) return errors;
  const at = `${path}.succeededCount`;
  errors.push(...nonNegative(at, count));
  const atMost = (most: number, what: string): FieldError =>
    invalidValue(at, count, `must be less than or equal to ${most} (the number of ${what})`);
  if (count > completions) errors.push(atMost(completions, 'specified completions'));
  if (indexes !== undefined && count > selected)
    errors.push(atMost(selected, 'indexes in the specified succeededIndexes field'));
  return errors;
}

/** What is wrong with the text names the last part of `field`. */
export function checkIndexes(
  field: string,
  text: string,
  completions: number,
): { intervals: Interval[]; errors: FieldError[] } {
  try {
    return { intervals: parseIndexes(text, completions), errors: [] };
  } catch (error) {
    if (!(error instanceof IndexError)) throw error;
    const name = field.slice(field.lastIndexOf('.') + 1);
    return { intervals: [], errors: [invalidValue(field, text, `error parsing ${name}: ${error.message}`)] };
  }
}
