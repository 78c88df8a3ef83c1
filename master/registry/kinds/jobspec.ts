/** Validation of what a Job says, in a Job and in the template of a CronJob. Pure. */
import type { FieldError } from '../../../src/api/errors.js';
import { dnsSubdomainErrors } from '../../../src/api/names.js';
import type { JobSpec } from '../../../src/api/types.js';
import {
  allInvalid,
  invalidValue,
  nonNegative,
  notSupported,
  oneOf,
  required,
  tooLong,
} from '../validation/field.js';
import { validateFailurePolicy, validateSuccessPolicy } from './jobpolicy.js';
import { validatePodTemplate } from './template.js';

const maxParallelism = 100_000;
const maxFailed = 100_000;
/** From here on indexes that fail are only counted up to a limit. */
const manyCompletions = 100_000;
const manyParallel = 10_000;
const manyFailed = 10_000;
const maxManagedByBytes = 63;

const numbers = [
  'parallelism',
  'completions',
  'activeDeadlineSeconds',
  'backoffLimit',
  'ttlSecondsAfterFinished',
  'backoffLimitPerIndex',
  'maxFailedIndexes',
] as const;

export function validateJobSpec(field: string, spec: JobSpec): FieldError[] {
  const { completionMode: mode = 'NonIndexed', maxFailedIndexes, backoffLimitPerIndex } = spec;
  const errors = numbers.flatMap((name) => nonNegative(`${field}.${name}`, spec[name]));
  if (maxFailedIndexes !== undefined && backoffLimitPerIndex === undefined)
    errors.push(required(`${field}.backoffLimitPerIndex`, 'when maxFailedIndexes is specified'));
  return [
    ...errors,
    ...validateManagedBy(`${field}.managedBy`, spec.managedBy),
    ...oneOf(`${field}.completionMode`, spec.completionMode, ['NonIndexed', 'Indexed']),
    ...(mode === 'Indexed' ? validateIndexed(field, spec) : []),
    ...(mode === 'NonIndexed' ? validateNotIndexed(field, spec) : []),
    ...(spec.podFailurePolicy ? validateFailurePolicy(`${field}.podFailurePolicy`, spec) : []),
    ...validateSuccess(`${field}.successPolicy`, spec),
    ...validateReplacement(`${field}.podReplacementPolicy`, spec),
    ...validatePodTemplate(`${field}.template`, spec.template ?? {}),
    ...validateRestartPolicy(`${field}.template.spec.restartPolicy`, spec),
  ];
}

function validateManagedBy(field: string, managedBy: string | undefined): FieldError[] {
  if (managedBy === undefined) return [];
  if (managedBy === '') return [required(field)];
  const slash = managedBy.indexOf('/');
  if (slash <= 0 || slash === managedBy.length - 1)
    return [invalidValue(field, managedBy, 'must be a domain-prefixed path (such as "acme.io/foo")')];
  const host = managedBy.slice(0, slash);
  const errors = allInvalid(field, host, dnsSubdomainErrors(host));
  return managedBy.length > maxManagedByBytes ? [...errors, tooLong(field, maxManagedByBytes)] : errors;
}

function validateIndexed(field: string, spec: JobSpec): FieldError[] {
  const { completions, parallelism = 0, maxFailedIndexes: failed } = spec;
  const errors: FieldError[] = [];
  const atMost = (name: keyof JobSpec, most: number, when = ''): FieldError =>
    invalidValue(`${field}.${name}`, spec[name], `must be less than or equal to ${most}${when}`);
  if (completions === undefined)
    errors.push(required(`${field}.completions`, 'when completion mode is Indexed'));
  if (parallelism > maxParallelism)
    errors.push(atMost('parallelism', maxParallelism, ' when completion mode is Indexed'));
  if (completions !== undefined && failed !== undefined && failed > completions) {
    const detail = 'must be less than or equal to completions';
    errors.push(invalidValue(`${field}.maxFailedIndexes`, failed, detail));
  }
  if (failed !== undefined && failed > maxFailed) errors.push(atMost('maxFailedIndexes', maxFailed));
  if ((completions ?? 0) <= manyCompletions || spec.backoffLimitPerIndex === undefined) return errors;
  const when = ` when completions are above ${manyCompletions} and used with backoff limit per index`;
  if (failed === undefined) {
    const detail = `must be specified when completions is above ${manyCompletions}`;
    errors.push(required(`${field}.maxFailedIndexes`, detail));
  }
  if (parallelism > manyParallel) errors.push(atMost('parallelism', manyParallel, when));
  if (failed !== undefined && failed > manyFailed) errors.push(atMost('maxFailedIndexes', manyFailed, when));
  return errors;
}

const validateNotIndexed = (field: string, spec: JobSpec): FieldError[] =>
  (['backoffLimitPerIndex', 'maxFailedIndexes'] as const).flatMap((name) =>
    spec[name] === undefined
      ? []
      : [invalidValue(`${field}.${name}`, spec[name], 'requires indexed completion mode')],
  );

function validateSuccess(field: string, spec: JobSpec): FieldError[] {
  if (!spec.successPolicy) return [];
  return spec.completionMode === 'Indexed'
    ? validateSuccessPolicy(field, spec)
    : [invalidValue(field, spec.successPolicy, 'requires indexed completion mode')];
}

/** Whether a pod failed is known only when it has ended. */
function validateReplacement(field: string, spec: JobSpec): FieldError[] {
  const { podReplacementPolicy: policy } = spec;
  const supported = spec.podFailurePolicy ? ['Failed'] : ['Failed', 'TerminatingOrFailed'];
  return policy === undefined || supported.includes(policy) ? [] : [notSupported(field, policy, supported)];
}

function validateRestartPolicy(field: string, { template, podFailurePolicy }: JobSpec): FieldError[] {
  const policy = template?.spec?.restartPolicy ?? '';
  if (policy === '' || policy === 'Always') return [required(field, 'valid values: "OnFailure", "Never"')];
  if (policy !== 'OnFailure' && policy !== 'Never')
    return [notSupported(field, policy, ['OnFailure', 'Never'])];
  return podFailurePolicy && policy !== 'Never'
    ? [invalidValue(field, policy, 'only "Never" is supported when podFailurePolicy is specified')]
    : [];
}
