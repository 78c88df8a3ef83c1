/**
 * Lists in a strategic merge patch: merging by key, deleting, and the order of the result. Pure.
 *
 * The order is that of the patch for items the patch names, and that of the server for the others; where both orders
 * know two neighbours, the server's decides, else the patch's item comes first. Called by `strategic.ts`.
 */
import { isMap, type JsonMap } from './json.js';
import { badType, noMergeKey, PatchError, patchErrors } from './strategic-error.js';

type MergeItem = (original: JsonMap, patch: JsonMap) => JsonMap;

/** What two items are compared by: the merge key of a map, or the scalar itself. */
function identity(item: unknown, mergeKey: string | undefined): unknown {
  if (mergeKey === undefined) return item;
  if (!isMap(item)) throw badType('map', item);
  if (!Object.hasOwn(item, mergeKey)) throw noMergeKey(item, mergeKey);
  return item[mergeKey];
}

/** 'map' or 'scalar'; a list must be of one sort, and never of lists. */
function sortOf(...lists: unknown[][]): 'map' | 'scalar' {
  const items = lists.flat();
  if (items.some(Array.isArray)) throw new PatchError(patchErrors.listOfLists);
  const sorts = new Set(items.map((item) => (isMap(item) ? 'map' : typeof item)));
  if (sorts.size > 1) throw new PatchError(`list element types are not identical: ${JSON.stringify(lists)}`);
  return sorts.has('map') ? 'map' : 'scalar';
}

export const deleteScalars = (list: readonly unknown[], gone: readonly unknown[]): unknown[] =>
  list.filter((item) => !gone.includes(item));

/** Obeys and removes the items of the patch that are directives; returns what is left to merge into what. */
function applyDirectives(original: JsonMap[], patch: JsonMap[], mergeKey: string): [JsonMap[], JsonMap[]] {
  let kept = original;
  let isReplaced = false;
  const rest: JsonMap[] = [];
  for (const item of patch) {
    const directive = item['$patch'];
    if (!('$patch' in item)) rest.push(item);
    else if (directive === 'replace') isReplaced = true;
    else if (directive === 'merge')
      throw new PatchError('merging lists cannot yet be specified in the patch');
    else if (directive !== 'delete') throw new PatchError(`unknown patch type: ${directive}`);
    else {
      const gone = identity(item, mergeKey);
      kept = kept.filter((other) => other[mergeKey] !== gone);
    }
  }
  return isReplaced ? [rest, []] : [kept, rest];
}

function mergeMaps(original: JsonMap[], patch: JsonMap[], mergeKey: string, mergeItem: MergeItem): JsonMap[] {
  const merged = [...original];
  for (const item of patch) {
    const key = identity(item, mergeKey);
    const at = merged.findIndex((other) => other[mergeKey] === key);
    const before = merged[at];
    if (before) merged[at] = mergeItem(before, item);
    else merged.push(mergeItem({}, item));
  }
  return merged;
}

/** Puts `items` in order: those in `patchOrder` by it, the others by `serverOrder`, and the two interleaved. */
function arrange(
  items: unknown[],
  orders: { patchOrder: readonly unknown[]; serverOrder: readonly unknown[]; mergeKey: string | undefined },
): unknown[] {
  const positions = (list: readonly unknown[]): Map<unknown, number> => {
    const map = new Map<unknown, number>();
    for (const [i, item] of list.entries()) {
      const id = identity(item, orders.mergeKey);
      if (!map.has(id)) map.set(id, i);
    }
    return map;
  };
  const inPatch = positions(orders.patchOrder);
  const onServer = positions(orders.serverOrder);
  const rank = (order: Map<unknown, number>) => (item: unknown) =>
    order.get(identity(item, orders.mergeKey)) ?? 0;
  const [byPatch, byServer] = [rank(inPatch), rank(onServer)];
  const named = items.filter((item) => inPatch.has(identity(item, orders.mergeKey)));
  const others = items.filter((item) => !inPatch.has(identity(item, orders.mergeKey)));
  named.sort((a, b) => byPatch(a) - byPatch(b));
  others.sort((a, b) => byServer(a) - byServer(b));

  const result: unknown[] = [];
  while (named.length > 0 && others.length > 0) {
    const [left, right] = [identity(others[0], orders.mergeKey), identity(named[0], orders.mergeKey)];
    const [leftAt, rightAt] = [onServer.get(left), onServer.get(right)];
    const isServerFirst = leftAt !== undefined && rightAt !== undefined && leftAt < rightAt;
    result.push((isServerFirst ? others : named).shift());
  }
  return [...result, ...named, ...others];
}

/** Merges the patch into a list with `patchStrategy: merge`. `mergeItem` merges two maps with the same key. */
export function mergeList(
  original: unknown[],
  patch: unknown[],
  mergeKey: string | undefined,
  mergeItem: MergeItem,
): unknown[] {
  if (original.length === 0 && patch.length === 0) return original;
  if (sortOf(original, patch) === 'scalar') {
    const merged = [...new Set([...original, ...patch])];
    return arrange(merged, { patchOrder: patch, serverOrder: original, mergeKey: undefined });
  }
  if (mergeKey === undefined) throw new PatchError('cannot merge lists without merge key');
  const [kept, rest] = applyDirectives(original.filter(isMap), patch.filter(isMap), mergeKey);
  const merged = mergeMaps(kept, rest, mergeKey, mergeItem);
  return arrange(merged, { patchOrder: rest, serverOrder: kept, mergeKey });
}

/** The patch's own order must agree with the order directive it comes with. */
function checkOrder(patch: unknown[], order: unknown[], mergeKey: string | undefined): void {
  if (order.length === 0) return;
  let at = 0;
  for (const item of patch) {
    if (isMap(item) && '$patch' in item) continue;
    const wanted = identity(item, mergeKey);
    while (at < order.length && identity(order[at], mergeKey) !== wanted) at++;
    if (at++ >= order.length) {
      throw new PatchError(
        `The order in patch list:\n${JSON.stringify(patch)}\n doesn't match $setElementOrder list:\n${JSON.stringify(order)}\n`,
      );
    }
  }
}

/**
 * The order the server knows: its own items that are left, then as many new ones as were deleted. (In Kubernetes new
 * items take the places of deleted ones, and clients see the order that follows from it.)
 */
function orderAfter(
  before: unknown[],
  change: unknown[],
  merged: unknown[],
  mergeKey: string | undefined,
): unknown[] {
  if (mergeKey === undefined) return before;
  const left = new Set(merged.map((item) => identity(item, mergeKey)));
  const known = new Set(before.map((item) => identity(item, mergeKey)));
  const kept = before.filter((item) => left.has(identity(item, mergeKey)));
  const added = change.filter((item) => {
    const id = identity(item, mergeKey);
    return left.has(id) && !known.has(id);
  });
  return [...kept, ...added.slice(0, before.length - kept.length)];
}

/** A list with an order directive: merged, then in that order. Undefined when neither side has the list. */
export function orderList(
  options: {
    before: unknown[] | undefined;
    change: unknown[] | undefined;
    order: unknown[];
    mergeKey: string | undefined;
    clean: (added: unknown[]) => unknown;
  },
  merge: (before: unknown[], change: unknown[]) => unknown[],
): unknown[] | undefined {
  const { before, change, order, mergeKey } = options;
  if (!before && !change) return undefined;
  checkOrder(change ?? [], order, mergeKey);
  const merged = before && change ? merge(before, change) : (before ?? options.clean(change ?? []));
  if (!Array.isArray(merged)) throw badType('slice', merged);
  const serverOrder = orderAfter(before ?? [], change ?? [], merged, mergeKey);
  return arrange(merged, { patchOrder: order, serverOrder, mergeKey });
}
