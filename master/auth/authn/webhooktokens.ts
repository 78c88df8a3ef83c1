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
  /** What the answer takes, once it is there. */
  bytes: number;
}

const timeoutMs = 30_000;
const maxKept = { answers: 4096, bytes: 16 * 1024 * 1024 };
/** Names, groups and all: every request of the user carries them, into the audit log and to aggregated APIs. */
const maxUserBytes = 64 * 1024;

export function createWebhookTokens(options: WebhookTokensOptions): Component & { find: TokenSource } {
  const { access, version, cacheTtlMs, audiences: own, clock, log } = options;
  const outbound = createOutbound({ ...access, timeoutMs, clock });
  /** The oldest first. */
  const kept = new Map<string, Kept>();
  let keptBytes = 0;

  async function ask(token: string, wanted: readonly string[]): Promise<TokenIdentity | undefined> {
    const review = {
      apiVersion: `authentication.k8s.io/${version}`,
      kind: 'TokenReview',
      spec: { token, audiences: wanted },
    };
    const answer = await outbound.json(access.server, { body: review, token: access.token });
    const identity = identityOf(answer, wanted, own);
    if (bytesOf(identity) > maxUserBytes)
      throw new Error(`${access.server}: the user takes more than ${maxUserBytes} bytes`);
    return identity;
  }

  function keep(key: string, answer: Promise<TokenIdentity | undefined>): Kept {
    forget(key);
    const one = { answer, untilMs: clock.monotonicMs() + cacheTtlMs, bytes: 0 };
    kept.set(key, one);
    makeRoom();
    return one;
  }

  function forget(key: string): void {
    keptBytes -= kept.get(key)?.bytes ?? 0;
    kept.delete(key);
  }

  function weigh(key: string, one: Kept, identity: TokenIdentity | undefined): void {
    if (kept.get(key) !== one) return;
    one.bytes = bytesOf(identity);
    keptBytes += one.bytes;
    makeRoom();
  }

  function makeRoom(): void {
    for (const oldest of kept.keys()) {
      if (kept.size <= maxKept.answers && keptBytes <= maxKept.bytes) return;
      forget(oldest);
    }
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
      const one = isKept ? known : keep(key, ask(token, wanted));
      try {
        const identity = await one.answer;
        if (!isKept) weigh(key, one, identity);
        return identity;
      } catch (error) {
        if (kept.get(key) === one) forget(key);
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

const bytesOf = (identity: TokenIdentity | undefined): number =>
  identity === undefined ? 0 : Buffer.byteLength(JSON.stringify(identity));

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
