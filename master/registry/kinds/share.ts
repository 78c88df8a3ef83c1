/**
 * Validation of numbers that may be percentages: `maxSurge: 25%`, `minAvailable: 1`. Pure; used by workloads and budgets.
 */
import type { FieldError } from '../../../src/api/errors.js';
import type { IntOrString } from '../../../src/api/types.js';
import { invalidValue, mustNotBeNegative } from '../validation/field.js';

const percentText =
  "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')";

/** Not negative; text must be a percentage. */
export function validateShare(field: string, share: IntOrString): FieldError[] {
  if (typeof share === 'number') return share < 0 ? [invalidValue(field, share, mustNotBeNegative)] : [];
  return /^\d+%$/.test(share) ? [] : [invalidValue(field, share, percentText)];
}

export const validateAtMostAll = (field: string, share: IntOrString): FieldError[] =>
  percentOf(share) > 100 ? [invalidValue(field, share, 'must not be greater than 100%')] : [];

const percentOf = (share: IntOrString): number =>
  typeof share === 'string' && /^\d+%$/.test(share) ? Number.parseInt(share, 10) : 0;

/** `0`, `0%`, and text that is no percentage at all. */
export const isZero = (share: IntOrString): boolean =>
  share === 0 || (typeof share === 'string' && percentOf(share) === 0);
