/**
 * The paths of the agent's API, those of kubelet: pages (/healthz, /pods, /metrics ...), /containerLogs, /exec, /attach,
 * /run, /portForward and /logs. Pure. Called by server.ts, upgrades.ts and attributes.ts.
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
  | { to: 'run'; target: ContainerTarget; query: URLSearchParams }
  /** A file or directory below the node's log directory; '' is that directory. */
  | { to: 'nodeLog'; path: string }
  | { to: 'portForward'; target: { namespace: string; pod: string }; query: URLSearchParams };

const containerRoutes = ['containerLogs', 'exec', 'attach', 'run'] as const;

const parse = (url: string): URL => {
  const whole = `https://agent${url.startsWith('/') ? '' : '/'}${url}`;
  if (!URL.canParse(whole)) throw noSuchPath();
  return new URL(whole);
};

/** The decoded segments of the path. Throws 404 for what is no path. */
export const segmentsOf = (url: string): string[] => parse(url).pathname.split('/').slice(1).map(decode);

/** Throws 404 for what looks like no path of ours; whether a page exists is for the caller to say. */
export function parseRoute(url: string): Route {
  const query = parse(url).searchParams;
  const [first = '', ...parts] = segmentsOf(url);
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
  } else if (first === 'logs') return { to: 'nodeLog', path: parts.join('/') };
  else return { to: 'page', path: `/${[first, ...parts].filter((part) => part !== '').join('/')}`, query };
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
