/**
 * Sets that were made when a custom kind had another schema. Pure.
 */
import { type Fields, isEmpty, leaf } from './fields.js';
import type { Entry } from './managed.js';
import { deduced, type Shape, type StructShape } from './shape.js';

/** What became one value since is owned whole by whoever owned a part of it. */
export function shapeFields(
  entries: readonly Entry[],
  versions: { shape(apiVersion: string): StructShape | undefined },
): readonly Entry[] {
  return entries.map((entry) => {
    const shape = versions.shape(entry.apiVersion);
    if (!shape?.isCustom) return entry;
    const fields = reshaped(shape, entry.fields);
    return fields === entry.fields ? entry : { ...entry, fields };
  });
}

function reshaped(shape: Shape, node: Fields): Fields {
  if (isEmpty(node)) return node;
  if (shape.kind === 'atomic') return leaf;
  const out: Record<string, Fields> = {};
  let isSame = true;
  for (const [element, below] of Object.entries(node)) {
    const next = element === '.' ? below : reshaped(insideOf(shape, element), below);
    if (next !== below) isSame = false;
    out[element] = next;
  }
  return isSame ? node : out;
}

/** The shape at an element; deduced, which is left alone, where the schema has none. */
export function insideOf(shape: Shape, element: string): Shape {
  const at = shape.kind === 'atomic' ? shape.inside : shape;
  if (element.startsWith('f:')) {
    if (at.kind === 'struct') return at.fields.get(element.slice(2))?.shape ?? deduced;
    return at.kind === 'map' ? at.item : deduced;
  }
  return at.kind === 'keyed' && element.startsWith('k:') ? at.item : deduced;
}
