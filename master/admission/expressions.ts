/**
 * 2. Contract: what admission needs of CEL: expressions over a few named variables, compiled once, evaluated per request.
 * `cel.ts` implements it with `src/api/cel`.
 */

/** The message continues `compilation error: compilation failed: `. */
export class ExpressionInvalid extends Error {}

export interface Program {
  /** JSON values in and out. Throws, or rejects, with the words for the user. */
  evaluate(variables: Readonly<Record<string, unknown>>): unknown;
}

export interface CompileOptions {
  /** The names that the expression may use. */
  variables: readonly string[];
  /** `Object{...}` and `JSONPatch{...}` literals are allowed: mutations. */
  allowsObjects?: boolean;
}

export interface ExpressionCompiler {
  /** Throws `ExpressionInvalid`. */
  compile(expression: string, options: CompileOptions): Program;
}
