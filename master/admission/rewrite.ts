/**
 * 2. Expressions of admission as the CEL of `src/api/cel` takes them. Pure.
 *
 *   authorizer.requestResource.check('get')  ->  a variable of its own
 *   Object.spec{replicas: 3}                 ->  a map with the same fields: mutations give JSON
 *   jsonpatch.escapeKey(x)                   ->  the two replacements it stands for
 */

/** What `authorizer.requestResource` is called. */
export const requestResourceName = 'authorizerRequestResource';

export interface Rewritten {
  text: string;
  /** Fields of `variables` that the expression looks at. */
  composed: readonly string[];
}

const token =
  /\s+|\/\/[^\n]*|[rRbB]{0,2}(?:'''[\s\S]*?'''|"""[\s\S]*?""")|[rR][bB]?(?:'[^'\n]*'|"[^"\n]*")|[bB]?(?:'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*")|[A-Za-z_]\w*|\d[\w.]*|[\s\S]/g;
const isName = /^[A-Za-z_]\w*$/;
const isSpace = /^(?:\s|\/\/)/;

export function rewriteExpression(expression: string, allowsObjects = false): Rewritten {
  const tokens = expression.match(token) ?? [];
  const composed = new Set<string>();
  const walker = new Walker(tokens, composed, allowsObjects);
  return { text: walker.all(), composed: [...composed] };
}

class Walker {
  readonly #tokens: readonly string[];
  readonly #composed: Set<string>;
  readonly #allowsObjects: boolean;
  #at = 0;

  constructor(tokens: readonly string[], composed: Set<string>, allowsObjects: boolean) {
    this.#tokens = tokens;
    this.#composed = composed;
    this.#allowsObjects = allowsObjects;
  }

  all(): string {
    return this.#until(undefined, false);
  }

  /** Up to a closing bracket, which is left for the caller; keys of an object literal become strings. */
  #until(closing: string | undefined, isObject: boolean): string {
    let out = '';
    let isKey = isObject;
    let before = '';
    while (this.#at < this.#tokens.length) {
      const text = this.#tokens[this.#at] ?? '';
      if (text === closing) return out;
      const part = this.#next(text, { isKey, isMember: before === '.' });
      out += part;
      if (isSpace.test(text)) continue;
      before = text;
      if (isObject) isKey = text === ',' || (isKey && text === '?');
    }
    return out;
  }

  #next(text: string, { isKey, isMember }: { isKey: boolean; isMember: boolean }): string {
    if (isName.test(text)) {
      if (isKey) return this.#take(JSON.stringify(text));
      return isMember ? this.#take(text) : this.#name(text);
    }
    const closing = { '(': ')', '[': ']', '{': '}' }[text];
    return closing === undefined ? this.#take(text) : this.#brackets(closing, false);
  }

  #take(text: string): string {
    this.#at += 1;
    return text;
  }

  /** The bracket at hand and all up to the one that closes it. */
  #brackets(closing: string, isObject: boolean): string {
    const opening = this.#take(this.#tokens[this.#at] ?? '');
    const inside = this.#until(closing, isObject);
    return opening + inside + (this.#at < this.#tokens.length ? this.#take(closing) : '');
  }

  /** Significant tokens from here on, without moving: `.`, `spec`, `{`. */
  #ahead(count: number): { texts: string[]; end: number } {
    const texts: string[] = [];
    let at = this.#at;
    for (; at < this.#tokens.length && texts.length < count; at += 1) {
      const text = this.#tokens[at] ?? '';
      if (!isSpace.test(text)) texts.push(text);
    }
    return { texts, end: at };
  }

  #name(name: string): string {
    if (name === 'variables') {
      const { texts } = this.#ahead(4);
      const field = texts[2] === '?' ? texts[3] : texts[2];
      if (texts[1] === '.' && field && isName.test(field)) this.#composed.add(field);
    }
    if (name === 'authorizer') {
      const { texts, end } = this.#ahead(3);
      if (texts[1] === '.' && texts[2] === 'requestResource') {
        this.#at = end;
        return requestResourceName;
      }
    }
    if (this.#allowsObjects && (name === 'Object' || name === 'JSONPatch')) return this.#literal(name);
    if (this.#allowsObjects && name === 'jsonpatch') return this.#escape(name);
    return this.#take(name);
  }

  /** `Object.a.b{...}`; anything else that begins so is left to the compiler. */
  #literal(name: string): string {
    let count = 2;
    for (let ahead = this.#ahead(count); ahead.texts.at(-1) === '.'; ahead = this.#ahead(count)) count += 2;
    const { texts, end } = this.#ahead(count);
    if (texts.length !== count || texts.at(-1) !== '{') return this.#take(name);
    this.#at = end - 1;
    return this.#brackets('}', true);
  }

  #escape(name: string): string {
    const { texts, end } = this.#ahead(4);
    if (texts.slice(1).join('') !== '.escapeKey(') return this.#take(name);
    this.#at = end - 1;
    return `${this.#brackets(')', false)}.replace('~', '~0').replace('/', '~1')`;
  }
}
