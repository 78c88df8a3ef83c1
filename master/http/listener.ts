/**
 * 1. How the API listens: limits of a connection and of a request's head, TLS, and what else a bare HTTP server would do
 * that ours must not. Called by `server.ts`. Time limits of bodies and answers: `patience.ts`; of connections on which
 * nobody has shown who they are: `src/host/connections.ts`.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Server, ServerOptions } from 'node:https';
import type { TlsSettings } from '../../src/host/tls.js';

/** PEM of the server's own certificate (with its chain) and key, and of the CA that clients must come from. */
export interface ServingCredentials {
  cert: string;
  key: string;
  ca: string;
}

/** Longer than the idle time of common clients, so that they close first. */
export const keepAliveTimeoutMs = 120_000;

/** Node would drop further ones without a word. */
const maxHeaders = 512;

export const listenerOptions = (serving: ServingCredentials, tls: TlsSettings): ServerOptions => ({
  ...serving,
  ...tls,
  requestCert: true,
  rejectUnauthorized: false,
  // The request line counts too.
  maxHeaderSize: 64 * 1024,
  headersTimeout: 15_000,
  // Of bodies `patience.ts` takes care: what is proxied may take its time.
  requestTimeout: 0,
  connectionsCheckingInterval: 3_000,
  keepAliveTimeout: keepAliveTimeoutMs,
  keepAlive: true,
  keepAliveInitialDelay: 30_000,
  noDelay: true,
});

export const hasTooManyHeaders = ({ rawHeaders }: IncomingMessage): boolean =>
  rawHeaders.length > 2 * maxHeaders;

const continues = Symbol('continues');

interface ExpectingMessage extends IncomingMessage {
  [continues]?: () => void;
}

/** A client that waits before it sends its body is told to go on when it has been let in, and not before. */
export function holdBodies(server: Server): void {
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
