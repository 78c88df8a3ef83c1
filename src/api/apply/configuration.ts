/**
 * What an applied configuration says: the fields it names, and whether it fits its type. Pure.
 */
import { isMap, type JsonMap } from '../patch/json.js';
import { elementText, type Fields, FieldsError, fieldElement, leaf } from './fields.js';
import { groupItems, itemElement, type MergedList } from './items.js';
import {
  deduced,
  type ListShape,
  type MapShape,
  type ScalarKind,
  type Shape,
  type StructShape,
} from './shape.js';

type Building = Record<string, Fields>;

/** The fields that a configuration, or an object, names. */
export const fieldsOf = (shape: StructShape, value: object): Fields => below(shape, value) ?? leaf;

/** The field at `node`, should it be one, with what is below it. `undefined` where there is nothing. */
function below(shape: Shape, value: unknown): Building | undefined {
  const found: Building = {};
  if (shape.kind === 'set' || shape.kind === 'keyed') {
    if (Array.isArray(value)) itemFields(shape, value, found);
  } else if ((shape.kind === 'struct' || shape.kind === 'map' || shape.kind === 'deduced') && isMap(value)) {
    for (const name of Object.keys(value))
      if (value[name] !== undefined) memberFields(shape, value, name, found);
  }
  for (const _ in found) return found;
  return undefined;
}

function memberFields(shape: Shape, map: JsonMap, name: string, found: Building): void {
  const field = shape.kind === 'struct' ? shape.fields.get(name) : undefined;
  const inside = field?.shape ?? (shape.kind === 'map' ? shape.item : deduced);
  const value = map[name];
  const fields = below(inside, value);
  const isOwn =
    field === undefined || isLeaf(inside, value) || value === null || (isMap(value) && !hasMembers(value));
  const element = field?.element ?? fieldElement(name);
  if (fields) found[element] = isOwn ? { '.': leaf, ...fields } : fields;
  else if (isOwn) found[element] = leaf;
}

const hasMembers = (map: JsonMap): boolean => Object.keys(map).length > 0;

function isLeaf(shape: Shape, value: unknown): boolean {
  return shape.kind === 'deduced'
    ? !isMap(value)
    : shape.kind === 'scalar' || shape.kind === 'atomic' || shape.kind === 'anything';
}

function itemFields(shape: MergedList, items: readonly unknown[], found: Building): void {
  for (const [element, group] of groupItems(shape, items)) {
    const fields = group.length > 1 ? undefined : below(shape.item, group[0]);
    found[element] = fields ? { '.': leaf, ...fields } : leaf;
  }
}

/** One thing in a configuration that does not fit its type. */
export interface Misfit {
  path: string;
  message: string;
}

export const misfitText = ({ path, message }: Misfit): string =>
  path === '' ? message : `${path}: ${message}`;

/** As kube-apiserver prints several: under each other. */
export const misfitsText = (misfits: readonly Misfit[]): string => {
  const [first] = misfits;
  if (first && misfits.length === 1) return misfitText(first);
  return ['errors:', ...misfits.map((misfit) => `  ${misfitText(misfit)}`)].join('\n');
};

const maxMisfits = 100;

/** What in the value does not fit; fields that the type does not have, and items that occur twice, among it. */
export function misfitsOf(shape: Shape, value: unknown): Misfit[] {
  const found: Misfit[] = [];
  check(shape, value, '', found);
  return found.slice(0, maxMisfits);
}

function check(shape: Shape | ListShape, value: unknown, path: string, found: Misfit[]): void {
  if (found.length >= maxMisfits || value === null) return;
  switch (shape.kind) {
    case 'scalar':
      checkScalar(shape.scalar, value, path, found);
      return;
    case 'atomic':
      check(shape.inside, value, path, found);
      return;
    case 'list':
      if (!Array.isArray(value)) found.push({ path, message: `expected list, got ${goValue(value)}` });
      else for (const [i, item] of value.entries()) check(shape.item, item, `${path}[${i}]`, found);
      return;
    case 'set':
    case 'keyed':
      if (!Array.isArray(value)) found.push({ path, message: `expected list, got ${goValue(value)}` });
      else checkItems(shape, value, path, found);
      return;
    case 'struct':
    case 'map':
      if (isMap(value)) checkMembers(shape, value, path, found);
      else found.push({ path, message: `expected map, got ${goValue(value)}` });
      return;
    case 'deduced':
    case 'anything':
      return;
  }
}

function checkMembers(shape: StructShape | MapShape, map: JsonMap, path: string, found: Misfit[]): void {
  for (const name of Object.keys(map)) {
    const inside = shape.kind === 'map' ? shape.item : shape.fields.get(name)?.shape;
    if (inside) check(inside, map[name], `${path}.${name}`, found);
    else if (shape.kind === 'struct' && !shape.preservesUnknown)
      found.push({ path: `${path}.${name}`, message: 'field not declared in schema' });
  }
}

function checkItems(shape: MergedList, items: readonly unknown[], path: string, found: Misfit[]): void {
  const seen = new Set<string>();
  for (const [i, item] of items.entries()) {
    const element = elementOrMisfit(shape, item, { path, message: `element ${i}: ` }, found);
    if (element === undefined) return;
    const text = elementText(element);
    if (seen.has(element)) found.push({ path, message: `duplicate entries for key ${text}` });
    seen.add(element);
    check(shape.item, item, path + text, found);
  }
}

function elementOrMisfit(
  shape: MergedList,
  item: unknown,
  misfit: Misfit,
  found: Misfit[],
): string | undefined {
  try {
    return itemElement(shape, item);
  } catch (error) {
    if (!(error instanceof FieldsError)) throw error;
    found.push({ path: misfit.path, message: misfit.message + error.message });
    return undefined;
  }
}

const goTypes: Record<string, string> = { string: 'string', boolean: 'bool' };

function checkScalar(scalar: ScalarKind, value: unknown, path: string, found: Misfit[]): void {
  const type = typeof value;
  const isScalar = type === 'string' || type === 'number' || type === 'boolean';
  if (scalar === 'numeric' && type !== 'number') {
    const goType = Array.isArray(value) ? '[]interface {}' : (goTypes[type] ?? 'map[string]interface {}');
    found.push({ path, message: `expected numeric (int or float), got ${goType}` });
  } else if (scalar === 'string' && type !== 'string') {
    found.push({ path, message: `expected string, got &value.valueUnstructured{Value:${goValue(value)}}` });
  } else if (scalar === 'boolean' && type !== 'boolean') {
    found.push({ path, message: `expected boolean, got &{${goValue(value)}}` });
  } else if (scalar === 'untyped' && !isScalar) {
    found.push({ path, message: `expected any scalar, got &{${goValue(value)}}` });
  }
}

const goValue = (value: unknown): string => JSON.stringify(value);
