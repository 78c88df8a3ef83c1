/**
 * 4. The HTTPS transport of `Client`: JSON over undici, one line per watch event. Called by the agent, the CLI and
 * controllers outside the master.
 *
 * Whatever goes wrong is an `ApiError`: a `Status` body becomes the error it was made from; no answer at all becomes
 * `ServiceUnavailable` with the cause kept; an abort of the caller's signal becomes `Timeout`.
 */
import type { Dispatcher } from 'undici';
import { ApiError, type Status } from '../api/errors.js';
import { apiVersionOf, type ResourceType } from '../api/kinds.js';
import { patchTypes } from '../api/patch/patch.js';
import type { KubeObject, List, WatchEvent } from '../api/types.js';
import type { CallOptions, Client, DeleteOptions, ObjectEvent, WatchOptions } from './client.js';
import { linesOf } from './lines.js';
import { listQuery, pathOf, type Query, queryOf, watchQuery, writeQuery } from './paths.js';
import { type Credentials, createTransport, type Request, type Transport } from './transport.js';

export interface RestClientOptions extends Credentials {
  /** `https://host:port`. */
  server: string;
  /** Instead of fixed ones: asked before every request, so that they may be replaced at run time. */
  credentials?: () => Credentials;
  /** 30 s by default. */
  callTimeoutMs?: number;
  /** 75 s by default: a server sends a bookmark a minute. */
  watchIdleMs?: number;
  userAgent?: string;
}

export interface RestClient extends Client {
  /** Breaks what is under way and closes all connections. */
  close(): Promise<void>;
}

/** One event of a watch; objects are at most 3 MB, and a line carries one. */
const maxLineBytes = 16 * 1024 * 1024;

export function createRestClient(options: RestClientOptions): RestClient {
  const transport = createTransport({
    server: options.server,
    credentials: options.credentials ?? (() => options),
    callTimeoutMs: options.callTimeoutMs ?? 30_000,
    watchIdleMs: options.watchIdleMs ?? 75_000,
  });
  const call = createCaller(transport, {
    accept: 'application/json',
    'user-agent': options.userAgent ?? 'wherry',
  });

  return {
    get: (type, ref, o = {}) => call.json('GET', pathOf(type, ref), {}, undefined, o),
    async list<T extends KubeObject>(type: ResourceType<T>, o = {}) {
      const list = await call.json<List<T>>('GET', pathOf(type, o), listQuery(o), undefined, o);
      return { ...list, items: (list.items ?? []).map((item) => withKind(type, item)) };
    },
    create(type, object, o = {}) {
      const path = pathOf(type, { namespace: object.metadata.namespace });
      return call.json('POST', path, writeQuery(o), withKind(type, object), o);
    },
    update(type, object, o = {}) {
      const { namespace, name } = object.metadata;
      const path = pathOf(type, { namespace, name, subresource: o.subresource });
      return call.json('PUT', path, writeQuery(o), withKind(type, object), o);
    },
    patch(type, ref, patch, o = {}) {
      const path = pathOf(type, { ...ref, subresource: o.subresource });
      return call.json('PATCH', path, writeQuery(o), patch.body, o, patchTypes[patch.type]);
    },
    post: (type, ref, subresource, body, o = {}) =>
      call.json('POST', pathOf(type, { ...ref, subresource }), {}, body, o),
    async delete(type, ref, o = {}) {
      await call.json('DELETE', pathOf(type, ref), {}, deleteBody(o), o);
    },
    async deleteCollection(type, list, o = {}) {
      await call.json('DELETE', pathOf(type, list), listQuery(list), deleteBody(o), o);
    },
    watch: (type, o) => call.watch(type, o),
    close: () => transport.close(),
  };
}

function withKind<T extends KubeObject>(type: ResourceType<T>, object: T): T {
  return object.kind && object.apiVersion
    ? object
    : { ...object, apiVersion: apiVersionOf(type), kind: type.kind };
}

const deleteBody = ({
  gracePeriodSeconds,
  propagationPolicy,
  preconditions,
  dryRun,
}: DeleteOptions): unknown => ({
  kind: 'DeleteOptions',
  apiVersion: 'v1',
  ...(gracePeriodSeconds !== undefined && { gracePeriodSeconds }),
  ...(propagationPolicy !== undefined && { propagationPolicy }),
  ...(preconditions !== undefined && { preconditions }),
  ...(dryRun && { dryRun: ['All'] }),
});

function createCaller(transport: Transport, commonHeaders: Record<string, string>) {
  async function send(kind: 'call' | 'watch', request: Request): Promise<Dispatcher.ResponseData> {
    const headers = { ...commonHeaders, ...request.headers };
    const response = await transport.send(kind, { ...request, headers });
    if (response.statusCode >= 400) throw refusal(await response.body.text(), response.statusCode);
    return response;
  }

  async function json<R>(
    method: Dispatcher.HttpMethod,
    path: string,
    query: Query,
    body: unknown,
    { signal }: CallOptions,
    contentType = 'application/json',
  ): Promise<R> {
    const headers: Record<string, string> = body === undefined ? {} : { 'content-type': contentType };
    const text = body === undefined ? undefined : JSON.stringify(body);
    try {
      const response = await send('call', {
        method,
        path: path + queryOf(query),
        headers,
        body: text,
        signal,
      });
      return (await response.body.json()) as R;
    } catch (error) {
      throw asApiError(error, signal);
    }
  }

  async function* watch<T extends KubeObject>(
    type: ResourceType<T>,
    options: WatchOptions,
  ): AsyncIterable<ObjectEvent<T>> {
    const { signal } = options;
    const path = pathOf(type, options) + queryOf(watchQuery(options));
    let body: Dispatcher.ResponseData['body'] | undefined;
    try {
      body = (await send('watch', { method: 'GET', path, headers: {}, signal })).body;
      for await (const line of linesOf(body, maxLineBytes)) {
        const event = JSON.parse(line) as WatchEvent<T>;
        if (event.type === 'ERROR') throw ApiError.fromStatus(event.object, event.object.code);
        yield event;
      }
    } catch (error) {
      if (signal?.aborted) return;
      throw asApiError(error, signal);
    } finally {
      // Also when the consumer leaves its loop: the connection must not stay open.
      body?.on('error', ignoreAfterEnd).destroy();
    }
  }

  return { json, watch };
}

/** Destroying a half-read body makes undici report that it was aborted; nobody waits for it any more. */
const ignoreAfterEnd = (): void => undefined;

function refusal(text: string, httpCode: number): ApiError {
  return ApiError.fromStatus(parseStatus(text), httpCode);
}

function parseStatus(text: string): Partial<Status> {
  try {
    const body = JSON.parse(text) as Partial<Status>;
    if (body.kind === 'Status') return body;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  return text.trim() === '' ? {} : { message: text.trim().slice(0, 1_000) };
}

function asApiError(error: unknown, signal: AbortSignal | undefined): ApiError {
  if (error instanceof ApiError) return error;
  if (signal?.aborted)
    return new ApiError('Timeout', 'the call was aborted', undefined, { cause: signal.reason });
  const text = error instanceof Error ? error.message : String(error);
  return new ApiError('ServiceUnavailable', `the server could not be reached: ${text}`, undefined, {
    cause: error,
  });
}
