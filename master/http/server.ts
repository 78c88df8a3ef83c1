/**
 * 1. The HTTPS front of the API: the first stop on the way of one pod. Every request goes
 * connection -> `request.ts` (what) -> `identity.ts` (who, may they) -> `dispatch.ts` -> `verbs.ts`, `watch.ts`,
 * `podstreams.ts` or `documents.ts` -> answer; every error leaves through `status.ts`.
 *
 * Fastify carries the connection handling; routing is ours, because the paths of the API are data (the resource
 * table), not routes. HTTP/1.1 over TLS only.
 */
import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { ApiError, badRequest } from '../../src/api/errors.js';
import type { Component, Health } from '../../src/host/component.js';
import type { Aggregator } from '../aggregation/aggregator.js';
import { createRemoteKinds } from '../aggregation/remotekinds.js';
import { type AuditLog, recordOf } from '../audit/log.js';
import type { Authenticator, Authorizer } from '../auth/auth.js';
import type { RequestStats } from '../metrics/requests.js';
import type { Registry } from '../registry/registry.js';
import { type AgentCredentials, AgentLink } from './agentlink.js';
import { Backends } from './backends.js';
import { Dispatcher } from './dispatch.js';
import { Documents, type MoreDocuments } from './documents.js';
import type { HealthCheck } from './health.js';
import { anonymous, Identity } from './identity.js';
import {
  askForBody,
  hasTooManyHeaders,
  isAnswering,
  Listener,
  type ListenerOptions,
  type ServingCredentials,
} from './listener.js';
import { isShort, Patience } from './patience.js';
import { isProxy } from './proxy.js';
import { receiveBody } from './receive.js';
import { parseRequest } from './request.js';
import { RequestScope } from './scope.js';
import { noSuchMethod, noSuchResource, statusBytes, toApiError } from './status.js';
import { refuse, serveUpgrade } from './upgrade.js';

export interface HttpServerOptions extends ListenerOptions {
  registry: Registry;
  authenticator: Authenticator;
  authorizer: Authorizer;
  /** Where requests without credentials may go; to health and version by default. */
  anonymousPaths?: ReadonlySet<string> | undefined;
  /** What the master shows agents when it connects to them. */
  agentCredentials: () => AgentCredentials;
  bindAddress: string;
  /** 0 takes any free one; `address()` then says which. */
  port: number;
  /** host:port told to clients in discovery. */
  serverAddress: string;
  healthChecks?: readonly HealthCheck[];
  /** Serves the groups that APIServices give to others. */
  aggregator?: Aggregator;
  /** Told of every admitted request. */
  requests?: Pick<RequestStats, 'begin' | 'end'>;
  /** Told of every request, admitted or not; absent when nobody wants it written down. */
  audit?: AuditLog | undefined;
  /** Documents beyond those of the API, by path. */
  documents?: MoreDocuments;
  /** As `readDescriptions` reads them. */
  descriptions?: Buffer | undefined;
}

/** Longest a stop waits for requests under way. */
const drainMs = 10_000;

/** What the hooks of one request leave on it for its handler; a WeakMap would cost every garbage collection. */
const admitted = Symbol('admitted');

interface AdmittedMessage extends IncomingMessage {
  [admitted]?: { requestId: string; scope: RequestScope };
}

export class HttpServer implements Component {
  readonly name = 'http';
  readonly #options: HttpServerOptions;
  readonly #listener: Listener;
  readonly #identity: Identity;
  readonly #dispatcher: Dispatcher;
  readonly #link: AgentLink;
  readonly #backends: Backends;
  readonly #patience: Patience;
  #active = 0;
  #state: 'new' | 'serving' | 'draining' = 'new';

  constructor(options: HttpServerOptions) {
    this.#options = options;
    const { registry } = options;
    this.#listener = new Listener(options);
    this.#identity = new Identity({
      ...options,
      certificates: this.#listener.certificates,
      frontProxy: options.frontProxy?.(),
    });
    this.#link = new AgentLink(options.agentCredentials);
    this.#backends = new Backends({ registry, link: this.#link });
    const documents = new Documents({
      resources: registry.resources,
      serverAddress: options.serverAddress,
      checks: [
        { name: 'ping', check: () => ({ ok: true, reason: '' }) },
        this.#readiness(),
        ...(options.healthChecks ?? []),
      ],
      descriptions: options.descriptions,
      more: options.documents,
      remotes: options.aggregator && createRemoteKinds(options.aggregator.discovered),
    });
    this.#dispatcher = new Dispatcher({
      registry,
      clock: options.clock,
      link: this.#link,
      backends: this.#backends,
      documents,
      aggregator: options.aggregator,
      toApiError: (error, raw) => this.#toApiError(error, raw),
    });
    const { guard } = this.#listener;
    this.#patience = new Patience(options.clock, (why, address) => guard.wasCut(why, address));
    this.#wire();
  }

  async start(): Promise<void> {
    const { bindAddress: host, port } = this.#options;
    await this.#listener.app.listen({ host, port });
    this.#state = 'serving';
  }

  /**
   * No new requests; those under way may finish, streams end; then every connection is closed. The listener goes last:
   * closing it also closes connections whose answer is written but not yet sent.
   */
  async stop(): Promise<void> {
    if (this.#state !== 'serving') return;
    this.#state = 'draining';
    this.#dispatcher.endStreams();
    const { clock } = this.#options;
    const limit = clock.monotonicMs() + drainMs;
    const patience = new AbortController();
    while (this.#active > 0 && clock.monotonicMs() < limit) await clock.sleep(10, patience.signal);
    const { app, guard } = this.#listener;
    guard.close();
    this.#patience.stop();
    app.server.closeAllConnections();
    this.#link.close();
    this.#backends.close();
    await app.close();
  }

  healthy(): Health {
    return this.#state === 'serving'
      ? { ok: true, reason: '' }
      : { ok: false, reason: `the listener is ${this.#state}` };
  }

  /** Where it listens; only after `start`. */
  address(): AddressInfo {
    return this.#listener.app.server.address() as AddressInfo;
  }

  /** New connections use the renewed certificate; what was shown on others is judged anew. */
  renew(serving: ServingCredentials): void {
    this.#listener.renew(serving);
  }

  #readiness(): HealthCheck {
    return { name: 'shutdown', readyOnly: true, check: () => this.healthy() };
  }

  #wire(): void {
    const { app } = this.#listener;
    app.removeAllContentTypeParsers();
    app.addContentTypeParser('*', (request: FastifyRequest, payload: IncomingMessage) => {
      askForBody(request.raw);
      return receiveBody(payload);
    });
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
      // No honest client asks for another protocol before it has heard what it asked for earlier.
      if (isAnswering(socket)) socket.destroy();
      else void this.#upgrade(raw, socket, head);
    });
  }

  async #admit(request: FastifyRequest, reply: FastifyReply): Promise<void> {
    const { raw } = request;
    if (this.#state === 'draining') {
      void reply.header('connection', 'close');
      throw new ApiError('ServiceUnavailable', 'the server is shutting down', { retryAfterSeconds: 1 });
    }
    this.#patience.begin(raw, reply.raw);
    const requestId = requestIdOf(raw);
    void reply.headers({ 'audit-id': requestId, 'cache-control': 'no-cache, private' });
    this.#options.audit?.open(raw, request.originalUrl, requestId).follow(reply.raw);
    if (hasTooManyHeaders(raw)) throw badRequest('the request has too many headers');
    const scope = await this.#identify(raw, reply.raw, request.originalUrl);
    (raw as AdmittedMessage)[admitted] = { requestId, scope };
    this.#begin(scope);
    const beganMs = performance.now();
    reply.raw.once('close', () => this.#end(scope, reply.raw.statusCode, beganMs));
    const isRelayed = isProxy(scope.info.target) || this.#options.aggregator?.serves(scope.info);
    if (isRelayed || !isShort(scope.info)) this.#patience.release(raw);
    if (!isRelayed) return;
    // Before fastify reads the body: it goes on as it comes, however long it is.
    reply.hijack();
    reply.raw.setHeader('audit-id', requestId);
    askForBody(raw);
    void this.#proxy({ raw, url: request.originalUrl, response: reply.raw }, scope);
  }

  #begin({ info }: RequestScope): void {
    this.#active++;
    this.#options.requests?.begin(info);
  }

  #end({ info }: RequestScope, code: number, beganMs: number): void {
    this.#active--;
    this.#options.requests?.end(info, code, performance.now() - beganMs);
  }

  async #proxy(
    client: { raw: IncomingMessage; url: string; response: ServerResponse },
    scope: RequestScope,
  ): Promise<void> {
    const { raw, response } = client;
    try {
      await this.#dispatcher.proxy(scope, client);
    } catch (error) {
      if (response.headersSent) response.destroy();
      else refuse(response, this.#toApiError(error, raw));
    }
  }

  async #identify(
    raw: IncomingMessage,
    connection: ServerResponse | Duplex,
    url: string,
  ): Promise<RequestScope> {
    const record = recordOf(raw);
    const info = parseRequest(raw.method ?? 'GET', url);
    record?.parsed(info);
    const user = await this.#identity.admit(raw, info, record);
    if (user.name !== anonymous.name) this.#listener.guard.known(raw.socket);
    // An apply or an update may create, which takes more than to change.
    const mayCreate =
      info.verb === 'patch' || info.verb === 'update'
        ? () => this.#identity.admit(raw, { ...info, verb: 'create' })
        : undefined;
    const userAgent = raw.headers['user-agent'];
    return new RequestScope({ info, user, connection, userAgent, mayCreate, record });
  }

  #handle(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
    const scope = (request.raw as AdmittedMessage)[admitted]?.scope;
    if (!scope) throw noSuchResource();
    return this.#dispatcher.handle(request, reply, scope);
  }

  async #refuse(error: unknown, request: FastifyRequest, reply: FastifyReply): Promise<void> {
    const refusal = this.#toApiError(error, request.raw);
    const retryAfter = refusal.details?.retryAfterSeconds;
    // Others' words may be anything.
    if (typeof retryAfter === 'number') void reply.header('retry-after', String(retryAfter));
    await reply
      .code(refusal.code)
      .header('content-type', 'application/json')
      .send(statusBytes(refusal.toStatus()));
  }

  #toApiError(error: unknown, raw: IncomingMessage): ApiError {
    const known = (raw as AdmittedMessage)[admitted];
    const path = known?.scope.info.path ?? '';
    const refusal = toApiError(error, {
      log: this.#options.log,
      requestId: known?.requestId ?? '',
      method: raw.method ?? '',
      path,
    });
    recordOf(raw)?.refused(refusal, refusal.reason === 'InternalError' && !(error instanceof ApiError));
    return refusal;
  }

  async #upgrade(raw: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    this.#active++;
    this.#options.audit?.open(raw, raw.url ?? '/', requestIdOf(raw)).followSocket(socket);
    const deps = {
      ...{ identity: this.#identity, dispatcher: this.#dispatcher, requests: this.#options.requests },
      identify: (message: IncomingMessage, connection: Duplex, url: string) =>
        this.#identify(message, connection, url),
      toApiError: (error: unknown, message: IncomingMessage) => this.#toApiError(error, message),
    };
    await serveUpgrade(deps, raw, { socket, head });
    this.#active--;
  }
}

/** A client may name its own request, as long as the name is harmless in headers and logs. */
function requestIdOf(raw: IncomingMessage): string {
  const given = raw.headers['audit-id'];
  return typeof given === 'string' && /^[\w-]{1,64}$/.test(given) ? given : randomUUID();
}
