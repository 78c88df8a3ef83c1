/**
 * Tokens of service accounts for projected volumes, asked for by TokenRequest, bound to the pod, and renewed when 80 %
 * of their life or 24 hours are over. Kept in memory only; the volume they end in is a tmpfs.
 *
 * One timer looks after all of them, by the wall clock: a clock that was set does not leave a pod with an old token.
 */
import { serviceAccounts } from '../../src/api/kinds.js';
import type { Pod, ServiceAccountTokenProjection } from '../../src/api/types.js';
import type { Client } from '../../src/client/client.js';
import type { Clock } from '../../src/host/clock.js';
import { podName, podNamespace, podUid } from '../pods/names.js';

export interface ServiceAccountTokens {
  /** While the API does not answer, the last token serves as long as it is valid. */
  tokenFor(pod: Pod, projection: ServiceAccountTokenProjection, signal: AbortSignal): Promise<string>;
  release(podUid: string): void;
}

interface Token {
  text: string;
  renewAt: Date;
  expiresAt: Date;
}

/** Part of `authentication.k8s.io/v1` TokenRequest. */
interface TokenRequest {
  status?: { token?: string; expirationTimestamp?: string };
}

const lookEveryMs = 60_000;
const renewAfterPart = 0.8;
const renewAfterMs = 24 * 3600 * 1000;
/** So that pods that came together do not renew together. */
const maxJitterMs = 10_000;
const defaultExpirationSeconds = 3600;

export function createServiceAccountTokens(options: {
  client: Client;
  clock: Clock;
  /** The volumes of the pod have to be written anew. */
  onRenewal(podUid: string): void;
}): ServiceAccountTokens {
  const { client, clock } = options;
  const tokens = new Map<string, Map<string, Token>>();
  let cancelLook: (() => void) | undefined;

  async function request(
    pod: Pod,
    projection: ServiceAccountTokenProjection,
    signal: AbortSignal,
  ): Promise<Token> {
    const asked = clock.now().getTime();
    const expirationSeconds = projection.expirationSeconds ?? defaultExpirationSeconds;
    const body = {
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'TokenRequest',
      metadata: {},
      spec: {
        audiences: projection.audience ? [projection.audience] : [],
        expirationSeconds,
        boundObjectRef: { apiVersion: 'v1', kind: 'Pod', name: podName(pod), uid: podUid(pod) },
      },
    };
    const account = { namespace: podNamespace(pod), name: pod.spec?.serviceAccountName || 'default' };
    const answer = await client.post<TokenRequest>(serviceAccounts, account, 'token', body, { signal });
    const text = answer.status?.token;
    if (!text) throw new Error(`the API gave no token for service account ${account.name}`);
    const end = Date.parse(answer.status?.expirationTimestamp ?? '') || asked + expirationSeconds * 1000;
    const jitterMs = Math.random() * Math.min(maxJitterMs, 0.05 * (end - asked));
    const ageMs = Math.min(renewAfterPart * (end - asked), renewAfterMs) - jitterMs;
    return { text, renewAt: new Date(asked + ageMs), expiresAt: new Date(end) };
  }

  function lookLater(): void {
    cancelLook ??= clock.after(lookEveryMs, () => {
      cancelLook = undefined;
      const now = clock.now();
      for (const [uid, ofPod] of tokens) {
        if ([...ofPod.values()].some(({ renewAt }) => renewAt <= now)) options.onRenewal(uid);
      }
      if (tokens.size > 0) lookLater();
    });
  }

  return {
    async tokenFor(pod, projection, signal) {
      const { audience = '', expirationSeconds = defaultExpirationSeconds, path } = projection;
      const key = JSON.stringify([audience, expirationSeconds, path]);
      const ofPod = tokens.get(podUid(pod)) ?? new Map<string, Token>();
      tokens.set(podUid(pod), ofPod);
      const known = ofPod.get(key);
      const now = clock.now();
      if (known && known.renewAt > now) return known.text;
      try {
        const token = await request(pod, projection, signal);
        ofPod.set(key, token);
        lookLater();
        return token.text;
      } catch (error) {
        if (!known || known.expiresAt <= now) throw error;
        return known.text;
      }
    },
    release(uid) {
      tokens.delete(uid);
      if (tokens.size > 0) return;
      cancelLook?.();
      cancelLook = undefined;
    },
  };
}
