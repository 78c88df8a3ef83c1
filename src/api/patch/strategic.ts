/**
 * Strategic merge patch: what `kubectl apply`, `edit` and `label` send. Pure.
 *
 * Maps merge key by key, lists are replaced unless the schema gives them `patchStrategy: merge`; then maps in a list
 * are matched by the `patchMergeKey` and scalars are added. Directives in the patch: `$patch: replace | delete`,
 * `$deleteFromPrimitiveList/<field>`, `$setElementOrder/<field>`, `$retainKeys`. Lists are in `strategic-list.ts`.
 */
import type { Field, ObjectType, TypeNode } from '../schema/table.js';
import { copyOf, isMap, type JsonMap, ownValue } from './json.js';
import { badType, PatchError, patchErrors } from './strategic-error.js';
import { deleteScalars, mergeList, orderList } from './strategic-list.js';

const DELETE_FROM = '$deleteFromPrimitiveList';
const SET_ORDER = '$setElementOrder';
const RETAIN_KEYS = '$retainKeys';

/** What the schema says of a key: a field of a struct, or the values of a map. */
type Place = Pick<Field, 'type' | 'patchStrategy' | 'mergeKey'> | undefined;

function placeOf(type: TypeNode | undefined, key: string): Place {
  if (type?.kind === 'object') return type.fields.get(key);
  if (type?.kind === 'union') return type.object.fields.get(key);
  return type?.kind === 'map'
    ? { type: type.value, patchStrategy: undefined, mergeKey: undefined }
    : undefined;
}

/** The field behind `$setElementOrder/ports`. */
function directiveTarget(key: string, prefix: string): string {
  if (key.startsWith(`${prefix}/`)) return key.slice(prefix.length + 1);
  throw new PatchError(prefix === DELETE_FROM ? patchErrors.primitiveList : patchErrors.setElementOrder);
}

/** The value for a key the original does not have: without nulls in maps, and without directives. */
function withoutDirectives(value: unknown): unknown {
  if (Array.isArray(value)) {
    return value.filter((item) => !(isMap(item) && '$patch' in item)).map(withoutDirectives);
  }
  return isMap(value) ? mapWithoutDirectives(value) : value;
}

function mapWithoutDirectives(value: JsonMap): JsonMap {
  const entries = Object.entries(value).filter(
    ([key, v]) => v !== null && key !== '__proto__' && !isDirective(key) && !(isMap(v) && '$patch' in v),
  );
  return Object.fromEntries(entries.map(([key, v]) => [key, withoutDirectives(v)]));
}

const isDirective = (key: string): boolean =>
  key === RETAIN_KEYS || key.startsWith(DELETE_FROM) || key.startsWith(SET_ORDER);

function retainKeys(original: JsonMap, patch: JsonMap): void {
  if (!(RETAIN_KEYS in patch)) return;
  const keys = patch[RETAIN_KEYS];
  if (!Array.isArray(keys)) throw new PatchError(patchErrors.retainKeys);
  const stray = Object.keys(patch).some((k) => patch[k] !== null && !isDirective(k) && !keys.includes(k));
  if (stray) throw new PatchError(patchErrors.retainKeys);
  for (const key of Object.keys(original)) if (!keys.includes(key)) delete original[key];
}

/** Merges the lists that have an order directive; returns the keys that are done. */
function mergeOrdered(original: JsonMap, patch: JsonMap, type: TypeNode | undefined): Set<string> {
  const done = new Set<string>();
  for (const directive of Object.keys(patch).filter((k) => k.startsWith(SET_ORDER))) {
    const order = patch[directive];
    const key = directiveTarget(directive, SET_ORDER);
    const [before, change] = [ownValue(original, key), ownValue(patch, key)];
    if (!Array.isArray(order)) throw badType('slice', order);
    if (before !== undefined && !Array.isArray(before)) throw badType('slice', before);
    if (change !== undefined && !Array.isArray(change)) throw badType('slice', change);
    const place = placeOf(type, key);
    const ordered = orderList(
      { before, change, order, mergeKey: place?.mergeKey, clean: withoutDirectives },
      (a, b) => mergeListField(a, b, place),
    );
    if (ordered) original[key] = ordered;
    done.add(key);
  }
  return done;
}

function mergeListField(original: unknown[], patch: unknown[], place: Place): unknown[] {
  if (place?.patchStrategy !== 'merge') return patch;
  const item = place.type.kind === 'list' ? place.type.item : place.type;
  return mergeList(original, patch, place.mergeKey, (a, b) => mergeMap(a, b, item));
}

/** Merges `patch` into `original`, which is changed and returned. */
function mergeMap(original: JsonMap, patch: JsonMap, type: TypeNode | undefined): JsonMap {
  if ('$patch' in patch) {
    const { $patch: directive, ...rest } = patch;
    if (directive === 'replace') return mapWithoutDirectives(rest);
    if (directive === 'delete') return {};
    throw new PatchError(`unknown patch type: ${directive}`);
  }
  retainKeys(original, patch);
  const done = mergeOrdered(original, patch, type);
  for (const [patchKey, change] of Object.entries(patch)) {
    if (
      done.has(patchKey) ||
      patchKey === '__proto__' ||
      patchKey === RETAIN_KEYS ||
      patchKey.startsWith(SET_ORDER)
    )
      continue;
    const isDeletion = patchKey.startsWith(DELETE_FROM);
    const key = isDeletion ? directiveTarget(patchKey, DELETE_FROM) : patchKey;
    const before = ownValue(original, key);
    if (isDeletion) {
      if (!Array.isArray(change)) throw new PatchError(patchErrors.primitiveList);
      if (Array.isArray(before)) original[key] = deleteScalars(before, change);
      continue;
    }
    if (change === null) delete original[key];
    else if (isMap(before) && isMap(change)) {
      const place = placeOf(type, key);
      original[key] = place?.patchStrategy === 'replace' ? change : mergeMap(before, change, place?.type);
    } else if (Array.isArray(before) && Array.isArray(change)) {
      original[key] = mergeListField(before, change, placeOf(type, key));
    } else if (isMap(change) && '$patch' in change) delete original[key];
    else original[key] = withoutDirectives(change);
  }
  return original;
}

/** The original with the patch merged in; neither is changed. Throws `PatchError`. */
export function strategicMergePatch(type: ObjectType, original: JsonMap, patch: JsonMap): JsonMap {
  return mergeMap(copyOf(original), copyOf(patch), type);
}
