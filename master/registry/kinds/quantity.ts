/**
 * Validation of resource requests and limits. Pure. The schema has made sure that every value is a quantity.
 */

import type { FieldError } from '../../../src/api/errors.js';
import { labelKeyErrors } from '../../../src/api/names.js';
import { compareQuantities } from '../../../src/api/quantity.js';
import type { ResourceRequirements } from '../../../src/api/types.js';
import { allInvalid, invalidValue, mustNotBeNegative } from '../validation/field.js';

const standard = ['cpu', 'memory', 'ephemeral-storage'];

const isStandard = (name: string): boolean => standard.includes(name) || name.startsWith('hugepages-');

/** May more be requested in sum than is limited; not so for whole devices. */
const mayOvercommit = (name: string): boolean => standard.includes(name);

export function validateResources(field: string, resources: ResourceRequirements | undefined): FieldError[] {
  const { limits = {}, requests = {} } = resources ?? {};
  const errors = [...validateList(`${field}.limits`, limits), ...validateList(`${field}.requests`, requests)];
  for (const [name, limit] of Object.entries(limits)) {
    const request = requests[name];
    const path = `${field}.requests`;
    if (request === undefined) {
      if (!mayOvercommit(name))
        errors.push(invalidValue(`${field}.limits`, limit, `must be equal to ${name} request of 0`));
    } else if (!mayOvercommit(name) && compareQuantities(request, limit) !== 0) {
      errors.push(invalidValue(path, request, `must be equal to ${name} limit of ${limit}`));
    } else if (compareQuantities(request, limit) > 0) {
      errors.push(invalidValue(path, request, `must be less than or equal to ${name} limit of ${limit}`));
    }
  }
  return errors;
}

function validateList(field: string, list: Record<string, string>): FieldError[] {
  return Object.entries(list).flatMap(([name, quantity]) => [
    ...validateName(`${field}[${name}]`, name),
    ...validateAmount(`${field}[${name}]`, quantity),
  ]);
}

function validateName(field: string, name: string): FieldError[] {
  if (name.includes('/')) return allInvalid(field, name, labelKeyErrors(name));
  if (isStandard(name)) return [];
  return [
    invalidValue(field, name, 'must be a standard resource type or fully qualified'),
    invalidValue(field, name, 'must be a standard resource for containers'),
  ];
}

export const validateAmount = (field: string, quantity: string): FieldError[] =>
  compareQuantities(quantity, '0') < 0 ? [invalidValue(field, quantity, mustNotBeNegative)] : [];
