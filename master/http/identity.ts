/**
 * 1. Who asks and may they: the TLS socket and headers -> a `User`, then the authorizer's decision.
 *
 * A client certificate counts only when its chain verified against the cluster CA and only while it is valid; it is
 * read once per connection. Without credentials only health and version are answered; credentials that nobody
 * recognises are always 401.
 */
import type { IncomingMessage } from 'node:http';
import { TLSSocket } from 'node:tls';
import { ApiError, forbidden, unauthorized } from '../../src/api/errors.js';
import type { Clock } from '../../src/host/clock.js';
import type { Authenticator, Authorizer, Credentials, Decision } from '../auth/auth.js';
import type { User } from '../registry/registry.js';
import { type Impersonated, impersonation } from './impersonation.js';
import type { RequestInfo } from './request.js';

/** Told what becomes known of a request on the way in; the audit log is one. */
export interface Witness {
  /** Who really asks; may throw to refuse the request. */
  authenticated(user: User, info: RequestInfo): void;
  /** As whom the request goes on. */
  impersonated(user: User): void;
  authorized(decision: Decision): void;
}

export const anonymous: User = { name: 'system:anonymous', groups: ['system:unauthenticated'] };

const publicPath = /^\/(?:healthz|livez|readyz|version)(?:\/|$)/;

const selecting: ReadonlySet<string> = new Set(['list', 'watch', 'deletecollection']);

interface SocketCertificate {
  certificate: NonNullable<Credentials['certificate']>;
  validUntilMs: number;
}

export class Identity {
  readonly #authenticator: Authenticator;
  readonly #authorizer: Authorizer;
  readonly #clock: Clock;
  readonly #certificates = new WeakMap<TLSSocket, SocketCertificate | 'none'>();

  constructor(options: { authenticator: Authenticator; authorizer: Authorizer; clock: Clock }) {
    this.#authenticator = options.authenticator;
    this.#authorizer = options.authorizer;
    this.#clock = options.clock;
  }

  /** Throws 401 and 403. */
  async admit(raw: IncomingMessage, info: RequestInfo, witness?: Witness): Promise<User> {
    const credentials = this.#credentials(raw);
    // Most answers are there at once: waiting for them would cost every request a turn.
    const found = this.#authenticator.authenticate(credentials);
    const user = found instanceof Promise ? await found : found;
    if (!user) {
      const isAnonymous = raw.headers.authorization === undefined && !credentials.certificate;
      const isRead = info.method === 'GET' || info.method === 'HEAD';
      if (!isAnonymous || !isRead || !publicPath.test(info.path)) throw unauthorized();
      witness?.authenticated(anonymous, info);
      return anonymous;
    }
    witness?.authenticated(user, info);
    const wanted = impersonation(raw);
    if (wanted) await this.#mayImpersonate(user, wanted.asks);
    const actor = wanted?.user ?? user;
    if (wanted) witness?.impersonated(actor);
    const answer = this.#authorize(actor, info);
    const decision = answer instanceof Promise ? await answer : answer;
    witness?.authorized(decision);
    if (!decision.allowed) throw forbiddenRequest(actor, info, decision.reason);
    return actor;
  }

  async #mayImpersonate(user: User, asks: readonly Impersonated[]): Promise<void> {
    for (const target of asks) {
      const verb = 'impersonate';
      const decision = await this.#authorizer.authorize({ ...target, user, verb, path: undefined });
      if (decision.allowed) continue;
      throw forbiddenRequest(user, { target: { ...target, rest: [] }, verb, path: '' }, decision.reason);
    }
  }

  #authorize(user: User, { target, verb, path, query }: RequestInfo): Promise<Decision> | Decision {
    return this.#authorizer.authorize({
      user,
      verb,
      group: target?.group ?? '',
      version: target?.version ?? '',
      resource: target?.resource ?? '',
      subresource: target?.subresource ?? '',
      namespace: target?.namespace,
      name: target?.name,
      path: target ? undefined : path,
      fieldSelector: selecting.has(verb) ? (query.get('fieldSelector') ?? undefined) : undefined,
    });
  }

  #credentials(raw: IncomingMessage): Credentials {
    return {
      bearerToken: bearerToken(raw.headers.authorization) ?? protocolToken(raw),
      certificate: this.#certificate(raw.socket),
    };
  }

  #certificate(socket: unknown): Credentials['certificate'] {
    if (!(socket instanceof TLSSocket)) return undefined;
    let known = this.#certificates.get(socket);
    if (known === undefined) {
      known = readCertificate(socket);
      this.#certificates.set(socket, known);
    }
    if (known === 'none' || known.validUntilMs < this.#clock.now().getTime()) return undefined;
    return known.certificate;
  }
}

function bearerToken(header: string | undefined): string | undefined {
  const match = header === undefined ? null : /^bearer +(\S+) *$/i.exec(header);
  return match?.[1];
}

const tokenProtocol = 'base64url.bearer.authorization.k8s.io.';

/**
 * Browsers cannot set headers on a WebSocket: they offer the token as one of its subprotocols, beside a real one. It is taken
 * out, so that nobody behind us sees it.
 */
function protocolToken(raw: IncomingMessage): string | undefined {
  const offered = raw.headers['sec-websocket-protocol'];
  if (!offered?.includes(tokenProtocol)) return undefined;
  const protocols = offered.split(',').map((protocol) => protocol.trim());
  const token = protocols.find((protocol) => protocol.startsWith(tokenProtocol));
  const others = protocols.filter((protocol) => protocol !== token);
  if (!token || others.length === 0) return undefined;
  raw.headers['sec-websocket-protocol'] = others.join(', ');
  return Buffer.from(token.slice(tokenProtocol.length), 'base64url').toString();
}

function readCertificate(socket: TLSSocket): SocketCertificate | 'none' {
  if (!socket.authorized) return 'none';
  const { subject, valid_to: validTo } = socket.getPeerCertificate();
  if (!subject) return 'none';
  const commonName = first(subject.CN);
  if (!commonName) return 'none';
  const organizations = [subject.O ?? []].flat();
  return { certificate: { commonName, organizations }, validUntilMs: Date.parse(validTo) };
}

const first = (value: string | string[] | undefined): string | undefined =>
  Array.isArray(value) ? value[0] : value;

/** `pods "web" is forbidden: User "x" cannot get resource "pods/log" in API group "" in the namespace "default"`. */
function forbiddenRequest(
  user: User,
  { target, verb, path }: Pick<RequestInfo, 'target' | 'verb' | 'path'>,
  reason: string,
): ApiError {
  const tail = reason === '' ? '' : `: ${reason}`;
  const who = `User ${JSON.stringify(user.name)} cannot ${verb}`;
  if (!target) return new ApiError('Forbidden', `forbidden: ${who} path ${JSON.stringify(path)}${tail}`, {});
  const { group, resource, subresource, namespace, name } = target;
  const what = subresource === '' ? resource : `${resource}/${subresource}`;
  const scope =
    namespace === undefined ? 'at the cluster scope' : `in the namespace ${JSON.stringify(namespace)}`;
  return forbidden(
    { group, resource, name: name ?? '' },
    `${who} resource ${JSON.stringify(what)} in API group ${JSON.stringify(group)} ${scope}${tail}`,
  );
}
