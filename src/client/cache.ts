/**
 * 4. Contract: the read side of an informer, which is all a reconciler may see of it.
 *
 * Guarantees: after `hasSynced` the cache holds a state the server once had, and moves forward only. Handlers run
 * after the cache changed, one at a time, and must only enqueue keys. Objects are shared and frozen in tests.
 */
import type { ObjectRef } from '../api/meta.js';
import type { KubeObject } from '../api/types.js';

export interface Cache<T extends KubeObject> {
  get(ref: ObjectRef): T | undefined;
  getByKey(key: string): T | undefined;
  /** In no particular order. */
  list(namespace?: string): readonly T[];
  /** Objects whose index function yielded `value`; the index was declared when the informer was made. */
  byIndex(index: string, value: string): readonly T[];
  hasSynced(): boolean;
}

/** `old` is absent for an addition, `current` for a deletion. */
export interface Change<T extends KubeObject> {
  key: string;
  old: T | undefined;
  current: T | undefined;
}

/** Derives index values from an object; `{ node: (pod) => [pod.spec.nodeName ?? ''] }`. */
export type Indexers<T extends KubeObject> = Record<string, (object: T) => readonly string[]>;

/** A cache that is kept current, to subscribe to. */
export interface Source<T extends KubeObject> extends Cache<T> {
  /** Calls the handler for every change from now on, after replaying the present as additions. Returns unsubscribe. */
  onChange(handler: (change: Change<T>) => void): () => void;
  /** Resolves once `hasSynced`; rejects with the signal's reason when it aborts before. */
  whenSynced(signal: AbortSignal): Promise<void>;
}
