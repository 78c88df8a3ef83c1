/**
 * The JSON paths of a CustomResourceDefinition: printer columns, scale, selectable fields. Pure.
 *
 * What kubectl's dialect has of use there: `.spec.a`, `['a.b']`, `.a\.b`, `[0]`, `[-1]`, `[*]`, `..a` and filters such as
 * `[?(@.type=="Ready")]`. Functions, ranges of lists and several expressions are no part of it.
 */
import { isObject } from './schema.js';

type Step = (values: readonly unknown[]) => unknown[];

export class JsonPathError extends Error {
  override readonly name = 'JsonPathError';
}

export type JsonPath = (object: unknown) => unknown[];

/** Throws `JsonPathError`. The path answers every value it finds, none for what is not there. */
export function parseJsonPath(path: string): JsonPath {
  const steps: Step[] = [];
  let at = 0;
  const take = (pattern: RegExp): RegExpExecArray | undefined => {
    const sticky = new RegExp(pattern.source, 'y');
    sticky.lastIndex = at;
    const found = sticky.exec(path) ?? undefined;
    if (found) at = sticky.lastIndex;
    return found;
  };
  take(/\$/);
  while (at < path.length) {
    const found =
      take(/\.\.((?:\\.|[^.[\]\s])+)/) ??
      take(/\.(\*)/) ??
      take(/\.((?:\\.|[^.[\]\s])+)/) ??
      take(/\.(?=\[|$)/);
    if (found) {
      const [text, name] = found;
      if (name === undefined) continue;
      if (text.startsWith('..')) steps.push(descend(unescaped(name)));
      else steps.push(name === '*' ? each : member(unescaped(name)));
      continue;
    }
    const index = take(/\[(-?\d+)\]/);
    const name = take(/\[(?:'((?:\\.|[^'])*)'|"((?:\\.|[^"])*)")\]/);
    const filter = take(/\[\?\(\s*@(.+?)\s*\)\]/);
    if (index) steps.push(item(Number(index[1])));
    else if (take(/\[\*\]/)) steps.push(each);
    else if (name) steps.push(member(unescaped(name[1] ?? name[2] ?? '')));
    else if (filter) steps.push(where(filter[1] ?? ''));
    else throw new JsonPathError(`unrecognized character in action: ${JSON.stringify(path.slice(at))}`);
  }
  return (object) => steps.reduce<unknown[]>((values, step) => step(values), [object]);
}

const unescaped = (text: string): string => text.replace(/\\(.)/g, '$1');

const member =
  (name: string): Step =>
  (values) =>
    values.flatMap((value) => (isObject(value) && Object.hasOwn(value, name) ? [value[name]] : []));

const item =
  (index: number): Step =>
  (values) =>
    values.flatMap((value) => {
      if (!Array.isArray(value)) return [];
      const found: unknown = value.at(index);
      return found === undefined ? [] : [found];
    });

const each: Step = (values) =>
  values.flatMap((value) => (Array.isArray(value) ? value : isObject(value) ? Object.values(value) : []));

const descend =
  (name: string): Step =>
  (values) => {
    const below = (value: unknown): unknown[] => {
      if (Array.isArray(value)) return value.flatMap(below);
      if (!isObject(value)) return [];
      const own = Object.hasOwn(value, name) ? [value[name]] : [];
      return [...own, ...Object.values(value).flatMap(below)];
    };
    return values.flatMap(below);
  };

type Compare = (left: unknown, right: unknown) => boolean;
const compares: Readonly<Record<string, Compare>> = {
  '==': (left, right) => left === right,
  '!=': (left, right) => left !== right,
  '<': (left, right) => Number(left) < Number(right),
  '<=': (left, right) => Number(left) <= Number(right),
  '>': (left, right) => Number(left) > Number(right),
  '>=': (left, right) => Number(left) >= Number(right),
};

/** The items for which a comparison holds, or that have the member at all. */
function where(text: string): Step {
  const [, path = text, operator = '', literal = ''] = /^(.*?)\s*(==|!=|<=|>=|<|>)\s*(.+)$/.exec(text) ?? [];
  const read = parseJsonPath(path.trim());
  const compare = compares[operator];
  const wanted = compare ? literalOf(literal.trim()) : undefined;
  const holds = (value: unknown): boolean => {
    const found = read(value);
    return compare ? found.some((one) => compare(one, wanted)) : found.length > 0;
  };
  return (values) =>
    values.flatMap((value) => (Array.isArray(value) ? value.filter(holds) : holds(value) ? [value] : []));
}

function literalOf(text: string): unknown {
  const quoted = /^'(.*)'$|^"(.*)"$/.exec(text);
  if (quoted) return unescaped(quoted[1] ?? quoted[2] ?? '');
  if (text === 'true' || text === 'false') return text === 'true';
  const number = Number(text);
  if (Number.isNaN(number)) throw new JsonPathError(`unterminated filter: ${JSON.stringify(text)}`);
  return number;
}

/** A path of plain names (`.spec.replicas`), as its names. */
export const plainPath = (path: string): string[] => path.replace(/^\./, '').split('.');

/** What a plain path leads to; undefined where it leads nowhere. */
export function readPath(object: unknown, path: readonly string[]): unknown {
  let value = object;
  for (const name of path) {
    if (!isObject(value) || !Object.hasOwn(value, name)) return undefined;
    value = value[name];
  }
  return value;
}

/** A copy of the object with another value at the end of the path; shares everything beside the path. */
export function writePath(object: unknown, path: readonly string[], value: unknown): unknown {
  const [name, ...rest] = path;
  if (name === undefined) return value;
  const base = isObject(object) ? object : {};
  return { ...base, [name]: writePath(base[name], rest, value) };
}
