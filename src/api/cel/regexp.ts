/**
 * Regular expressions as Go reads them (RE2): no look-around, and time that grows with pattern times text and no more,
 * whatever a user writes. Pure.
 */
import { RE2JS, RE2JSException } from 're2js';

/** Its message is Go's: ``error parsing regexp: missing closing ): `(a` ``. */
export class RegexpError extends Error {
  override readonly name = 'RegexpError';
}

export interface Matcher {
  /** Matches anywhere in the text. */
  test(text: string): boolean;
  /** Start and end of the leftmost match at or after `from`. */
  find(text: string, from: number): [number, number] | undefined;
}

const maxPattern = 10_000;

/** Throws `RegexpError` for a pattern that RE2 does not take. */
export function compileRegexp(pattern: string): Matcher {
  if (pattern.length > maxPattern)
    throw new RegexpError(`error parsing regexp: expression nests too deeply: \`${pattern}\``);
  const compiled = compile(pattern);
  return {
    test: (text) => compiled.test(text),
    find(text, from) {
      const matcher = compiled.matcher(text);
      return from <= text.length && matcher.find(from) ? [matcher.start(), matcher.end()] : undefined;
    },
  };
}

function compile(pattern: string): RE2JS {
  try {
    return RE2JS.compile(pattern);
  } catch (error) {
    if (!(error instanceof RE2JSException)) throw error;
    throw new RegexpError(error.message, { cause: error });
  }
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
