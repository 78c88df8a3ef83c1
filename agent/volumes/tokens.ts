/**
 * Tokens of service accounts for projected volumes, asked for by TokenRequest, bound to the pod, and renewed when 80 %
 * of their life is over. Kept in memory only; the volume they end in is a tmpfs.
 */
import { serviceAccounts } from '../../src/api/kinds.js';
import type { Pod, ServiceAccountTokenProjection } from '../../src/api/types.js';
import type { Client } from '../../src/client/client.js';
import type { Clock } from '../../src/host/clock.js';
import { podName, podNamespace, podUid } from '../pods/names.js';

export interface ServiceAccountTokens {
  tokenFor(pod: Pod, projection: ServiceAccountTokenProjection, signal: AbortSignal): Promise<string>;
  release(podUid: string): void;
}

interface Token {
  text: string;
  renewAt: Date;
}

/** Part of `authentication.k8s.io/v1` TokenRequest. */
interface TokenRequest {
  status?: { token?: string; expirationTimestamp?: string };
}

export function createServiceAccountTokens(options: {
  client: Client;
  clock: Clock;
  /** The volumes of the pod have to be written anew. */
  onRenewal(podUid: string): void;
}): ServiceAccountTokens {
  const { client, clock } = options;
  const tokens = new Map<string, Map<string, Token>>();

  async function request(
    pod: Pod,
    projection: ServiceAccountTokenProjection,
    signal: AbortSignal,
  ): Promise<Token> {
    const asked = clock.now().getTime();
    const expirationSeconds = projection.expirationSeconds ?? 3600;
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
    const end = Date.parse(answer.status?.expirationTimestamp ?? '') || asked + expirationSeconds * 1000;
    return { text: answer.status?.token ?? '', renewAt: new Date(asked + 0.8 * (end - asked)) };
  }

  return {
    async tokenFor(pod, projection, signal) {
      const key = `${projection.audience ?? ''}/${projection.path}`;
      const ofPod = tokens.get(podUid(pod)) ?? new Map<string, Token>();
      tokens.set(podUid(pod), ofPod);
      const known = ofPod.get(key);
      if (known && known.renewAt > clock.now()) return known.text;
      const token = await request(pod, projection, signal);
      ofPod.set(key, token);
      clock.after(token.renewAt.getTime() - clock.now().getTime(), () => {
        if (tokens.has(podUid(pod))) options.onRenewal(podUid(pod));
      });
      return token.text;
    },
    release: (podUid) => void tokens.delete(podUid),
  };
}
