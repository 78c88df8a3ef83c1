/**
 * The paths of the agent's API, those of kubelet: pages (/healthz, /pods, /metrics ...), /containerLogs, /exec, /attach
 * and /portForward. Pure. Called by server.ts and upgrades.ts.
 */
import { ApiError } from '../../src/api/errors.js';

/** A container of a pod, as the path names it. */
export interface ContainerTarget {
  namespace: string;
  pod: string;
  container: string;
}

export type Route =
  | { to: 'page'; path: string; query: URLSearchParams }
  | { to: 'containerLogs'; target: ContainerTarget; query: URLSearchParams }
  | { to: 'exec' | 'attach'; target: ContainerTarget; query: URLSearchParams }
  | { to: 'portForward'; target: { namespace: string; pod: string }; query: URLSearchParams };

const containerRoutes = ['containerLogs', 'exec', 'attach'] as const;

/** Throws 404 for what looks like no path of ours; whether a page exists is for the caller to say. */
export function parseRoute(url: string): Route {
  const { pathname, searchParams: query } = new URL(url, 'https://agent');
  const [first = '', ...parts] = pathname.split('/').slice(1).map(decode);
  const [namespace, pod, third, fourth, ...more] = parts;
  const to = containerRoutes.find((name) => name === first);
  if (to) {
    // kubelet allows the pod's uid in between, but for logs.
    const container = to === 'containerLogs' ? third : (fourth ?? third);
    const tooLong = more.length > 0 || (to === 'containerLogs' && fourth !== undefined);
    if (namespace && pod && container && !tooLong) {
      return { to, target: { namespace, pod, container }, query };
    }
  } else if (first === 'portForward') {
    if (namespace && pod && fourth === undefined) return { to: first, target: { namespace, pod }, query };
  } else return { to: 'page', path: `/${[first, ...parts].filter((part) => part !== '').join('/')}`, query };
  throw noSuchPath();
}

export const noSuchPath = (): ApiError =>
  new ApiError('NotFound', 'the server could not find the requested resource');

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch (error) {
    if (error instanceof URIError) return '';
    throw error;
  }
}
