/**
 * The kinds whose objects are collected with their namespace and their owners: one version of each that is stored, as the
 * set of rows changes. Called by the composition root; controllers take what they need of it.
 */
import { apiVersionOf, type ResourceType } from '../../src/api/kinds.js';
import type { OwnerReference } from '../../src/api/types.js';
import type { Resource } from './resource.js';
import type { ResourceSet } from './set.js';

export interface FollowedTypes {
  list(): readonly ResourceType[];
  /** The followed version of a kind that a reference names in any version; undefined for kinds that are not served. */
  typeOf(reference: Pick<OwnerReference, 'apiVersion' | 'kind'>): ResourceType | undefined;
  /** Calls after every change, until the returned function is called. */
  onChange(listener: () => void): () => void;
}

const kindKey = (apiVersion: string, kind: string): string => `${apiVersion} ${kind}`;

/** A list that never changes. */
export function fixedTypes(types: readonly ResourceType[]): FollowedTypes {
  const byKind = new Map(types.map((type) => [kindKey(apiVersionOf(type), type.kind), type]));
  return {
    list: () => types,
    typeOf: ({ apiVersion, kind }) => byKind.get(kindKey(apiVersion, kind)),
    onChange: () => () => undefined,
  };
}

/** What is stored of the rows that are served; the storing version where it is served itself. */
export function servedTypes(set: ResourceSet): FollowedTypes {
  let made: { version: number; types: ResourceType[]; byKind: Map<string, ResourceType> } | undefined;
  function current(): NonNullable<typeof made> {
    if (made?.version === set.version) return made;
    const chosen = new Map<Resource, Resource>();
    const rows = set.rows.filter((row) => !row.verbs);
    for (const row of rows) {
      const stored = row.view?.of ?? row;
      if (row === stored || !chosen.has(stored)) chosen.set(stored, row);
    }
    const byKind = new Map<string, ResourceType>();
    for (const row of rows) {
      const type = chosen.get(row.view?.of ?? row)?.type;
      const key = kindKey(apiVersionOf(row.type), row.type.kind);
      if (type && !byKind.has(key)) byKind.set(key, type);
    }
    made = { version: set.version, types: [...chosen.values()].map((row) => row.type), byKind };
    return made;
  }
  return {
    list: () => current().types,
    typeOf: ({ apiVersion, kind }) => current().byKind.get(kindKey(apiVersion, kind)),
    onChange: (listener) => set.onChange(listener),
  };
}
