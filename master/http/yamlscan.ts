/**
 * 1. Looks a YAML body over before it is parsed: the parser takes seconds for what is nested deeply or has very many
 * parts, and dies of some of it, and there is one thread for everybody. Called by `body.ts`. Pure.
 *
 * The lexer of the same parser goes first: it does not recurse, knows what is text and what is structure, and is left as
 * soon as there is too much of it.
 */
import { Lexer } from 'yaml';
import { type ApiError, badRequest } from '../../src/api/errors.js';

/** Each level takes a column at least, each list in a list two. */
const maxColumns = 1_000;
const maxFlowDepth = 500;
/** Some 30,000 lines of `key: value`, a second's work. JSON is parsed a hundred times faster, and has no such limit. */
const maxTokens = 200_000;

const flowEnds: ReadonlyMap<string, string> = new Map([
  ['[', ']'],
  ['{', '}'],
]);
/** `- - - a` and `? ? a` are nested as deeply as their last word is indented. */
const isIndicator = (token: string): boolean => token === documentMark || /^[-?:]$/.test(token);
/** What the lexer begins a document with. */
const documentMark = '\u0002';
/** ... and what it puts before a text without quotes. */
const textMark = '\u001f';
/** The parser goes back to the first for each further one. */
const maxProperties = 16;

/** Throws `BadRequest` for what must not be parsed. */
export function checkYaml(text: string): void {
  const scan = new Scan();
  let tokens = 0;
  let isText = false;
  for (const token of new Lexer().lex(text)) {
    if (++tokens > maxTokens) throw badRequest('the YAML body has too many parts; send it as JSON');
    if (isText) scan.word('text');
    else if (/^ +$/.test(token)) scan.space(token.length);
    else if (token.startsWith('\n') || token.startsWith('\r')) scan.line();
    else scan.word(token);
    isText = token === textMark;
  }
}

/** Where the lexer is. What is no YAML is refused here where the parser would take long to find so many mistakes. */
class Scan {
  /** The brackets that have to close what is open. */
  readonly #ends: string[] = [];
  #columns = 0;
  #isAtStart = true;
  #properties = 0;
  #wasQuoted = false;

  space(columns: number): void {
    if (this.#isAtStart) this.#indent(columns);
  }

  line(): void {
    this.#isAtStart = true;
    this.#columns = 0;
    this.#wasQuoted = false;
  }

  word(token: string): void {
    if (this.#isAtStart) {
      this.#isAtStart = isIndicator(token);
      if (this.#isAtStart) this.#indent(token.length);
    }
    const end = flowEnds.get(token);
    if (end !== undefined) this.#ends.push(end);
    else if ((token === ']' || token === '}') && this.#ends.pop() !== token)
      throw badRequest(`the YAML body has a ${token} that closes nothing`);
    if (this.#ends.length > maxFlowDepth) throw tooDeep();

    const isProperty = token.startsWith('!') || token.startsWith('&');
    this.#properties = isProperty ? this.#properties + 1 : 0;
    if (this.#properties > maxProperties)
      throw badRequest('the YAML body has a value with too many tags and anchors');

    const isQuoted = token.startsWith('"') || token.startsWith("'");
    if (isQuoted && this.#wasQuoted)
      throw badRequest('the YAML body has two values with nothing between them');
    this.#wasQuoted = isQuoted;
  }

  #indent(columns: number): void {
    this.#columns += columns;
    if (this.#columns > maxColumns) throw tooDeep();
  }
}

const tooDeep = (): ApiError => badRequest(`the body is nested more than ${maxFlowDepth} levels deep`);
