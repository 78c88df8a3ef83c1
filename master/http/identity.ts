/**
 * 1. Who asks and may they: the TLS socket and headers -> a `User`, then the authorizer's decision.
 *
 * In kube-apiserver's order: what a front proxy says in headers, the client certificate, the bearer token. Without any of
 * them only health and version are answered; credentials that nobody recognises are always 401.
 */
import type { IncomingMessage } from 'node:http';
import { TLSSocket } from 'node:tls';
import { ApiError, forbidden, unauthorized } from '../../src/api/errors.js';
import type { Clock } from '../../src/host/clock.js';
import type { Authenticator, Authorizer, Decision } from '../auth/auth.js';
import { type FrontProxyHeaders, userOfHeaders } from '../auth/authn/frontproxy.js';
import type { User } from '../registry/registry.js';
import type { ClientCertificates, Proof } from './clientcertificate.js';
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

/** What needs no permission; single checks (`/livez/store`) do, of anonymous and known users alike. */
const alwaysAllowed: ReadonlySet<string> = new Set([
  '/healthz',
  '/livez',
  '/readyz',
  '/version',
  '/version/',
]);

const selecting: ReadonlySet<string> = new Set(['list', 'watch', 'deletecollection']);

export interface IdentityOptions {
  authenticator: Authenticator;
  authorizer: Authorizer;
  clock: Pick<Clock, 'now'>;
  certificates: ClientCertificates;
  /** What front proxies say users in; nobody is one without. */
  frontProxy?: FrontProxyHeaders | undefined;
  /** Where requests without credentials may go, as far as the authorizer lets them: health and version by default. */
  anonymousPaths?: ReadonlySet<string> | undefined;
}

export class Identity {
  readonly #options: IdentityOptions;
  readonly #authorizer: Authorizer;

  constructor(options: IdentityOptions) {
    this.#options = options;
    this.#authorizer = options.authorizer;
  }

  /** Throws 401 and 403. */
  async admit(raw: IncomingMessage, info: RequestInfo, witness?: Witness): Promise<User> {
    // Most answers are there at once: waiting for them would cost every request a turn.
    const found = this.#authenticate(raw, info);
    const user = found instanceof Promise ? await found : found;
    if (!user) throw unauthorized();
    witness?.authenticated(user, info);
    if (user === anonymous && alwaysAllowed.has(info.path)) return anonymous;
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

  #authenticate(raw: IncomingMessage, info: RequestInfo): Promise<User | undefined> | User | undefined {
    const { authenticator, frontProxy } = this.#options;
    const proof = this.#proofOf(raw.socket);
    if (proof.kind === 'frontProxy' && frontProxy) {
      const user = userOfHeaders(raw.headersDistinct, frontProxy);
      if (user) return user;
    }
    const certificate = proof.kind === 'user' ? proof.certificate : undefined;
    const token = bearerToken(raw.headers.authorization) ?? protocolToken(raw);
    if (certificate || token !== undefined)
      return authenticator.authenticate({ bearerToken: token, certificate });
    const showsNothing = proof.kind === 'none' && raw.headers.authorization === undefined;
    return showsNothing && this.#mayBeAnonymous(info) ? anonymous : undefined;
  }

  #mayBeAnonymous({ method, path }: RequestInfo): boolean {
    const { anonymousPaths = alwaysAllowed } = this.#options;
    return (method === 'GET' || method === 'HEAD') && anonymousPaths.has(path);
  }

  #proofOf(socket: unknown): Proof {
    if (!(socket instanceof TLSSocket)) return { kind: 'none' };
    const { certificates, clock } = this.#options;
    return certificates.of(socket, clock.now().getTime());
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
