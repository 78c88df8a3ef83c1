/**
 * 2. Match conditions of webhooks and policies: all must be true for the request to go on to them.
 *
 *   any false -> skipped; all true -> called; an error and none false -> refused (Fail) or skipped (Ignore)
 */
import type { MatchCondition } from '../../src/api/types.js';
import { compileExpression, conditionVariables, newBudget } from './expressions.js';

export interface Conditions {
  /** Rejects with an `Error` that says which conditions failed, when they are to fail closed. */
  areMet(variables: Readonly<Record<string, unknown>>): Promise<boolean>;
}

export interface ConditionOptions {
  failsClosed: boolean;
  hasParams?: boolean;
}

/** `undefined` without conditions. */
export function compileConditions(
  conditions: readonly MatchCondition[] | undefined,
  { failsClosed, hasParams = false }: ConditionOptions,
): Conditions | undefined {
  if (!conditions?.length) return undefined;
  const variables = hasParams ? [...conditionVariables, 'params'] : conditionVariables;
  const expressions = conditions.map(({ expression }) => compileExpression(expression, { variables }));
  return {
    async areMet(values) {
      const problems: string[] = [];
      const budget = newBudget();
      for (const expression of expressions) {
        try {
          if ((await expression.evaluate(values, budget)) !== true) return false;
        } catch (error) {
          problems.push((error as Error).message);
        }
      }
      if (problems.length === 0) return true;
      if (failsClosed) throw new Error(problems.length === 1 ? problems[0] : `[${problems.join(', ')}]`);
      return false;
    },
  };
}
