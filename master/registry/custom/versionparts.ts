/**
 * 2. Validation of what a version of a CustomResourceDefinition has besides its schema: columns, scale, selectable fields.
 * Pure.
 */
import type { FieldError } from '../../../src/api/errors.js';
import { invalid, required } from '../../../src/api/structural/check.js';
import { isKnownFormat } from '../../../src/api/structural/formats.js';
import type {
  CustomResourceColumnDefinition,
  CustomResourceSubresourceScale,
  JSONSchemaProps,
  SelectableField,
} from '../../../src/api/types.js';

const columnTypes = ['boolean', 'date', 'integer', 'number', 'string'];
const columnFormats = ['byte', 'date', 'date-time', 'double', 'float', 'int32', 'int64', 'password'];
const maxSelectable = 8;

export function columnErrors(column: CustomResourceColumnDefinition, path: string): FieldError[] {
  const errors: FieldError[] = [];
  const oneOf = (values: readonly string[]): string => `must be one of ${values.join(',')}`;
  if (!column.name) errors.push(required(`${path}.name`, ''));
  if (!column.type) errors.push(required(`${path}.type`, oneOf(columnTypes)));
  else if (!columnTypes.includes(column.type))
    errors.push(invalid(`${path}.type`, column.type, oneOf(columnTypes)));
  if (column.format && !columnFormats.includes(column.format))
    errors.push(invalid(`${path}.format`, column.format, oneOf(columnFormats)));
  if (!column.jsonPath) errors.push(required(`${path}.JSONPath`, ''));
  else errors.push(...simplePathErrors(column.jsonPath, `${path}.JSONPath`));
  return errors;
}

const simplePathErrors = (path: string, field: string): FieldError[] =>
  path.startsWith('.') ? [] : [invalid(field, path, 'must be a simple json path starting with .')];

export function scaleErrors(scale: CustomResourceSubresourceScale | undefined, path: string): FieldError[] {
  if (!scale) return [];
  const errors: FieldError[] = [];
  const check = (
    name: string,
    value: string | undefined,
    under: readonly string[],
    isNeeded: boolean,
  ): void => {
    const field = `${path}.scale.${name}`;
    if (!value) {
      if (isNeeded) errors.push(required(field, ''));
      return;
    }
    const problems = simplePathErrors(value, field);
    if (problems.length > 0) errors.push(...problems);
    else if (!under.some((head) => value.startsWith(`${head}.`))) {
      const places = under.length > 1 ? `either ${under.join(' or ')}` : under.join('');
      errors.push(invalid(field, value, `should be a json path under ${places}`));
    }
  };
  check('specReplicasPath', scale.specReplicasPath, ['.spec'], true);
  check('statusReplicasPath', scale.statusReplicasPath, ['.status'], true);
  check('labelSelectorPath', scale.labelSelectorPath, ['.spec', '.status'], false);
  return errors;
}

export function selectableErrors(
  fields: readonly SelectableField[],
  schema: JSONSchemaProps | undefined,
  path: string,
): FieldError[] {
  const errors: FieldError[] = [];
  const seen = new Set<string>();
  fields.forEach(({ jsonPath }, i) => {
    const field = `${path}[${i}].jsonPath`;
    if (!jsonPath) {
      errors.push(required(field, ''));
      return;
    }
    const names = jsonPath.slice(1).split('.');
    const found = jsonPath.startsWith('.')
      ? names.reduce<JSONSchemaProps | undefined>((at, name) => at?.properties?.[name], schema)
      : undefined;
    if (jsonPath.includes('[')) {
      errors.push(invalid(field, jsonPath, 'is an invalid path: array notation is not allowed'));
    } else if (!found) {
      errors.push(invalid(field, jsonPath, 'is an invalid path: does not refer to a valid field'));
    } else if (names[0] === 'metadata') {
      errors.push(invalid(field, jsonPath, 'must not point to fields in metadata'));
    } else if (!['string', 'boolean', 'integer'].includes(found.type ?? '')) {
      const detail =
        'must point to a field of type string, boolean or integer. Enum string fields and strings with formats are allowed.';
      errors.push(invalid(field, jsonPath, detail));
    } else if (seen.has(jsonPath)) errors.push({ type: 'Duplicate', field, value: jsonPath });
    seen.add(jsonPath);
  });
  if (seen.size > maxSelectable) {
    const detail = `${seen.size}: must have at most ${maxSelectable} items`;
    errors.push({ type: 'TooMany', field: path, detail });
  }
  return errors;
}

/** One warning for every format of the schema that nobody knows. */
export function formatWarnings(schema: JSONSchemaProps | undefined): string[] {
  if (!schema) return [];
  const { type = '', format = '', properties = {}, items, additionalProperties, not } = schema;
  const nested = [...(schema.allOf ?? []), ...(schema.anyOf ?? []), ...(schema.oneOf ?? [])];
  const below = [...Object.values(properties), ...nested];
  for (const one of [items, additionalProperties, not]) if (isSchema(one)) below.push(one);
  const own =
    format === '' || isKnownFormat(type, format) ? [] : [`unrecognized format ${JSON.stringify(format)}`];
  return [...own, ...below.flatMap(formatWarnings)];
}

const isSchema = (value: unknown): value is JSONSchemaProps =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
