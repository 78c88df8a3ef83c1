/**
 * What the garbage collector knows: every object of every kind, by uid and by the uids of its owners. Called by
 * `garbagecollector.ts`. It is no graph of its own but two indexes on the shared informers, so it is as current as they
 * are and costs no second copy.
 */
import { apiVersionOf, type ResourceType } from '../../src/api/kinds.js';
import { keyOf, type ObjectRef } from '../../src/api/meta.js';
import type { KubeObject, OwnerReference } from '../../src/api/types.js';
import type { Informer } from '../../src/client/informer.js';
import type { Informers } from '../../src/client/informers.js';

export interface GraphNode {
  type: ResourceType;
  object: KubeObject;
}

export interface OwnerGraph {
  readonly informers: readonly { type: ResourceType; informer: Informer<KubeObject> }[];
  /** All that name this uid as an owner. */
  dependentsOf(uid: string): GraphNode[];
  byUid(uid: string): GraphNode | undefined;
  /** Undefined when the object is gone. */
  resolve(key: string): GraphNode | undefined;
  /** The kind that a reference names; undefined for kinds we do not serve. */
  typeOf(reference: Pick<OwnerReference, 'apiVersion' | 'kind'>): ResourceType | undefined;
}

/** One queue for all kinds: `apps/deployments default/web`. */
export const graphKey = (type: ResourceType, object: KubeObject): string =>
  `${rowKey(type)} ${keyOf(object)}`;

const rowKey = (type: ResourceType): string => `${type.group}/${type.resource}`;

export function createOwnerGraph(informers: Informers, types: readonly ResourceType[]): OwnerGraph {
  const rows = types.map((type) => ({
    type,
    informer: informers.get(type, {
      indexers: {
        uid: (object) => [object.metadata.uid ?? ''],
        owner: (object) => (object.metadata.ownerReferences ?? []).map((reference) => reference.uid),
      },
    }),
  }));
  const byRow = new Map(rows.map((row) => [rowKey(row.type), row]));
  const byKind = new Map(types.map((type) => [`${apiVersionOf(type)} ${type.kind}`, type]));

  const find = (index: string, uid: string): GraphNode[] =>
    rows.flatMap(({ type, informer }) => informer.byIndex(index, uid).map((object) => ({ type, object })));

  return {
    informers: rows,
    dependentsOf: (uid) => find('owner', uid),
    byUid: (uid) => find('uid', uid)[0],
    resolve(key) {
      const space = key.indexOf(' ');
      const row = byRow.get(key.slice(0, space));
      const object = row?.informer.getByKey(key.slice(space + 1));
      return row && object ? { type: row.type, object } : undefined;
    },
    typeOf: ({ apiVersion, kind }) => byKind.get(`${apiVersion} ${kind}`),
  };
}

/** Where the owner would be, seen from its dependent. */
export const ownerRef = (type: ResourceType, dependent: ObjectRef, reference: OwnerReference): ObjectRef => ({
  ...(type.namespaced && { namespace: dependent.namespace }),
  name: reference.name,
});
