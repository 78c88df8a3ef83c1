/**
 * 1. How the API listens: limits of a connection and of a request's head, TLS, and what else a bare HTTP server would do
 * that ours must not. Called by `server.ts`. Time limits of bodies and answers: `patience.ts`; of connections on which
 * nobody has shown who they are: `src/host/connections.ts`.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Server } from 'node:https';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { createSecureContext, type SecureContext } from 'node:tls';
import { type FastifyInstance, fastify } from 'fastify';
import type { Clock } from '../../src/host/clock.js';
import { ConnectionGuard, type ConnectionLimits } from '../../src/host/connections.js';
import type { Logger } from '../../src/host/log.js';
import { defaultTls, type TlsSettings } from '../../src/host/tls.js';
import type { FrontProxyHeaders } from '../auth/authn/frontproxy.js';
import { ClientCertificates, type ClientTrust } from './clientcertificate.js';
import { refuseConnection } from './status.js';

/** PEM of the server's own certificate (with its chain) and key, and of the CA that clients must come from. */
export interface ServingCredentials {
  cert: string;
  key: string;
  ca: string;
}

const connectionLimits = {
  // The request line counts too.
  maxHeaderSize: 64 * 1024,
  headersTimeout: 15_000,
  // Of bodies `patience.ts` takes care: what is proxied may take its time.
  requestTimeout: 0,
  connectionsCheckingInterval: 3_000,
  /** Longer than the idle time of common clients, so that they close first. */
  keepAliveTimeout: 120_000,
  keepAlive: true,
  keepAliveInitialDelay: 30_000,
  noDelay: true,
};

/** Node would drop further ones without a word. */
const maxHeaders = 512;

export interface ListenerOptions {
  clock: Clock;
  log: Logger;
  serving: ServingCredentials;
  tls?: TlsSettings;
  /** Where they are others than the usual ones. */
  connections?: Partial<ConnectionLimits>;
  /** Another certificate for clients that ask for a server of this name. */
  servingFor?(serverName: string): { cert: string; key: string } | undefined;
  /** Who is believed to name users in headers; asked again at each renewal. Nobody is without. */
  frontProxy?(): FrontProxyHeaders & NonNullable<ClientTrust['frontProxies']>;
}

export class Listener {
  readonly app: FastifyInstance<Server>;
  readonly guard: ConnectionGuard;
  /** What clients showed of themselves. */
  readonly certificates: ClientCertificates;
  readonly #options: ListenerOptions;
  readonly #tls: TlsSettings;

  constructor(options: ListenerOptions) {
    this.#options = options;
    this.#tls = options.tls ?? defaultTls;
    this.certificates = new ClientCertificates(this.#trust(options.serving));
    this.guard = new ConnectionGuard({ ...options, limits: options.connections });
    this.app = fastify<Server>({
      https: {
        ...this.#offered(options.serving),
        ...connectionLimits,
        requestCert: true,
        rejectUnauthorized: false,
        SNICallback: (serverName, tell) => this.#answerName(serverName, tell),
      },
      keepAliveTimeout: connectionLimits.keepAliveTimeout,
      exposeHeadRoutes: false,
      clientErrorHandler: (error, socket) => this.#refuse(error, socket),
      logger: false,
      // The path is parsed by `request.ts` from `originalUrl`; the router must not look at it.
      rewriteUrl: () => '/',
    }) as unknown as FastifyInstance<Server>;
    this.guard.watch(this.app.server);
    holdBodies(this.app.server);
    this.app.server.on('request', ({ socket }: { socket: UsedSocket }, response: ServerResponse) => {
      socket[lastAnswer] = response;
    });
  }

  /** New connections use the renewed certificate; what was shown on others is judged anew. */
  renew(serving: ServingCredentials): void {
    this.app.server.setSecureContext(this.#offered(serving));
    this.certificates.trust(this.#trust(serving));
  }

  #answerName(serverName: string, tell: (error: Error | null, context?: SecureContext) => void): void {
    const found = this.#options.servingFor?.(serverName);
    if (found) tell(null, createSecureContext({ ...found, ...this.#tls }));
    else tell(null);
  }

  #trust({ ca: clients }: ServingCredentials): ClientTrust {
    return { clients, frontProxies: this.#options.frontProxy?.() };
  }

  /** Certificates of front proxies are asked for and checked like those of users. */
  #offered(serving: ServingCredentials): ServingCredentials & TlsSettings {
    return { ...serving, ...this.#tls, ca: `${serving.ca}${this.#options.frontProxy?.().ca ?? ''}` };
  }

  #refuse(error: Error & { code?: string }, socket: Socket): void {
    if (error.code === 'ERR_HTTP_REQUEST_TIMEOUT') this.guard.wasCut('headers', socket.remoteAddress);
    refuseConnection(error, socket);
  }
}

const lastAnswer = Symbol('lastAnswer');

interface UsedSocket extends Duplex {
  [lastAnswer]?: ServerResponse;
}

/** Whether an earlier request on the connection was not answered in full: nothing else may write to it until then. */
export const isAnswering = (socket: UsedSocket): boolean => socket[lastAnswer]?.writableFinished === false;

export const hasTooManyHeaders = ({ rawHeaders }: IncomingMessage): boolean =>
  rawHeaders.length > 2 * maxHeaders;

const continues = Symbol('continues');

interface ExpectingMessage extends IncomingMessage {
  [continues]?: () => void;
}

/** A client that waits before it sends its body is told to go on when it has been let in, and not before. */
function holdBodies(server: Server): void {
  // The check is ours; Node must not leave any out.
  server.maxHeadersCount = 0;
  server.on('checkContinue', (raw: ExpectingMessage, response: ServerResponse) => {
    raw[continues] = () => response.writeContinue();
    server.emit('request', raw, response);
  });
}

/** Before the body is read. */
export function askForBody(raw: ExpectingMessage): void {
  raw[continues]?.();
}
