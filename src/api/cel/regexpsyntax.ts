/**
 * Reads the syntax of Go's regular expressions into a tree, and says what a backtracking engine would need for it. Pure.
 *
 * Groups do not capture: nobody asks for what they matched. Called by `regexp.ts` and `automaton.ts`.
 */
export class RegexpError extends Error {
  override readonly name = 'RegexpError';
  /** As Go says it: ``error parsing regexp: missing closing ): `(a` ``. */
  constructor(problem: string, near: string) {
    super(`error parsing regexp: ${problem}: \`${near}\``);
  }
}

export type Assertion = 'textStart' | 'textEnd' | 'lineStart' | 'lineEnd' | 'word' | 'notWord';

/** A set of characters: any of the ranges or Unicode classes, or none of them. */
export interface CharSet {
  ranges: (readonly [number, number])[];
  /** Matches one character. */
  classes: RegExp[];
  negated: boolean;
  foldsCase: boolean;
}

export type Tree =
  | { kind: 'set'; set: CharSet }
  | { kind: 'assert'; which: Assertion }
  | { kind: 'cat' | 'alt'; parts: readonly Tree[] }
  | { kind: 'repeat'; part: Tree; min: number; max: number; greedy: boolean };

const MAX_REPEAT = 1000;
const MAX_DEPTH = 200;
const perl: Record<string, (readonly [number, number])[]> = {
  d: [[48, 57]],
  s: [
    [9, 10],
    [12, 13],
    [32, 32],
  ],
  w: [
    [48, 57],
    [65, 90],
    [95, 95],
    [97, 122],
  ],
};
const posix: Record<string, (readonly [number, number])[]> = {
  alnum: [
    [48, 57],
    [65, 90],
    [97, 122],
  ],
  alpha: [
    [65, 90],
    [97, 122],
  ],
  ascii: [[0, 127]],
  blank: [
    [9, 9],
    [32, 32],
  ],
  cntrl: [
    [0, 31],
    [127, 127],
  ],
  digit: [[48, 57]],
  graph: [[33, 126]],
  lower: [[97, 122]],
  print: [[32, 126]],
  punct: [
    [33, 47],
    [58, 64],
    [91, 96],
    [123, 126],
  ],
  space: [
    [9, 13],
    [32, 32],
  ],
  upper: [[65, 90]],
  word: [
    [48, 57],
    [65, 90],
    [95, 95],
    [97, 122],
  ],
  xdigit: [
    [48, 57],
    [65, 70],
    [97, 102],
  ],
};
const controls: Record<string, number> = { a: 7, f: 12, t: 9, n: 10, r: 13, v: 11 };
const LAST = 0x10ffff;

function complement(ranges: readonly (readonly [number, number])[]): (readonly [number, number])[] {
  const found: (readonly [number, number])[] = [];
  let next = 0;
  for (const [low, high] of [...ranges].sort((a, b) => a[0] - b[0])) {
    if (low > next) found.push([next, low - 1]);
    next = Math.max(next, high + 1);
  }
  if (next <= LAST) found.push([next, LAST]);
  return found;
}

interface Flags {
  i: boolean;
  m: boolean;
  s: boolean;
  U: boolean;
}

class Parser {
  readonly #text: string;
  #at = 0;
  #depth = 0;
  #flags: Flags = { i: false, m: false, s: false, U: false };

  constructor(text: string) {
    this.#text = text;
  }

  whole(): Tree {
    const tree = this.#alternatives();
    if (this.#at < this.#text.length) throw new RegexpError('unexpected )', this.#text);
    return tree;
  }

  get #rest(): string {
    return this.#text.slice(this.#at);
  }

  #take(expected: string): boolean {
    if (!this.#text.startsWith(expected, this.#at)) return false;
    this.#at += expected.length;
    return true;
  }

  #next(): string {
    const char = String.fromCodePoint(this.#text.codePointAt(this.#at) ?? 0);
    this.#at += char.length;
    return char;
  }

  #alternatives(): Tree {
    this.#depth += 1;
    if (this.#depth > MAX_DEPTH) throw new RegexpError('expression nests too deeply', this.#text);
    const parts = [this.#sequence()];
    while (this.#take('|')) parts.push(this.#sequence());
    this.#depth -= 1;
    const [only] = parts;
    return parts.length === 1 && only ? only : { kind: 'alt', parts };
  }

  #sequence(): Tree {
    const parts: Tree[] = [];
    while (this.#at < this.#text.length && !/^[|)]/.test(this.#rest)) {
      const from = this.#at;
      const part = this.#atom();
      if (part) parts.push(this.#repeated(part, from));
    }
    return { kind: 'cat', parts };
  }

  #repeated(atom: Tree, from: number): Tree {
    let part = atom;
    let last: string | undefined;
    for (;;) {
      const found = /^(?:[*+?]|\{(\d+)(,(\d*))?\})/.exec(this.#rest);
      if (!found) return part;
      const [text, low, comma, high] = found;
      this.#at += text.length;
      if (last !== undefined) throw new RegexpError('invalid nested repetition operator', last + text);
      const min = low === undefined ? (text === '+' ? 1 : 0) : Number(low);
      const open = low === undefined ? text !== '?' : comma !== undefined && high === '';
      const max = open ? Number.POSITIVE_INFINITY : low === undefined ? 1 : high ? Number(high) : min;
      if (min > MAX_REPEAT || (max !== Number.POSITIVE_INFINITY && max > MAX_REPEAT) || max < min)
        throw new RegexpError('invalid repeat count', text);
      const lazy = this.#take('?');
      last = this.#text.slice(from + 1, this.#at).slice(-text.length - (lazy ? 1 : 0));
      part = { kind: 'repeat', part, min, max, greedy: lazy === this.#flags.U };
    }
  }

  /** Undefined for what only sets flags. */
  #atom(): Tree | undefined {
    const char = this.#next();
    switch (char) {
      case '(':
        return this.#group();
      case '[':
        return { kind: 'set', set: this.#class() };
      case '.':
        return this.#set(this.#flags.s ? [[0, LAST]] : complement([[10, 10]]));
      case '^':
        return { kind: 'assert', which: this.#flags.m ? 'lineStart' : 'textStart' };
      case '$':
        return { kind: 'assert', which: this.#flags.m ? 'lineEnd' : 'textEnd' };
      case '\\':
        return this.#escape();
      case '*':
      case '+':
      case '?':
        throw new RegexpError('missing argument to repetition operator', char);
    }
    const code = char.codePointAt(0) ?? 0;
    return this.#set([[code, code]]);
  }

  #set(ranges: (readonly [number, number])[], classes: RegExp[] = [], negated = false): Tree {
    return { kind: 'set', set: { ranges, classes, negated, foldsCase: this.#flags.i } };
  }

  #group(): Tree | undefined {
    const from = this.#at - 1;
    const outer = this.#flags;
    if (this.#take('?')) {
      const name = /^P?<([A-Za-z_]\w*)>/.exec(this.#rest);
      if (name) this.#at += name[0].length;
      else {
        const flags = /^([imsU]*)(?:-([imsU]+))?([:)])/.exec(this.#rest);
        if (!flags)
          throw new RegexpError('invalid or unsupported Perl syntax', this.#text.slice(from, from + 3));
        this.#at += flags[0].length;
        const set = { ...outer };
        for (const flag of flags[1] ?? '') set[flag as keyof Flags] = true;
        for (const flag of flags[2] ?? '') set[flag as keyof Flags] = false;
        this.#flags = set;
        if (flags[3] === ')') return undefined;
      }
    }
    const inside = this.#alternatives();
    if (!this.#take(')')) throw new RegexpError('missing closing )', this.#text);
    this.#flags = outer;
    return inside;
  }

  #escape(): Tree {
    if (this.#at >= this.#text.length) throw new RegexpError('trailing backslash at end of expression', '');
    const char = this.#text[this.#at] ?? '';
    const assertions: Record<string, Assertion> = { A: 'textStart', z: 'textEnd', b: 'word', B: 'notWord' };
    const which = assertions[char];
    if (which) {
      this.#at += 1;
      return { kind: 'assert', which };
    }
    if (this.#take('Q')) return this.#literal();
    const set: CharSet = { ranges: [], classes: [], negated: false, foldsCase: this.#flags.i };
    if (!this.#classEscape(set)) {
      const code = this.#escapedChar();
      set.ranges.push([code, code]);
    }
    return { kind: 'set', set };
  }

  /** `\Q...\E` */
  #literal(): Tree {
    const end = this.#text.indexOf('\\E', this.#at);
    const text = this.#text.slice(this.#at, end < 0 ? undefined : end);
    this.#at = end < 0 ? this.#text.length : end + 2;
    const parts = [...text].map((char) => {
      const code = char.codePointAt(0) ?? 0;
      return this.#set([[code, code]]);
    });
    return { kind: 'cat', parts };
  }

  /** `\d`, `\pL`, `\P{Greek}`, behind the backslash: adds it to the set; false when it is none. */
  #classEscape(set: CharSet): boolean {
    const char = this.#text[this.#at] ?? '';
    const known = perl[char.toLowerCase()];
    if (known) {
      this.#at += 1;
      set.ranges.push(...(char === char.toLowerCase() ? known : complement(known)));
      return true;
    }
    const unicode = /^([pP])(?:\{(\^?)([A-Za-z_]+)\}|([A-Z]))/.exec(this.#rest);
    if (!unicode) return false;
    this.#at += unicode[0].length;
    const name = unicode[3] ?? unicode[4] ?? '';
    const not = (unicode[1] === 'P') !== (unicode[2] === '^');
    const source = [name, `Script=${name}`].find((candidate) => canCompile(`\\p{${candidate}}`));
    if (!source) throw new RegexpError('invalid character class range', `\\${unicode[0]}`);
    set.classes.push(new RegExp(`^\\${not ? 'P' : 'p'}{${source}}$`, 'u'));
    return true;
  }

  /** One escaped character, behind the backslash. */
  #escapedChar(): number {
    const hex = /^x(?:([0-9A-Fa-f]{2})|\{([0-9A-Fa-f]{1,6})\})/.exec(this.#rest);
    const octal = /^[0-7]{1,3}/.exec(this.#rest);
    if (hex) {
      this.#at += hex[0].length;
      return Number.parseInt(hex[1] ?? hex[2] ?? '0', 16);
    }
    if (octal && (octal[0].length > 1 || octal[0] === '0')) {
      this.#at += octal[0].length;
      return Number.parseInt(octal[0], 8);
    }
    const char = this.#next();
    const control = controls[char];
    if (control !== undefined) return control;
    const code = char.codePointAt(0) ?? 0;
    if (code < 128 && /[^A-Za-z0-9]/.test(char)) return code;
    throw new RegexpError('invalid escape sequence', `\\${char}`);
  }

  #class(): CharSet {
    const from = this.#at - 1;
    const set: CharSet = { ranges: [], classes: [], negated: this.#take('^'), foldsCase: this.#flags.i };
    for (let isFirst = true; ; isFirst = false) {
      if (this.#at >= this.#text.length) throw new RegexpError('missing closing ]', this.#text.slice(from));
      if (!isFirst && this.#take(']')) return set;
      const named = /^\[:(\^?)(\w+):\]/.exec(this.#rest);
      if (named) {
        const ranges = posix[named[2] ?? ''];
        if (!ranges) throw new RegexpError('invalid character class range', named[0]);
        this.#at += named[0].length;
        set.ranges.push(...(named[1] ? complement(ranges) : ranges));
        continue;
      }
      const start = this.#at;
      const low = this.#classChar(set);
      if (low === undefined) continue;
      const isRange = /^-[^\]]/.test(this.#rest);
      if (isRange) this.#at += 1;
      const high = isRange ? this.#classChar(set) : low;
      if (high === undefined || high < low)
        throw new RegexpError('invalid character class range', this.#text.slice(start, this.#at));
      set.ranges.push([low, high]);
    }
  }

  /** Undefined when it was a class of its own, which is then in the set. */
  #classChar(set: CharSet): number | undefined {
    if (!this.#take('\\')) return this.#next().codePointAt(0) ?? 0;
    return this.#classEscape(set) ? undefined : this.#escapedChar();
  }
}

function canCompile(source: string): boolean {
  try {
    return new RegExp(source, 'u') !== undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return false;
    throw error;
  }
}

export const parseRegexp = (pattern: string): Tree => new Parser(pattern).whole();

/**
 * The power of the length of a text that a backtracking engine's steps may reach; infinity where they may double with each
 * character.
 */
export function backtrackingPower(tree: Tree): number {
  const isAnchored =
    tree.kind === 'cat' && tree.parts[0]?.kind === 'assert' && tree.parts[0].which === 'textStart';
  return powerOf(tree) + (isAnchored ? 0 : 1);
}

function powerOf(tree: Tree): number {
  switch (tree.kind) {
    case 'set':
    case 'assert':
      return 0;
    case 'cat':
      return tree.parts.reduce((sum, part) => sum + powerOf(part), 0);
    case 'alt':
      return Math.max(...tree.parts.map(powerOf));
    case 'repeat': {
      if (tree.max > 1 && hasChoice(tree.part)) return Number.POSITIVE_INFINITY;
      return powerOf(tree.part) + (tree.max - tree.min > 1 ? 1 : 0);
    }
  }
}

const hasChoice = (tree: Tree): boolean =>
  tree.kind === 'alt' ||
  (tree.kind === 'cat' && tree.parts.some(hasChoice)) ||
  (tree.kind === 'repeat' && (tree.min !== tree.max || hasChoice(tree.part)));

const assertions: Record<Assertion, string> = {
  textStart: '^',
  textEnd: '$',
  lineStart: '(?<=^|\\n)',
  lineEnd: '(?=$|\\n)',
  word: '\\b',
  notWord: '\\B',
};

const charText = (code: number): string => `\\u{${code.toString(16)}}`;

/** The same for JavaScript's engine with the flag `u`; undefined for what it has no words for. */
export function toJavaScript(tree: Tree): string | undefined {
  switch (tree.kind) {
    case 'set': {
      const { ranges, classes, negated, foldsCase } = tree.set;
      if (foldsCase || classes.length > 0) return undefined;
      const inside = ranges.map(([low, high]) => `${charText(low)}-${charText(high)}`).join('');
      return `[${negated ? '^' : ''}${inside}]`;
    }
    case 'assert':
      return assertions[tree.which];
    case 'cat':
    case 'alt': {
      const parts = tree.parts.map(toJavaScript);
      if (parts.includes(undefined)) return undefined;
      return `(?:${parts.join(tree.kind === 'alt' ? '|' : '')})`;
    }
    case 'repeat': {
      const part = toJavaScript(tree.part);
      if (part === undefined) return undefined;
      const max = tree.max === Number.POSITIVE_INFINITY ? '' : tree.max;
      return `(?:${part}){${tree.min},${max}}${tree.greedy ? '' : '?'}`;
    }
  }
}

/** True when the set has the character. */
export function hasChar(set: CharSet, code: number): boolean {
  if (inSet(set, code)) return !set.negated;
  if (!set.foldsCase) return set.negated;
  const char = String.fromCodePoint(code);
  const other = char.toLowerCase() === char ? char.toUpperCase() : char.toLowerCase();
  return [...other].length === 1 && inSet(set, other.codePointAt(0) ?? 0) ? !set.negated : set.negated;
}

const inSet = ({ ranges, classes }: CharSet, code: number): boolean =>
  ranges.some(([low, high]) => code >= low && code <= high) ||
  classes.some((one) => one.test(String.fromCodePoint(code)));
