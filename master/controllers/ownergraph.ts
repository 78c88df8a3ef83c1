/**
 * What the garbage collector knows: every object of every kind, by uid and by the uids of its owners. Called by
 * `garbagecollector.ts`. It is no graph of its own but two indexes on the shared informers, so it is as current as they
 * are and costs no second copy.
 */
import type { ResourceType } from '../../src/api/kinds.js';
import { keyOf, type ObjectRef } from '../../src/api/meta.js';
import type { KubeObject, OwnerReference } from '../../src/api/types.js';
import type { Informer } from '../../src/client/informer.js';
import type { Informers } from '../../src/client/informers.js';
import type { FollowedTypes } from '../resources/followed.js';

export interface GraphNode {
  type: ResourceType;
  object: KubeObject;
}

interface Followed {
  type: ResourceType;
  informer: Informer<KubeObject>;
}

export interface OwnerGraph {
  /** All that name this uid as an owner. */
  dependentsOf(uid: string): GraphNode[];
  byUid(uid: string): GraphNode | undefined;
  /** Undefined when the object is gone. */
  resolve(key: string): GraphNode | undefined;
  /** The kind that a reference names; undefined for kinds we do not serve. */
  typeOf(reference: Pick<OwnerReference, 'apiVersion' | 'kind'>): ResourceType | undefined;
  /** Resolves when everything that is followed now has been read once. */
  whenSynced(signal: AbortSignal): Promise<void>;
  /** Calls `follow` for every kind there is and every one that comes, and what it returned when the kind goes. */
  follow(follow: (followed: Followed) => () => void): () => void;
}

/** One queue for all kinds: `apps/deployments default/web`. */
export const graphKey = (type: ResourceType, object: KubeObject): string =>
  `${rowKey(type)} ${keyOf(object)}`;

const rowKey = (type: ResourceType): string => `${type.group}/${type.resource}`;

/** Events end by themselves and own nothing; following them would cost the most and find the least. */
const isCollected = (type: ResourceType): boolean => type.resource !== 'events';

export function createOwnerGraph(informers: Informers, types: FollowedTypes): OwnerGraph {
  const rows = new Map<string, Followed>();

  function add(type: ResourceType): Followed {
    const informer = informers.get(type, {
      indexers: {
        uid: (object) => [object.metadata.uid ?? ''],
        owner: (object) => (object.metadata.ownerReferences ?? []).map((reference) => reference.uid),
      },
    });
    const followed = { type, informer };
    rows.set(rowKey(type), followed);
    return followed;
  }

  for (const type of types.list()) if (isCollected(type)) add(type);

  /** Brings the rows in line with what is served. Returns what came and what went. */
  function update(): { added: Followed[]; removed: Followed[] } {
    const wanted = new Map(
      types
        .list()
        .filter(isCollected)
        .map((type) => [rowKey(type), type]),
    );
    const removed = [...rows].flatMap(([key, followed]) =>
      wanted.get(key)?.version === followed.type.version ? [] : [followed],
    );
    for (const { type } of removed) rows.delete(rowKey(type));
    const added = [...wanted].flatMap(([key, type]) => (rows.has(key) ? [] : [add(type)]));
    return { added, removed };
  }

  /** Asked for every object that goes, of every kind: nearly always in vain. */
  function find(index: string, uid: string): GraphNode[] {
    const found: GraphNode[] = [];
    for (const { type, informer } of rows.values())
      for (const object of informer.byIndex(index, uid)) found.push({ type, object });
    return found;
  }

  return {
    dependentsOf: (uid) => find('owner', uid),
    byUid: (uid) => find('uid', uid)[0],
    resolve(key) {
      const space = key.indexOf(' ');
      const row = rows.get(key.slice(0, space));
      const object = row?.informer.getByKey(key.slice(space + 1));
      return row && object ? { type: row.type, object } : undefined;
    },
    typeOf: (reference) => types.typeOf(reference),
    async whenSynced(signal) {
      await Promise.all([...rows.values()].map(({ informer }) => informer.whenSynced(signal)));
    },
    follow(follow) {
      const ends = new Map([...rows.values()].map((followed) => [followed, follow(followed)]));
      const off = types.onChange(() => {
        const { added, removed } = update();
        for (const followed of removed) {
          ends.get(followed)?.();
          ends.delete(followed);
          void informers.drop(followed.type);
        }
        for (const followed of added) ends.set(followed, follow(followed));
      });
      return () => {
        off();
        for (const end of ends.values()) end();
      };
    },
  };
}

/** Where the owner would be, seen from its dependent. */
export const ownerRef = (type: ResourceType, dependent: ObjectRef, reference: OwnerReference): ObjectRef => ({
  ...(type.namespaced && { namespace: dependent.namespace }),
  name: reference.name,
});
