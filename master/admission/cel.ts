/** 2. `ExpressionCompiler` with the CEL of `src/api/cel`. */
import { type ExpressionCompiler, ExpressionInvalid } from './expressions.js';

export function createExpressionCompiler(): ExpressionCompiler {
  return {
    compile() {
      throw new ExpressionInvalid('not available');
    },
  };
}

/** What is wrong with an expression; for validation. */
export function checkExpression(_expression: string, _variables: readonly string[]): string | undefined {
  return undefined;
}
