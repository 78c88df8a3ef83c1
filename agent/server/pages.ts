/**
 * What the agent answers to a plain GET, by path: a table that the composition root extends (`/metrics`,
 * `/stats/summary`). Served by server.ts; users see it under `nodes/<name>/proxy/`.
 */
import { ApiError } from '../../src/api/errors.js';
import type { ContainerStatus, Pod } from '../../src/api/types.js';
import type { Health } from '../../src/host/component.js';

export interface PageContent {
  /** 200 when absent. */
  code?: number;
  contentType: string;
  body: string | Buffer;
}

/** Throws `ApiError` for what it cannot say. */
export type Page = (query: URLSearchParams) => PageContent | Promise<PageContent>;

/** By path, without a slash at the end. */
export type Pages = ReadonlyMap<string, Page>;

const plain = 'text/plain; charset=utf-8';
const ok: Page = () => ({ contentType: plain, body: 'ok' });
const json = (body: object): ReturnType<Page> => ({
  contentType: 'application/json',
  body: JSON.stringify(body),
});

export interface OwnPagesOptions {
  pods(): readonly Pod[];
  /** Whether pods are being looked after. */
  syncLoop(): Health;
}

export function ownPages({ pods, syncLoop }: OwnPagesOptions): Pages {
  const list = (items: readonly object[]): object => ({
    kind: 'PodList',
    apiVersion: 'v1',
    metadata: {},
    items,
  });
  return new Map<string, Page>([
    ['/healthz', () => healthz(syncLoop())],
    ['/healthz/ping', ok],
    ['/healthz/log', ok],
    ['/healthz/syncloop', (query) => (syncLoop().ok ? ok(query) : healthz(syncLoop()))],
    ['/pods', () => json(list(pods()))],
    ['/runningpods', () => json(list(pods().flatMap(runningPod)))],
    ['/debug/pprof', refuseProfiling],
    ...['cmdline', 'goroutine', 'heap', 'profile', 'symbol', 'trace'].map((name): [string, Page] => [
      `/debug/pprof/${name}`,
      refuseProfiling,
    ]),
  ]);
}

/** As kubelet without `enableProfilingHandler`. */
const refuseProfiling: Page = () => {
  throw new ApiError('MethodNotAllowed', 'profiling endpoint is disabled.');
};

function healthz(syncLoop: Health): PageContent {
  if (syncLoop.ok) return { contentType: plain, body: 'ok' };
  const lines = ['[+]ping ok', '[+]log ok', `[-]syncloop failed: ${syncLoop.reason}`, 'healthz check failed'];
  return { code: 500, contentType: plain, body: `${lines.join('\n')}\n` };
}

/** The little that a runtime knows of a pod, and only containers that run. */
function runningPod({ metadata, status }: Pod): object[] {
  const { name, namespace, uid } = metadata;
  const containers = [
    ...(status?.initContainerStatuses ?? []),
    ...(status?.containerStatuses ?? []),
    ...(status?.ephemeralContainerStatuses ?? []),
  ]
    .filter(({ state }: ContainerStatus) => state?.running)
    .map((container) => ({ name: container.name, image: container.image, resources: {} }));
  return containers.length > 0
    ? [{ metadata: { name, namespace, uid }, spec: { containers }, status: {} }]
    : [];
}
