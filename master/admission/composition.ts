/**
 * 2. The `variables` of a policy: named expressions that others use. Each is evaluated at most once per object, and only
 * when something that is evaluated looks at it; one that fails does so where it is looked at.
 */
import type { ObjectShape } from '../../src/api/cel/program.js';
import type { Variable } from '../../src/api/types.js';
import { isSameJson } from '../registry/codec.js';
import { type Budget, compileExpression, type Expression, OutOfBudget } from './expressions.js';

/** The values of one evaluation: `variables` with what an expression needs of it. */
export type Values = Readonly<Record<string, unknown>>;

export interface Composition {
  shape: ObjectShape | undefined;
  /** For one object; expressions of the policy are evaluated with it. */
  begin(values: Values, budget: Budget): Evaluation;
}

export interface Evaluation {
  evaluate(expression: Expression): Promise<unknown>;
}

type Outcome = { value: unknown } | { error: unknown };

/** A variable may use those before it. */
export function compileComposition(
  variables: readonly Variable[] | undefined,
  names: readonly string[],
): Composition {
  const list = variables ?? [];
  if (list.length === 0) return { shape: undefined, begin: (values, budget) => plain(values, budget) };
  const expressions = new Map<string, Expression>();
  let shape = shapeOf([]);
  for (const { name, expression } of list) {
    const composition = expressions.size > 0 ? shape : undefined;
    expressions.set(name, compileExpression(expression, { variables: names, composition, isRaw: true }));
    shape = shapeOf([...expressions.keys()]);
  }
  return { shape, begin: (values, budget) => composed(values, budget, shape, expressions) };
}

/** A shape of its own for every list of names: CEL knows types by their class. */
export function shapeOf(names: readonly string[]): ObjectShape {
  return {
    name: 'kubernetes.variables',
    ctor: class Variables {},
    fields: Object.fromEntries(names.map((name) => [name, 'dyn'])),
    equals: isSameJson,
  };
}

const plain = (values: Values, budget: Budget): Evaluation => ({
  evaluate: (expression) => expression.evaluate(values, budget),
});

function composed(
  values: Values,
  budget: Budget,
  shape: ObjectShape,
  expressions: ReadonlyMap<string, Expression>,
): Evaluation {
  const outcomes = new Map<string, Promise<Outcome>>();

  function outcomeOf(name: string): Promise<Outcome> | undefined {
    const expression = expressions.get(name);
    if (!expression) return undefined;
    const found = outcomes.get(name) ?? settle(expression);
    outcomes.set(name, found);
    return found;
  }

  async function settle(expression: Expression): Promise<Outcome> {
    try {
      return { value: await evaluate(expression) };
    } catch (error) {
      if (error instanceof OutOfBudget) throw error;
      return { error };
    }
  }

  async function evaluate(expression: Expression): Promise<unknown> {
    if (expression.composed.length === 0) return expression.evaluate(values, budget);
    // An earlier variable has an earlier class; what counts is the one the expression was compiled with.
    const variables = new (expression.composition?.ctor ?? shape.ctor)();
    for (const name of expression.composed) {
      const outcome = await outcomeOf(name);
      if (outcome) define(variables, name, outcome);
    }
    return expression.evaluate({ ...values, variables }, budget);
  }

  return { evaluate };
}

function define(variables: object, name: string, outcome: Outcome): void {
  Object.defineProperty(variables, name, {
    enumerable: true,
    get: () => {
      if ('error' in outcome) throw outcome.error;
      return outcome.value;
    },
  });
}
