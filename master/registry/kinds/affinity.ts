/**
 * Validation of node and pod affinity. Pure.
 */
import type { FieldError } from '../../../src/api/errors.js';
import { labelKeyErrors } from '../../../src/api/names.js';
import type {
  Affinity,
  NodeSelectorRequirement,
  NodeSelectorTerm,
  PodAffinity,
  PodAffinityTerm,
} from '../../../src/api/types.js';
import { allInvalid, forbiddenField, invalidValue, required } from '../validation/field.js';
import { validateLabelSelector } from './selector.js';

export function validateAffinity(field: string, affinity: Affinity | undefined): FieldError[] {
  const { nodeAffinity, podAffinity, podAntiAffinity } = affinity ?? {};
  const errors: FieldError[] = [];
  const hard = nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution;
  if (hard) {
    const path = `${field}.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms`;
    if (!hard.nodeSelectorTerms?.length)
      errors.push(required(path, 'must have at least one node selector term'));
    for (const [index, term] of (hard.nodeSelectorTerms ?? []).entries())
      errors.push(...validateTerm(`${path}[${index}]`, term));
  }
  for (const [index, soft] of (
    nodeAffinity?.preferredDuringSchedulingIgnoredDuringExecution ?? []
  ).entries()) {
    const path = `${field}.nodeAffinity.preferredDuringSchedulingIgnoredDuringExecution[${index}]`;
    errors.push(
      ...validateWeight(path, soft.weight),
      ...validateTerm(`${path}.preference`, soft.preference ?? {}),
    );
  }
  return [
    ...errors,
    ...validatePodAffinity(`${field}.podAffinity`, podAffinity),
    ...validatePodAffinity(`${field}.podAntiAffinity`, podAntiAffinity),
  ];
}

const validateWeight = (path: string, weight: number): FieldError[] =>
  weight >= 1 && weight <= 100 ? [] : [invalidValue(`${path}.weight`, weight, 'must be in the range 1-100')];

export const validateTerm = (
  path: string,
  { matchExpressions, matchFields }: NodeSelectorTerm,
): FieldError[] => [
  ...(matchExpressions ?? []).flatMap((one, index) =>
    validateRequirement(`${path}.matchExpressions[${index}]`, one),
  ),
  ...(matchFields ?? []).flatMap((one, index) =>
    one.key === 'metadata.name'
      ? []
      : [invalidValue(`${path}.matchFields[${index}].key`, one.key, 'not a valid field selector key')],
  ),
];

function validateRequirement(
  path: string,
  { key = '', operator, values = [] }: NodeSelectorRequirement,
): FieldError[] {
  const errors = allInvalid(`${path}.key`, key, labelKeyErrors(key));
  switch (operator) {
    case 'In':
    case 'NotIn':
      if (values.length === 0)
        errors.push(required(`${path}.values`, "must be specified when `operator` is 'In' or 'NotIn'"));
      return errors;
    case 'Exists':
    case 'DoesNotExist':
      if (values.length === 0) return errors;
      return [
        ...errors,
        forbiddenField(
          `${path}.values`,
          "may not be specified when `operator` is 'Exists' or 'DoesNotExist'",
        ),
      ];
    case 'Gt':
    case 'Lt':
      if (values.length === 1) return errors;
      return [
        ...errors,
        required(`${path}.values`, "must be specified single value when `operator` is 'Lt' or 'Gt'"),
      ];
    default:
      return [...errors, invalidValue(`${path}.operator`, operator, 'not a valid selector operator')];
  }
}

function validatePodAffinity(field: string, affinity: PodAffinity | undefined): FieldError[] {
  const hard = affinity?.requiredDuringSchedulingIgnoredDuringExecution ?? [];
  const soft = affinity?.preferredDuringSchedulingIgnoredDuringExecution ?? [];
  return [
    ...hard.flatMap((term, index) =>
      validatePodTerm(`${field}.requiredDuringSchedulingIgnoredDuringExecution[${index}]`, term),
    ),
    ...soft.flatMap(({ weight, podAffinityTerm }, index) => {
      const path = `${field}.preferredDuringSchedulingIgnoredDuringExecution[${index}]`;
      return [
        ...validateWeight(path, weight),
        ...validatePodTerm(`${path}.podAffinityTerm`, podAffinityTerm),
      ];
    }),
  ];
}

function validatePodTerm(path: string, term: PodAffinityTerm | undefined): FieldError[] {
  const { topologyKey, labelSelector } = term ?? {};
  const errors = validateLabelSelector(`${path}.labelSelector`, labelSelector);
  if (!topologyKey) return [...errors, required(`${path}.topologyKey`, 'can not be empty')];
  return [...errors, ...allInvalid(`${path}.topologyKey`, topologyKey, labelKeyErrors(topologyKey))];
}
