/**
 * 2. Where objects live in the store: `/registry/<group or core>/<resource>/<namespace>/<name>`. Pure.
 */
import type { ResourceType } from '../../src/api/kinds.js';
import type { ObjectRef } from '../../src/api/meta.js';

/** Everything of a kind, or of a kind in one namespace. Ends in `/`, so that no other kind or namespace begins with it. */
export function prefixOf(type: Pick<ResourceType, 'group' | 'resource'>, namespace?: string): string {
  const prefix = `/registry/${type.group || 'core'}/${type.resource}/`;
  return namespace ? `${prefix}${namespace}/` : prefix;
}

export const storeKeyOf = (type: Pick<ResourceType, 'group' | 'resource'>, ref: ObjectRef): string =>
  prefixOf(type, ref.namespace) + ref.name;
