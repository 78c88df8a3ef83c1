/**
 * The string, list and set functions that Kubernetes adds to CEL. Pure; added by `environment.ts`.
 */
import { type Environment, Optional } from '@marcbachmann/cel-js';
import { isCelEqual } from './equality.js';
import { formatText } from './formatstring.js';
import { addAll, addNamespace, fail, type Handler } from './library.js';
import { compileRegexp, type Matcher, RegexpError } from './regexp.js';

const chars = (text: string): string[] => Array.from(text);

/** Equal patterns are compiled once; a few hundred of them are kept. */
function matchers(limit = 256): (pattern: string) => Matcher {
  const known = new Map<string, Matcher>();
  return (pattern) => {
    const found = known.get(pattern);
    if (found) return found;
    try {
      const made = compileRegexp(pattern);
      if (known.size >= limit) known.clear();
      known.set(pattern, made);
      return made;
    } catch (error) {
      if (error instanceof RegexpError) fail(error.message);
      throw error;
    }
  };
}

function findAll(matcher: Matcher, text: string, limit: number): string[] {
  const found: string[] = [];
  for (let at = 0; at <= text.length && (limit < 0 || found.length < limit); ) {
    const match = matcher.find(text, at);
    if (!match) break;
    const [start, end] = match;
    found.push(text.slice(start, end));
    at = end > start ? end : end + 1;
  }
  return found;
}

/** In characters, not in UTF-16 units. */
function indexIn(text: string, search: string, from: number): number {
  const list = chars(text);
  if (from < 0 || from > list.length) fail(`index out of range: ${from}`);
  const at = text.indexOf(search, list.slice(0, from).join('').length);
  return at < 0 ? -1 : chars(text.slice(0, at)).length;
}

function lastIndexIn(text: string, search: string, from: number | undefined): number {
  const list = chars(text);
  if (from !== undefined && (from < 0 || from > list.length)) fail(`index out of range: ${from}`);
  const until = from === undefined ? text.length : list.slice(0, from).join('').length;
  const at = text.lastIndexOf(search, until);
  return at < 0 ? -1 : chars(text.slice(0, at)).length;
}

function part(text: string, start: bigint, end?: bigint): string {
  const list = chars(text);
  const last = end === undefined ? list.length : Number(end);
  const first = Number(start);
  if (first < 0 || first > list.length) fail(`index out of range: ${first}`);
  if (last < 0 || last > list.length) fail(`index out of range: ${last}`);
  if (first > last) fail(`invalid substring range. start: ${first}, end: ${last}`);
  return list.slice(first, last).join('');
}

function split(text: string, separator: string, limit: number): string[] {
  if (limit === 0) return [];
  const parts = separator === '' ? chars(text) : text.split(separator);
  if (limit < 0 || parts.length <= limit) return parts;
  return [...parts.slice(0, limit - 1), parts.slice(limit - 1).join(separator)];
}

function replace(text: string, from: string, to: string, limit: number): string {
  if (limit < 0) return text.replaceAll(from, () => to);
  const pieces = split(text, from, limit + 1);
  return pieces.join(to);
}

const ascii = (text: string, pattern: RegExp, change: (char: string) => string): string =>
  text.replace(pattern, change);
const MAX_RANGE = 10_000n;
const bigint = (value: number): bigint => BigInt(value);

type Item = string | bigint | number | boolean | { valueOf(): unknown };
const less = (a: Item, b: Item): boolean => (a as number) < (b as number);

function extreme(list: readonly Item[], name: string, isBetter: (a: Item, b: Item) => boolean): Item {
  const [first, ...rest] = list;
  if (first === undefined) return fail(`${name} called on empty list`);
  return rest.reduce<Item>((best, item) => (isBetter(item, best) ? item : best), first);
}

const contains = (list: readonly unknown[], wanted: readonly unknown[]): boolean =>
  wanted.every((item) => list.some((one) => isCelEqual(one, item)));

function distinct(list: readonly unknown[]): unknown[] {
  const kept: unknown[] = [];
  for (const item of list) if (!kept.some((one) => isCelEqual(one, item))) kept.push(item);
  return kept;
}

function flatten(list: readonly unknown[], depth: bigint): unknown[] {
  if (depth < 0n) fail('level must be non-negative');
  return list.flatMap((item) => (Array.isArray(item) && depth > 0n ? flatten(item, depth - 1n) : [item]));
}

const sorted = (list: readonly Item[]): Item[] =>
  [...list].sort((a, b) => (less(a, b) ? -1 : less(b, a) ? 1 : 0));

function sum(list: readonly (bigint | number)[]): bigint | number {
  return list.reduce<bigint | number>(
    (total, item) => (typeof item === 'bigint' ? BigInt(total) + item : Number(total) + item),
    typeof list[0] === 'number' ? 0 : 0n,
  );
}

export function addStrings(environment: Environment): void {
  const matcher = matchers();
  const functions: Record<string, Handler> = {
    'string.matches(string): bool': (text: string, pattern: string) => matcher(pattern).test(text),
    'matches(string, string): bool': (text: string, pattern: string) => matcher(pattern).test(text),
    'string.find(string): string': (text: string, pattern: string) =>
      findAll(matcher(pattern), text, 1)[0] ?? '',
    'string.findAll(string): list<string>': (text: string, pattern: string) =>
      findAll(matcher(pattern), text, -1),
    'string.findAll(string, int): list<string>': (text: string, pattern: string, limit: bigint) =>
      findAll(matcher(pattern), text, Number(limit)),
    'string.charAt(int): string': (text: string, at: bigint) => {
      const list = chars(text);
      if (at < 0n || at > BigInt(list.length)) fail(`index out of range: ${at}`);
      return list[Number(at)] ?? '';
    },
    'string.indexOf(string): int': (text: string, search: string) => bigint(indexIn(text, search, 0)),
    'string.indexOf(string, int): int': (text: string, search: string, from: bigint) =>
      bigint(indexIn(text, search, Number(from))),
    'string.lastIndexOf(string): int': (text: string, search: string) =>
      bigint(lastIndexIn(text, search, undefined)),
    'string.lastIndexOf(string, int): int': (text: string, search: string, from: bigint) =>
      bigint(lastIndexIn(text, search, Number(from))),
    'string.lowerAscii(): string': (text: string) => ascii(text, /[A-Z]/g, (char) => char.toLowerCase()),
    'string.upperAscii(): string': (text: string) => ascii(text, /[a-z]/g, (char) => char.toUpperCase()),
    'string.trim(): string': (text: string) => text.trim(),
    'string.reverse(): string': (text: string) => chars(text).reverse().join(''),
    'string.replace(string, string): string': (text: string, from: string, to: string) =>
      replace(text, from, to, -1),
    'string.replace(string, string, int): string': (text: string, from: string, to: string, limit: bigint) =>
      replace(text, from, to, Number(limit)),
    'string.split(string): list<string>': (text: string, separator: string) => split(text, separator, -1),
    'string.split(string, int): list<string>': (text: string, separator: string, limit: bigint) =>
      split(text, separator, Number(limit)),
    'string.substring(int): string': part,
    'string.substring(int, int): string': part,
    'string.format(list): string': formatText,
    'list.join(): string': (list: readonly string[]) => list.join(''),
    'list.join(string): string': (list: readonly string[], separator: string) => list.join(separator),
    'StringsNamespace.quote(string): string': (_strings: object, text: string) => JSON.stringify(text),
  };
  addNamespace(environment, 'strings', 'StringsNamespace');
  addAll(environment, functions);
}

export function addLists(environment: Environment): void {
  addNamespace(environment, 'sets', 'SetsNamespace');
  addNamespace(environment, 'lists', 'ListsNamespace');
  addAll(environment, {
    'list.isSorted(): bool': (list: readonly Item[]) =>
      list.every((item, i) => i === 0 || !less(item, list[i - 1] ?? item)),
    'list.sum(): dyn': sum,
    'list.min(): dyn': (list: readonly Item[]) => extreme(list, 'min', less),
    'list.max(): dyn': (list: readonly Item[]) => extreme(list, 'max', (a, b) => less(b, a)),
    'list.indexOf(dyn): int': (list: readonly unknown[], wanted: unknown) =>
      bigint(list.findIndex((item) => isCelEqual(item, wanted))),
    'list.lastIndexOf(dyn): int': (list: readonly unknown[], wanted: unknown) =>
      bigint(list.findLastIndex((item) => isCelEqual(item, wanted))),
    'list.distinct(): list<dyn>': distinct,
    'list.flatten(): list<dyn>': (list: readonly unknown[]) => flatten(list, 1n),
    'list.flatten(int): list<dyn>': flatten,
    'list.sort(): list<dyn>': sorted,
    'list.first(): optional<dyn>': (list: readonly unknown[]) =>
      list.length > 0 ? Optional.of(list[0]) : Optional.none(),
    'list.last(): optional<dyn>': (list: readonly unknown[]) =>
      list.length > 0 ? Optional.of(list.at(-1)) : Optional.none(),
    'ListsNamespace.range(int): list<int>': (_lists: object, count: bigint) => {
      if (count > MAX_RANGE) fail(`range is limited to ${MAX_RANGE}`);
      return Array.from({ length: Math.max(0, Number(count)) }, (_, i) => BigInt(i));
    },
    'list.reverse(): list<dyn>': (list: readonly unknown[]) => [...list].reverse(),
    'list.slice(int, int): list<dyn>': (list: readonly unknown[], start: bigint, end: bigint) => {
      if (start < 0n || end < start || end > BigInt(list.length))
        fail(`cannot slice(${start}, ${end}), list is length ${list.length}`);
      return list.slice(Number(start), Number(end));
    },
    'SetsNamespace.contains(list, list): bool': (_sets: object, list: unknown[], wanted: unknown[]) =>
      contains(list, wanted),
    'SetsNamespace.equivalent(list, list): bool': (_sets: object, a: unknown[], b: unknown[]) =>
      contains(a, b) && contains(b, a),
    'SetsNamespace.intersects(list, list): bool': (_sets: object, a: unknown[], b: unknown[]) =>
      a.some((item) => contains(b, [item])),
  });
}
