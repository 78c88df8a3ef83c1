/**
 * Remembers what a controller wrote until its cache shows it, so that a stale cache never makes it create or delete
 * twice. Called by the replicaset controller. In memory only: after a restart the cache is fresh anyway.
 */
import { keyOf } from '../../src/api/meta.js';
import type { KubeObject } from '../../src/api/types.js';
import type { Cache } from '../../src/client/cache.js';

export interface Expectations<T extends KubeObject> {
  created(owner: string, object: T): void;
  deleted(owner: string, object: T): void;
  /** True when the cache has caught up with everything that was written for this owner. */
  areMet(owner: string): boolean;
  forget(owner: string): void;
}

interface Pending<T> {
  created: T[];
  deleted: T[];
}

/** `cacheVersion` is how far the cache has come: an object it does not have although it is past it, is gone again. */
export function createExpectations<T extends KubeObject>(
  cache: Pick<Cache<T>, 'getByKey'>,
  cacheVersion: () => string,
): Expectations<T> {
  const pending = new Map<string, Pending<T>>();

  function of(owner: string): Pending<T> {
    const known = pending.get(owner) ?? { created: [], deleted: [] };
    pending.set(owner, known);
    return known;
  }

  const isAwaitedCreation = (object: T): boolean =>
    !cache.getByKey(keyOf(object)) && isNewer(object.metadata.resourceVersion, cacheVersion());

  function isAwaitedDeletion(object: T): boolean {
    const cached = cache.getByKey(keyOf(object));
    return cached?.metadata.uid === object.metadata.uid && cached?.metadata.deletionTimestamp === undefined;
  }

  return {
    created: (owner, object) => void of(owner).created.push(object),
    deleted: (owner, object) => void of(owner).deleted.push(object),
    areMet(owner) {
      const known = pending.get(owner);
      if (!known) return true;
      known.created = known.created.filter(isAwaitedCreation);
      known.deleted = known.deleted.filter(isAwaitedDeletion);
      const met = known.created.length + known.deleted.length === 0;
      if (met) pending.delete(owner);
      return met;
    },
    forget: (owner) => void pending.delete(owner),
  };
}

/** Versions of our store are decimal and grow; KEP-5504 lets clients compare them. */
const isNewer = (version: string | undefined, than: string): boolean =>
  BigInt(version || '0') > BigInt(than || '0');
