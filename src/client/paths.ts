/**
 * Where things are under the API's root, and how options become query parameters. Pure. Called by `rest.ts` and tests.
 */
import type { ResourceType } from '../api/kinds.js';
import type { KubeObject } from '../api/types.js';
import type { WatchOptions, WriteOptions } from './client.js';

export type Query = Record<string, string | number | boolean | undefined>;

/** `/apis/apps/v1/namespaces/default/deployments/web/scale`; without a name the collection. */
export function pathOf(
  type: ResourceType<KubeObject>,
  at: { namespace?: string | undefined; name?: string | undefined; subresource?: string | undefined },
): string {
  const root = type.group === '' ? `/api/${type.version}` : `/apis/${type.group}/${type.version}`;
  const scope = type.namespaced && at.namespace ? `/namespaces/${encodeURIComponent(at.namespace)}` : '';
  const name = at.name === undefined ? '' : `/${encodeURIComponent(at.name)}`;
  return `${root}${scope}/${type.resource}${name}${at.subresource ? `/${at.subresource}` : ''}`;
}

/** With a leading `?`, or empty; undefined values are left out. */
export function queryOf(query: Query): string {
  const pairs = Object.entries(query).filter(([, value]) => value !== undefined && value !== '');
  if (pairs.length === 0) return '';
  return `?${pairs.map(([name, value]) => `${name}=${encodeURIComponent(String(value))}`).join('&')}`;
}

export const listQuery = (options: WatchOptions): Query => ({
  labelSelector: options.labelSelector,
  fieldSelector: options.fieldSelector,
  limit: options.limit,
  continue: options.continue,
  resourceVersion: options.resourceVersion,
  resourceVersionMatch: options.resourceVersionMatch,
});

export const watchQuery = (options: WatchOptions): Query => ({
  ...listQuery(options),
  watch: true,
  allowWatchBookmarks: options.allowBookmarks || undefined,
  timeoutSeconds: options.timeoutSeconds,
  sendInitialEvents: options.sendInitialEvents || undefined,
});

export const writeQuery = (options: WriteOptions): Query => ({
  dryRun: options.dryRun ? 'All' : undefined,
  fieldManager: options.fieldManager,
  fieldValidation: options.fieldValidation,
});
