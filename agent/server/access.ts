/**
 * Who may talk to the agent: the master, by a client certificate of the cluster CA. Pure but for reading the connection.
 * Called by server.ts for every request and upgrade.
 */
import type { IncomingMessage } from 'node:http';
import { TLSSocket } from 'node:tls';
import { ApiError, unauthorized } from '../../src/api/errors.js';

const masterGroup = 'system:masters';
const masterUser = 'kube-apiserver-kubelet-client';

/** Throws 401 without a certificate of the cluster CA, 403 when it is neither the master's nor an administrator's. */
export function requireMaster(request: IncomingMessage): void {
  const { socket } = request;
  if (!(socket instanceof TLSSocket) || !socket.authorized) throw unauthorized();
  const { CN: user, O: groups } = socket.getPeerCertificate().subject;
  if (user === masterUser || names(groups).includes(masterGroup)) return;
  throw new ApiError(
    'Forbidden',
    `Forbidden (user=${names(user).join()}, verb=${request.method?.toLowerCase()}, resource=nodes, subresource=proxy)`,
  );
}

/** Node gives a repeated attribute as an array, and its types say string. */
const names = (attribute: string | readonly string[] | undefined): readonly string[] =>
  attribute === undefined ? [] : typeof attribute === 'string' ? [attribute] : attribute;
