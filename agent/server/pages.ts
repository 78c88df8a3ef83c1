/**
 * What the agent answers to a plain GET, by path: a table that the composition root extends (`/metrics`,
 * `/stats/summary`). Served by server.ts; users see it under `nodes/<name>/proxy/`.
 */
import type { Pod } from '../../src/api/types.js';

export interface PageContent {
  contentType: string;
  body: string | Buffer;
}

/** Throws `ApiError` for what it cannot say. */
export type Page = (query: URLSearchParams) => PageContent | Promise<PageContent>;

/** By path, without a slash at the end. */
export type Pages = ReadonlyMap<string, Page>;

const ok: Page = () => ({ contentType: 'text/plain; charset=utf-8', body: 'ok' });

export function ownPages(lookup: { pods(): readonly Pod[] }): Pages {
  const pods: Page = () => ({
    contentType: 'application/json',
    body: JSON.stringify({ kind: 'PodList', apiVersion: 'v1', metadata: {}, items: lookup.pods() }),
  });
  return new Map([
    ['/healthz', ok],
    ['/healthz/ping', ok],
    ['/pods', pods],
    ['/runningpods', pods],
  ]);
}
