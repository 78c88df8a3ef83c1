/**
 * 1. What a `proxy` subresource is about: which scheme, address and port a name such as `https:web:443` stands for, and
 * which path behind it. As kube-apiserver decides and words it. Pure. Called by proxy.ts.
 */
import { ApiError, badRequest } from '../../src/api/errors.js';
import type { EndpointSlice, Endpoints, Pod, Service } from '../../src/api/types.js';
import { formatIp, parseIp } from '../../src/net/ip.js';

export type Scheme = 'http' | 'https';

/** `[scheme:]name[:port]`. */
export interface ProxyName {
  scheme: Scheme | undefined;
  name: string;
  /** A number or a name; '' when none was given. */
  port: string;
}

/** Where a request goes. `nodeName`: the host is a pod of that node, whose agent knows the way. */
export interface Backend {
  scheme: Scheme;
  host: string;
  port: number;
  nodeName?: string | undefined;
}

/** Throws 400 for what is no such name. */
export function parseProxyName(id: string, kind: 'pod' | 'service' | 'node'): ProxyName {
  const parts = id.split(':');
  const [scheme, name = '', port = ''] = parts.length === 3 ? parts : ['', ...parts];
  const known = scheme === '' || scheme === 'http' || scheme === 'https';
  if (parts.length > 3 || !known || name === '')
    throw badRequest(`invalid ${kind} request ${JSON.stringify(id)}`);
  return { scheme: scheme === '' ? undefined : scheme, name, port };
}

const defaultPort = { http: 80, https: 443 } as const;

/** Without a port the first one that a container declares; a name is that of a container's port. Throws 400. */
export function podBackend(pod: Pod, { scheme = 'http', port }: ProxyName): Backend {
  const host = checkAddress(pod.status?.podIP ?? '');
  const declared = (pod.spec?.containers ?? []).flatMap((container) => container.ports ?? []);
  const number =
    port === ''
      ? (declared[0]?.containerPort ?? defaultPort[scheme])
      : portNumber(declared.find((entry) => entry.name === port)?.containerPort ?? Number(port), port);
  return { scheme, host, port: number, nodeName: pod.spec?.nodeName };
}

/** Addresses that are ready, with the numbers of the ports by name. */
export interface EndpointGroup {
  ports: readonly { name: string; port: number }[];
  addresses: readonly { ip: string; nodeName?: string | undefined }[];
}

/** Names of hosts are for others to look up: what they stand for could not be checked. */
export const groupOfSlice = ({ addressType, endpoints, ports }: EndpointSlice): EndpointGroup => ({
  ports: (ports ?? []).flatMap(({ name, port }) => (port === undefined ? [] : [{ name: name ?? '', port }])),
  addresses: (addressType === 'FQDN' ? [] : (endpoints ?? []))
    .filter(({ conditions }) => conditions?.ready !== false)
    .flatMap(({ addresses, targetRef, nodeName }) =>
      addresses.map((ip) => ({
        ip,
        nodeName: targetRef?.kind === 'Pod' ? (nodeName ?? undefined) : undefined,
      })),
    ),
});

export const groupsOfEndpoints = ({ subsets }: Endpoints): EndpointGroup[] =>
  (subsets ?? []).map(({ ports, addresses }) => ({
    ports: (ports ?? []).map(({ name, port }) => ({ name: name ?? '', port })),
    addresses: (addresses ?? []).map(({ ip, targetRef, nodeName }) => ({
      ip,
      nodeName: targetRef?.kind === 'Pod' ? nodeName : undefined,
    })),
  }));

/** One of the ready endpoints, `random` (0 to 1) says which. Throws 503 without one. */
export function serviceBackend(
  service: Service,
  groups: readonly EndpointGroup[],
  { scheme = 'http', port }: ProxyName,
  random: number,
): Backend {
  const name = JSON.stringify(service.metadata.name);
  const portName = /^\d+$/.test(port) ? portNameOf(service, Number(port)) : port;
  const choices = groups.flatMap(({ ports, addresses }) =>
    ports
      .filter((entry) => entry.name === portName)
      .flatMap((entry) => addresses.map((at) => ({ ...at, ...entry }))),
  );
  const chosen = choices[Math.min(Math.floor(random * choices.length), choices.length - 1)];
  if (!chosen) throw unavailable(`no endpoints available for service ${name}`);
  return { scheme, host: checkAddress(chosen.ip), port: chosen.port, nodeName: chosen.nodeName };
}

function portNameOf({ metadata, spec }: Service, port: number): string {
  const found = spec?.ports?.find((entry) => entry.port === port);
  if (found) return found.name ?? '';
  throw unavailable(`no service port ${port} found for service ${JSON.stringify(metadata.name)}`);
}

const unavailable = (message: string): ApiError => new ApiError('ServiceUnavailable', message);

export function portNumber(port: number, text: string): number {
  if (Number.isInteger(port) && port >= 1 && port <= 65_535) return port;
  throw badRequest(`${JSON.stringify(text)} is no port`);
}

/** Nobody gets to the master's own host, or to what only hosts themselves may ask, by way of a proxy. */
export function checkAddress(text: string): string {
  const ip = parseIp(text);
  const address = ip ? formatIp(ip) : text;
  const isForbidden =
    address === '' ||
    /^(?:0\.|127\.|169\.254\.|22[4-9]\.|2[34]\d\.|::1?$|::ffff:|fe[89ab][\da-f]:|ff[\da-f]{2}:)/i.test(
      address,
    );
  if (isForbidden) throw badRequest('address not allowed');
  return text;
}

export interface ProxyPath {
  /** Of our URL, up to and without what the backend sees: `/api/v1/.../proxy`. */
  prefix: string;
  /** What the backend is asked for, '' when the URL ends with `proxy`; never outside of `/`. */
  path: string;
  /** With its question mark, or ''. */
  query: string;
}

/** Cuts a URL in two behind `/proxy`. `rest` is what request.ts found behind it, as sent. */
export function splitProxyUrl(url: string, rest: readonly string[]): ProxyPath {
  const mark = url.indexOf('?');
  const rawPath = mark < 0 ? url : url.slice(0, mark);
  const query = mark < 0 ? '' : url.slice(mark);
  const behind = rest[0];
  if (behind === undefined) return { prefix: rawPath, path: '', query };
  return { prefix: rawPath.slice(0, rawPath.length - behind.length - 1), path: normalPath(behind), query };
}

/** Steps of `.` and `..` are taken (also percent-encoded ones), empty ones left out, a slash at the end is kept. */
function normalPath(path: string): string {
  const kept: string[] = [];
  const segments = path.replaceAll('\\', '%5C').split('/');
  for (const segment of segments) {
    const plain = segment.replace(/%2e/gi, '.');
    if (plain === '..') kept.pop();
    else if (plain !== '.' && plain !== '') kept.push(segment);
  }
  const last = (segments.at(-1) ?? '').replace(/%2e/gi, '.');
  const isDirectory = kept.length > 0 && (last === '' || last === '.' || last === '..');
  return `/${kept.join('/')}${isDirectory ? '/' : ''}`;
}
