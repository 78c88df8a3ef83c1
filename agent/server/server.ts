/**
 * The agent's HTTPS API on port 10250, as kubelet's: what the master needs for `kubectl logs`, `exec` and `attach`.
 * Made by the agent's composition root.
 *
 * Lets in only the master (see access.ts), also to /healthz. Certificates are read at `start` and at
 * `reloadCertificates`; connections that are open go on with theirs.
 */
import { constants } from 'node:crypto';
import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server, type ServerOptions } from 'node:https';
import type { Duplex } from 'node:stream';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { type WebSocket, WebSocketServer } from 'ws';
import { ApiError, badRequest } from '../../src/api/errors.js';
import type { Pod } from '../../src/api/types.js';
import type { Component, Health } from '../../src/host/component.js';
import type { Logger } from '../../src/host/log.js';
import { parseLogSelection } from '../logs/options.js';
import { readLog } from '../logs/select.js';
import type { Runtime } from '../runtime/runtime.js';
import { requireMaster } from './access.js';
import { answerError, answerJson, refuseUpgrade } from './answers.js';
import { channelProtocols } from './channels.js';
import { type ContainerTarget, parseRoute, type Route } from './routes.js';
import { parseStreamRequest, serveStream } from './streaming.js';

export interface AgentServerOptions {
  port: number;
  /** All addresses by default. */
  address?: string;
  /** PEM; called at start and at every `reloadCertificates`. */
  tls: { key(): string; cert(): string; clientCa(): string };
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
  runtime: Pick<Runtime, 'exec' | 'attach' | 'logs'>;
  log: Logger;
  now?: () => Date;
}

export interface AgentServer extends Component {
  /** Where it listens, after `start`; for port 0. */
  readonly port: number;
  /** Takes new certificates into use for new connections. */
  reloadCertificates(): void;
}

/** A client may not send more than this in one WebSocket message. */
const maxMessageBytes = 16 * 1024 * 1024;

export function createAgentServer(options: AgentServerOptions): AgentServer {
  const log = options.log.child({ component: 'server' });
  const now = options.now ?? (() => new Date());
  const webSockets = new WebSocketServer({
    noServer: true,
    clientTracking: true,
    perMessageDeflate: false,
    maxPayload: maxMessageBytes,
    handleProtocols: (offered) => channelProtocols.find((protocol) => offered.has(protocol)) ?? false,
  });
  let server: Server | undefined;

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    requireMaster(request);
    const route = parseRoute(request.url ?? '/');
    if (request.method !== 'GET')
      throw new ApiError('MethodNotAllowed', 'the server does not allow this method');
    if (route.to === 'healthz') response.writeHead(200, { 'content-type': 'text/plain' }).end('ok');
    else if (route.to === 'pods') {
      answerJson(response, 200, {
        kind: 'PodList',
        apiVersion: 'v1',
        metadata: {},
        items: options.lookup.pods(),
      });
    } else if (route.to === 'containerLogs') await sendLog(route, response);
    else throw badRequest('Upgrade request required');
  }

  async function sendLog(
    route: Extract<Route, { target: unknown }>,
    response: ServerResponse,
  ): Promise<void> {
    const selection = parseLogSelection(route.query, now());
    const id = await find(route.target, selection.previous);
    const gone = new AbortController();
    response.once('close', () => gone.abort(new Error('the client closed the connection')));
    response.writeHead(200, { 'content-type': 'text/plain' });
    // A log that is followed may have nothing to say for long.
    response.flushHeaders();
    await pipeline(Readable.from(readLog(options.runtime, { id, selection }, gone.signal)), response);
  }

  async function find(target: ContainerTarget, previous: boolean): Promise<string> {
    const id = await options.lookup.containerId(target, { previous });
    if (id !== undefined) return id;
    const { container, pod } = target;
    const what = previous ? 'previous terminated container' : 'container';
    throw badRequest(`${what} ${JSON.stringify(container)} in pod ${JSON.stringify(pod)} not found`);
  }

  async function upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    requireMaster(request);
    const route = parseRoute(request.url ?? '/');
    if (route.to !== 'exec' && route.to !== 'attach') throw badRequest('this path cannot be upgraded');
    const offered = (request.headers['sec-websocket-protocol'] ?? '').split(',').map((name) => name.trim());
    const protocol = channelProtocols.find((name) => offered.includes(name));
    if (request.headers.upgrade?.toLowerCase() !== 'websocket' || !protocol) {
      throw badRequest(
        `unable to upgrade: only WebSocket with one of ${channelProtocols.join(', ')} is spoken here`,
      );
    }
    const wanted = parseStreamRequest(route.query);
    const id = await find(route.target, false);
    const what = { ...wanted, verb: route.to, id };
    webSockets.handleUpgrade(request, socket, head, (webSocket: WebSocket) => {
      webSocket.on('error', (err) => log.debug({ err }, 'stream of a client failed'));
      serveStream(options.runtime, { socket: webSocket, protocol }, what).catch((err: unknown) => {
        log.error({ err, ...route.target }, 'stream ended unexpectedly');
        webSocket.terminate();
      });
    });
  }

  function onRequest(request: IncomingMessage, response: ServerResponse): void {
    handle(request, response).catch((err: unknown) => {
      if (!(err instanceof ApiError) && !response.destroyed)
        log.warn({ err, url: pathOf(request) }, 'request failed');
      answerError(response, err);
    });
  }

  function onUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const onError = (err: Error): void => log.debug({ err }, 'connection failed before its upgrade');
    socket.on('error', onError);
    upgrade(request, socket, head).then(
      () => socket.off('error', onError),
      (err: unknown) => {
        if (!(err instanceof ApiError)) log.warn({ err, url: pathOf(request) }, 'upgrade failed');
        refuseUpgrade(socket, err);
      },
    );
  }

  const tlsOptions = (): ServerOptions => ({
    key: options.tls.key(),
    cert: options.tls.cert(),
    ca: options.tls.clientCa(),
    minVersion: 'TLSv1.2',
    // A resumed session does not show its certificate again; so each connection makes its own.
    secureOptions: constants.SSL_OP_NO_TICKET,
  });

  return {
    name: 'agent-server',
    get port() {
      const address = server?.address();
      return typeof address === 'object' && address !== null ? address.port : options.port;
    },
    async start(signal: AbortSignal): Promise<void> {
      // Who has no certificate is let as far as the answer 401, as kubelet does.
      server = createServer({ ...tlsOptions(), requestCert: true, rejectUnauthorized: false }, onRequest);
      // Longer than the master keeps idle connections, so that it never writes into one that is being closed.
      server.keepAliveTimeout = 75_000;
      server.on('upgrade', onUpgrade);
      server.on('tlsClientError', (err) => log.debug({ err }, 'TLS handshake failed'));
      server.listen({ port: options.port, ...(options.address && { host: options.address }) });
      await once(server, 'listening', { signal });
    },
    async stop(): Promise<void> {
      if (!server?.listening) return;
      const closed = once(server, 'close');
      server.close();
      for (const client of webSockets.clients) client.terminate();
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

/** Without the query: a command may hold a secret. */
const pathOf = (request: IncomingMessage): string => (request.url ?? '').split('?')[0] ?? '';
