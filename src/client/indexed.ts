/**
 * The store inside an informer: objects by key, and by the values of index functions. Pure data structure, no I/O.
 * Invariant: an object is in `byIndex(i, v)` exactly when its index function `i` yields `v` for its stored version.
 */
import { keyOf, keyOfRef } from '../api/meta.js';
import type { KubeObject } from '../api/types.js';
import type { Cache, Indexers } from './cache.js';

export interface IndexedStore<T extends KubeObject> extends Omit<Cache<T>, 'hasSynced'> {
  /** Returns what was there. */
  put(object: T): T | undefined;
  remove(key: string): T | undefined;
  keys(): Iterable<string>;
  /** Adds index functions later; an index that exists already keeps its function. */
  addIndexers(indexers: Indexers<T>): void;
  readonly size: number;
}

interface Index<T> {
  values: (object: T) => readonly string[];
  buckets: Map<string, Map<string, T>>;
}

const none: readonly string[] = [];

export function createIndexedStore<T extends KubeObject>(indexers: Indexers<T> = {}): IndexedStore<T> {
  const items = new Map<string, T>();
  /** By namespace, which every list by namespace uses. */
  const namespaces: Index<T> = { values: (object) => [object.metadata.namespace ?? ''], buckets: new Map() };
  const indexes = new Map<string, Index<T>>();

  /** From the buckets of all its values but those that it keeps. */
  function drop(index: Index<T>, key: string, object: T, kept: readonly string[]): void {
    for (const value of index.values(object)) {
      if (kept.includes(value)) continue;
      const bucket = index.buckets.get(value);
      bucket?.delete(key);
      if (bucket?.size === 0) index.buckets.delete(value);
    }
  }

  function insert(index: Index<T>, key: string, object: T, values = index.values(object)): void {
    for (const value of values) {
      const bucket = index.buckets.get(value);
      if (bucket) bucket.set(key, object);
      else index.buckets.set(value, new Map([[key, object]]));
    }
  }

  function* all(): Iterable<Index<T>> {
    yield namespaces;
    yield* indexes.values();
  }

  function addIndexers(more: Indexers<T>): void {
    for (const [name, values] of Object.entries(more)) {
      if (indexes.has(name)) continue;
      const index: Index<T> = { values, buckets: new Map() };
      for (const [key, object] of items) insert(index, key, object);
      indexes.set(name, index);
    }
  }

  addIndexers(indexers);
  return {
    put(object) {
      const key = keyOf(object);
      const old = items.get(key);
      for (const index of all()) {
        const values = index.values(object);
        insert(index, key, object, values);
        if (old) drop(index, key, old, values);
      }
      items.set(key, object);
      return old;
    },
    remove(key) {
      const old = items.get(key);
      if (!old) return undefined;
      for (const index of all()) drop(index, key, old, none);
      items.delete(key);
      return old;
    },
    get: (ref) => items.get(keyOfRef(ref)),
    getByKey: (key) => items.get(key),
    list: (namespace) => [
      ...((namespace === undefined ? items : namespaces.buckets.get(namespace))?.values() ?? []),
    ],
    byIndex(name, value) {
      const index = indexes.get(name);
      if (!index) throw new Error(`there is no index ${name}`);
      const bucket = index.buckets.get(value);
      return bucket ? [...bucket.values()] : [];
    },
    keys: () => items.keys(),
    addIndexers,
    get size() {
      return items.size;
    },
  };
}
