/** The strategy of ConfigMaps, and the rules on data that Secrets share. Pure. */
import type { FieldError } from '../../../src/api/errors.js';
import type { ConfigMap } from '../../../src/api/types.js';
import { isSameJson } from '../codec.js';
import type { Strategy } from '../strategy.js';
import { allInvalid, forbiddenField, invalidValue, tooLong } from '../validation/field.js';
import { configKeyErrors } from './environment.js';

export const maxDataBytes = 1024 * 1024;

export const configMapStrategy: Strategy<ConfigMap> = {
  generation: false,
  validate: ({ data = {}, binaryData = {} }) => {
    const errors = [...validateKeys('data', data), ...validateKeys('binaryData', binaryData)];
    for (const key of Object.keys(data)) {
      if (Object.hasOwn(binaryData, key))
        errors.push(invalidValue(`data[${key}]`, key, 'duplicate of key present in binaryData'));
    }
    const size = sum(data, Buffer.byteLength) + sum(binaryData, decodedBytes);
    return size > maxDataBytes ? [...errors, tooLong('[]', maxDataBytes)] : errors;
  },
  validateUpdate: (now, old) => validateFrozen(now, old, ['data', 'binaryData']),
};

export const validateKeys = (field: string, data: Record<string, string>): FieldError[] =>
  Object.keys(data).flatMap((key) => allInvalid(`${field}[${key}]`, key, configKeyErrors(key)));

export const sum = (data: Record<string, string>, size: (value: string) => number): number =>
  Object.values(data).reduce((total, value) => total + size(value), 0);

/** How long base64 text is when decoded. */
export const decodedBytes = (base64: string): number =>
  Math.floor((base64.replace(/=+$/, '').length * 3) / 4);

/** Once `immutable` is true neither it nor the data may change. */
export function validateFrozen<T extends { immutable?: boolean | undefined }>(
  now: T,
  old: T,
  data: readonly (keyof T & string)[],
): FieldError[] {
  if (!old.immutable) return [];
  const detail = 'field is immutable when `immutable` is set';
  const changed = data.filter((name) => !isSameJson(now[name], old[name]));
  return [...(now.immutable ? [] : ['immutable']), ...changed].map((field) => forbiddenField(field, detail));
}
