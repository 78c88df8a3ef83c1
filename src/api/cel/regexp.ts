/**
 * Regular expressions as Go reads them (RE2), which neither backtrack nor look around. Pure.
 *
 * A pattern that a backtracking engine runs in steps bounded by a low power of the text is given to JavaScript's, every
 * other one to the automaton of `automaton.ts`, whose time grows with pattern times text and no more.
 */
import { Automaton } from './automaton.js';
import { backtrackingPower, parseRegexp, RegexpError, toJavaScript } from './regexpsyntax.js';

export { RegexpError } from './regexpsyntax.js';

export interface Matcher {
  /** Matches anywhere in the text. */
  test(text: string): boolean;
  /** Start and end of the leftmost match at or after `from`. */
  find(text: string, from: number): [number, number] | undefined;
}

/** Steps that JavaScript's engine may need at most; beyond, the automaton is asked. */
const MAX_STEPS = 2_000_000;
const MAX_PATTERN = 10_000;

/** Throws `RegexpError` with Go's words for a pattern that RE2 does not take. */
export function compileRegexp(pattern: string): Matcher {
  if (pattern.length > MAX_PATTERN) throw new RegexpError('expression nests too deeply', pattern);
  const tree = parseRegexp(pattern);
  const automaton = new Automaton(tree);
  const power = backtrackingPower(tree);
  const source = power === Number.POSITIVE_INFINITY ? undefined : toJavaScript(tree);
  if (source === undefined) return automaton;
  const plain = new RegExp(source, 'u');
  const global = new RegExp(source, 'gu');
  const isShort = (text: string): boolean => text.length ** power <= MAX_STEPS;
  return {
    test: (text) => (isShort(text) ? plain.test(text) : automaton.test(text)),
    find(text, from) {
      if (!isShort(text)) return automaton.find(text, from);
      global.lastIndex = from;
      const found = global.exec(text);
      return found ? [found.index, found.index + found[0].length] : undefined;
    },
  };
}

/** The matcher of a pattern; one that does not compile matches everything. */
export function matcherOf(pattern: string): Matcher {
  try {
    return compileRegexp(pattern);
  } catch (error) {
    if (!(error instanceof RegexpError)) throw error;
    return { test: () => true, find: (_text, from) => [from, from] };
  }
}
