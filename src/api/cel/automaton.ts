/**
 * Runs a regular expression in time proportional to pattern times text: all ways to match advance together, character by
 * character, and of two that meet only the preferred one goes on. Pure.
 */
import { type Assertion, type CharSet, hasChar, RegexpError, type Tree } from './regexpsyntax.js';

type Instruction =
  | { do: 'char'; set: CharSet }
  | { do: 'split'; first: number; second: number }
  | { do: 'assert'; which: Assertion }
  | { do: 'match' };

const MAX_PROGRAM = 20_000;
const isWord = (code: number | undefined): boolean =>
  code !== undefined &&
  ((code >= 48 && code <= 57) || (code >= 65 && code <= 90) || code === 95 || (code >= 97 && code <= 122));

function compile(tree: Tree): Instruction[] {
  const program: Instruction[] = [];
  const emit = (instruction: Instruction): number => {
    if (program.length >= MAX_PROGRAM) throw new RegexpError('expression too large', '');
    return program.push(instruction) - 1;
  };
  const split = (): Extract<Instruction, { do: 'split' }> => {
    const made: Instruction = { do: 'split', first: program.length + 1, second: -1 };
    emit(made);
    return made;
  };
  /** `preferred` goes on at `here` when greedy, else the other way. */
  const close = (at: Extract<Instruction, { do: 'split' }>, greedy: boolean): void => {
    at.second = program.length;
    if (!greedy) [at.first, at.second] = [at.second, at.first];
  };
  const jump = (to: number): void => {
    emit({ do: 'split', first: to, second: to });
  };
  const add = (part: Tree): void => {
    switch (part.kind) {
      case 'set':
        emit({ do: 'char', set: part.set });
        return;
      case 'assert':
        emit({ do: 'assert', which: part.which });
        return;
      case 'cat':
        for (const one of part.parts) add(one);
        return;
      case 'alt': {
        const ends: Extract<Instruction, { do: 'split' }>[] = [];
        part.parts.forEach((one, index) => {
          if (index === part.parts.length - 1) {
            add(one);
            return;
          }
          const choice = split();
          add(one);
          ends.push(split());
          choice.second = program.length;
        });
        for (const end of ends) end.first = end.second = program.length;
        return;
      }
      case 'repeat': {
        for (let i = 0; i < part.min; i++) add(part.part);
        if (part.max === Number.POSITIVE_INFINITY) {
          const start = program.length;
          const choice = split();
          add(part.part);
          jump(start);
          close(choice, part.greedy);
          return;
        }
        const choices = Array.from({ length: part.max - part.min }, () => {
          const choice = split();
          add(part.part);
          return choice;
        });
        for (const choice of choices) close(choice, part.greedy);
      }
    }
  };
  add(tree);
  emit({ do: 'match' });
  return program;
}

interface Thread {
  pc: number;
  start: number;
}

export class Automaton {
  readonly #program: readonly Instruction[];

  /** Throws `RegexpError` for a tree that would be too large. */
  constructor(tree: Tree) {
    this.#program = compile(tree);
  }

  test(text: string): boolean {
    return this.#run(text, 0, true) !== undefined;
  }

  /** Start and end of the leftmost match that begins at `from` or later. */
  find(text: string, from: number): [number, number] | undefined {
    return this.#run(text, from, false);
  }

  #run(text: string, from: number, any: boolean): [number, number] | undefined {
    let threads: Thread[] = [];
    let found: [number, number] | undefined;
    let seen = new Uint8Array(this.#program.length);
    for (let at = from; ; ) {
      const code = text.codePointAt(at);
      if (!found) this.#follow({ pc: 0, start: at }, text, at, threads, seen);
      const next: Thread[] = [];
      const width = code !== undefined && code > 0xffff ? 2 : 1;
      seen = new Uint8Array(this.#program.length);
      for (const { pc, start } of threads) {
        const instruction = this.#program[pc];
        if (instruction?.do === 'match') {
          found = [start, at];
          if (any) return found;
          // What comes after was less preferred.
          break;
        }
        if (code !== undefined && instruction?.do === 'char' && hasChar(instruction.set, code))
          this.#follow({ pc: pc + 1, start }, text, at + width, next, seen);
      }
      if (code === undefined || (found && next.length === 0)) return found;
      threads = next;
      at += width;
    }
  }

  /** Adds the thread, or those it splits into before the next character, in the order of preference. */
  #follow(from: Thread, text: string, at: number, into: Thread[], seen: Uint8Array): void {
    const open = [from.pc];
    for (let pc = open.pop(); pc !== undefined; pc = open.pop()) {
      if (seen[pc]) continue;
      seen[pc] = 1;
      const instruction = this.#program[pc];
      if (instruction?.do === 'split') {
        open.push(instruction.second, instruction.first);
      } else if (instruction?.do === 'assert') {
        if (holds(instruction.which, text, at)) open.push(pc + 1);
      } else into.push({ pc, start: from.start });
    }
  }
}

function holds(which: Assertion, text: string, at: number): boolean {
  switch (which) {
    case 'textStart':
      return at === 0;
    case 'textEnd':
      return at === text.length;
    case 'lineStart':
      return at === 0 || text[at - 1] === '\n';
    case 'lineEnd':
      return at === text.length || text[at] === '\n';
  }
  const before = at > 0 ? text.charCodeAt(at - 1) : undefined;
  const after = at < text.length ? text.charCodeAt(at) : undefined;
  return (isWord(before) !== isWord(after)) === (which === 'word');
}
