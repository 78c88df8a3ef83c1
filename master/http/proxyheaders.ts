/**
 * 1. Heads on their way through a proxy: what belongs to one connection only stays behind, and so does what tells who
 * the caller is; redirects are made to lead through the proxy again. Pure, but for waiting for an answer. Called by
 * proxy.ts and the aggregator.
 */
import type { ClientRequest, IncomingHttpHeaders, IncomingMessage, OutgoingHttpHeaders } from 'node:http';

/** RFC 9110, 7.6.1. */
const hopByHop: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

const identity = /^(?:authorization$|impersonate-|x-remote-)/;
/** The backend's rules for browsers are about its own address, not about ours. */
const crossOrigin = /^access-control-allow-(?:credentials|headers|methods|origin)$/;
/** A token that browsers send as a subprotocol of a WebSocket. */
const bearerProtocol = /^base64url\.bearer\.authorization\.k8s\.io\./;

/** What the backend sees of our URL. */
export interface Forwarded {
  /** Address of the client. */
  client: string | undefined;
  /** The `Host` we were asked by. */
  host: string | undefined;
  /** The whole path as the client sees it. */
  uri: string;
}

/**
 * A client may call any header one of its connection, but not the length of its body: without it the body would reach the
 * backend unframed, as a request of its own on a connection that others share and that the backend trusts.
 */
const framing = 'content-length';

function withoutHops(headers: IncomingHttpHeaders): IncomingHttpHeaders {
  const named = (headers.connection ?? '')
    .split(',')
    .map((name) => name.trim().toLowerCase())
    .filter((name) => name !== framing);
  return Object.fromEntries(
    Object.entries(headers).filter(([name]) => !hopByHop.has(name) && !named.includes(name)),
  );
}

/** For the backend. */
export function requestHeaders(headers: IncomingHttpHeaders, forwarded: Forwarded): OutgoingHttpHeaders {
  const kept = Object.entries(withoutHops(headers)).filter(([name]) => !identity.test(name));
  const clients = [headers['x-forwarded-for'] ?? [], forwarded.client ?? []].flat().join(', ');
  return {
    ...Object.fromEntries(kept),
    // Its presence says that there is a body of unknown length.
    ...(headers['transfer-encoding'] && { 'transfer-encoding': 'chunked' }),
    ...(clients && { 'x-forwarded-for': clients }),
    ...(forwarded.host && { 'x-forwarded-host': forwarded.host }),
    'x-forwarded-proto': 'https',
    'x-forwarded-uri': forwarded.uri,
  };
}

/** The same for a request that asks for another protocol. */
export function upgradeHeaders(headers: IncomingHttpHeaders, forwarded: Forwarded): OutgoingHttpHeaders {
  const offered = (headers['sec-websocket-protocol'] ?? '')
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '' && !bearerProtocol.test(name));
  const { 'sec-websocket-protocol': _, ...others } = requestHeaders(headers, forwarded);
  return {
    ...others,
    connection: 'Upgrade',
    upgrade: headers.upgrade,
    ...(offered.length > 0 && { 'sec-websocket-protocol': offered.join(', ') }),
  };
}

/** Name and value in turn, so that repeated ones stay apart. */
export function responseHeaders(rawHeaders: readonly string[], headers: IncomingHttpHeaders): string[] {
  const kept = withoutHops(headers);
  const result: string[] = [];
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] ?? '';
    const lower = name.toLowerCase();
    if (lower in kept && !crossOrigin.test(lower)) result.push(name, rawHeaders[i + 1] ?? '');
  }
  return result;
}

/** Of a request that was closed without one, which Node does when the other side changes the protocol unasked. */
export const noAnswer = (): Error => new Error('the connection was closed without an answer');

/** Resolves with what ends the exchange: a client that is passed a 101 nobody asked for would talk past us. */
export function answerOf(outgoing: ClientRequest): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    outgoing.once('response', (answer) => {
      const { statusCode = 0 } = answer;
      if (statusCode >= 200) resolve(answer);
      else outgoing.destroy(new Error(`it answered ${statusCode}`));
    });
    outgoing.on('error', reject);
    outgoing.on('close', () => reject(noAnswer()));
  });
}

/** As a server may say it: others' may hold what Node refuses to write. */
export const statusMessageOf = ({ statusMessage = '' }: IncomingMessage): string =>
  statusMessage.replace(/[^\t\x20-\x7e\x80-\xff]/g, ' ');

export interface LinkContext {
  /** Of the proxy: `/api/v1/.../proxy`. */
  prefix: string;
  /** host:port of the backend, and what clients call us. */
  backend: string;
  host: string | undefined;
}

/**
 * A link as the backend wrote it -> one that works for the client. Absolute paths, and URLs of the backend itself, get
 * the prefix; relative links and those to other hosts stay as they are.
 */
export function rewriteLink(link: string, { prefix, backend, host }: LinkContext): string {
  const [, scheme = '', authority, tail = ''] =
    /^([a-z][a-z\d+.-]*:)?(?:\/\/([^/?#]*))?(.*)$/is.exec(link) ?? [];
  if (authority === undefined && scheme !== '') return link;
  if (authority !== undefined && authority !== backend && authority !== host) return link;
  if (!tail.startsWith('/') && !(authority !== undefined && tail === '')) return link;
  const path = isBelow(tail, prefix) ? tail : `${prefix}${tail}`;
  return authority === undefined ? path : `https://${host ?? authority}${path}`;
}

const isBelow = (path: string, prefix: string): boolean =>
  path === prefix || path.startsWith(`${prefix}/`) || path.startsWith(`${prefix}?`);
