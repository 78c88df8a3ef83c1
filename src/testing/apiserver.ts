/**
 * The fake client behind a real HTTP(S) port: just enough of the API's routes to test `RestClient` and whoever uses it.
 * It can be slow to finish: watches stay open until their client leaves, `client.dropWatches` is called or `close`.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { ApiError, badRequest, internalError } from '../api/errors.js';
import * as kinds from '../api/kinds.js';
import type { KubeObject } from '../api/types.js';
import type { DeleteOptions, ListOptions, PatchType, WatchOptions } from '../client/client.js';
import type { FakeClient } from './fakeclient.js';

export interface TestApiServer {
  url: string;
  /** Every request so far: `GET /api/v1/pods?watch=true`. */
  requests: readonly string[];
  /** Sockets opened so far. */
  readonly connections: number;
  close(): Promise<void>;
}

export interface TestTls {
  cert: string;
  key: string;
  /** With it, clients must show a certificate of this authority. */
  clientCa?: string;
}

const patchTypes: Record<string, PatchType> = {
  'application/json-patch+json': 'json',
  'application/merge-patch+json': 'merge',
  'application/strategic-merge-patch+json': 'strategic',
  'application/apply-patch+yaml': 'apply',
};

interface Route {
  type: kinds.ResourceType;
  namespace: string | undefined;
  name: string | undefined;
  subresource: string | undefined;
}

export async function startTestApiServer(client: FakeClient, tls?: TestTls): Promise<TestApiServer> {
  const requests: string[] = [];
  let connections = 0;
  const onRequest = (request: IncomingMessage, response: ServerResponse): void => {
    requests.push(`${request.method} ${request.url}`);
    answer(client, request, response).catch((error: unknown) => refuse(response, error));
  };
  const server = tls
    ? createTlsServer(
        { ...tls, ...(tls.clientCa && { ca: tls.clientCa, requestCert: true, rejectUnauthorized: true }) },
        onRequest,
      )
    : createServer(onRequest);
  server.on(tls ? 'secureConnection' : 'connection', () => {
    connections += 1;
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `${tls ? 'https' : 'http'}://127.0.0.1:${port}`,
    requests,
    get connections() {
      return connections;
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function routeOf(path: string): Route {
  const parts = path
    .split('/')
    .filter((part) => part !== '')
    .map(decodeURIComponent);
  const [group, version, ...rest] = parts[0] === 'api' ? ['', ...parts.slice(1)] : parts.slice(1);
  const isScoped =
    rest[0] === 'namespaces' && rest.length > 2 && !['status', 'finalize'].includes(rest[2] ?? '');
  const [resource, name, subresource] = isScoped ? rest.slice(2) : rest;
  const type = Object.values(kinds)
    .filter((value): value is kinds.ResourceType => typeof value === 'object')
    .find((row) => row.group === group && row.version === version && row.resource === resource);
  if (!type) throw new ApiError('NotFound', 'the server could not find the requested resource');
  return { type, namespace: isScoped ? rest[1] : undefined, name, subresource };
}

async function answer(client: FakeClient, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const url = new URL(request.url ?? '/', 'http://localhost');
  const route = routeOf(url.pathname);
  if (url.searchParams.get('watch') === 'true') return stream(client, route, url.searchParams, response);
  const result = await perform(client, route, request, url.searchParams);
  send(response, request.method === 'POST' ? 201 : 200, result);
}

async function perform(
  client: FakeClient,
  route: Route,
  request: IncomingMessage,
  query: URLSearchParams,
): Promise<unknown> {
  const { type, namespace, name, subresource } = route;
  const options = { dryRun: query.get('dryRun') === 'All', ...(subresource && { subresource }) };
  const body = await bodyOf(request);
  if (name === undefined) {
    if (request.method === 'GET') return client.list(type, listOptions(namespace, query));
    if (request.method === 'POST') return client.create(type, placed(body as KubeObject, namespace), options);
    if (request.method === 'DELETE')
      return client.deleteCollection(type, listOptions(namespace, query), deleteOptions(body));
  } else {
    const ref = { namespace, name };
    if (request.method === 'GET') return client.get(type, ref);
    if (request.method === 'PUT') return client.update(type, body as KubeObject, options);
    if (request.method === 'DELETE') return client.delete(type, ref, deleteOptions(body));
    if (request.method === 'POST' && subresource) return client.post(type, ref, subresource, body);
    const patch = patchTypes[request.headers['content-type'] ?? ''];
    if (request.method === 'PATCH' && patch) return client.patch(type, ref, { type: patch, body }, options);
  }
  throw new ApiError('MethodNotAllowed', 'the server does not allow this method on the requested resource');
}

async function stream(
  client: FakeClient,
  route: Route,
  query: URLSearchParams,
  response: ServerResponse,
): Promise<void> {
  const gone = new AbortController();
  response.on('close', () => gone.abort());
  const options: WatchOptions = {
    ...listOptions(route.namespace, query),
    allowBookmarks: query.get('allowWatchBookmarks') === 'true',
    signal: gone.signal,
  };
  const begin = (): void => {
    if (!response.headersSent) response.writeHead(200, { 'content-type': 'application/json' }).flushHeaders();
  };
  // A refusal comes at once; without one the client must not wait for the first event.
  const beginning = setImmediate(begin);
  try {
    for await (const event of client.watch(route.type, options)) {
      begin();
      response.write(`${JSON.stringify(event)}\n`);
    }
    response.end();
  } catch (error) {
    clearImmediate(beginning);
    if (!response.headersSent) throw error;
    const refused = error instanceof ApiError ? error : internalError(error);
    response.end(`${JSON.stringify({ type: 'ERROR', object: refused.toStatus() })}\n`);
  }
}

function listOptions(namespace: string | undefined, query: URLSearchParams): ListOptions {
  const text = (name: string): string | undefined => query.get(name) ?? undefined;
  const [labelSelector, fieldSelector, resourceVersion] = [
    'labelSelector',
    'fieldSelector',
    'resourceVersion',
  ].map(text);
  const [limit, from] = [text('limit'), text('continue')];
  return {
    namespace,
    ...(labelSelector && { labelSelector }),
    ...(fieldSelector && { fieldSelector }),
    ...(resourceVersion && { resourceVersion }),
    ...(limit && { limit: Number(limit) }),
    ...(from && { continue: from }),
  };
}

function deleteOptions(body: unknown): DeleteOptions {
  const { dryRun, ...rest } = (body ?? {}) as Omit<DeleteOptions, 'dryRun'> & { dryRun?: string[] };
  return { ...rest, dryRun: dryRun?.includes('All') ?? false };
}

const placed = (object: KubeObject, namespace: string | undefined): KubeObject =>
  namespace ? { ...object, metadata: { ...object.metadata, namespace } } : object;

async function bodyOf(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const text = Buffer.concat(chunks).toString('utf8');
  if (text === '') return undefined;
  try {
    return JSON.parse(text);
  } catch (error) {
    throw badRequest('the body is not JSON', error);
  }
}

function send(response: ServerResponse, code: number, body: unknown): void {
  response.writeHead(code, { 'content-type': 'application/json' });
  response.end(
    JSON.stringify(body ?? { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', code: 200 }),
  );
}

function refuse(response: ServerResponse, error: unknown): void {
  const refused = error instanceof ApiError ? error : internalError(error);
  if (!response.headersSent) send(response, refused.code, refused.toStatus());
}
