/**
 * 1. The HTTPS front of the API: the first stop on the way of one pod. Every request goes
 * connection -> `request.ts` (what) -> `identity.ts` (who, may they) -> `verbs.ts`, `watch.ts`, `podstreams.ts` or
 * `documents.ts` -> answer; every error leaves through `status.ts`.
 *
 * Fastify carries the connection handling; routing is ours, because the paths of the API are data (the resource
 * table), not routes. HTTP/1.1 over TLS only.
 */
import { randomUUID } from 'node:crypto';
import { type IncomingMessage, ServerResponse } from 'node:http';
import type { Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { type FastifyInstance, type FastifyReply, type FastifyRequest, fastify } from 'fastify';
import { ApiError, badRequest } from '../../src/api/errors.js';
import type { Clock } from '../../src/host/clock.js';
import type { Component, Health } from '../../src/host/component.js';
import type { Logger } from '../../src/host/log.js';
import type { Authenticator, Authorizer } from '../auth/auth.js';
import type { Registry } from '../registry/registry.js';
import type { Resource } from '../resources/resource.js';
import { type AgentCredentials, AgentLink } from './agentlink.js';
import { Documents, pageNotFound } from './documents.js';
import { frameMaker, presentationOf } from './encode.js';
import { SharedFrames } from './frames.js';
import type { HealthCheck } from './health.js';
import { Identity } from './identity.js';
import { InFlight } from './inflight.js';
import { watchOptions } from './options.js';
import { isStream, streamLog, tunnel } from './podstreams.js';
import { receiveBody } from './receive.js';
import { parseRequest, type ResourceTarget } from './request.js';
import { RequestScope } from './scope.js';
import { noSuchMethod, noSuchResource, refuseConnection, statusBytes, toApiError } from './status.js';
import { checkRoute, namespaceOf, serveVerb } from './verbs.js';
import { streamWatch } from './watch.js';

/** PEM of the server's own certificate (with its chain) and key, and of the CA that clients must come from. */
export interface ServingCredentials {
  cert: string;
  key: string;
  ca: string;
}

export interface HttpServerOptions {
  registry: Registry;
  authenticator: Authenticator;
  authorizer: Authorizer;
  clock: Clock;
  log: Logger;
  serving: ServingCredentials;
  /** What the master shows agents when it connects to them. */
  agentCredentials: () => AgentCredentials;
  bindAddress: string;
  /** 0 takes any free one; `address()` then says which. */
  port: number;
  /** host:port told to clients in discovery. */
  serverAddress: string;
  healthChecks?: readonly HealthCheck[];
  metrics?: () => string;
}

const gzipAsync = promisify(gzip);
const gzipFromBytes = 128 * 1024;

/** Longest a stop waits for requests under way. */
const drainMs = 10_000;

/** Watches without a time limit end after 30 to 60 minutes, as in Kubernetes, so that clients spread anew. */
const watchLimitSeconds = { least: 1800, spread: 1800 };

const connectionLimits = {
  maxHeaderSize: 64 * 1024,
  headersTimeout: 20_000,
  /** For the whole request to arrive. */
  requestTimeout: 60_000,
  /** Longer than the idle time of common clients, so that they close first. */
  keepAliveTimeout: 120_000,
  keepAlive: true,
  keepAliveInitialDelay: 30_000,
  noDelay: true,
};

/** What the hooks of one request leave for its handler. */
interface Admitted {
  requestId: string;
  scope: RequestScope;
}

export class HttpServer implements Component {
  readonly name = 'http';
  readonly #options: HttpServerOptions;
  readonly #app: FastifyInstance<Server>;
  readonly #rows: ReadonlyMap<string, Resource>;
  readonly #identity: Identity;
  readonly #documents: Documents;
  readonly #link: AgentLink;
  readonly #frames = new SharedFrames();
  readonly #inFlight = new InFlight();
  readonly #admitted = new WeakMap<IncomingMessage, Admitted>();
  /** Requests that end only when somebody ends them: watches, logs, exec. */
  readonly #streams = new Set<RequestScope>();
  #active = 0;
  #state: 'new' | 'serving' | 'draining' = 'new';

  constructor(options: HttpServerOptions) {
    this.#options = options;
    const { registry, serving } = options;
    this.#rows = new Map(registry.resources.map((row) => [rowKey(row.type), row]));
    this.#identity = new Identity(options);
    this.#link = new AgentLink(options.agentCredentials);
    this.#documents = new Documents({
      resources: registry.resources,
      serverAddress: options.serverAddress,
      checks: [
        { name: 'ping', check: () => ({ ok: true, reason: '' }) },
        this.#readiness(),
        ...(options.healthChecks ?? []),
      ],
      metrics: options.metrics,
    });
    this.#app = fastify<Server>({
      https: {
        ...serving,
        ...connectionLimits,
        requestCert: true,
        rejectUnauthorized: false,
        minVersion: 'TLSv1.2',
      },
      keepAliveTimeout: connectionLimits.keepAliveTimeout,
      requestTimeout: connectionLimits.requestTimeout,
      exposeHeadRoutes: false,
      clientErrorHandler: refuseConnection,
      logger: false,
      // The path is parsed by `request.ts` from `originalUrl`; the router must not look at it.
      rewriteUrl: () => '/',
    }) as unknown as FastifyInstance<Server>;
    this.#wire();
  }

  async start(): Promise<void> {
    const { bindAddress: host, port } = this.#options;
    await this.#app.listen({ host, port });
    this.#state = 'serving';
  }

  /**
   * No new requests; those under way may finish, streams end; then every connection is closed. The listener goes last:
   * closing it also closes connections whose answer is written but not yet sent.
   */
  async stop(): Promise<void> {
    if (this.#state !== 'serving') return;
    this.#state = 'draining';
    for (const scope of this.#streams) scope.abort();
    const { clock } = this.#options;
    const limit = clock.monotonicMs() + drainMs;
    const patience = new AbortController();
    while (this.#active > 0 && clock.monotonicMs() < limit) await clock.sleep(10, patience.signal);
    this.#app.server.closeAllConnections();
    this.#link.close();
    await this.#app.close();
  }

  healthy(): Health {
    return this.#state === 'serving'
      ? { ok: true, reason: '' }
      : { ok: false, reason: `the listener is ${this.#state}` };
  }

  /** Where it listens; only after `start`. */
  address(): AddressInfo {
    return this.#app.server.address() as AddressInfo;
  }

  /** New connections use the renewed certificate. */
  renew(serving: ServingCredentials): void {
    this.#app.server.setSecureContext(serving);
  }

  #readiness(): HealthCheck {
    return { name: 'shutdown', readyOnly: true, check: () => this.healthy() };
  }

  #wire(): void {
    const app = this.#app;
    app.removeAllContentTypeParsers();
    app.addContentTypeParser('*', (_request: FastifyRequest, payload: IncomingMessage) =>
      receiveBody(payload),
    );
    app.addHook('onRequest', (request, reply) => this.#admit(request, reply));
    app.setErrorHandler((error, request, reply) => this.#refuse(error, request, reply));
    app.setNotFoundHandler((request, reply) => this.#refuse(noSuchMethod(), request, reply));
    app.route({
      method: ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'],
      url: '/',
      handler: (request, reply) => this.#handle(request, reply),
    });
    app.server.on('upgrade', (raw: IncomingMessage, socket: Duplex, head: Buffer) => {
      socket.on('error', () => socket.destroy());
      void this.#upgrade(raw, socket, head);
    });
  }

  async #admit(request: FastifyRequest, reply: FastifyReply): Promise<void> {
    const { raw } = request;
    if (this.#state === 'draining') {
      void reply.header('connection', 'close');
      throw new ApiError('ServiceUnavailable', 'the server is shutting down', { retryAfterSeconds: 1 });
    }
    const requestId = requestIdOf(raw);
    void reply.headers({ 'audit-id': requestId, 'cache-control': 'no-cache, private' });
    const scope = await this.#identify(raw, reply.raw, request.originalUrl);
    this.#admitted.set(raw, { requestId, scope });
    this.#active++;
    reply.raw.once('close', () => this.#active--);
  }

  async #identify(
    raw: IncomingMessage,
    connection: ServerResponse | Duplex,
    url: string,
  ): Promise<RequestScope> {
    const info = parseRequest(raw.method ?? 'GET', url);
    const user = await this.#identity.admit(raw, info);
    return new RequestScope({ info, user, connection, userAgent: raw.headers['user-agent'] });
  }

  async #handle(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
    const scope = this.#admitted.get(request.raw)?.scope;
    if (!scope) throw noSuchResource();
    const { target, verb } = scope.info;
    if (!target) return this.#sendDocument(request, reply, scope);
    const resource = this.#rows.get(rowKey(target));
    if (!resource) {
      if (this.#documents.discovery.hasVersion(target.group, target.version)) throw noSuchResource();
      return reply.code(404).type(pageNotFound.contentType).send(pageNotFound.body);
    }
    checkRoute(resource, target, verb);
    if (isStream(target)) throw badRequest('Upgrade request required');
    if (verb === 'watch') return this.#watch(request, reply, resource, scope);
    if (target.resource === 'pods' && target.subresource === 'log') return this.#log(reply, target, scope);
    this.#inFlight.enter(scope.user.name);
    try {
      return await this.#serve(request, reply, resource, scope);
    } finally {
      this.#inFlight.leave(scope.user.name);
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
    const { target } = scope.info;
    if (!target) throw noSuchResource();
    const answer = await serveVerb({
      registry,
      resource,
      target,
      scope,
      body: request.body as Buffer | undefined,
      contentType: headers['content-type'],
      how: presentationOf(headers.accept, scope.info.query, headers['user-agent']),
      now: clock.now(),
    });
    const warnings = scope.warningHeaders();
    if (warnings.length > 0) void reply.header('warning', warnings);
    void reply.code(answer.code).header('content-type', 'application/json');
    return this.#sendBody(request, reply, answer.body);
  }

  async #sendBody(
    request: FastifyRequest,
    reply: FastifyReply,
    body: Buffer | string,
  ): Promise<FastifyReply> {
    if (body.length <= gzipFromBytes || !/\bgzip\b/.test(String(request.headers['accept-encoding'] ?? ''))) {
      return reply.send(body);
    }
    void reply.headers({ 'content-encoding': 'gzip', vary: 'Accept-Encoding' });
    return reply.send(await gzipAsync(body, { level: 1 }));
  }

  async #sendDocument(
    request: FastifyRequest,
    reply: FastifyReply,
    scope: RequestScope,
  ): Promise<FastifyReply> {
    const { code, contentType, body } = this.#documents.answer(scope.info, request.headers.accept);
    void reply.code(code).header('content-type', contentType);
    return this.#sendBody(request, reply, body);
  }

  async #watch(
    request: FastifyRequest,
    reply: FastifyReply,
    resource: Resource,
    scope: RequestScope,
  ): Promise<FastifyReply> {
    const { registry, clock } = this.#options;
    const { info } = scope;
    const how = presentationOf(request.headers.accept, info.query, undefined);
    const options = watchOptions(info.query, info.target && namespaceOf(resource, info.target));
    const { least, spread } = watchLimitSeconds;
    options.timeoutSeconds ??= least + Math.floor(Math.random() * spread);
    await this.#stream(reply, scope, () =>
      streamWatch({
        response: reply.raw,
        headers: { ...plainHeaders(reply), 'content-type': 'application/json' },
        events: registry.watch(resource, options, scope),
        makeFrame: frameMaker(resource, how, (event) => this.#frames.of(resource, event)),
        toApiError: (error) => this.#toApiError(error, request.raw),
        clock,
      }),
    );
    return reply;
  }

  async #log(reply: FastifyReply, target: ResourceTarget, scope: RequestScope): Promise<FastifyReply> {
    const streams = { registry: this.#options.registry, link: this.#link };
    await this.#stream(reply, scope, () => streamLog(streams, target, scope, reply.raw));
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

  async #refuse(error: unknown, request: FastifyRequest, reply: FastifyReply): Promise<void> {
    const refusal = this.#toApiError(error, request.raw);
    const retryAfter = refusal.details?.retryAfterSeconds;
    if (retryAfter !== undefined) void reply.header('retry-after', String(retryAfter));
    await reply
      .code(refusal.code)
      .header('content-type', 'application/json')
      .send(statusBytes(refusal.toStatus()));
  }

  #toApiError(error: unknown, raw: IncomingMessage): ApiError {
    const admitted = this.#admitted.get(raw);
    const path = admitted?.scope.info.path ?? '';
    return toApiError(error, {
      log: this.#options.log,
      requestId: admitted?.requestId ?? '',
      method: raw.method ?? '',
      path,
    });
  }

  async #upgrade(raw: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    let scope: RequestScope | undefined;
    try {
      scope = await this.#identify(raw, socket, raw.url ?? '/');
      this.#streams.add(scope);
      this.#active++;
      const { target } = scope.info;
      const resource = target && this.#rows.get(rowKey(target));
      if (!target || !resource?.subresources.includes(target.subresource) || !isStream(target))
        throw noSuchResource();
      await tunnel({ registry: this.#options.registry, link: this.#link }, target, scope, raw, {
        socket,
        head,
      });
    } catch (error) {
      refuseUpgrade(raw, socket, this.#toApiError(error, raw));
    } finally {
      if (scope && this.#streams.delete(scope)) this.#active--;
    }
  }
}

const rowKey = (row: { group: string; version: string; resource: string }): string =>
  `${row.group}/${row.version}/${row.resource}`;

/** A client may name its own request, as long as the name is harmless in headers and logs. */
function requestIdOf(raw: IncomingMessage): string {
  const given = raw.headers['audit-id'];
  return typeof given === 'string' && /^[\w-]{1,64}$/.test(given) ? given : randomUUID();
}

const plainHeaders = (reply: FastifyReply): Record<string, string> =>
  Object.fromEntries(Object.entries(reply.getHeaders()).map(([name, value]) => [name, String(value)]));

/** An upgrade that fails is answered like any other request, on the socket it came in on. */
function refuseUpgrade(raw: IncomingMessage, socket: Duplex, refusal: ApiError): void {
  if (socket.destroyed) return;
  const response = new ServerResponse(raw);
  response.assignSocket(socket as never);
  const body = statusBytes(refusal.toStatus());
  response.writeHead(refusal.code, {
    'content-type': 'application/json',
    'content-length': body.length,
    connection: 'close',
  });
  response.end(body, () => socket.end());
}
