/**
 * A map that can be walked in key order (code units). Pure; the index under `mvcc.ts`.
 *
 * Lookups go through a hash map; order is kept in chunks of bounded length, so that an insert moves a few hundred
 * pointers however large the map is. Invariants: chunks are never empty, sorted, and so are their first keys.
 */
interface Item<V> {
  readonly key: string;
  value: V;
}

const maxChunk = 512;

export class SortedMap<V> {
  readonly #byKey = new Map<string, Item<V>>();
  readonly #chunks: Item<V>[][] = [];

  get size(): number {
    return this.#byKey.size;
  }

  get(key: string): V | undefined {
    return this.#byKey.get(key)?.value;
  }

  set(key: string, value: V): void {
    const existing = this.#byKey.get(key);
    if (existing) {
      existing.value = value;
      return;
    }
    const item = { key, value };
    this.#byKey.set(key, item);
    const index = this.#chunkOf(key);
    const chunk = this.#chunks[index];
    if (!chunk) {
      this.#chunks.push([item]);
      return;
    }
    chunk.splice(lowerBound(chunk, key), 0, item);
    if (chunk.length > maxChunk) this.#chunks.splice(index + 1, 0, chunk.splice(chunk.length >> 1));
  }

  delete(key: string): void {
    if (!this.#byKey.delete(key)) return;
    const index = this.#chunkOf(key);
    const chunk = this.#chunks[index] ?? [];
    chunk.splice(lowerBound(chunk, key), 1);
    if (chunk.length === 0) this.#chunks.splice(index, 1);
  }

  /** Visits keys >= `from` in order until `visit` returns false. `visit` must not change the map. */
  scan(from: string, visit: (key: string, value: V) => boolean): void {
    for (let index = this.#chunkOf(from); index < this.#chunks.length; index += 1) {
      const chunk = this.#chunks[index] ?? [];
      const first = (chunk[0]?.key ?? '') < from ? lowerBound(chunk, from) : 0;
      for (let at = first; at < chunk.length; at += 1) {
        const item = chunk[at];
        if (item && !visit(item.key, item.value)) return;
      }
    }
  }

  /** The last chunk that starts at or before the key; the first one when all start behind it. */
  #chunkOf(key: string): number {
    let low = 0;
    let high = this.#chunks.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#chunks[middle]?.[0]?.key ?? '') <= key) low = middle + 1;
      else high = middle;
    }
    return Math.max(low - 1, 0);
  }
}

/** Index of the first item with a key >= `key`. */
function lowerBound(chunk: readonly Item<unknown>[], key: string): number {
  let low = 0;
  let high = chunk.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((chunk[middle]?.key ?? '') < key) low = middle + 1;
    else high = middle;
  }
  return low;
}
