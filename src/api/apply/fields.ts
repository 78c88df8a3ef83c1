/**
 * Field sets in the form in which `managedFields` carries them (`FieldsV1`), and the algebra of structured-merge-diff on
 * them. Pure; sets are never changed once made, and share what is equal.
 *
 * A set is a tree of path elements: `f:name` a field, `k:{...}` a list item by its keys, `v:...` a list item by its value,
 * `i:0` one by its index. A node without children is a field of the set; one with children is so only if it has `.`.
 * The root stands for the whole object and is never a field itself.
 */
export interface Fields {
  readonly [element: string]: Fields;
}

type Building = Record<string, Fields>;

/** A field with nothing below it. */
export const leaf: Fields = Object.freeze({});

/** What was given as `FieldsV1` is none. */
export class FieldsError extends Error {
  override readonly name = 'FieldsError';
}

export function isEmpty(fields: Fields): boolean {
  for (const _ in fields) return false;
  return true;
}

const isMember = (node: Fields): boolean => '.' in node || isEmpty(node);

/** `undefined` for a node that is no field and has no children. */
function nodeOf(children: Building, member: boolean): Fields | undefined {
  if (isEmpty(children)) return member ? leaf : undefined;
  return member ? { '.': leaf, ...children } : children;
}

export function union(a: Fields, b: Fields): Fields {
  if (isEmpty(a)) return b;
  if (isEmpty(b) || a === b) return a;
  return childUnion(a, b);
}

function childUnion(a: Fields, b: Fields): Building {
  const out: Building = {};
  for (const element in a) if (element !== '.') out[element] = a[element] ?? leaf;
  for (const element in b) {
    if (element === '.') continue;
    const mine = out[element];
    const theirs = b[element] ?? leaf;
    out[element] = mine === undefined || mine === theirs ? theirs : unionNode(mine, theirs);
  }
  return out;
}

const unionNode = (a: Fields, b: Fields): Fields =>
  nodeOf(childUnion(a, b), isMember(a) || isMember(b)) ?? leaf;

/** What is in `a` and not in `b`; a field that goes leaves the fields below it. Returns `a` itself where nothing goes. */
export function difference(a: Fields, b: Fields): Fields {
  const { children, changed } = childDifference(a, b, differenceNode);
  return changed ? children : a;
}

/** The same, but a field that goes takes all below it along. */
export function recursiveDifference(a: Fields, b: Fields): Fields {
  const { children, changed } = childDifference(a, b, recursiveNode);
  return changed ? children : a;
}

type NodeDifference = (a: Fields, b: Fields) => Fields | undefined;

function childDifference(
  a: Fields,
  b: Fields,
  node: NodeDifference,
): { children: Building; changed: boolean } {
  const children: Building = {};
  let changed = false;
  for (const element of Object.keys(a)) {
    if (element === '.') continue;
    const mine = a[element] ?? leaf;
    const theirs = b[element];
    const kept = theirs === undefined ? mine : node(mine, theirs);
    if (kept !== undefined) children[element] = kept;
    if (kept !== mine) changed = true;
  }
  return { children, changed };
}

function differenceNode(a: Fields, b: Fields): Fields | undefined {
  const was = isMember(a);
  const member = was && !isMember(b);
  const { children, changed } = childDifference(a, b, differenceNode);
  return !changed && member === was ? a : nodeOf(children, member);
}

function recursiveNode(a: Fields, b: Fields): Fields | undefined {
  if (isMember(b)) return undefined;
  const { children, changed } = childDifference(a, b, recursiveNode);
  return changed ? nodeOf(children, isMember(a)) : a;
}

export function intersection(a: Fields, b: Fields): Fields {
  const children: Building = {};
  for (const element of Object.keys(a)) {
    const theirs = element === '.' ? undefined : b[element];
    const both = theirs && intersectionNode(a[element] ?? leaf, theirs);
    if (both) children[element] = both;
  }
  return children;
}

const intersectionNode = (a: Fields, b: Fields): Fields | undefined =>
  nodeOf(intersection(a, b), isMember(a) && isMember(b));

export const isSubset = (a: Fields, b: Fields): boolean => isEmpty(difference(a, b));

/** Whether the field at the path, given by its elements, is in the set. */
export function hasField(fields: Fields, path: readonly string[]): boolean {
  let node: Fields | undefined = fields;
  for (const element of path) node = node?.[element];
  return node !== undefined && path.length > 0 && isMember(node);
}

/** What lies below one element, as a set of its own. */
export const below = (fields: Fields, element: string): Fields | undefined => {
  const node = fields[element];
  if (node === undefined || isEmpty(node)) return undefined;
  if (!('.' in node)) return node;
  const { '.': _self, ...rest } = node;
  return isEmpty(rest) ? undefined : rest;
};

export const isField = (fields: Fields, element: string): boolean => {
  const node = fields[element];
  return node !== undefined && isMember(node);
};

/** The set of one field. */
export const singleField = (path: readonly string[]): Fields =>
  path.reduceRight<Fields>((node, element) => ({ [element]: node }), leaf);

/** The paths in the set, as Kubernetes lists them: the fields of a level first, then what lies below each. */
export function pathsOf(fields: Fields): string[][] {
  const elements = Object.keys(fields)
    .filter((element) => element !== '.')
    .sort(compareElements);
  const own = elements.filter((element) => isField(fields, element)).map((element) => [element]);
  const deeper = elements.flatMap((element) =>
    pathsOf(fields[element] ?? leaf).map((path) => [element, ...path]),
  );
  return [...own, ...deeper];
}

/** `.spec.containers[name="web"].image`, as conflicts name a field. */
export const pathText = (path: readonly string[]): string => path.map(elementText).join('');

export function elementText(element: string): string {
  const rest = element.slice(2);
  switch (element[0]) {
    case 'f':
      return `.${rest}`;
    case 'k': {
      const keys = Object.entries(JSON.parse(rest) as Record<string, unknown>);
      return `[${keys.map(([name, value]) => `${name}=${JSON.stringify(value)}`).join(',')}]`;
    }
    case 'v':
      return `[=${JSON.stringify(JSON.parse(rest))}]`;
    default:
      return `[${rest}]`;
  }
}

const special = /[<>&\u2028\u2029]/g;

/** JSON as Go writes it, where what HTML treats specially is escaped. */
export function goJson(value: unknown): string {
  const text = JSON.stringify(value);
  return text.search(special) < 0
    ? text
    : text.replace(special, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

export const fieldElement = (name: string): string => `f:${name}`;
export const valueElement = (value: unknown): string => `v:${goJson(value)}`;
/** `keys` in the order of their names. */
export const keyElement = (keys: readonly (readonly [string, unknown])[]): string =>
  `k:{${keys.map(([name, value]) => `${goJson(name)}:${goJson(value)}`).join(',')}}`;

const ranks: Record<string, number> = { f: 0, k: 1, v: 2, i: 3 };

/** The order of structured-merge-diff: fields, keys, values, indices. */
export function compareElements(a: string, b: string): number {
  if (a === b) return 0;
  const kind = a[0] ?? '';
  if (kind !== b[0]) return (ranks[kind] ?? 9) - (ranks[b[0] ?? ''] ?? 9);
  if (kind === 'f') return a < b ? -1 : 1;
  if (isPlain(a) && isPlain(b)) return a < b ? -1 : 1;
  if (kind === 'i') return Number(a.slice(2)) - Number(b.slice(2));
  const left: unknown = JSON.parse(a.slice(2));
  const right: unknown = JSON.parse(b.slice(2));
  return kind === 'v' ? compareScalars(left, right) : compareKeys(left as object, right as object);
}

/** An element whose order is that of its text: one key, a string without anything that sorts before a quote. */
const isPlain = (element: string): boolean => /^(v:"[\w./:-]*"|k:\{"\w+":"[\w./:-]*"\})$/.test(element);

function compareKeys(a: object, b: object): number {
  const left = Object.entries(a);
  const right = Object.entries(b);
  for (const [i, [name, value]] of left.entries()) {
    const other = right[i];
    if (!other) return 1;
    if (name !== other[0]) return name < other[0] ? -1 : 1;
    const order = compareScalars(value, other[1]);
    if (order !== 0) return order;
  }
  return left.length - right.length;
}

const scalarRank = (value: unknown): number =>
  ({ number: 0, string: 1, boolean: 2 })[typeof value as string] ?? (value === null ? 4 : 3);

function compareScalars(a: unknown, b: unknown): number {
  const rank = scalarRank(a) - scalarRank(b);
  if (rank !== 0 || a === b) return rank;
  if (typeof a === 'object') return goJson(a) < goJson(b) ? -1 : 1;
  return (a as string | number) < (b as string | number) ? -1 : 1;
}

/** The set as JSON, in canonical order. */
export function encodeFields(fields: Fields): string {
  const elements = Object.keys(fields);
  if (elements.length > 1) sortElements(elements);
  let text = '{';
  for (const element of elements) {
    const node = fields[element] ?? leaf;
    text += `${text === '{' ? '' : ','}${JSON.stringify(element)}:${encodeFields(node)}`;
  }
  return `${text}}`;
}

/** Sets are mostly built in order. Only what the text alone tells; it may say no of elements that are. */
const isInOrder = (a: string, b: string): boolean =>
  (a === '.' || a.startsWith('f:')) && b.startsWith('f:') && a <= b;

function sortElements(elements: string[]): void {
  if (elements.every((element, i) => i === 0 || isInOrder(elements[i - 1] ?? '', element))) return;
  const withSelf = elements.indexOf('.');
  if (withSelf >= 0) elements.splice(withSelf, 1);
  elements.sort(compareElements);
  if (withSelf >= 0) elements.unshift('.');
}

/** A set from what a client sent as `FieldsV1`; elements of an unknown kind are dropped. Throws `FieldsError`. */
export function decodeFields(value: unknown): Fields {
  return decodeChildren(value).children;
}

/** Deeper than any object can be. */
const maxDepth = 256;

function decodeChildren(value: unknown, depth = 0): { children: Building; member: boolean } {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new FieldsError(`expect { or n, but found ${JSON.stringify(value)}`);
  if (depth > maxDepth) throw new FieldsError('too deep');
  const children: Building = {};
  let member = false;
  for (const [element, below] of Object.entries(value)) {
    if (element === '.') {
      member = true;
      continue;
    }
    const canonical = canonicalElement(element);
    if (canonical === undefined) continue;
    const node = decodeChildren(below ?? {}, depth + 1);
    children[canonical] = nodeOf(node.children, node.member || isEmpty(node.children)) ?? leaf;
  }
  return { children, member };
}

function canonicalElement(element: string): string | undefined {
  if (element.length < 2) throw new FieldsError('key must be 2 characters long:');
  if (element[1] !== ':') throw new FieldsError(`missing colon: ${element}`);
  const rest = element.slice(2);
  switch (element[0]) {
    case 'f':
      return element;
    case 'i':
      if (!/^[-+]?\d{1,15}$/.test(rest)) throw new FieldsError(`parsing "${rest}": invalid syntax`);
      return `i:${Number(rest)}`;
    case 'v':
      return valueElement(parsed(rest));
    case 'k': {
      const keys = parsed(rest);
      if (typeof keys !== 'object' || keys === null || Array.isArray(keys))
        throw new FieldsError(`expect { or n, but found ${rest}`);
      return keyElement(Object.entries(keys).sort(([a], [b]) => (a < b ? -1 : 1)));
    }
    default:
      return undefined;
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new FieldsError(`parsing key as path element: ${text}`, { cause: error });
  }
}
