/**
 * 2. CEL as admission uses it: expressions over the variables of a request, compiled once, with Kubernetes' words for what
 * goes wrong. What does not compile fails when it is used: a stored object may be from another version.
 */
import {
  type Budget,
  CelBudgetExceeded,
  type CelType,
  compile,
  type ObjectShape,
} from '../../src/api/cel/program.js';
import { requestResourceName, rewriteExpression } from './rewrite.js';

export type { Budget } from '../../src/api/cel/program.js';

export interface Expression {
  readonly source: string;
  /** Fields of `variables` it looks at. */
  readonly composed: readonly string[];
  /** What it was compiled with. */
  readonly composition: ObjectShape | undefined;
  /** Rejects with an `Error` in the words for the user; with `OutOfBudget` when nothing more is worth trying. */
  evaluate(values: Readonly<Record<string, unknown>>, budget: Budget): Promise<unknown>;
}

/** The whole policy has taken too long. */
export class OutOfBudget extends Error {
  constructor(cause: unknown) {
    super('validation failed due to running out of cost budget, no further validation rules will be run', {
      cause,
    });
  }
}

/** For one policy, or the match conditions of one webhook. */
export const newBudget = (): Budget => ({ steps: 1_000_000 });

export interface ExpressionOptions {
  /** Names of `types` below that the expression may use. */
  variables: readonly string[];
  /** The shape of `variables`, for policies that have some. */
  composition?: ObjectShape | undefined;
  /** `Object{...}` and `JSONPatch{...}`: mutations. */
  allowsObjects?: boolean;
  result?: 'bool' | 'string';
  isRaw?: boolean;
  /** What `object` and `oldObject` are; anything by default. */
  objects?: { name: string; shapes: readonly ObjectShape[] };
}

const types: Readonly<Record<string, CelType>> = {
  object: 'dyn',
  oldObject: 'dyn',
  request: 'dyn',
  params: 'dyn',
  namespaceObject: 'dyn',
  authorizer: 'kubernetes.authorization.Authorizer',
  [requestResourceName]: 'kubernetes.authorization.ResourceCheck',
};

/** What conditions of webhooks may look at; policies with parameters add `params`. */
export const conditionVariables = ['object', 'oldObject', 'request', 'authorizer'] as const;

/** What expressions of a policy may use, besides `variables`. */
export const policyVariables = (hasParams: boolean): readonly string[] => [
  ...conditionVariables,
  'namespaceObject',
  ...(hasParams ? ['params'] : []),
];

/** Throws `CelCompileError`. */
function compiled(source: string, options: ExpressionOptions): Expression {
  const { composition, allowsObjects, result, isRaw = false, objects } = options;
  const { text, composed } = rewriteExpression(source, allowsObjects);
  const names = options.variables.includes('authorizer')
    ? [...options.variables, requestResourceName]
    : options.variables;
  const variables: Record<string, CelType> = Object.fromEntries(
    names.map((name) => [name, types[name] ?? 'dyn']),
  );
  if (composition) variables['variables'] = composition.name;
  if (objects) Object.assign(variables, { object: objects.name, oldObject: objects.name });
  const program = compile(text, {
    variables,
    types: [...(composition ? [composition] : []), ...(objects?.shapes ?? [])],
    ...(result && { result }),
    isRaw,
  });
  return {
    source,
    composed,
    composition,
    async evaluate(values, budget) {
      try {
        return await program.evaluate(only(values, variables), budget);
      } catch (error) {
        if (error instanceof CelBudgetExceeded) throw new OutOfBudget(error);
        throw new Error(`expression '${source}' resulted in error: ${(error as Error).message}`, {
          cause: error,
        });
      }
    },
  };
}

const only = (values: Readonly<Record<string, unknown>>, names: object): Record<string, unknown> =>
  Object.fromEntries(Object.keys(names).map((name) => [name, values[name] ?? null]));

/** Never throws: what does not compile says so when it is evaluated. */
export function compileExpression(source: string, options: ExpressionOptions): Expression {
  try {
    return compiled(source, options);
  } catch (error) {
    const message = `compilation error: compilation failed: ${(error as Error).message}`;
    return {
      source,
      composed: [],
      composition: undefined,
      evaluate: () => Promise.reject(new Error(message, { cause: error })),
    };
  }
}

/** What is wrong with an expression, for validation; `undefined` when nothing is. */
export function problemOf(source: string, options: ExpressionOptions): string | undefined {
  try {
    compiled(source, options);
    return undefined;
  } catch (error) {
    return `compilation failed: ${(error as Error).message}`;
  }
}
