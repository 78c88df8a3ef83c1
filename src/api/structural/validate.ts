/**
 * Validates an object of a custom kind by the value keywords of its schema, in the words of kube-apiserver. Pure.
 *
 * With `old`, what is wrong with a value that did not change is tolerated, as Kubernetes does on an update
 * ("ratcheting"); errors of allOf, anyOf, oneOf and not belong to the value they stand at.
 */

import { type Matcher, matcherOf } from '../cel/regexp.js';
import { type FieldError, omitted } from '../errors.js';
import { isSameValue, type Old, oldItems, oldMember } from './correlate.js';
import { stringFormat } from './formats.js';
import { isObject, type JsonObject, type SchemaNode } from './schema.js';

/** The error that belongs to no field of its own. */
const NOWHERE = '<nil>';

export function validateSchema(node: SchemaNode, value: unknown, path = '', old?: Old): FieldError[] {
  const errors = validateNode(node, value, path, old);
  return errors.length > 0 && old?.isSame(value) ? [] : errors;
}

function validateNode(node: SchemaNode, value: unknown, path: string, old: Old | undefined): FieldError[] {
  const errors: FieldError[] = [];
  typeErrors(node, value, path, errors);
  if (value === null || value === undefined) {
    if (!node.nullable) enumErrors(node, value, path, errors);
    return errors;
  }
  junctorErrors(node, value, path, errors);
  if (typeof value === 'string') stringErrors(node, value, path, errors);
  else if (typeof value === 'number') numberErrors(node, value, path, errors);
  else if (Array.isArray(value)) listErrors(node, value, path, old, errors);
  enumErrors(node, value, path, errors);
  if (isObject(value)) objectErrors(node, value, path, old, errors);
  return errors;
}

const at = (path: string): string => path || NOWHERE;
const said = (path: string, what: string): string => `${path} in body ${what}`.trimStart();
const invalid = (path: string, value: unknown, what: string): FieldError => ({
  type: 'Invalid',
  field: at(path),
  value,
  detail: said(path, what),
});

function jsonTypeOf(value: unknown): string {
  if (value === null || value === undefined) return 'null';
  if (Array.isArray(value)) return 'array';
  return typeof value === 'number' && Number.isInteger(value) ? 'integer' : typeof value;
}

function typeErrors(node: SchemaNode, value: unknown, path: string, errors: FieldError[]): void {
  const wanted = node.intOrString ? 'integer,string' : node.type;
  if (wanted === '') return;
  const found = jsonTypeOf(value);
  if (found === 'null' ? node.nullable : wanted.split(',').includes(found)) return;
  if (found === 'integer' && wanted === 'number') return;
  errors.push({
    type: 'TypeInvalid',
    field: at(path),
    value: found,
    detail: said(path, `must be of type ${wanted}: ${JSON.stringify(found)}`),
  });
}

function junctorErrors(node: SchemaNode, value: unknown, path: string, errors: FieldError[]): void {
  const fail = (what: string): void => {
    errors.push({ type: 'Invalid', field: NOWHERE, value: '', detail: `${JSON.stringify(path)} ${what}` });
  };
  const results = (nodes: readonly SchemaNode[]): FieldError[][] =>
    nodes.map((alternative) => validateNode(alternative, value, path, undefined));
  const best = (failures: readonly FieldError[][]): FieldError[] =>
    failures.reduce<FieldError[]>(
      (least, next) => (next.length < least.length ? next : least),
      failures[0] ?? [],
    );
  if (node.anyOf.length > 0) {
    const found = results(node.anyOf);
    if (found.every((problems) => problems.length > 0)) {
      fail('must validate at least one schema (anyOf)');
      errors.push(...best(found));
    }
  }
  if (node.oneOf.length > 0) {
    const found = results(node.oneOf);
    const valid = found.filter((problems) => problems.length === 0).length;
    if (valid === 0) {
      fail('must validate one and only one schema (oneOf). Found none valid');
      errors.push(...best(found));
    } else if (valid > 1)
      fail(`must validate one and only one schema (oneOf). Found ${valid} valid alternatives`);
  }
  if (node.allOf.length > 0) {
    const failures = results(node.allOf).filter((problems) => problems.length > 0);
    errors.push(...failures.flat());
    if (failures.length > 0)
      fail(
        `must validate all the schemas (allOf)${failures.length === node.allOf.length ? '. None validated' : ''}`,
      );
  }
  if (node.not && validateNode(node.not, value, path, undefined).length === 0)
    fail('must not validate the schema (not)');
}

const patterns = new WeakMap<SchemaNode, Matcher | undefined>();

/** Compiled when first needed. A pattern that does not compile was refused with its schema. */
function patternOf(node: SchemaNode): Matcher | undefined {
  const { pattern } = node.props;
  if (!pattern) return undefined;
  if (!patterns.has(node)) patterns.set(node, matcherOf(pattern));
  return patterns.get(node);
}

const runeCount = (text: string): number => {
  let count = text.length;
  for (let i = 0; i < text.length; i++) if ((text.charCodeAt(i) & 0xfc00) === 0xdc00) count--;
  return count;
};

function stringErrors(node: SchemaNode, value: string, path: string, errors: FieldError[]): void {
  const { maxLength, minLength, pattern, format } = node.props;
  if (maxLength !== undefined && runeCount(value) > maxLength)
    errors.push({ type: 'TooLong', field: at(path), detail: `may not be more than ${maxLength} bytes` });
  if (minLength !== undefined && runeCount(value) < minLength)
    errors.push(invalid(path, value, `should be at least ${minLength} chars long`));
  const matcher = patternOf(node);
  if (matcher && !matcher.test(value)) errors.push(invalid(path, value, `should match '${pattern}'`));
  if (format && (node.type === '' || node.type === 'string') && stringFormat(format)?.(value) === false) {
    const detail = said(path, `must be of type ${format}: ${JSON.stringify(value)}`);
    errors.push({ type: 'TypeInvalid', field: at(path), value, detail });
  }
}

const INT32_MAX = 2 ** 31 - 1;

function numberErrors(node: SchemaNode, value: number, path: string, errors: FieldError[]): void {
  const { maximum, exclusiveMaximum, minimum, exclusiveMinimum, multipleOf, format } = node.props;
  if (format === 'int32' && node.type === 'integer' && (value > INT32_MAX || value < -INT32_MAX - 1)) {
    const detail = said(path, `must be of type int32: ${JSON.stringify(String(value))}`);
    errors.push({ type: 'TypeInvalid', field: at(path), value, detail });
  }
  if (multipleOf !== undefined && !isMultiple(value, multipleOf))
    errors.push(invalid(path, value, `should be a multiple of ${multipleOf}`));
  if (maximum !== undefined && (exclusiveMaximum ? value >= maximum : value > maximum))
    errors.push(
      invalid(path, value, `should be less than ${exclusiveMaximum ? '' : 'or equal to '}${maximum}`),
    );
  if (minimum !== undefined && (exclusiveMinimum ? value <= minimum : value < minimum))
    errors.push(
      invalid(path, value, `should be greater than ${exclusiveMinimum ? '' : 'or equal to '}${minimum}`),
    );
}

function isMultiple(value: number, factor: number): boolean {
  if (factor <= 0) return true;
  const quotient = value / factor;
  return Math.abs(quotient - Math.round(quotient)) <= 1e-9 * Math.max(1, Math.abs(quotient));
}

function listErrors(
  node: SchemaNode,
  list: readonly unknown[],
  path: string,
  old: Old | undefined,
  errors: FieldError[],
): void {
  const { minItems, maxItems, uniqueItems } = node.props;
  const { items } = node;
  if (items) {
    const find = oldItems(node, old);
    list.forEach((item, index) => {
      errors.push(...validateSchema(items, item, `${path}[${index}]`, find?.(item)));
    });
  }
  if (minItems !== undefined && list.length < minItems)
    errors.push(invalid(path, list.length, `should have at least ${minItems} items`));
  if (maxItems !== undefined && list.length > maxItems) errors.push(tooMany(path, list.length, maxItems));
  if (uniqueItems && new Set(list.map((item) => JSON.stringify(item))).size < list.length)
    errors.push(invalid(path, omitted, "shouldn't contain duplicates"));
}

const tooMany = (path: string, count: number, most: number): FieldError => ({
  type: 'TooMany',
  field: at(path),
  detail: `${count}: must have at most ${most} items`,
});

function enumErrors(node: SchemaNode, value: unknown, path: string, errors: FieldError[]): void {
  const allowed = node.props.enum;
  if (!allowed || allowed.length === 0 || allowed.some((option) => isSameValue(option, value))) return;
  const texts = allowed.map((option) => (typeof option === 'string' ? option : JSON.stringify(option)));
  const detail = `supported values: ${texts.map((text) => JSON.stringify(text)).join(', ')}`;
  errors.push({ type: 'NotSupported', field: at(path), value: value ?? null, detail });
}

function objectErrors(
  node: SchemaNode,
  object: JsonObject,
  path: string,
  old: Old | undefined,
  errors: FieldError[],
): void {
  const { minProperties, maxProperties, required, additionalProperties } = node.props;
  const names = Object.keys(object);
  if (minProperties !== undefined && names.length < minProperties)
    errors.push(invalid(path, names.length, `should have at least ${minProperties} properties`));
  if (maxProperties !== undefined && names.length > maxProperties)
    errors.push(tooMany(path, names.length, maxProperties));
  for (const name of names) {
    const known = node.properties.get(name);
    const place = path === '' ? name : `${path}.${name}`;
    const member = known ?? node.values;
    if (member) {
      // What the type is called is no change that can be seen: both were converted to one version.
      const isTypeName = path === '' && (name === 'kind' || name === 'apiVersion');
      errors.push(
        ...validateSchema(member, object[name], place, isTypeName ? undefined : oldMember(node, old, name)),
      );
    } else if (additionalProperties === false) errors.push(invalid(place, '', 'is a forbidden property'));
  }
  for (const name of required ?? []) {
    if (Object.hasOwn(object, name) && object[name] !== undefined) continue;
    errors.push({ type: 'Required', field: path === '' ? name : `${path}.${name}` });
  }
}
