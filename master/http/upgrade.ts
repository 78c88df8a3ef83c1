/**
 * 1. Requests that ask for another protocol (exec, port-forward, proxied WebSockets): admitted like any other, then their
 * connection is the tunnel's. Called by `server.ts` for every `Upgrade` header; what is refused is answered in HTTP on the
 * socket it came in on.
 */
import { type IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import type { ApiError } from '../../src/api/errors.js';
import type { RequestStats } from '../metrics/requests.js';
import type { Dispatcher } from './dispatch.js';
import type { Identity } from './identity.js';
import { isStream } from './podstreams.js';
import type { RequestScope } from './scope.js';
import { statusBytes } from './status.js';

export interface UpgradeDeps {
  identity: Pick<Identity, 'admit'>;
  /** Who asks for what; rejects for who may not. */
  identify(raw: IncomingMessage, connection: Duplex, url: string): Promise<RequestScope>;
  dispatcher: Pick<Dispatcher, 'upgrade'>;
  requests: Pick<RequestStats, 'begin' | 'end'> | undefined;
  toApiError(error: unknown, raw: IncomingMessage): ApiError;
}

/** Resolves when the tunnel has ended; never rejects. */
export async function serveUpgrade(
  deps: UpgradeDeps,
  raw: IncomingMessage,
  { socket, head }: { socket: Duplex; head: Buffer },
): Promise<void> {
  const { identity, dispatcher, requests } = deps;
  let isAnswering = false;
  const respond = (): ServerResponse => {
    isAnswering = true;
    return responseOn(raw, socket);
  };
  try {
    const scope = await deps.identify(raw, socket, raw.url ?? '/');
    const { info } = scope;
    // Browsers can only GET: who may read a pod may not therefore run something in it.
    if (info.target && isStream(info.target) && info.verb === 'get')
      await identity.admit(raw, { ...info, verb: 'create' });
    requests?.begin(info);
    try {
      await dispatcher.upgrade(scope, raw, { socket, head, respond });
    } finally {
      requests?.end(info, 101, 0);
    }
  } catch (error) {
    const refusal = deps.toApiError(error, raw);
    // What another server answered broke off in the middle: only the cut connection can still tell the client.
    if (isAnswering) socket.destroy();
    else if (!socket.destroyed) refuse(respond(), refusal);
  }
}

/** For a connection that the HTTP server gave away; it is closed behind the answer. */
function responseOn(raw: IncomingMessage, socket: Duplex): ServerResponse {
  const response = new ServerResponse(raw);
  response.shouldKeepAlive = false;
  response.assignSocket(socket as never);
  response.once('finish', () => socket.end());
  return response;
}

/** An answer that fastify has no part in. */
export function refuse(response: ServerResponse, refusal: ApiError): void {
  const body = statusBytes(refusal.toStatus());
  response.writeHead(refusal.code, { 'content-type': 'application/json', 'content-length': body.length });
  response.end(body);
}
