/** 2. `ExpressionCompiler` with the CEL of `src/api/cel`. */
import { type ExpressionCompiler, ExpressionInvalid } from './expressions.js';

export function createExpressionCompiler(): ExpressionCompiler {
  return {
    compile() {
      throw new ExpressionInvalid('not available');
    },
  };
}
