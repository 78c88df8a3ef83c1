/**
 * What is wrong with an expression, in the form in which Kubernetes shows it. Pure.
 */
import { TypeError as CelTypeError, EvaluationError, ParseError } from '@marcbachmann/cel-js';
import { ownName } from './names.js';

/** The expression does not compile; the message is several lines, the last of which points at the place. */
export class CelCompileError extends Error {
  override readonly name = 'CelCompileError';
}

/** The expression compiled, but not for these values: `no such key: x`, `division by zero`. */
export class CelEvaluationError extends Error {
  override readonly name: string = 'CelEvaluationError';
}

/** It would have taken too long; nothing more is worth trying with the same budget. */
export class CelBudgetExceeded extends CelEvaluationError {
  override readonly name = 'CelBudgetExceeded';
  constructor() {
    super('operation cancelled: actual cost limit exceeded');
  }
}

type CelError = ParseError | CelTypeError | EvaluationError;

export const isCelError = (error: unknown): error is CelError =>
  error instanceof ParseError || error instanceof CelTypeError || error instanceof EvaluationError;

/** `ERROR: <input>:1:6: undeclared reference to 'foo' (in container '')`, the line, and an arrow below. */
export function compileErrorText(expression: string, problem: string, position: number): string {
  const before = expression.slice(0, position);
  const line = before.split('\n').length;
  const start = before.lastIndexOf('\n') + 1;
  const end = expression.indexOf('\n', position);
  const text = expression.slice(start, end < 0 ? undefined : end);
  const column = position - start;
  return `ERROR: <input>:${line}:${column + 1}: ${problem}\n | ${text}\n | ${'.'.repeat(column)}^`;
}

export function asCompileError(
  expression: string,
  error: unknown,
  isFunction: (name: string) => boolean,
): CelCompileError {
  if (!isCelError(error)) throw error;
  const position = Math.min(placeOf(expression, error), expression.length);
  const problem =
    error instanceof ParseError ? `Syntax error: ${error.summary}` : typeProblem(error, isFunction);
  return new CelCompileError(compileErrorText(expression, problem, position), { cause: error });
}

interface Node {
  op: string;
  args: unknown;
  end?: number;
}

/** Where CEL points: at the operator, the dot of a field, the parenthesis of a call. */
function placeOf(expression: string, { node, range }: CelError): number {
  const start = range?.start ?? 0;
  const { op = '', args } = (node ?? {}) as Partial<Node>;
  if (!Array.isArray(args)) return start;
  const [first, second] = args as Partial<Node>[];
  const from = (op === 'rcall' ? second?.end : op === 'call' ? start : first?.end) ?? start;
  const sought = op === 'call' || op === 'rcall' ? '(' : op === '.?' ? '.' : op;
  const found = sought === '' ? -1 : expression.indexOf(sought, from);
  return found < 0 ? start : found;
}

const operators: Readonly<Record<string, string>> = { in: '@in', '!': '!_', '-': '_-_' };

function typeProblem({ code, summary }: CelError, isFunction: (name: string) => boolean): string {
  const variable = /^Unknown variable: (.*)$/.exec(summary)?.[1];
  if (variable !== undefined) return `undeclared reference to '${variable}' (in container '')`;
  const key = /^No such key: (.*)$/.exec(summary)?.[1];
  if (key !== undefined) return `undefined field '${key}'`;
  const binary = /^no such overload: (.+) (==|!=|<=|>=|<|>|\+|-|\*|\/|%|in) (.+)$/.exec(summary);
  if (binary) {
    const [, left, operator = '', right] = binary;
    return `found no matching overload for '${operators[operator] ?? `_${operator}_`}' applied to '(${left}, ${right})'`;
  }
  const unary = /^no such overload: ([!-])(.+)$/.exec(summary);
  if (unary) return `found no matching overload for '${unary[1]}_' applied to '(${unary[2]})'`;
  const call = /^found no matching overload for '(?:(.+)\.)?(\w+)\((.*)\)'$/.exec(summary);
  if (call) {
    const [, receiver, name = '', args] = call;
    if (!isFunction(name)) return `undeclared reference to '${ownName(name)}' (in container '')`;
    const applied = receiver === undefined ? `(${args})` : `${receiver}.(${args})`;
    return `found no matching overload for '${ownName(name)}' applied to '${applied}'`;
  }
  if (code === 'cannot_index_type')
    return summary.replace(/^Cannot index type (.*)$/, 'type $1 does not support field selection');
  return summary;
}

/** The words of an evaluation that failed. */
export function evaluationText(error: CelError): string {
  const key = /^No such key: (.*)$/.exec(error.summary)?.[1];
  if (key !== undefined) {
    const index = /^index out of bounds, index (-?\d+)/.exec(key)?.[1];
    return index === undefined ? `no such key: ${key}` : `index out of bounds: ${index}`;
  }
  if (/^no such overload|^found no matching overload/.test(error.summary)) return 'no such overload';
  if (error.code === 'optional_value_missing') return 'optional.none() dereference';
  return error.summary
    .replace(/^integer overflow:.*$/, 'integer overflow')
    .replace('modulo by zero', 'modulus by zero');
}
