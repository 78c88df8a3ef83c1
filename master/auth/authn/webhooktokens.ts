/**
 * Who shows a token, asked of a server outside: a TokenReview is POSTed to what a kubeconfig names, as documented for
 * webhook token authentication. Asked last, for tokens that nobody else knows.
 *
 * Answers, good or bad, are kept by the hash of the token; failures are not. A webhook that does not answer means that the
 * token is not known: 401, not an error.
 */
import { createHash } from 'node:crypto';
import type { KubeAccess } from '../../../src/client/kubeconfig.js';
import type { Clock } from '../../../src/host/clock.js';
import { type Component, healthyNow } from '../../../src/host/component.js';
import type { Logger } from '../../../src/host/log.js';
import type { User } from '../../registry/registry.js';
import type { TokenIdentity } from '../auth.js';
import { authenticated, type TokenSource } from './authenticator.js';
import { createOutbound } from './outbound.js';

export interface WebhookTokensOptions {
  /** From the kubeconfig: the URL, whom to trust, what to show. */
  access: KubeAccess;
  version: 'v1' | 'v1beta1';
  cacheTtlMs: number;
  /** Of this API server. */
  audiences: readonly string[];
  clock: Clock;
  log: Logger;
}

interface Kept {
  answer: Promise<TokenIdentity | undefined>;
  untilMs: number;
}

const timeoutMs = 30_000;
const maxKept = 4096;

export function createWebhookTokens(options: WebhookTokensOptions): Component & { find: TokenSource } {
  const { access, version, cacheTtlMs, audiences: own, clock, log } = options;
  const outbound = createOutbound({ ...access, timeoutMs, clock });
  /** The oldest first. */
  const kept = new Map<string, Kept>();

  async function ask(token: string, wanted: readonly string[]): Promise<TokenIdentity | undefined> {
    const review = {
      apiVersion: `authentication.k8s.io/${version}`,
      kind: 'TokenReview',
      spec: { token, audiences: wanted },
    };
    const answer = await outbound.json(access.server, { body: review, token: access.token });
    return identityOf(answer, wanted, own);
  }

  function keep(key: string, answer: Promise<TokenIdentity | undefined>): void {
    kept.delete(key);
    kept.set(key, { answer, untilMs: clock.monotonicMs() + cacheTtlMs });
    const [oldest] = kept.keys();
    if (kept.size > maxKept && oldest !== undefined) kept.delete(oldest);
  }

  return {
    name: 'token-webhook',
    start: async () => undefined,
    stop: () => outbound.close(),
    healthy: () => healthyNow,
    async find(token, audiences) {
      const wanted = audiences ?? own;
      const key = createHash('sha256')
        .update(JSON.stringify([token, wanted]))
        .digest('base64');
      const known = kept.get(key);
      const isKept = known !== undefined && known.untilMs > clock.monotonicMs();
      const answer = isKept ? known.answer : ask(token, wanted);
      if (!isKept) keep(key, answer);
      try {
        return await answer;
      } catch (error) {
        if (kept.get(key)?.answer === answer) kept.delete(key);
        if (!isKept)
          log.warn(
            { reason: error instanceof Error ? error.message : String(error) },
            'the token webhook gave no answer',
          );
        return undefined;
      }
    },
  };
}

/** What a TokenReview says. An answer without audiences is for this API server, by one that knows nothing of them. */
function identityOf(
  review: unknown,
  wanted: readonly string[],
  own: readonly string[],
): TokenIdentity | undefined {
  const { status } = (review ?? {}) as { status?: Partial<Record<string, unknown>> };
  if (status?.['authenticated'] !== true) return undefined;
  const user = userOf(status['user']);
  const said = textsOf(status['audiences']);
  const audiences = wanted.filter((audience) => (said.length > 0 ? said : own).includes(audience));
  return user && audiences.length > 0 ? { user: authenticated(user), audiences } : undefined;
}

function userOf(info: unknown): User | undefined {
  const { username, uid, groups, extra } = (info ?? {}) as Partial<Record<string, unknown>>;
  if (typeof username !== 'string' || username === '') return undefined;
  const entries = Object.entries((extra ?? {}) as object).map(
    ([key, values]) => [key, textsOf(values)] as const,
  );
  return {
    name: username,
    groups: textsOf(groups),
    ...(typeof uid === 'string' && uid !== '' && { uid }),
    ...(entries.length > 0 && { extra: Object.fromEntries(entries) }),
  };
}

const textsOf = (value: unknown): string[] =>
  Array.isArray(value) ? value.filter((one): one is string => typeof one === 'string') : [];
