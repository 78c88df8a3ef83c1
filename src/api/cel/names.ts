/**
 * Names in expressions: functions that we have in place of the library's, and properties that CEL cannot spell. Pure.
 */

/** Functions of the library that differ from Kubernetes'; calls of them go to ours, under another name. */
const replaced: ReadonlySet<string> = new Set([
  ...['matches', 'lowerAscii', 'upperAscii', 'trim', 'indexOf', 'lastIndexOf', 'substring', 'split', 'join'],
]);

const suffix = 'K8s';

export const libraryName = (name: string): string => (replaced.has(name) ? `${name}${suffix}` : name);

/** The name as the expression has it. */
export const ownName = (name: string): string =>
  name.endsWith(suffix) && replaced.has(name.slice(0, -suffix.length)) ? name.slice(0, -suffix.length) : name;

const keywords: ReadonlySet<string> = new Set([
  ...['true', 'false', 'null', 'in', 'as', 'break', 'const', 'continue', 'else', 'for', 'function', 'if'],
  ...['import', 'let', 'loop', 'package', 'namespace', 'return'],
]);

/** `x-prop` is `x__dash__prop` in an expression; undefined for a property that no expression can name. */
export function escapeProperty(name: string): string | undefined {
  if (keywords.has(name)) return `__${name}__`;
  if (!/^[a-zA-Z_./-][a-zA-Z0-9_./-]*$/.test(name)) return undefined;
  return name
    .replaceAll('__', '__underscores__')
    .replaceAll('.', '__dot__')
    .replaceAll('-', '__dash__')
    .replaceAll('/', '__slash__');
}
