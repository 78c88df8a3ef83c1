/**
 * A `Source` that a test fills by hand: what an informer would have in its cache. Changes are told at once.
 */
import { keyOf } from '../../src/api/meta.js';
import type { KubeObject } from '../../src/api/types.js';
import type { Change, Indexers, Source } from '../../src/client/cache.js';
import { createIndexedStore } from '../../src/client/indexed.js';

export interface TestSource<T extends KubeObject> extends Source<T> {
  put(object: T): void;
  remove(object: T): void;
}

export function createTestSource<T extends KubeObject>(indexers: Indexers<T> = {}): TestSource<T> {
  const store = createIndexedStore<T>(indexers);
  const handlers = new Set<(change: Change<T>) => void>();
  const tell = (change: Change<T>): void => {
    for (const handler of handlers) handler(change);
  };
  return {
    put(object) {
      tell({ key: keyOf(object), old: store.put(object), current: object });
    },
    remove(object) {
      tell({ key: keyOf(object), old: store.remove(keyOf(object)), current: undefined });
    },
    get: (ref) => store.get(ref),
    getByKey: (key) => store.getByKey(key),
    list: (namespace) => store.list(namespace),
    byIndex: (index, value) => store.byIndex(index, value),
    hasSynced: () => true,
    whenSynced: () => Promise.resolve(),
    onChange(handler) {
      for (const object of store.list()) handler({ key: keyOf(object), old: undefined, current: object });
      handlers.add(handler);
      return () => handlers.delete(handler);
    },
  };
}
