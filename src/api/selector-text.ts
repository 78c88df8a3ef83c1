/**
 * The grammar of label selectors: `a`, `!a`, `a=b`, `a==b`, `a!=b`, `a in (b,c)`, `a notin (b)`, `a>1`, `a<1`. Pure.
 *
 * Called by `selectors.ts`, which checks keys and values. Errors are worded as kube-apiserver words them.
 */
import { labelKeyErrors } from './names.js';

export type Operator = '=' | '==' | '!=' | 'in' | 'notin' | 'exists' | '!' | 'gt' | 'lt';

export interface Requirement {
  readonly key: string;
  readonly operator: Operator;
  /** One for `=`, `==`, `!=`, `gt`, `lt`; none for `exists` and `!`. */
  readonly values: readonly string[];
}

/** Not a selector; the message is the one kube-apiserver answers with (400). */
export class SelectorError extends Error {
  override readonly name = 'SelectorError';
}

const tokenShape = /==|!=|[()=!,<>]|[^\s()=!,<>]+/g;
const symbols: Record<string, Operator> = {
  '=': '=',
  '==': '==',
  '!=': '!=',
  '>': 'gt',
  '<': 'lt',
  in: 'in',
  notin: 'notin',
};

class Tokens {
  readonly #tokens: string[];
  #position = 0;

  constructor(text: string) {
    this.#tokens = text.match(tokenShape) ?? [];
  }

  /** '' at the end of the text. */
  peek(): string {
    return this.#tokens[this.#position] ?? '';
  }

  take(): string {
    const token = this.peek();
    this.#position++;
    return token;
  }
}

const isIdentifier = (token: string): boolean => token !== '' && !/^(==|!=|[()=!,<>])$/.test(token);

function identifier(tokens: Tokens): string {
  const token = tokens.take();
  if (!isIdentifier(token)) throw new SelectorError(`found '${token}', expected: identifier`);
  return token;
}

/** The values between the parentheses, without repeats, sorted; an empty place is an empty value. */
function valueList(tokens: Tokens): string[] {
  const open = tokens.take();
  if (open !== '(') throw new SelectorError(`found '${open}' expected: '('`);
  const values = new Set<string>();
  for (;;) {
    const token = tokens.take();
    const isValue = isIdentifier(token);
    values.add(isValue ? token : '');
    const end = isValue ? tokens.take() : token;
    if (end === ')') return [...values].sort();
    if (end !== ',') {
      throw new SelectorError(
        `found '${end}', expected: ${isValue ? "',' or ')'" : "',', ')' or identifier"}`,
      );
    }
  }
}

function requirement(tokens: Tokens): Requirement {
  const isNegated = tokens.peek() === '!';
  if (isNegated) tokens.take();
  const key = identifier(tokens);
  const wrong = labelKeyErrors(key);
  if (wrong.length > 0)
    throw new SelectorError(`key: Invalid value: ${JSON.stringify(key)}: ${wrong.join('; ')}`);
  if (isNegated) return { key, operator: '!', values: [] };
  if (tokens.peek() === '' || tokens.peek() === ',') return { key, operator: 'exists', values: [] };
  const symbol = tokens.take();
  const operator = Object.hasOwn(symbols, symbol) ? symbols[symbol] : undefined;
  if (!operator) throw new SelectorError(`found '${symbol}', expected: in, notin, =, ==, !=, gt, lt`);
  if (operator === 'in' || operator === 'notin') return { key, operator, values: valueList(tokens) };
  const isMissing = tokens.peek() === '' || tokens.peek() === ',';
  return { key, operator, values: [isMissing ? '' : identifier(tokens)] };
}

/** Throws `SelectorError`. */
export function parseRequirements(text: string): Requirement[] {
  const tokens = new Tokens(text);
  const requirements: Requirement[] = [];
  while (tokens.peek() !== '') {
    const next = tokens.peek();
    if (!isIdentifier(next) && next !== '!') {
      throw new SelectorError(`found '${next}', expected: !, identifier, or 'end of string'`);
    }
    try {
      requirements.push(requirement(tokens));
    } catch (error) {
      if (!(error instanceof SelectorError)) throw error;
      throw new SelectorError(`unable to parse requirement: ${error.message}`, { cause: error });
    }
    const separator = tokens.take();
    if (separator === '') break;
    if (separator !== ',') throw new SelectorError(`found '${separator}', expected: ',' or 'end of string'`);
    const after = tokens.peek();
    if (!isIdentifier(after) && after !== '!') {
      throw new SelectorError(`found '${after}', expected: identifier after ','`);
    }
  }
  return requirements;
}
