/**
 * 1. Where an admitted request goes: a document, a verb of the registry, a watch, a log, or a tunnel to an agent. Called
 * by `server.ts`, which has settled who asks and turns whatever is thrown here into a `Status`.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { type ApiError, badRequest } from '../../src/api/errors.js';
import type { Clock } from '../../src/host/clock.js';
import { connectOptions } from '../admission/connect.js';
import type { Aggregator } from '../aggregation/aggregator.js';
import type { Registry } from '../registry/registry.js';
import type { Resource } from '../resources/resource.js';
import type { AgentLink } from './agentlink.js';
import type { Backends } from './backends.js';
import { type Documents, pageNotFound } from './documents.js';
import { contentTypeOf, frameMaker, presentationOf } from './encode.js';
import { SharedFrames } from './frames.js';
import { InFlight, isUrgent } from './inflight.js';
import { watchOptions } from './options.js';
import { Outgoing, smallBytes } from './outgoing.js';
import { isStream, streamLog, tunnel } from './podstreams.js';
import { isProxy, serveProxy, upgradeProxy } from './proxy.js';
import type { RequestInfo, ResourceTarget } from './request.js';
import type { RequestScope } from './scope.js';
import { noSuchResource } from './status.js';
import { checkRoute, namespaceOf, serveVerb } from './verbs.js';
import { streamWatch } from './watch.js';
import { type StreamResponse, WebSocketResponse, wantsWebSocket } from './websocket.js';

interface WatchRequest {
  request: IncomingMessage;
  response: StreamResponse;
  headers: Record<string, string>;
}

export interface DispatcherOptions {
  registry: Registry;
  clock: Clock;
  link: AgentLink;
  backends: Backends;
  documents: Documents;
  aggregator: Aggregator | undefined;
  /** How an error in the middle of a stream is worded. */
  toApiError(error: unknown, raw: IncomingMessage): ApiError;
}

const gzipAsync = promisify(gzip);
const gzipFromBytes = 128 * 1024;

/** Watches without a time limit end after 30 to 60 minutes, as in Kubernetes, so that clients spread anew. */
const watchLimitSeconds = { least: 1800, spread: 1800 };

export class Dispatcher {
  readonly #options: DispatcherOptions;
  readonly #frames = new SharedFrames();
  readonly #inFlight = new InFlight();
  readonly #outgoing = new Outgoing();
  /** Requests that end only when somebody ends them: watches, logs, exec. */
  readonly #streams = new Set<RequestScope>();

  constructor(options: DispatcherOptions) {
    this.#options = options;
    options.registry.resources.onChange(() => this.#endWatchesOfGoneKinds());
  }

  #rowOf({ group, version, resource }: ResourceTarget): Resource | undefined {
    return this.#options.registry.resources.at(group, version, resource);
  }

  /** A kind that is gone has nothing more to tell. */
  #endWatchesOfGoneKinds(): void {
    for (const scope of this.#streams) {
      const { target } = scope.info;
      if (target && !this.#rowOf(target) && !this.#options.aggregator?.serves(scope.info)) scope.abort();
    }
  }

  endStreams(): void {
    for (const scope of this.#streams) scope.abort();
  }

  async handle(request: FastifyRequest, reply: FastifyReply, scope: RequestScope): Promise<FastifyReply> {
    const { target, verb } = scope.info;
    if (!target) return this.#sendDocument(request, reply, scope);
    const resource = this.#rowOf(target);
    if (!resource) {
      if (this.#options.documents.discovery.hasVersion(target.group, target.version)) throw noSuchResource();
      return reply.code(404).type(pageNotFound.contentType).send(pageNotFound.body);
    }
    checkRoute(resource, target, verb);
    if (isStream(target)) throw badRequest('Upgrade request required');
    if (verb === 'watch') return this.#watch(request, reply, resource, scope);
    if (target.resource === 'pods' && target.subresource === 'log') return this.#log(reply, target, scope);
    if (isUrgent(scope.user, target)) return this.#serve(request, reply, resource, scope);
    const turn = this.#inFlight.enter(scope.user);
    if (turn !== undefined) await turn;
    try {
      return await this.#serve(request, reply, resource, scope);
    } finally {
      this.#inFlight.leave(scope.user);
    }
  }

  async #serve(
    request: FastifyRequest,
    reply: FastifyReply,
    resource: Resource,
    scope: RequestScope,
  ): Promise<FastifyReply> {
    const { registry, clock } = this.#options;
    const { headers } = request.raw;
    const { target, verb } = scope.info;
    if (!target) throw noSuchResource();
    if (verb === 'list') this.#outgoing.check(scope.user.name);
    const how = presentationOf(headers.accept, scope.info.query, headers['user-agent']);
    const answer = await serveVerb({
      registry,
      resource,
      target,
      scope,
      body: request.body as Buffer | undefined,
      contentType: headers['content-type'],
      how,
      now: clock.now(),
    });
    scope.record?.responseBody(answer.body);
    if (resource.deprecation !== undefined) scope.warn(resource.deprecation);
    const warnings = scope.warningHeaders();
    if (warnings.length > 0) void reply.header('warning', warnings);
    void reply.code(answer.code).header('content-type', contentTypeOf(how));
    return this.#sendBody(request, reply, scope, answer.body);
  }

  async #sendBody(
    request: FastifyRequest,
    reply: FastifyReply,
    { user }: RequestScope,
    whole: Buffer | string,
  ): Promise<FastifyReply> {
    let body = whole;
    if (body.length > gzipFromBytes && /\bgzip\b/.test(String(request.headers['accept-encoding'] ?? ''))) {
      void reply.headers({ 'content-encoding': 'gzip', vary: 'Accept-Encoding' });
      body = await gzipAsync(body, { level: 1 });
    }
    if (body.length <= smallBytes || typeof body === 'string' || request.method === 'HEAD')
      return reply.send(body);
    void reply.header('content-length', body.length);
    return reply.send(this.#outgoing.send(user.name, body, reply.raw));
  }

  async #sendDocument(
    request: FastifyRequest,
    reply: FastifyReply,
    scope: RequestScope,
  ): Promise<FastifyReply> {
    const answer = this.#options.documents.answer(scope.info, request.headers.accept);
    const { code, contentType, body } = answer instanceof Promise ? await answer : answer;
    void reply.code(code).header('content-type', contentType);
    return this.#sendBody(request, reply, scope, body);
  }

  async #watch(
    request: FastifyRequest,
    reply: FastifyReply,
    resource: Resource,
    scope: RequestScope,
  ): Promise<FastifyReply> {
    const headers = { ...plainHeaders(reply), 'content-type': 'application/json' };
    await this.#stream(reply, scope, () =>
      this.#streamWatch({ request: request.raw, response: reply.raw, headers }, resource, scope),
    );
    return reply;
  }

  #streamWatch(
    { request, response, headers }: WatchRequest,
    resource: Resource,
    scope: RequestScope,
  ): Promise<void> {
    const { registry, clock } = this.#options;
    const { info } = scope;
    const how = presentationOf(request.headers.accept, info.query, undefined);
    const options = watchOptions(info.query, info.target && namespaceOf(resource, info.target));
    const { least, spread } = watchLimitSeconds;
    options.timeoutSeconds ??= least + Math.floor(Math.random() * spread);
    return streamWatch({
      ...{ response, headers, clock },
      events: registry.watch(resource, options, scope),
      makeFrame: frameMaker(resource, how, (event) => this.#frames.of(resource, event)),
      toApiError: (error) => this.#options.toApiError(error, request),
    });
  }

  /** A log or a watch for a client that asked for a WebSocket. */
  async #overWebSocket(
    scope: RequestScope,
    raw: IncomingMessage,
    client: { socket: Duplex; head: Buffer },
  ): Promise<void> {
    const { target, verb } = scope.info;
    const resource = target && this.#rowOf(target);
    if (!target || !resource) throw noSuchResource();
    checkRoute(resource, target, verb);
    const response = new WebSocketResponse(raw, client, verb === 'watch' ? 'events' : 'bytes');
    this.#streams.add(scope);
    try {
      if (verb === 'watch') await this.#streamWatch({ request: raw, response, headers: {} }, resource, scope);
      else await streamLog(this.#options, target, scope, response);
    } finally {
      this.#streams.delete(scope);
    }
  }

  async #log(reply: FastifyReply, target: ResourceTarget, scope: RequestScope): Promise<FastifyReply> {
    await this.#stream(reply, scope, () => streamLog(this.#options, target, scope, reply.raw));
    return reply;
  }

  /** Runs what writes to the raw response; fastify keeps out of it from the first byte on. */
  async #stream(reply: FastifyReply, scope: RequestScope, run: () => Promise<void>): Promise<void> {
    this.#streams.add(scope);
    try {
      await run();
      reply.hijack();
    } finally {
      this.#streams.delete(scope);
    }
  }

  /** A request for something behind a proxy: its body has not been read, its answer is not ours. */
  async proxy(
    scope: RequestScope,
    client: { raw: IncomingMessage; url: string; response: ServerResponse },
  ): Promise<void> {
    const { aggregator } = this.#options;
    const { target } = scope.info;
    const isRemote = aggregator?.serves(scope.info) ?? false;
    if (!isRemote && !(target && this.#rowOf(target)?.subresources.includes('proxy'))) throw noSuchResource();
    this.#streams.add(scope);
    try {
      if (isRemote) await aggregator?.serve(scope, client);
      else {
        await this.#admitConnection(scope);
        await serveProxy(this.#options, scope, client);
      }
    } finally {
      this.#streams.delete(scope);
    }
  }

  /** Rejects when admission does not want the connection. */
  async #admitConnection(scope: RequestScope): Promise<void> {
    const { target, query } = scope.info;
    const resource = target && this.#rowOf(target);
    if (!resource) return;
    const { namespace, name = '', subresource } = target;
    const ref = resource.type.namespaced ? { namespace, name } : { name };
    await this.#options.registry.connect(resource, ref, subresource, connectOptions(target, query), scope);
  }

  /** A request that asked for another protocol; resolves when the tunnel has ended. */
  async upgrade(
    scope: RequestScope,
    raw: IncomingMessage,
    client: { socket: Duplex; head: Buffer; respond(): ServerResponse },
  ): Promise<void> {
    const { aggregator } = this.#options;
    const { target } = scope.info;
    const isRemote = aggregator?.serves(scope.info) ?? false;
    const resource = target && this.#rowOf(target);
    if (!isRemote && target && resource && wantsWebSocket(raw) && isOneWay(scope.info))
      return this.#overWebSocket(scope, raw, client);
    if (!isRemote && (!target || !resource?.subresources.includes(target.subresource)))
      throw noSuchResource();
    this.#streams.add(scope);
    try {
      if (isRemote) {
        await aggregator?.upgrade(scope, raw, client);
        return;
      }
      await this.#admitConnection(scope);
      if (isProxy(target)) await upgradeProxy(this.#options, scope, raw, client);
      else if (target && isStream(target)) await tunnel(this.#options, target, scope, raw, client);
      else throw noSuchResource();
    } finally {
      this.#streams.delete(scope);
    }
  }
}

/** What a WebSocket may carry besides the two-way streams. */
const isOneWay = ({ target, verb }: RequestInfo): boolean =>
  verb === 'watch' ||
  (verb === 'get' && target?.group === '' && target.resource === 'pods' && target.subresource === 'log');

const plainHeaders = (reply: FastifyReply): Record<string, string> =>
  Object.fromEntries(Object.entries(reply.getHeaders()).map(([name, value]) => [name, String(value)]));
