/**
 * Where a request came from, as the audit log tells it: addresses, user agent, and with what somebody tried to get in. Pure.
 * Only remembered, never believed: clients write these headers.
 */
import type { IncomingMessage } from 'node:http';
import { TLSSocket } from 'node:tls';
import { isIp } from '../../src/net/ip.js';

const maxUserAgent = 1024;
const cutMark = '...TRUNCATED';

/** X-Forwarded-For in its order, X-Real-Ip, then the address of the connection; each once. */
export function sourcesOf({ headers, socket }: IncomingMessage): string[] {
  const remote = socket.remoteAddress?.replace(/^::ffff:(?=\d+\.)/, '');
  const forwarded = headers['x-forwarded-for'];
  const real = headers['x-real-ip'];
  if (forwarded === undefined && real === undefined) return remote ? [remote] : [];
  const named = `${forwarded ?? ''},${real ?? ''}`.split(',').map((part) => part.trim());
  return [...new Set([...named.filter(isIp), ...(remote ? [remote] : [])])];
}

export function userAgentOf({ headers }: IncomingMessage): string {
  const agent = headers['user-agent'] ?? '';
  return agent.length > maxUserAgent ? agent.slice(0, maxUserAgent) + cutMark : agent;
}

/** What kube-apiserver writes of a 401. */
export function attemptedBy({ headers, socket }: IncomingMessage): string {
  const header = headers.authorization ?? '';
  const methods = [
    ...(/^basic /i.test(header) ? ['basic'] : []),
    ...(/^bearer +\S/i.test(header) ? ['bearer'] : []),
    ...(socket instanceof TLSSocket && socket.getPeerX509Certificate() ? ['x509'] : []),
  ];
  return methods.length > 0
    ? `Authentication failed, attempted: ${methods.join(', ')}`
    : 'Authentication failed, no credentials provided';
}
