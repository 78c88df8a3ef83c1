/** The strategy of LimitRanges. Pure. Rules, paths and wording as kube-apiserver has them. */
import type { FieldError } from '../../../src/api/errors.js';
import { labelKeyErrors } from '../../../src/api/names.js';
import { compareQuantities, parseQuantity } from '../../../src/api/quantity.js';
import type { LimitRange, LimitRangeItem } from '../../../src/api/types.js';
import type { Strategy } from '../strategy.js';
import { allInvalid, duplicate, forbiddenField, invalidValue, required } from '../validation/field.js';
import { mayOvercommit, validateLimitName } from './resourcename.js';

export const limitRangeStrategy: Strategy<LimitRange> = {
  generation: false,
  allowCreateOnUpdate: true,
  validate: ({ spec }) => {
    const types = new Set<string>();
    return (spec?.limits ?? []).flatMap((item, index) => {
      const path = `spec.limits[${index}]`;
      const errors = validateType(`${path}.type`, item.type ?? '');
      if (types.has(item.type)) errors.push(duplicate(`${path}.type`, item.type));
      types.add(item.type);
      return [...errors, ...validateItem(path, item)];
    });
  },
};

function validateType(field: string, type: string): FieldError[] {
  const errors = labelKeyErrors(type);
  if (errors.length > 0) return allInvalid(field, type, errors);
  if (type.includes('/') || ['Pod', 'Container', 'PersistentVolumeClaim'].includes(type)) return [];
  return [invalidValue(field, type, 'must be a standard limit type or fully qualified')];
}

const lists = ['max', 'min', 'default', 'defaultRequest', 'maxLimitRequestRatio'] as const;
const notOfPods: readonly (typeof lists)[number][] = ['default', 'defaultRequest'];

function validateItem(path: string, item: LimitRangeItem): FieldError[] {
  const names = new Set<string>();
  const errors = lists.flatMap((list) => {
    const field = `${path}.${list}`;
    const entries = Object.keys(item[list] ?? {});
    if (item.type === 'Pod' && notOfPods.includes(list)) {
      return entries.length > 0 ? [forbiddenField(field, "may not be specified when `type` is 'Pod'")] : [];
    }
    for (const name of entries) names.add(name);
    return entries.flatMap((name) => validateLimitName(`${field}[${name}]`, name, item.type));
  });
  if (item.type === 'PersistentVolumeClaim' && !item.min?.['storage'] && !item.max?.['storage']) {
    const detail = 'either minimum or maximum storage value is required, but neither was provided';
    errors.push(required(`${path}.limits`, detail));
  }
  return [...errors, ...[...names].flatMap((name) => validateAmounts(path, name, item))];
}

/** min <= default request <= default limit <= max, as far as each is given. */
function validateAmounts(path: string, name: string, item: LimitRangeItem): FieldError[] {
  const [max, min, limit, request, ratio] = lists.map((list) => item[list]?.[name]);
  const isAbove = (a: string | undefined, b: string | undefined): boolean =>
    a !== undefined && b !== undefined && compareQuantities(a, b) > 0;
  const errors: FieldError[] = [];
  const invalid = (list: string, value: unknown, detail: string) =>
    errors.push(invalidValue(`${path}.${list}[${name}]`, value, detail));
  if (isAbove(min, max)) invalid('min', min, `min value ${min} is greater than max value ${max}`);
  if (isAbove(min, request))
    invalid('defaultRequest', request, `min value ${min} is greater than default request value ${request}`);
  if (isAbove(request, max))
    invalid('defaultRequest', request, `default request value ${request} is greater than max value ${max}`);
  if (isAbove(request, limit))
    invalid(
      'defaultRequest',
      request,
      `default request value ${request} is greater than default limit value ${limit}`,
    );
  if (isAbove(min, limit)) invalid('default', min, `min value ${min} is greater than default value ${limit}`);
  if (isAbove(limit, max)) invalid('default', max, `default value ${limit} is greater than max value ${max}`);
  if (isAbove('1', ratio)) invalid('maxLimitRequestRatio', ratio, `ratio ${ratio} is less than 1`);
  if (ratio !== undefined && min !== undefined && max !== undefined) {
    const most = Number(parseQuantity(max).nanos) / Number(parseQuantity(min).nanos);
    if (Number(parseQuantity(ratio).nanos) / 1e9 > most)
      invalid('maxLimitRequestRatio', ratio, `ratio ${ratio} is greater than max/min = ${most.toFixed(6)}`);
  }
  if (
    !mayOvercommit(name) &&
    limit !== undefined &&
    request !== undefined &&
    compareQuantities(limit, request) !== 0
  )
    invalid(
      'defaultRequest',
      request,
      `default value ${limit} must equal to defaultRequest value ${request} in ${name}`,
    );
  return errors;
}
