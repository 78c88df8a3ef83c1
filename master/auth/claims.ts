/**
 * What a service account's token says, and who it then speaks for: the claims as documented Kubernetes makes them. Pure.
 * Called by `authn/issuer.ts` when a token is made, by `authn/boundtoken.ts` and `authn/legacytoken.ts` when one is shown.
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
  made: { issuer: string; id: string; now: Date; mayExtend: boolean },
): TokenClaims {
  const iat = Math.floor(made.now.getTime() / 1000);
  const isExtended = made.mayExtend && bound?.kind === 'Pod' && expirationSeconds === podTokenSeconds;
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

const serviceAccountGroups = (namespace: string): string[] => [
  'system:serviceaccounts',
  `system:serviceaccounts:${namespace}`,
  'system:authenticated',
];

/** The user a good token speaks for. */
export function userOfClaims({ jti, 'kubernetes.io': claim }: TokenClaims): User {
  const { namespace, serviceaccount, pod, node } = claim;
  const prefix = 'authentication.kubernetes.io';
  return {
    name: serviceAccountName(namespace, serviceaccount.name),
    uid: serviceaccount.uid,
    groups: serviceAccountGroups(namespace),
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

/** `iss` of tokens that are kept in Secrets. */
export const legacyIssuer = 'kubernetes/serviceaccount';

export interface LegacyClaims {
  namespace: string;
  serviceAccount: ObjectClaim;
  secretName: string;
}

const legacyClaim = (name: string): string => `kubernetes.io/serviceaccount/${name}`;

/** Of the token that a Secret of type kubernetes.io/service-account-token keeps. */
export function legacyClaimsFor(
  { namespace = '', name = '', uid = '' }: ObjectMeta,
  secretName: string,
): object {
  return {
    iss: legacyIssuer,
    [legacyClaim('namespace')]: namespace,
    [legacyClaim('secret.name')]: secretName,
    [legacyClaim('service-account.name')]: name,
    [legacyClaim('service-account.uid')]: uid,
    sub: serviceAccountName(namespace, name),
  };
}

/** `undefined` when one of the claims is missing or they contradict each other. */
export function readLegacyClaims(payload: object): LegacyClaims | undefined {
  const claims = payload as Readonly<Record<string, unknown>>;
  const text = (name: string): string => {
    const value = claims[legacyClaim(name)];
    return typeof value === 'string' ? value : '';
  };
  const [namespace, secretName] = [text('namespace'), text('secret.name')];
  const serviceAccount = { name: text('service-account.name'), uid: text('service-account.uid') };
  const isWhole =
    namespace !== '' &&
    secretName !== '' &&
    serviceAccount.uid !== '' &&
    claims['sub'] === serviceAccountName(namespace, serviceAccount.name);
  return isWhole ? { namespace, secretName, serviceAccount } : undefined;
}

/** The user that the token of a Secret speaks for. */
export const userOfLegacyClaims = ({ namespace, serviceAccount: { name, uid } }: LegacyClaims): User => ({
  name: serviceAccountName(namespace, name),
  uid,
  groups: serviceAccountGroups(namespace),
});
