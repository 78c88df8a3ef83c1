/** 2. What plugins ask of a row, and how they find the object that another one names. Shared by the plugins. */

import type { ResourceType } from '../../../src/api/kinds.js';
import type { ObjectRef } from '../../../src/api/meta.js';
import type { KubeObject } from '../../../src/api/types.js';
import { ifFound } from '../../../src/client/found.js';
import type { Informer } from '../../../src/client/informer.js';
import type { Resource } from '../../resources/resource.js';
import type { PluginDeps } from '../plugin.js';

/** Whether the row serves this kind, in whatever version. */
export const isOf = ({ type }: Resource, wanted: ResourceType): boolean =>
  type.resource === wanted.resource && type.group === wanted.group;

export type Lookup<T extends KubeObject> = (ref: ObjectRef) => Promise<T | undefined>;

/**
 * From the cache, if there is one; what is not there is looked for in the store: it may be newer than what the informer has
 * seen.
 */
export function createLookup<T extends KubeObject>(
  { client }: Pick<PluginDeps, 'client'>,
  type: ResourceType<T>,
  cache?: Pick<Informer<T>, 'get'>,
): Lookup<T> {
  return async (ref) => cache?.get(ref) ?? ifFound(client.get(type, ref));
}
