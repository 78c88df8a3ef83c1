/**
 * The x-kubernetes-validations of a schema: compiled when first needed, evaluated with every object, under one budget for
 * all of them. Pure. That they are sound was checked by `rulecheck.ts` when the schema was written.
 *
 * Rules that use `oldSelf` run only where there is an old value to compare with. What other rules say of a value that did
 * not change is tolerated ("ratcheting").
 */
import { Optional } from '@marcbachmann/cel-js';
import {
  type Budget,
  CelBudgetExceeded,
  CelCompileError,
  CelEvaluationError,
  compile,
  type ObjectShape,
  type Program,
} from '../cel/program.js';
import { type FieldError, omitted } from '../errors.js';
import type { KubeObject, ValidationRule } from '../types.js';
import { type CelView, celView } from './celtypes.js';
import { type Old, oldItems, oldMember, oldValue } from './correlate.js';
import { child, isObject, memberOf, type SchemaNode } from './schema.js';

export interface CompiledRule {
  rule: ValidationRule;
  /** A text when it does not compile. */
  program: Program | string;
  message: Program | string | undefined;
  usesOld: boolean;
}

interface RulesAt {
  view: CelView;
  rules: readonly CompiledRule[];
}

export interface RuleSet {
  node: SchemaNode;
  /** Of each node that has rules, made when first met. */
  compiled: Map<SchemaNode, RulesAt | undefined>;
}

export const compileRules = (node: SchemaNode): RuleSet => ({ node, compiled: new Map() });

/** All rules of one object together. */
const objectSteps = 1_000_000;

/** The rules that stand at a node; undefined where expressions see nothing. */
export function rulesAt(node: SchemaNode, isRoot: boolean): RulesAt | undefined {
  const shapes: ObjectShape[] = [];
  const view = celView(node, 'Object', shapes, isRoot);
  if (!view) return undefined;
  return { view, rules: node.rules.map((rule) => compileRule(rule, view, shapes)) };
}

function compileRule(rule: ValidationRule, view: CelView, types: readonly ObjectShape[]): CompiledRule {
  const isOptional = rule.optionalOldSelf === true;
  const variables = { self: view.type, oldSelf: isOptional ? `optional<${view.type}>` : view.type };
  const program = compiledOr(rule.rule, { variables, types, result: 'bool' });
  const message = rule.messageExpression
    ? compiledOr(rule.messageExpression, { variables, types, result: 'string' })
    : undefined;
  return { rule, program, message, usesOld: typeof program !== 'string' && program.uses.has('oldSelf') };
}

function compiledOr(expression: string, options: Parameters<typeof compile>[1]): Program | string {
  try {
    return compile(expression, options);
  } catch (error) {
    if (error instanceof CelCompileError) return error.message;
    throw error;
  }
}

interface Walk {
  set: RuleSet;
  budget: Budget;
  errors: FieldError[];
}

/** Ended: nothing more is worth evaluating. */
class Ended extends Error {}

export function validateRules(set: RuleSet, object: KubeObject, old: KubeObject | undefined): FieldError[] {
  if (!set.node.hasRules) return [];
  const walk: Walk = { set, budget: { steps: objectSteps }, errors: [] };
  try {
    visit(walk, set.node, object, { path: '', old: old && oldValue(old), nearest: undefined });
  } catch (error) {
    if (!(error instanceof Ended)) throw error;
  }
  return walk.errors;
}

interface Place {
  path: string;
  old: Old | undefined;
  /** The old value of the closest part around that can be compared, and whether it is as it was. */
  nearest: { isSame(): boolean } | undefined;
}

function visit(walk: Walk, node: SchemaNode, value: unknown, place: Place): void {
  if (!node.hasRules || value === null || value === undefined) return;
  if (node.rules.length > 0) evaluateAll(walk, node, value, place);
  const { old, path } = place;
  for (const all of node.allOf) visit(walk, all, value, { ...place, old: undefined });
  const nearest = old ? { isSame: () => old.isSame(value) } : place.nearest;
  if (Array.isArray(value)) {
    const { items } = node;
    if (!items?.hasRules) return;
    const find = oldItems(node, old);
    value.forEach((item, i) => {
      visit(walk, items, item, { path: `${path}[${i}]`, old: find?.(item), nearest });
    });
  } else if (isObject(value)) {
    for (const name of Object.keys(value)) {
      const member = memberOf(node, name);
      if (!member?.hasRules) continue;
      const place = node.properties.has(name) ? child(path, name) : `${path}[${name}]`;
      visit(walk, member, value[name], { path: place, old: oldMember(node, old, name), nearest });
    }
  }
}

function evaluateAll(walk: Walk, node: SchemaNode, value: unknown, place: Place): void {
  const { compiled } = walk.set;
  if (!compiled.has(node)) compiled.set(node, rulesAt(node, node === walk.set.node));
  const found = compiled.get(node);
  if (!found) return;
  const { view, rules } = found;
  const self = view.convert(value);
  const oldSelf = place.old && place.old.value !== null ? view.convert(place.old.value) : undefined;
  for (const one of rules) {
    const isOptional = one.rule.optionalOldSelf === true;
    if (one.usesOld && oldSelf === undefined && !isOptional) continue;
    const variables = {
      self,
      ...(isOptional
        ? { oldSelf: oldSelf === undefined ? Optional.none() : Optional.of(oldSelf) }
        : oldSelf !== undefined && { oldSelf }),
    };
    const failure = evaluate(walk, node, one, variables, place.path);
    if (failure !== undefined) report(walk, node, value, one, { ...place, detail: failure });
  }
}

const ruleText = ({ rule, message }: ValidationRule): string => (message ? message.trim() : rule.trim());

/** What the rule says against the value; undefined when it holds, or could not be told and was reported. */
function evaluate(
  walk: Walk,
  node: SchemaNode,
  { rule, program, message }: CompiledRule,
  variables: Readonly<Record<string, unknown>>,
  path: string,
): string | undefined {
  const refuse = (detail: string): undefined => {
    walk.errors.push({ type: 'Invalid', field: path || '<nil>', value: node.type, detail });
    return undefined;
  };
  if (walk.budget.steps <= 0) {
    refuse('validation failed due to running out of cost budget, no further validation rules will be run');
    throw new Ended();
  }
  if (typeof program === 'string') return refuse(`rule compile error: ${program}`);
  try {
    if (program.evaluateTyped(variables, walk.budget) === true) return undefined;
  } catch (error) {
    if (!(error instanceof CelEvaluationError)) throw error;
    if (error instanceof CelBudgetExceeded) {
      refuse(
        `'${error.message}': no further validation rules will be run due to call cost exceeds limit for rule: ${ruleText(rule)}`,
      );
      throw new Ended();
    }
    if (error.message === 'no such overload') {
      const text = 'call arguments did not match a supported operator, function or macro signature for rule';
      return refuse(`'no such overload': ${text}: ${ruleText(rule)}`);
    }
    return refuse(`${error.message} evaluating rule: ${ruleText(rule)}`);
  }
  return (
    messageOf(message, variables, walk.budget) ?? (rule.message?.trim() || `failed rule: ${rule.rule.trim()}`)
  );
}

const maxMessageChars = 5 * 1024;

/** Undefined when the expression fails, or makes nothing that could be shown. */
function messageOf(
  message: Program | string | undefined,
  variables: Readonly<Record<string, unknown>>,
  budget: Budget,
): string | undefined {
  if (message === undefined || typeof message === 'string') return undefined;
  try {
    const text = message.evaluateTyped(variables, budget);
    const trimmed = typeof text === 'string' ? text.trim() : '';
    const isFit = trimmed !== '' && !trimmed.includes('\n') && trimmed.length <= maxMessageChars;
    return isFit ? trimmed : undefined;
  } catch (error) {
    if (error instanceof CelEvaluationError) return undefined;
    throw error;
  }
}

const types: Readonly<Record<string, FieldError['type']>> = {
  FieldValueForbidden: 'Forbidden',
  FieldValueRequired: 'Required',
  FieldValueDuplicate: 'Duplicate',
};

function report(
  walk: Walk,
  node: SchemaNode,
  value: unknown,
  { rule, usesOld }: CompiledRule,
  { path, old, nearest, detail }: Place & { detail: string },
): void {
  const isUnchanged = old ? old.isSame(value) : (nearest?.isSame() ?? false);
  if (isUnchanged && !usesOld) return;
  const isCompound = node.type === 'object' || node.type === 'array';
  const type = types[rule.reason ?? ''] ?? 'Invalid';
  walk.errors.push({
    type,
    field: `${path}${rule.fieldPath ?? ''}`.replace(/^\./, '') || '<nil>',
    value: isCompound ? omitted : value,
    ...(type !== 'Duplicate' && { detail }),
  });
}
