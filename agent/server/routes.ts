/**
 * The paths of the agent's API, those of kubelet: /healthz, /pods, /containerLogs, /exec and /attach. Pure.
 * Called by server.ts.
 */
import { ApiError } from '../../src/api/errors.js';

/** A container of a pod, as the path names it. */
export interface ContainerTarget {
  namespace: string;
  pod: string;
  container: string;
}

export type Route =
  | { to: 'healthz' | 'pods' }
  | { to: 'containerLogs' | 'exec' | 'attach'; target: ContainerTarget; query: URLSearchParams };

const containerRoutes = ['containerLogs', 'exec', 'attach'] as const;

/** Throws 404 for every other path. */
export function parseRoute(url: string): Route {
  const { pathname, searchParams: query } = new URL(url, 'https://agent');
  const [first, ...parts] = pathname.split('/').slice(1).map(decode);
  const isLast = parts.length === 0 || (parts.length === 1 && parts[0] === '');
  if ((first === 'healthz' || first === 'pods') && isLast) return { to: first };
  const to = containerRoutes.find((name) => name === first);
  const [namespace, pod, container, ...more] = parts;
  if (to && namespace && pod && container && more.length === 0) {
    return { to, target: { namespace, pod, container }, query };
  }
  throw new ApiError('NotFound', 'the server could not find the requested resource');
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch (error) {
    if (error instanceof URIError) return '';
    throw error;
  }
}
