/**
 * Short constructors of `FieldError`, as Kubernetes words them. Pure; used by all validation.
 */
import type { FieldError } from '../../../src/api/errors.js';

export const required = (field: string, detail?: string): FieldError => ({ type: 'Required', field, detail });

export const invalidValue = (field: string, value: unknown, detail: string): FieldError => ({
  type: 'Invalid',
  field,
  value,
  detail,
});

/** `supported` is printed in its order, which for every field is that of kube-apiserver. */
export const notSupported = (field: string, value: unknown, supported: readonly string[]): FieldError => ({
  type: 'NotSupported',
  field,
  value,
  detail: `supported values: ${supported.map((s) => JSON.stringify(s)).join(', ')}`,
});

export const duplicate = (field: string, value: unknown): FieldError => ({ type: 'Duplicate', field, value });

export const forbiddenField = (field: string, detail: string): FieldError => ({
  type: 'Forbidden',
  field,
  detail,
});

export const notFoundField = (field: string, value: unknown): FieldError => ({
  type: 'NotFound',
  field,
  value,
});

export const tooLong = (field: string, maxBytes: number): FieldError => ({
  type: 'TooLong',
  field,
  detail: `may not be more than ${maxBytes} bytes`,
});

export const tooMany = (field: string, most: number): FieldError => ({
  type: 'TooMany',
  field,
  detail: `must have at most ${most} items`,
});

/** An absent value is fine; a present one must be in the list. */
export const oneOf = (
  field: string,
  value: string | undefined,
  supported: readonly string[],
): FieldError[] =>
  value === undefined || supported.includes(value) ? [] : [notSupported(field, value, supported)];

/** One `Invalid` per text of a name check. */
export const allInvalid = (field: string, value: unknown, details: readonly string[]): FieldError[] =>
  details.map((detail) => invalidValue(field, value, detail));

export const mustNotBeNegative = 'must be greater than or equal to 0';

export const nonNegative = (field: string, value: number | undefined): FieldError[] =>
  value !== undefined && value < 0 ? [invalidValue(field, value, mustNotBeNegative)] : [];

export const portRange = 'must be between 1 and 65535, inclusive';

export const isPort = (port: number): boolean => Number.isInteger(port) && port >= 1 && port <= 65535;

export const immutable = 'field is immutable';
