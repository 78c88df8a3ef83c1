/** One kubectl command and what it must print. Cases of a list run in order, in a namespace of their own. */
export interface Case {
  /** The arguments, split at spaces; 'single quotes' keep them together. */
  run: string;
  input?: string;
  /** Of standard output; a string has to be equal. */
  prints?: RegExp | string;
  /** Of standard error. */
  complains?: RegExp;
  /** 0 when absent. */
  exit?: number;
  /** The first minor version of kubectl that has the command, and the last one. */
  since?: number;
  until?: number;
  /** Repeated until it prints what is expected: what controllers do takes a moment. */
  patient?: true;
}

export const argumentsOf = (line: string): string[] =>
  [...line.matchAll(/(?:[^\s']|'[^']*')+/g)].map(([word]) => word.replaceAll("'", ''));

export const yaml = (object: unknown): string => JSON.stringify(object);
