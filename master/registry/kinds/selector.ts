/**
 * Validation of `LabelSelector` objects. Pure.
 */
import type { FieldError } from '../../../src/api/errors.js';
import { labelKeyErrors, labelValueErrors } from '../../../src/api/names.js';
import type { LabelSelector, LabelSelectorRequirement } from '../../../src/api/types.js';
import { allInvalid, forbiddenField, invalidValue, required } from '../validation/field.js';
import { validateLabels } from '../validation/metadata.js';

export function validateLabelSelector(field: string, selector: LabelSelector | undefined): FieldError[] {
  return [
    ...validateLabels(selector?.matchLabels, `${field}.matchLabels`),
    ...(selector?.matchExpressions ?? []).flatMap((one, index) =>
      validateRequirement(`${field}.matchExpressions[${index}]`, one),
    ),
  ];
}

function validateRequirement(
  path: string,
  { key = '', operator, values = [] }: LabelSelectorRequirement,
): FieldError[] {
  const errors: FieldError[] = [];
  if (operator === 'In' || operator === 'NotIn') {
    if (values.length === 0)
      errors.push(required(`${path}.values`, "must be specified when `operator` is 'In' or 'NotIn'"));
  } else if (operator === 'Exists' || operator === 'DoesNotExist') {
    if (values.length > 0) {
      errors.push(
        forbiddenField(
          `${path}.values`,
          "may not be specified when `operator` is 'Exists' or 'DoesNotExist'",
        ),
      );
    }
  } else errors.push(invalidValue(`${path}.operator`, operator, 'not a valid selector operator'));
  return [
    ...errors,
    ...allInvalid(`${path}.key`, key, labelKeyErrors(key)),
    ...values.flatMap((value, index) =>
      allInvalid(`${path}.values[${index}]`, value, labelValueErrors(value)),
    ),
  ];
}
