/**
 * What a service account's token says, and who it then speaks for: the claims as documented Kubernetes makes them. Pure.
 * Called by `issuer.ts` when a token is made and by `boundtoken.ts` when one is shown.
 */
import type { ObjectMeta } from '../../src/api/types.js';
import type { User } from '../registry/registry.js';

export interface ObjectClaim {
  name: string;
  uid: string;
}

/** The claim `kubernetes.io`. */
export interface KubernetesClaim {
  namespace: string;
  serviceaccount: ObjectClaim;
  pod?: ObjectClaim;
  node?: ObjectClaim;
  secret?: ObjectClaim;
  /** Seconds since 1970: the pod should have renewed its token by then. */
  warnafter?: number;
}

/** Times are seconds since 1970. */
export interface TokenClaims {
  iss: string;
  aud: string[];
  exp: number;
  iat: number;
  nbf: number;
  jti: string;
  sub: string;
  'kubernetes.io': KubernetesClaim;
}

export interface TokenSubject {
  serviceAccount: ObjectMeta;
  /** What the token ends with. */
  bound?: { kind: 'Pod' | 'Secret' | 'Node'; metadata: ObjectMeta };
  /** Of a pod that has one. */
  node?: ObjectClaim;
  audiences: readonly string[];
  expirationSeconds: number;
}

/** What kubelet asks for the tokens of pods; those live on for a year, for programs that read theirs once. */
const podTokenSeconds = 3607;
const extendedSeconds = 365 * 24 * 3600;

export function claimsFor(
  { serviceAccount, bound, node, audiences, expirationSeconds }: TokenSubject,
  made: { issuer: string; id: string; now: Date },
): TokenClaims {
  const iat = Math.floor(made.now.getTime() / 1000);
  const isExtended = bound?.kind === 'Pod' && expirationSeconds === podTokenSeconds;
  const { namespace = '', name = '' } = serviceAccount;
  return {
    aud: [...audiences],
    exp: iat + (isExtended ? extendedSeconds : expirationSeconds),
    iat,
    iss: made.issuer,
    jti: made.id,
    'kubernetes.io': {
      namespace,
      ...(node && { node }),
      ...(bound && { [bound.kind.toLowerCase()]: claimOf(bound.metadata) }),
      serviceaccount: claimOf(serviceAccount),
      ...(isExtended && { warnafter: iat + expirationSeconds }),
    },
    nbf: iat,
    sub: serviceAccountName(namespace, name),
  };
}

const claimOf = ({ name = '', uid = '' }: ObjectMeta): ObjectClaim => ({ name, uid });

export const serviceAccountName = (namespace: string, name: string): string =>
  `system:serviceaccount:${namespace}:${name}`;

/** The user a good token speaks for. */
export function userOfClaims({ jti, 'kubernetes.io': claim }: TokenClaims): User {
  const { namespace, serviceaccount, pod, node } = claim;
  const prefix = 'authentication.kubernetes.io';
  return {
    name: serviceAccountName(namespace, serviceaccount.name),
    uid: serviceaccount.uid,
    groups: ['system:serviceaccounts', `system:serviceaccounts:${namespace}`, 'system:authenticated'],
    extra: {
      [`${prefix}/credential-id`]: [`JTI=${jti}`],
      ...(node && { [`${prefix}/node-name`]: [node.name], [`${prefix}/node-uid`]: [node.uid] }),
      ...(pod && { [`${prefix}/pod-name`]: [pod.name], [`${prefix}/pod-uid`]: [pod.uid] }),
    },
  };
}

/** What a verified payload has to look like; `undefined` for a token of ours that is none of a service account. */
export function readClaims(payload: object): TokenClaims | undefined {
  const { aud, exp, nbf, jti, sub, 'kubernetes.io': claim } = payload as Partial<TokenClaims>;
  const isWhole =
    Array.isArray(aud) &&
    typeof exp === 'number' &&
    typeof nbf === 'number' &&
    typeof jti === 'string' &&
    typeof claim?.namespace === 'string' &&
    typeof claim.serviceaccount?.name === 'string' &&
    sub === serviceAccountName(claim.namespace, claim.serviceaccount.name);
  return isWhole ? (payload as TokenClaims) : undefined;
}
