/** A binary heap: takes items in any order, gives back the first by `isBefore`. Called by the scheduling queue. */
export interface Heap<T> {
  push(item: T): void;
  pop(): T | undefined;
  readonly size: number;
}

export function createHeap<T>(isBefore: (a: T, b: T) => boolean): Heap<T> {
  const items: T[] = [];

  function rise(item: T, from: number): void {
    let at = from;
    for (let parent = (at - 1) >> 1; at > 0; parent = (at - 1) >> 1) {
      const above = items[parent];
      if (above === undefined || !isBefore(item, above)) break;
      items[at] = above;
      at = parent;
    }
    items[at] = item;
  }

  function sink(item: T): void {
    let at = 0;
    for (;;) {
      const left = items[2 * at + 1];
      const right = items[2 * at + 2];
      if (left === undefined) break;
      const child = right !== undefined && isBefore(right, left) ? 2 * at + 2 : 2 * at + 1;
      const below = items[child];
      if (below === undefined || !isBefore(below, item)) break;
      items[at] = below;
      at = child;
    }
    items[at] = item;
  }

  return {
    push: (item) => rise(item, items.length),
    pop() {
      const first = items[0];
      const last = items.pop();
      if (last !== undefined && items.length > 0) sink(last);
      return first;
    },
    get size() {
      return items.length;
    },
  };
}
