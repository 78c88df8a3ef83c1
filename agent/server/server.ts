/**
 * The agent's HTTPS API, as kubelet serves it: health, pods, metrics, logs, exec, attach, run and port-forward. Called by
 * the API server, which shows a client certificate, and by monitoring; `access` says who else may do what.
 *
 * It does not terminate what is under way unless it is stopped; a stop cuts every connection.
 */
import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server, type ServerOptions } from 'node:https';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { ApiError, badRequest } from '../../src/api/errors.js';
import type { Pod } from '../../src/api/types.js';
import { type Clock, systemClock } from '../../src/host/clock.js';
import { type Component, type Health, healthyNow } from '../../src/host/component.js';
import { ConnectionGuard } from '../../src/host/connections.js';
import { sendAtOnce } from '../../src/host/join.js';
import type { ListenOptions } from '../../src/host/listen.js';
import type { Logger } from '../../src/host/log.js';
import { defaultTls } from '../../src/host/tls.js';
import { parseLogSelection } from '../logs/options.js';
import { readLog } from '../logs/select.js';
import type { Runtime } from '../runtime/runtime.js';
import type { CheckAccess } from './access.js';
import { answerError, refuseUpgrade } from './answers.js';
import { serveConnect } from './connect.js';
import { sendNodeLog } from './nodelogs.js';
import { ownPages, type Page, type Pages } from './pages.js';
import { PodDialer } from './poddial.js';
import { type ContainerTarget, noSuchPath, parseRoute, type Route } from './routes.js';
import { runCommand } from './runcommand.js';
import { Upgrades } from './upgrades.js';

export interface AgentServerOptions {
  port: number;
  /** All addresses by default. */
  address?: string;
  listen?: ListenOptions;
  /** PEM; called at start and at every `reloadCertificates`. */
  tls: { key(): string; cert(): string; clientCa(): string };
  access: CheckAccess;
  lookup: {
    /**
     * The runtime's id of a container that has been started, of its run before that with `previous`. `undefined` when
     * there is none; may throw an `ApiError` that says more.
     */
    containerId(
      target: ContainerTarget,
      options: { previous: boolean },
    ): Promise<string | undefined> | string | undefined;
    pods(): readonly Pod[];
  };
  runtime: Pick<Runtime, 'exec' | 'attach' | 'logs' | 'inspectContainer' | 'listSandboxes'>;
  /** What else is answered to GET, by path: metrics, statistics. */
  pages?: Pages;
  /** Whether pods are being looked after; part of /healthz. */
  syncLoop?(): Health;
  /** Shown under /logs/; /var/log by default. */
  logDirectory?: string;
  /** exec, attach and port-forward on which nothing moves for so long are closed; never by default. */
  streamIdleLimitMs?: number;
  log: Logger;
  clock?: Clock;
}

/** No request to an agent has a body worth mentioning. */
const requestLimits = {
  maxHeaderSize: 64 * 1024,
  headersTimeout: 15_000,
  requestTimeout: 30_000,
  connectionsCheckingInterval: 3_000,
  // Longer than the master keeps idle connections, so that it never writes into one that is being closed.
  keepAliveTimeout: 75_000,
};

export interface AgentServer extends Component {
  /** Where it listens, after `start`; for port 0. */
  readonly port: number;
  /** Takes new certificates into use for new connections. */
  reloadCertificates(): void;
}

export function createAgentServer(options: AgentServerOptions): AgentServer {
  const log = options.log.child({ component: 'server' });
  const { lookup, runtime, clock = systemClock, logDirectory = '/var/log' } = options;
  const pages = new Map<string, Page>([
    ...ownPages({ pods: () => lookup.pods(), syncLoop: options.syncLoop ?? (() => healthyNow) }),
    ...(options.pages ?? []),
  ]);
  const dialer = new PodDialer({ pods: () => lookup.pods(), runtime, clock });
  const upgrades = new Upgrades({
    runtime,
    dialer,
    clock,
    log,
    idleLimitMs: options.streamIdleLimitMs ?? 0,
    findContainer: (target) => find(target, false),
  });
  const guard = new ConnectionGuard({ clock, log, limits: options.listen?.connections });
  /** Connections that are no longer the HTTP server's. */
  const taken = new Set<Duplex>();
  let server: Server | undefined;

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    await options.access(request);
    guard.known(request.socket);
    const route = parseRoute(request.url ?? '/');
    const isRead = request.method === 'GET' || request.method === 'HEAD';
    const isCommand = route.to === 'exec' || route.to === 'attach' || route.to === 'portForward';
    if (
      route.to === 'run' ? request.method !== 'POST' : !isRead && !(isCommand && request.method === 'POST')
    ) {
      throw new ApiError('MethodNotAllowed', 'the server does not allow this method');
    }
    if (route.to === 'page') await sendPage(route, response);
    else if (route.to === 'containerLogs') await sendLog(route, response);
    else if (route.to === 'nodeLog') await sendNodeLog(logDirectory, route.path, response);
    else if (route.to === 'run') {
      const id = await find(route.target, false);
      const output = await untilClosed(response, (signal) => runCommand(runtime, id, route.query, signal));
      response.writeHead(200, { 'content-type': 'text/plain', 'content-length': output.length }).end(output);
    } else throw badRequest('Upgrade request required');
  }

  async function sendPage(
    { path, query }: Extract<Route, { to: 'page' }>,
    response: ServerResponse,
  ): Promise<void> {
    const page = pages.get(path);
    if (!page) throw noSuchPath();
    const { code = 200, contentType, body } = await page(query);
    const headers = { 'content-type': contentType, 'content-length': Buffer.byteLength(body) };
    response.writeHead(code, headers).end(body);
  }

  async function sendLog(
    route: Extract<Route, { to: 'containerLogs' }>,
    response: ServerResponse,
  ): Promise<void> {
    const selection = parseLogSelection(route.query, clock.now());
    const id = await find(route.target, selection.previous);
    response.writeHead(200, { 'content-type': 'text/plain' });
    // A log that is followed may have nothing to say for long.
    response.flushHeaders();
    await untilClosed(response, (signal) =>
      pipeline(Readable.from(readLog(runtime, { id, selection, clock }, signal)), response),
    );
  }

  async function find(target: ContainerTarget, previous: boolean): Promise<string> {
    const id = await lookup.containerId(target, { previous });
    if (id !== undefined) return id;
    const { container, pod } = target;
    const what = previous ? 'previous terminated container' : 'container';
    throw badRequest(`${what} ${JSON.stringify(container)} in pod ${JSON.stringify(pod)} not found`);
  }

  function onRequest(request: IncomingMessage, response: ServerResponse): void {
    handle(request, response).catch((err: unknown) => {
      if (!(err instanceof ApiError) && !response.destroyed)
        log.warn({ err, url: pathOf(request) }, 'request failed');
      answerError(response, err);
    });
  }

  /** Hands a connection over to `serve`, which may still refuse it. */
  function takeOver(request: IncomingMessage, socket: Duplex, serve: () => Promise<void>): void {
    taken.add(socket);
    sendAtOnce(socket);
    socket.once('close', () => taken.delete(socket));
    socket.on('error', (err) => log.debug({ err }, 'connection of a client failed'));
    const admit = async (): Promise<void> => {
      await options.access(request);
      guard.known(request.socket);
      await serve();
    };
    admit().catch((err: unknown) => {
      if (!(err instanceof ApiError)) log.warn({ err, url: pathOf(request) }, 'upgrade failed');
      refuseUpgrade(socket, err);
    });
  }

  const tlsOptions = (): ServerOptions => ({
    ...(options.listen?.tls ?? defaultTls),
    key: options.tls.key(),
    cert: options.tls.cert(),
    ca: options.tls.clientCa(),
  });

  return {
    name: 'agent-server',
    get port() {
      const address = server?.address();
      return typeof address === 'object' && address !== null ? address.port : options.port;
    },
    async start(signal: AbortSignal): Promise<void> {
      // Who has no certificate is let as far as the answer 401, as kubelet does.
      server = createServer(
        { ...tlsOptions(), ...requestLimits, requestCert: true, rejectUnauthorized: false },
        onRequest,
      );
      guard.watch(server);
      server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) =>
        takeOver(request, socket, () => upgrades.serve({ request, socket, head })),
      );
      server.on('connect', (request: IncomingMessage, socket: Duplex, head: Buffer) =>
        takeOver(request, socket, () => serveConnect(dialer, { request, socket, head })),
      );
      server.on('tlsClientError', (err) => log.debug({ err }, 'TLS handshake failed'));
      server.on('clientError', (error: Error & { code?: string }, socket: Duplex) =>
        refuseConnection(guard, error, socket as Socket),
      );
      server.listen({ port: options.port, ...(options.address && { host: options.address }) });
      await once(server, 'listening', { signal });
    },
    async stop(): Promise<void> {
      dialer.close();
      if (!server?.listening) return;
      const closed = once(server, 'close');
      server.close();
      guard.close();
      for (const socket of taken) socket.destroy();
      server.closeAllConnections();
      await closed;
    },
    healthy: (): Health =>
      server?.listening
        ? { ok: true, reason: '' }
        : { ok: false, reason: 'the HTTPS server does not listen' },
    reloadCertificates: () => server?.setSecureContext(tlsOptions()),
  };
}

/** What never became a request is answered on the bare socket, then closed. */
function refuseConnection(guard: ConnectionGuard, error: Error & { code?: string }, socket: Socket): void {
  const isLate = error.code === 'ERR_HTTP_REQUEST_TIMEOUT';
  if (isLate) guard.wasCut('headers', socket.remoteAddress);
  if (!socket.writable) {
    socket.destroy();
    return;
  }
  const line = isLate ? '408 Request Timeout' : '400 Bad Request';
  socket.write(`HTTP/1.1 ${line}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`);
  socket.destroySoon();
}

/** `work` with a signal that aborts when the client goes away. */
function untilClosed<T>(response: ServerResponse, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const gone = new AbortController();
  response.once('close', () => gone.abort(new Error('the client closed the connection')));
  return work(gone.signal);
}

/** Without the query: a command may hold a secret. */
const pathOf = (request: IncomingMessage): string => (request.url ?? '').split('?')[0] ?? '';
