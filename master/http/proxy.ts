/**
 * 1. The `proxy` subresources of nodes, pods and services: any method and path, streaming both ways, upgrades included.
 * Called by dispatch.ts after authorization, before any body is read.
 *
 *   nodes/x/proxy/...      the agent's own API, or another port of the node
 *   pods/x:80/proxy/...    the pod's address
 *   services/x:http/...    one of its ready endpoints
 */
import type { ClientRequest, ClientRequestArgs, IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip, createInflate } from 'node:zlib';
import { ApiError } from '../../src/api/errors.js';
import { endpointSlices, endpoints, nodes, pods, type ResourceType, services } from '../../src/api/kinds.js';
import type { EndpointSlice, KubeObject, Node } from '../../src/api/types.js';
import { join } from '../../src/host/join.js';
import type { Registry } from '../registry/registry.js';
import type { Resource } from '../resources/resource.js';
import type { AgentLink } from './agentlink.js';
import type { Backends } from './backends.js';
import { switchingProtocols } from './podstreams.js';
import {
  answerOf,
  type Forwarded,
  type LinkContext,
  requestHeaders,
  responseHeaders,
  rewriteLink,
  statusMessageOf,
  upgradeHeaders,
} from './proxyheaders.js';
import { HtmlLinks } from './proxyhtml.js';
import {
  checkAddress,
  groupOfSlice,
  groupsOfEndpoints,
  type ProxyPath,
  parseProxyName,
  podBackend,
  portNumber,
  serviceBackend,
  splitProxyUrl,
} from './proxytarget.js';
import type { ResourceTarget } from './request.js';
import type { RequestScope } from './scope.js';
import { noSuchResource } from './status.js';

export interface Proxies {
  registry: Registry;
  link: AgentLink;
  backends: Backends;
}

export const isProxy = (target: ResourceTarget | undefined): target is ResourceTarget =>
  target?.subresource === 'proxy' && target.group === '';

/** Opens requests to what was found behind a name. */
interface Destination {
  /** host:port, as it may name itself in links. */
  authority: string;
  open(args: ClientRequestArgs & { reuse: boolean }): ClientRequest;
}

/** `url` is the request's as sent. Answers in full. Throws while nothing has been sent; later the connection is cut. */
export async function serveProxy(
  proxies: Proxies,
  scope: RequestScope,
  client: { raw: IncomingMessage; url: string; response: ServerResponse },
): Promise<void> {
  const { raw, response } = client;
  const { target, url } = place(scope, client.url);
  const isRead = raw.method === 'GET' || raw.method === 'HEAD';
  const destination = await destinationOf(proxies, target, scope);
  if (url.path === '' && isRead) {
    // Relative links of the page would lead nowhere without the slash.
    response.writeHead(301, { location: `${url.prefix}/${url.query}`, 'content-length': 0 }).end();
    raw.resume();
    return;
  }
  const headers = requestHeaders(raw.headers, forwardedOf(raw, url));
  const path = `${url.path || '/'}${url.query}`;
  const outgoing = destination.open({
    method: raw.method ?? 'GET',
    path,
    headers,
    reuse: isRead,
    setHost: false,
  });
  scope.signal.addEventListener('abort', () => outgoing.destroy(), { once: true });
  const answered = answerTo(outgoing);
  // A body that breaks off breaks the request; what the backend does about it is told by its answer.
  pipeline(raw, outgoing).catch(() => undefined);
  await relay(await answered, response, {
    prefix: url.prefix,
    backend: destination.authority,
    host: raw.headers.host,
  });
}

/** Joins the client with the backend when that agrees to change the protocol; else passes on what it answers. */
export async function upgradeProxy(
  proxies: Proxies,
  scope: RequestScope,
  raw: IncomingMessage,
  client: { socket: Duplex; head: Buffer; respond(): ServerResponse },
): Promise<void> {
  const { target, url } = place(scope, raw.url ?? '/');
  const destination = await destinationOf(proxies, target, scope);
  const headers = upgradeHeaders(raw.headers, forwardedOf(raw, url));
  const path = `${url.path || '/'}${url.query}`;
  const outgoing = destination.open({
    method: raw.method ?? 'GET',
    path,
    headers,
    reuse: false,
    setHost: false,
  });
  scope.signal.addEventListener('abort', () => outgoing.destroy(), { once: true });
  const upgraded = new Promise<{ response: IncomingMessage; socket: Duplex; head: Buffer }>((resolve) => {
    outgoing.once('upgrade', (response, socket, head) => resolve({ response, socket, head }));
  });
  const answered = answerTo(outgoing);
  outgoing.end();
  const result = await Promise.race([upgraded, answered]);
  if ('socket' in result && 'response' in result) {
    const { response, socket, head } = result;
    client.socket.write(switchingProtocols(response));
    if (head.length > 0) client.socket.write(head);
    if (client.head.length > 0) socket.write(client.head);
    await join(client.socket, socket);
    return;
  }
  const response = client.respond();
  await relay(result, response, {
    prefix: url.prefix,
    backend: destination.authority,
    host: raw.headers.host,
  });
}

function place(scope: RequestScope, url: string): { target: ResourceTarget; url: ProxyPath } {
  const { target } = scope.info;
  if (!target || target.name === undefined) throw noSuchResource();
  return { target, url: splitProxyUrl(url, target.rest) };
}

const forwardedOf = (raw: IncomingMessage, { prefix, path }: ProxyPath): Forwarded => ({
  client: raw.socket.remoteAddress,
  host: raw.headers.host,
  uri: `${prefix}${path}`,
});

async function answerTo(outgoing: ClientRequest): Promise<IncomingMessage> {
  try {
    return await answerOf(outgoing);
  } catch (error) {
    if (error instanceof ApiError) throw error;
    const message = `error trying to reach service: ${error instanceof Error ? error.message : String(error)}`;
    throw new ApiError('ServiceUnavailable', message, undefined, { cause: error });
  }
}

async function relay(answer: IncomingMessage, response: ServerResponse, links: LinkContext): Promise<void> {
  const rewrite = (link: string): string => rewriteLink(link, links);
  const headers = responseHeaders(answer.rawHeaders, answer.headers);
  const isPlain = answer.headers.location !== undefined || response.req.method === 'HEAD';
  const stages = isPlain ? [] : htmlStages(answer, rewrite);
  for (let i = 0; i + 1 < headers.length; i += 2) {
    const [name = '', value = ''] = headers.slice(i, i + 2);
    const lower = name.toLowerCase();
    if (stages.length > 0 && (lower === 'content-length' || lower === 'content-encoding')) continue;
    response.appendHeader(name, lower === 'location' ? rewrite(value) : value);
  }
  response.writeHead(answer.statusCode ?? 502, statusMessageOf(answer));
  response.flushHeaders();
  try {
    await pipeline([answer, ...stages, response]);
  } catch {
    // The status line is out: the cut connection is all that can still tell the client.
    response.destroy();
  }
}

/** What rewrites the links of a page; nothing for other content and for encodings that are not ours to read. */
function htmlStages(
  { headers, statusCode }: IncomingMessage,
  rewrite: (link: string) => string,
): Transform[] {
  const type = (headers['content-type'] ?? '').split(';')[0]?.trim().toLowerCase();
  if (type !== 'text/html' || statusCode === 204 || statusCode === 304) return [];
  const encoding = headers['content-encoding'] ?? '';
  if (encoding === '') return [new HtmlLinks(rewrite)];
  if (encoding === 'gzip') return [createGunzip(), new HtmlLinks(rewrite)];
  if (encoding === 'deflate') return [createInflate(), new HtmlLinks(rewrite)];
  return [];
}

/** Throws 400 for a name that is none, 404 for what does not exist, 503 when nothing serves there. */
async function destinationOf(
  proxies: Proxies,
  { resource, name = '', namespace }: ResourceTarget,
  scope: RequestScope,
): Promise<Destination> {
  const { registry, backends, link } = proxies;
  const read = async <T extends KubeObject>(type: ResourceType<T>, object: string): Promise<T> =>
    (await registry.get(rowOf(registry, type), { namespace, name: object }, scope)).object;
  const through = (backend: Parameters<Backends['request']>[0]): Destination => ({
    authority: backend.host.includes(':')
      ? `[${backend.host}]:${backend.port}`
      : `${backend.host}:${backend.port}`,
    open: (args) => backends.request(backend, args, scope),
  });
  if (resource === 'nodes') {
    const parsed = parseProxyName(name, 'node');
    const node = (await registry.get(rowOf(registry, nodes), { name: parsed.name }, scope)).object;
    const { host, port } = link.addressOf(node);
    if (parsed.port === '' || parsed.port === String(port)) return agentApi(link, node);
    const number = portNumber(Number(parsed.port), parsed.port);
    return through({ scheme: parsed.scheme ?? 'http', host: checkAddress(host), port: number });
  }
  if (resource === 'pods') {
    const parsed = parseProxyName(name, 'pod');
    return through(podBackend(await read(pods, parsed.name), parsed));
  }
  if (resource !== 'services') throw noSuchResource();
  const parsed = parseProxyName(name, 'service');
  const service = await read(services, parsed.name);
  const groups = (await slicesOf(registry, { namespace, name: parsed.name }, scope)).map(groupOfSlice);
  if (groups.length > 0) return through(serviceBackend(service, groups, parsed, Math.random()));
  const written = await read(endpoints, parsed.name).catch((error: unknown) => {
    if (error instanceof ApiError && error.reason === 'NotFound') return undefined;
    throw error;
  });
  return through(serviceBackend(service, written ? groupsOfEndpoints(written) : [], parsed, Math.random()));
}

const agentApi = (link: AgentLink, node: Node): Destination => {
  const { host, port } = link.addressOf(node);
  return {
    authority: `${host}:${port}`,
    open: ({ method = 'GET', path, headers, reuse }) =>
      link.open({ node, method, path: path ?? '/', reuse, ...(headers && { headers: headers as never }) }),
  };
};

async function slicesOf(
  registry: Registry,
  { namespace, name }: { namespace: string | undefined; name: string },
  scope: RequestScope,
): Promise<EndpointSlice[]> {
  const options = { ...(namespace && { namespace }), labelSelector: `kubernetes.io/service-name=${name}` };
  const { items } = await registry.list(rowOf(registry, endpointSlices), options, scope);
  return items.map(({ object }) => object);
}

function rowOf<T extends KubeObject>(registry: Registry, type: ResourceType<T>): Resource<T> {
  const row = registry.resources.of(type);
  if (!row) throw noSuchResource();
  return row;
}
