/**
 * Comprehensions with two variables (`all(i, v, ...)` of a list, `all(k, v, ...)` of a map) and `optMap`. Pure.
 *
 * The library has no types for what a macro is given; the shapes below are the parts of its checker, evaluator and context
 * that are used.
 */
import type { Environment } from '@marcbachmann/cel-js';
import { Optional } from '@marcbachmann/cel-js';
import { fail } from './library.js';

interface Type {
  kind: string;
  keyType?: Type;
  valueType?: Type;
}
interface Context {
  forkWithVariable(name: string, type: Type): Context;
  reuse(parent: Context): Context;
  setIterValue(value: unknown, evaluator: Evaluator): Context;
}
interface Node {
  op: string;
  args: unknown;
  meta: { label?: string };
}
interface Checker {
  check(node: Node, context: Context): Type;
  getType(name: string): Type;
  createError(code: string, message: string, node: Node): Error;
}
interface Evaluator {
  run(node: Node, context: Context): unknown;
}
interface Call {
  args: Node[];
  receiver: Node;
}

/** One round: what the two variables stand for in it. */
type Round = (first: unknown, second: unknown) => unknown;
type Fold = (rounds: Iterable<[unknown, unknown]>, round: Round, filter: Round | undefined) => unknown;

function* entriesOf(value: unknown): Generator<[unknown, unknown]> {
  if (Array.isArray(value)) for (const [i, item] of value.entries()) yield [BigInt(i), item];
  else if (value instanceof Map) yield* value;
  else if (typeof value === 'object' && value !== null) yield* Object.entries(value);
  else fail('no such overload');
}

const folds: Readonly<Record<string, { fold: Fold; type: string; bodies: 1 | 2 }>> = {
  all: { fold: (rounds, round) => quantify(rounds, round, false), type: 'bool', bodies: 1 },
  exists: { fold: (rounds, round) => quantify(rounds, round, true), type: 'bool', bodies: 1 },
  existsOne: {
    fold: (rounds, round) => [...rounds].filter(([a, b]) => round(a, b) === true).length === 1,
    type: 'bool',
    bodies: 1,
  },
  transformList: {
    fold: (rounds, round, filter) => kept(rounds, filter).map(([a, b]) => round(a, b)),
    type: 'list',
    bodies: 2,
  },
  transformMap: {
    fold: (rounds, round, filter) => {
      const map = Object.create(null) as Record<string, unknown>;
      for (const [a, b] of kept(rounds, filter)) map[String(a)] = round(a, b);
      return map;
    },
    type: 'map',
    bodies: 2,
  },
};

const kept = (rounds: Iterable<[unknown, unknown]>, filter: Round | undefined): [unknown, unknown][] =>
  [...rounds].filter(([a, b]) => !filter || filter(a, b) === true);

/** An error counts only when nothing else decides. */
function quantify(rounds: Iterable<[unknown, unknown]>, round: Round, wanted: boolean): boolean {
  let problem: unknown;
  for (const [first, second] of rounds) {
    try {
      if (round(first, second) === wanted) return wanted;
    } catch (error) {
      problem ??= error;
    }
  }
  if (problem !== undefined) throw problem;
  return !wanted;
}

/** `spend` is asked before every round. */
export function addMacros(environment: Environment, spend: () => void): void {
  for (const [name, { fold, type, bodies }] of Object.entries(folds)) {
    // Of `all` and `exists` the library has those with one variable.
    const counts = bodies === 2 ? [3, 4] : [3];
    for (const count of counts) {
      const signature = `list.${name}(${Array.from({ length: count }, () => 'ast').join(', ')}): ${type === 'bool' ? 'bool' : 'dyn'}`;
      environment.registerFunction(signature, (call: Call) => comprehension(call, fold, type, spend));
    }
  }
  environment.registerFunction('list.sortBy(ast, ast): list<dyn>', (call: Call) => sortBy(call, spend));
  for (const name of ['optMap', 'optFlatMap'])
    environment.registerFunction(`optional.${name}(ast, ast): dyn`, (call: Call) =>
      optional(call, name === 'optFlatMap'),
    );
}

const nameOf = (node: Node | undefined): string =>
  node?.op === 'id' && typeof node.args === 'string' ? node.args : fail('argument must be a simple name');

function comprehension({ args, receiver }: Call, fold: Fold, type: string, spend: () => void): object {
  const [first, second] = [nameOf(args[0]), nameOf(args[1])];
  const [filter, body] = args.length === 4 ? [args[2], args[3]] : [undefined, args[2]];
  if (!body) return fail('a comprehension needs a body');
  let outer: Context;
  let inner: Context;
  return {
    async: false,
    typeCheck(checker: Checker, _macro: object, context: Context) {
      const range = checker.check(receiver, context);
      const dynamic = checker.getType('dyn');
      const [key, value] =
        range.kind === 'list' ? [checker.getType('int'), range.valueType] : [range.keyType, range.valueType];
      outer = context.forkWithVariable(first, key ?? dynamic);
      inner = outer.forkWithVariable(second, value ?? dynamic);
      if (filter) checker.check(filter, inner);
      const result = checker.check(body, inner);
      if (type === 'bool' && result.kind !== 'dyn' && result !== checker.getType('bool'))
        throw checker.createError('invalid_predicate', 'predicate must evaluate to a bool', body);
      return checker.getType(type === 'bool' ? 'bool' : type === 'list' ? 'list<dyn>' : 'map<string, dyn>');
    },
    evaluate(evaluator: Evaluator, _macro: object, context: Context) {
      const range = evaluator.run(receiver, context);
      const roundOf =
        (node: Node): Round =>
        (a, b) => {
          spend();
          const around = outer.reuse(context).setIterValue(a, evaluator);
          return evaluator.run(node, inner.reuse(around).setIterValue(b, evaluator));
        };
      return fold(entriesOf(range), roundOf(body), filter && roundOf(filter));
    },
  };
}

/** `optMap(v, expression)`: the expression over the value, if there is one. */
function optional({ args, receiver }: Call, isFlat: boolean): object {
  const [name, body] = [nameOf(args[0]), args[1]];
  if (!body) return fail('optMap needs a body');
  let inner: Context;
  return {
    async: false,
    typeCheck(checker: Checker, _macro: object, context: Context) {
      const { kind, valueType } = checker.check(receiver, context);
      inner = context.forkWithVariable(name, (kind === 'optional' && valueType) || checker.getType('dyn'));
      checker.check(body, inner);
      return checker.getType('optional<dyn>');
    },
    evaluate(evaluator: Evaluator, _macro: object, context: Context) {
      const value = evaluator.run(receiver, context);
      if (!(value instanceof Optional)) return fail('no such overload');
      if (!value.hasValue()) return Optional.none();
      const result = evaluator.run(body, inner.reuse(context).setIterValue(value.value(), evaluator));
      return isFlat ? result : Optional.of(result);
    },
  };
}

/** `sortBy(v, key)`: the items in the order of what the expression makes of each. */
function sortBy({ args, receiver }: Call, spend: () => void): object {
  const [name, body] = [nameOf(args[0]), args[1]];
  if (!body) return fail('sortBy needs a key');
  let inner: Context;
  return {
    async: false,
    typeCheck(checker: Checker, _macro: object, context: Context) {
      const { valueType } = checker.check(receiver, context);
      inner = context.forkWithVariable(name, valueType ?? checker.getType('dyn'));
      checker.check(body, inner);
      return checker.getType('list<dyn>');
    },
    evaluate(evaluator: Evaluator, _macro: object, context: Context) {
      const list = evaluator.run(receiver, context);
      if (!Array.isArray(list)) return fail('no such overload');
      const keyed = list.map((item: unknown) => {
        spend();
        const key = evaluator.run(body, inner.reuse(context).setIterValue(item, evaluator)) as number;
        return { item, key };
      });
      return keyed.sort((a, b) => (a.key < b.key ? -1 : Number(a.key > b.key))).map(({ item }) => item);
    },
  };
}
