/**
 * Who may do what on the agent's API, as kubelet with `--authentication-token-webhook` and `--authorization-mode=Webhook`:
 * a client certificate of the cluster CA or a bearer token says who it is, the master's answer to a SubjectAccessReview
 * whether it may. Called by server.ts for every request and upgrade.
 *
 * The master itself, and administrators, need no question: what they do works while the master is away. Nobody is
 * anonymous. Answers hold as long as kubelet's: tokens 2 min, a yes 5 min, a no 30 s.
 */
import { createHash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { TLSSocket } from 'node:tls';
import { ApiError, unauthorized } from '../../src/api/errors.js';
import { resourceType } from '../../src/api/kinds.js';
import type { SubjectAccessReview, TokenReview, UserInfo } from '../../src/api/types.js';
import type { Client } from '../../src/client/client.js';
import type { Clock } from '../../src/host/clock.js';
import type { Logger } from '../../src/host/log.js';
import { AnswerCache } from './answercache.js';
import { accessAttributes } from './attributes.js';

export interface AccessOptions {
  nodeName: string;
  client: Pick<Client, 'create'>;
  clock: Pick<Clock, 'monotonicMs' | 'now'>;
  log: Logger;
}

/** Resolves when the request may go on; rejects with 401 or 403, with 500 when the master cannot say. */
export type CheckAccess = (request: IncomingMessage) => Promise<void>;

const masterGroup = 'system:masters';
const masterUser = 'kube-apiserver-kubelet-client';
const tokenMs = 120_000;
const allowedMs = 300_000;
const refusedMs = 30_000;
/** A master that does not answer must not hold connections. */
const questionMs = 10_000;
const maxTokenLength = 64 * 1024;

const tokenReviews = resourceType<TokenReview>(
  'authentication.k8s.io/v1',
  'tokenreviews',
  'TokenReview',
  false,
);
const accessReviews = resourceType<SubjectAccessReview>(
  'authorization.k8s.io/v1',
  'subjectaccessreviews',
  'SubjectAccessReview',
  false,
);

interface Decision {
  allowed: boolean;
  denied: boolean;
}

export function createAccess({ nodeName, client, clock, log }: AccessOptions): CheckAccess {
  const users = new AnswerCache<UserInfo | undefined>(clock, () => tokenMs);
  const decisions = new AnswerCache<Decision>(clock, ({ allowed }) => (allowed ? allowedMs : refusedMs));

  async function reviewToken(token: string): Promise<UserInfo | undefined> {
    const review = { metadata: {}, spec: { token } };
    const signal = AbortSignal.timeout(questionMs);
    const { status } = await client.create(tokenReviews, review, { signal });
    return status?.authenticated ? status.user : undefined;
  }

  async function userOf(request: IncomingMessage): Promise<UserInfo> {
    const certified = userOfCertificate(request, clock.now());
    if (certified) return certified;
    const [, token] = /^bearer +(\S+)\s*$/i.exec(request.headers.authorization ?? '') ?? [];
    if (!token || token.length > maxTokenLength) throw unauthorized();
    const key = createHash('sha256').update(token).digest('base64');
    const user = await users
      .get(key, () => reviewToken(token))
      .catch((err: unknown) => {
        log.warn({ err }, 'the master could not say whose token it is');
        throw unauthorized();
      });
    if (!user) throw unauthorized();
    return user;
  }

  async function review(user: UserInfo, verb: string, subresource: string): Promise<Decision> {
    const { username, groups, uid, extra } = user;
    const { status } = await client.create(
      accessReviews,
      {
        metadata: {},
        spec: {
          user: username,
          groups,
          uid,
          extra,
          resourceAttributes: { verb, version: 'v1', resource: 'nodes', subresource, name: nodeName },
        },
      },
      { signal: AbortSignal.timeout(questionMs) },
    );
    return { allowed: status?.allowed ?? false, denied: status?.denied ?? false };
  }

  return async (request) => {
    const user = await userOf(request);
    if (user.username === masterUser || user.groups?.includes(masterGroup)) return;
    const { verb, subresources } = accessAttributes(request.method ?? 'GET', request.url ?? '/');
    const asked = `user=${user.username}, verb=${verb}, resource=nodes, subresource(s)=[${subresources.join(' ')}]`;
    for (const subresource of subresources) {
      const key = JSON.stringify([user, verb, subresource]);
      const decision = await decisions
        .get(key, () => review(user, verb, subresource))
        .catch((err: unknown) => {
          throw new ApiError('InternalError', `Authorization error (${asked})`, undefined, { cause: err });
        });
      if (decision.allowed) return;
      if (decision.denied) break;
    }
    throw new ApiError('Forbidden', `Forbidden (${asked})`);
  };
}

function userOfCertificate({ socket }: IncomingMessage, now: Date): UserInfo | undefined {
  if (!(socket instanceof TLSSocket) || !socket.authorized) return undefined;
  const { subject, valid_to: validTo } = socket.getPeerCertificate();
  // A connection may outlive the certificate that it began with.
  if (Date.parse(validTo) < now.getTime()) return undefined;
  const { CN: user, O: groups } = subject;
  const [username] = names(user);
  return username ? { username, groups: [...names(groups), 'system:authenticated'] } : undefined;
}

/** Node gives a repeated attribute as an array, and its types say string. */
const names = (attribute: string | readonly string[] | undefined): readonly string[] =>
  attribute === undefined ? [] : typeof attribute === 'string' ? [attribute] : attribute;
