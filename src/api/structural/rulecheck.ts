/**
 * Whether the x-kubernetes-validations of a schema are sound: they compile, say what they must, and use `oldSelf` only
 * where there is one. Pure; called when a CustomResourceDefinition is written.
 */
import type { FieldError } from '../errors.js';
import type { JSONSchemaProps, ValidationRule } from '../types.js';
import { invalid, required } from './check.js';
import { rulesAt } from './rules.js';
import { compileSchema, type SchemaNode } from './schema.js';

const reasons = ['FieldValueDuplicate', 'FieldValueForbidden', 'FieldValueInvalid', 'FieldValueRequired'];

export function ruleErrors(schema: JSONSchemaProps, path: string): FieldError[] {
  const errors: FieldError[] = [];
  check(compileSchema(schema), path, undefined, errors, true);
  return errors;
}

/** `uncorrelatable`: the closest place around whose parts cannot be compared with what they were. */
function check(
  node: SchemaNode,
  path: string,
  uncorrelatable: string | undefined,
  errors: FieldError[],
  isRoot: boolean,
): void {
  if (!node.hasRules) return;
  const place = `${path}.x-kubernetes-validations`;
  const before = errors.length;
  node.rules.forEach((rule, i) => {
    errors.push(...textErrors(rule, node, `${place}[${i}]`));
  });
  if (node.rules.length > 0 && errors.length === before)
    errors.push(...compileErrors(node, place, uncorrelatable, isRoot));
  const below = uncorrelatable ?? (node.isAtomicMap ? path : undefined);
  for (const [name, member] of node.properties)
    check(member, `${path}.properties[${name}]`, below, errors, false);
  if (node.values) check(node.values, `${path}.additionalProperties`, uncorrelatable, errors, false);
  const items = uncorrelatable ?? (node.listType === 'map' ? undefined : path);
  if (node.items) check(node.items, `${path}.items`, items, errors, false);
}

const hasNewline = (text: string): boolean => /[\n\r]/.test(text);

function textErrors(rule: ValidationRule, node: SchemaNode, path: string): FieldError[] {
  const errors: FieldError[] = [];
  const { message = '', messageExpression = '', reason, fieldPath = '' } = rule;
  const expression = (rule.rule ?? '').trim();
  if (expression === '') errors.push(required(`${path}.rule`, 'rule is not specified'));
  else if (message !== '' && message.trim() === '')
    errors.push(invalid(`${path}.message`, message, 'must be non-empty if specified'));
  else if (hasNewline(message.trim()))
    errors.push(invalid(`${path}.message`, message, 'must not contain line breaks'));
  else if (hasNewline(expression) && message.trim() === '')
    errors.push(required(`${path}.message`, 'message must be specified if rule contains line breaks'));
  if (messageExpression !== '' && messageExpression.trim() === '') {
    const detail = 'messageExpression must be non-empty if specified';
    errors.push(required(`${path}.messageExpression`, detail));
  }
  if (reason !== undefined && !reasons.includes(reason)) {
    const detail = `supported values: ${reasons.map((one) => JSON.stringify(one)).join(', ')}`;
    errors.push({ type: 'NotSupported', field: `${path}.reason`, value: reason, detail });
  }
  if (fieldPath === '') return errors;
  if (fieldPath.trim() === '')
    errors.push(invalid(`${path}.fieldPath`, fieldPath, 'must be non-empty if specified'));
  else if (hasNewline(fieldPath))
    errors.push(invalid(`${path}.fieldPath`, fieldPath, 'must not contain line breaks'));
  else if (!leadsSomewhere(node, fieldPath))
    errors.push(invalid(`${path}.fieldPath`, fieldPath, 'must be a valid path'));
  return errors;
}

/** `.spec.testMap['a.b']`: names only, all of them in the schema. */
function leadsSomewhere(node: SchemaNode, path: string): boolean {
  let at: SchemaNode | undefined = node;
  const rest = path.replace(
    /\.([^.[\]']+)|\['((?:\\.|[^'])*)'\]/g,
    (_text, plain?: string, quoted?: string) => {
      const name = plain ?? quoted?.replace(/\\(.)/g, '$1') ?? '';
      at = at && (at.properties.get(name) ?? at.values);
      return '';
    },
  );
  return rest === '' && at !== undefined;
}

function compileErrors(
  node: SchemaNode,
  path: string,
  uncorrelatable: string | undefined,
  isRoot: boolean,
): FieldError[] {
  const found = rulesAt(node, isRoot);
  return (found?.rules ?? []).flatMap(({ rule, program, message, usesOld }, i): FieldError[] => {
    const place = `${path}[${i}]`;
    const errors: FieldError[] = [];
    if (typeof program === 'string') {
      const detail = program.startsWith('must evaluate')
        ? 'cel expression must evaluate to a bool'
        : `compilation failed: ${program}`;
      errors.push(invalid(`${place}.rule`, rule, detail));
    }
    if (typeof message === 'string') {
      const detail = message.startsWith('must evaluate')
        ? 'messageExpression must evaluate to a string'
        : `messageExpression compilation failed: ${message}`;
      errors.push(invalid(`${place}.messageExpression`, rule, detail));
    }
    if (typeof program === 'string') return errors;
    if (usesOld && uncorrelatable !== undefined) {
      const detail = `oldSelf cannot be used on the uncorrelatable portion of the schema within ${uncorrelatable}`;
      errors.push(invalid(`${place}.rule`, rule.rule, detail));
    } else if (!usesOld && rule.optionalOldSelf !== undefined) {
      const detail = 'may not be set if oldSelf is not used in rule';
      errors.push(invalid(`${place}.optionalOldSelf`, rule.optionalOldSelf, detail));
    }
    return errors;
  });
}
