/**
 * Expressions compiled once and evaluated many times, under a budget. Pure. Called for the rules of custom kinds and by
 * admission policies.
 *
 *   const program = compile("object.spec.replicas <= params.max", { variables: { object: 'dyn', params: 'dyn' } });
 *   program.evaluate({ object, params })   // JSON values in, JSON values out
 */
import type { ASTNode } from '@marcbachmann/cel-js';
import {
  asCompileError,
  CelBudgetExceeded,
  CelCompileError,
  CelEvaluationError,
  compileErrorText,
  evaluationText,
  isCelError,
} from './errors.js';
import { createLanguage, type Language, type Meter } from './language.js';
import { libraryName } from './names.js';
import { fromCel, toCel } from './values.js';

export {
  type AuthorizerAnswer,
  type AuthorizerQuestion,
  CelAuthorizer,
  CelResourceCheck,
} from './authorizer.js';
export { CelBudgetExceeded, CelCompileError, CelEvaluationError } from './errors.js';
export { toCel } from './values.js';

/** `dyn`, `string`, `list<int>`, `map<string, dyn>`, `kubernetes.authorization.Authorizer`, or the name of an `ObjectShape`. */
export type CelType = string;

/** A type of objects with fields of known types; values of it are instances of `ctor`. */
export interface ObjectShape {
  name: string;
  ctor: new () => object;
  fields: Readonly<Record<string, CelType>>;
  equals(a: unknown, b: unknown): boolean;
}

export interface CompileOptions {
  variables: Readonly<Record<string, CelType>>;
  types?: readonly ObjectShape[];
  /** What the result must be; anything by default. */
  result?: 'bool' | 'string';
  /** Results stay values of CEL (quantities, times), for other expressions to go on with. */
  isRaw?: boolean;
}

export interface Program {
  /** The type the checker found: `bool`, `dyn`... */
  readonly type: string;
  /** Names of variables that the expression uses. */
  readonly uses: ReadonlySet<string>;
  /**
   * Values are JSON, or made with `toCel`. A promise when the expression asked the authorizer. Throws, or rejects with,
   * `CelEvaluationError`; `CelBudgetExceeded` when it took more than `steps`.
   */
  evaluate(variables: Readonly<Record<string, unknown>>, budget?: Budget): unknown;
  /** The same of values that are as their declared types want them. */
  evaluateTyped(variables: Readonly<Record<string, unknown>>, budget?: Budget): unknown;
}

/** Shared by evaluations that may take so much together. */
export interface Budget {
  steps: number;
}

/** Of one call. Some tens of milliseconds. */
const defaultSteps = 200_000;
const maxExpressionChars = 20_000;

/** The base is made when first needed: no master without expressions pays for it. */
const base: { language?: Language } = {};
const languageOf = (): Language => {
  base.language ??= createLanguage();
  return base.language;
};

/** Throws `CelCompileError`. */
export function compile(expression: string, options: CompileOptions): Program {
  const language = languageOf();
  if (expression.length > maxExpressionChars)
    throw new CelCompileError(
      compileErrorText(
        '',
        `expression code point size exceeds limit: size: ${expression.length}, limit ${maxExpressionChars}`,
        0,
      ),
    );
  const environment = language.environment.clone();
  for (const shape of options.types ?? []) {
    const { name, ctor, fields } = shape;
    environment.registerType(name, { ctor, fields } as never);
    environment.registerOperator(`${name} == ${name}`, (a: unknown, b: unknown) => shape.equals(a, b));
    // Values of it are never null; whoever asks is answered.
    environment.registerOperator(`${name} == null`, () => false);
  }
  for (const [name, type] of Object.entries(options.variables))
    environment.registerVariable(name, type as never);
  try {
    const parsed = environment.parse(expression);
    const uses = new Set<string>();
    prepare(parsed.ast, uses, options.variables);
    const { valid, type = 'dyn', error } = parsed.check();
    if (!valid) throw error;
    if (options.result && type !== options.result && type !== 'dyn')
      throw new CelCompileError(`must evaluate to ${options.result}`);
    meterAll(parsed.ast, language.meter);
    const finish = options.isRaw ? (result: unknown): unknown => result : fromCel;
    const typed = (values: Readonly<Record<string, unknown>>, budget?: Budget): unknown =>
      run({ meter: language.meter, parsed, finish }, values, budget);
    return {
      type,
      uses,
      evaluateTyped: typed,
      evaluate: (variables, budget) => typed(mapValues(variables, toCel), budget),
    };
  } catch (error) {
    if (error instanceof CelCompileError) throw error;
    throw asCompileError(expression, error, (name) => language.hasFunction(name));
  }
}

function mapValues(
  variables: Readonly<Record<string, unknown>>,
  change: (value: unknown) => unknown,
): Record<string, unknown> {
  const values: Record<string, unknown> = {};
  for (const name of Object.keys(variables)) values[name] = change(variables[name]);
  return values;
}

interface Ready {
  meter: Meter;
  parsed(values: Readonly<Record<string, unknown>>): unknown;
  finish(result: unknown): unknown;
}

function run(
  { meter, parsed, finish }: Ready,
  values: Readonly<Record<string, unknown>>,
  budget: Budget = { steps: defaultSteps },
): unknown {
  const granted = Math.min(budget.steps, defaultSteps);
  meter.left = granted;
  const settle = (): void => {
    budget.steps -= granted - meter.left;
    // What went over was perhaps caught by an `||` on its way out.
    if (meter.left < 0) throw new CelBudgetExceeded();
  };
  const refuse = (error: unknown): never => {
    settle();
    if (isCelError(error)) throw new CelEvaluationError(evaluationText(error), { cause: error });
    throw error;
  };
  const done = (result: unknown): unknown => {
    settle();
    return finish(result);
  };
  try {
    const result = parsed(values);
    if (result instanceof Promise) return result.then(done, refuse);
    return done(result);
  } catch (error) {
    return refuse(error);
  }
}

/** A node as the library has it; macros keep what they were made of beside it. */
interface Looked {
  op: string;
  args: unknown;
  meta: { alternate?: Looked; macro?: unknown };
  handle?: (...args: unknown[]) => unknown;
  evaluate(evaluator: unknown, node: unknown, context: unknown): unknown;
}

const isNode = (value: unknown): value is Looked =>
  typeof value === 'object' && value !== null && 'op' in value && 'evaluate' in value && 'meta' in value;

/** Every node below, those that macros stand for included; each once. */
function walk(value: unknown, visit: (node: Looked) => void, seen = new Set<object>()): void {
  if (typeof value !== 'object' || value === null || seen.has(value)) return;
  seen.add(value);
  if (Array.isArray(value)) {
    for (const item of value) walk(item, visit, seen);
  } else if (isNode(value)) {
    visit(value);
    walk(value.args, visit, seen);
    walk(value.meta.alternate, visit, seen);
    walk(value.meta.macro, visit, seen);
  } else if (Object.getPrototypeOf(value) === Object.prototype) {
    for (const item of Object.values(value)) walk(item, visit, seen);
  }
}

/** Sends calls to our functions, and collects which variables are used. */
function prepare(ast: ASTNode, uses: Set<string>, variables: Readonly<Record<string, CelType>>): void {
  walk(ast, (node) => {
    if (node.op === 'id' && typeof node.args === 'string' && Object.hasOwn(variables, node.args))
      uses.add(node.args);
    const isCall = (node.op === 'call' || node.op === 'rcall') && !node.meta.macro && !node.meta.alternate;
    if (isCall && Array.isArray(node.args) && typeof node.args[0] === 'string')
      node.args[0] = libraryName(node.args[0]);
  });
}

/** How much there is of a value, for what is done with all of it. */
const weightOf = (value: unknown): number => {
  if (typeof value === 'string') return value.length / 10;
  if (Array.isArray(value)) return value.length;
  return typeof value === 'object' && value !== null ? 2 : 0;
};

const searching = new Set(['find', 'findAll', libraryName('matches'), libraryName('indexOf'), 'replace']);

/** Rounds of comprehensions, and whatever works on whole values, count. */
function meterAll(ast: ASTNode, meter: Meter): void {
  const nodes: Looked[] = [];
  walk(ast, (node) => nodes.push(node));
  for (const node of nodes) {
    if (node.op === 'comprehension') meterRounds(node.args as { step: Pick<Looked, 'evaluate'> }, meter);
    else if (node.handle) meterWork(node, node.handle, meter);
  }
}

function meterRounds(comprehension: { step: Pick<Looked, 'evaluate'> }, meter: Meter): void {
  const { step } = comprehension;
  comprehension.step = {
    evaluate(evaluator, _node, context) {
      meter.spend(1);
      return step.evaluate(evaluator, step, context);
    },
  };
}

function meterWork(node: Looked, handle: NonNullable<Looked['handle']>, meter: Meter): void {
  const isCall = node.op === 'call' || node.op === 'rcall';
  if (!isCall && !['+', '==', '!=', 'in'].includes(node.op)) return;
  const isSearch = isCall && Array.isArray(node.args) && searching.has(String(node.args[0]));
  node.handle = (...args) => {
    // Of a call, all operands are one argument, or the promise of them.
    const operands = isCall ? args[0] : args.slice(0, 2);
    const weights = Array.isArray(operands) ? operands.map(weightOf) : [];
    const sum = weights.reduce((total, weight) => total + weight, 1);
    meter.spend(isSearch ? sum * (1 + (weights[1] ?? 0)) : sum);
    return handle(...args);
  };
}
