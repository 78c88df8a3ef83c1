/**
 * 2. Match conditions of webhooks and policies: all must be true for the request to go on to them.
 *
 *   any false -> skipped; all true -> called; an error and none false -> refused (Fail) or skipped (Ignore)
 */
import type { MatchCondition } from '../../src/api/types.js';
import type { ExpressionCompiler, Program } from './expressions.js';

export interface Conditions {
  /** Rejects with an `Error` that says which conditions failed, when they are to fail closed. */
  areMet(variables: Readonly<Record<string, unknown>>): Promise<boolean>;
}

/** What conditions may look at; policies with parameters add `params`. */
export const conditionVariables = ['object', 'oldObject', 'request', 'authorizer'] as const;

export interface ConditionOptions {
  failsClosed: boolean;
  compiler: ExpressionCompiler;
  hasParams?: boolean;
}

export function compileConditions(
  conditions: readonly MatchCondition[],
  { failsClosed, compiler, hasParams = false }: ConditionOptions,
): Conditions {
  const variables = hasParams ? [...conditionVariables, 'params'] : conditionVariables;
  const programs = conditions.map(({ expression }) => compileLater(compiler, expression, variables));
  return {
    async areMet(values) {
      const problems: string[] = [];
      for (const program of programs) {
        try {
          if ((await program.evaluate(values)) !== true) return false;
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

/** What does not compile fails when it is used: a stored object may be from another version. */
export function compileLater(
  compiler: ExpressionCompiler,
  expression: string,
  variables: readonly string[],
  allowsObjects = false,
): Program {
  try {
    return compiler.compile(expression, { variables, allowsObjects });
  } catch (error) {
    const message = `compilation error: compilation failed: ${(error as Error).message}`;
    return {
      evaluate: () => {
        throw new Error(message, { cause: error });
      },
    };
  }
}
