/**
 * The master's keys on disk, under `<data-dir>/master`: made on the first start, renewed by later looks. Called by the
 * composition root at start and by `master/certificates/renewal.ts` after that.
 *
 * All files are 0600 in directories of 0700. The authorities are replaced only when an administrator asks for it
 * (`authorities.ts`): everything else is issued anew when less than 30 % of its life is left, when another authority signs,
 * or when the serving certificate does not name an address of the master.
 */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { authorityServerName } from '../../src/client/jointoken.js';
import type { Clock } from '../../src/host/clock.js';
import { ensurePrivateDirectory, writeAtomic } from '../../src/host/files.js';
import {
  certificateHash,
  coversNames,
  isIssuedBy,
  lifetimePassed,
  lifetimePoint,
  pemBlocks,
} from '../../src/host/pem.js';
import { createKey, type KeyPair } from '../../src/host/x509.js';
import { type AuthorityPlace, type AuthoritySet, ensureAuthorities } from './authorities.js';
import type { Authority } from './ca.js';
import { readPair, readSecret, writePair } from './pairs.js';

/** Live where the composition root hands it out: read its fields when they are needed. */
export interface Pki {
  /** The one that signs. */
  authority: Authority;
  /** PEM of all authorities that are trusted, the signing one first: what clients trust, and what their certificates are checked with. */
  ca: string;
  /** How far a rotation is. */
  authorities: Record<AuthorityName, AuthoritySet>;
  /** Of the API server; `cert` is the leaf and what connects it with an authority that everybody knows. */
  serving: KeyPair;
  /** The same by the server name that a joining host asks for: with the very authority that its token pins in the chain. */
  servingByAuthority: ReadonlyMap<string, KeyPair>;
  /** What the master shows to agents on 10250: `kube-apiserver-kubelet-client` of system:masters. */
  kubeletClient: KeyPair;
  /** What the master shows to aggregated API servers, of an authority for this one purpose: they believe it who asks. */
  frontProxy: { ca: string; client: KeyPair };
  /** `kubernetes-admin` of system:masters. */
  admin: KeyPair;
  /** Bearer token of the same administrator. */
  adminToken: string;
}

export interface PkiOptions {
  /** `<data-dir>/master`. */
  directory: string;
  /** What clients may call the API server, besides the names every cluster has. */
  dnsNames: readonly string[];
  /** Node and bind addresses, and the first of the service network. */
  ips: readonly string[];
  /** Of what is issued, also to nodes; a year by default. */
  lifetimeMs?: number;
  clock: Pick<Clock, 'now'>;
}

/** In-cluster names of the API server, as documented for the `kubernetes` Service. */
const wellKnownNames = [
  'localhost',
  'kubernetes',
  'kubernetes.default',
  'kubernetes.default.svc',
  'kubernetes.default.svc.cluster.local',
];
const renewAtPart = 0.7;
const leastTokenChars = 22;

/** The only name that aggregated API servers take the front proxy by. */
export const frontProxyName = 'front-proxy-client';

export const pkiDirectoryOf = (directory: string): string => join(directory, 'pki');

/** `kubeletServing` signs the serving certificates of agents: the master's link to them believes it, and nobody else. */
type AuthorityName = 'ca' | 'frontProxy' | 'kubeletServing';

/**
 * Where the authorities of a master are. The cluster's comes last: how far it is says how far a rotation is, and a step that
 * died before it is done again.
 */
export function authorityPlaces(directory: string): Record<AuthorityName, AuthorityPlace> {
  const pki = pkiDirectoryOf(directory);
  const leaf = (name: (typeof leafNames)[number]): string => join(pki, `${name}.crt`);
  const store = join(directory, 'store', 'CURRENT');
  return {
    frontProxy: {
      ...{ directory: pki, name: 'front-proxy-ca', commonName: 'front-proxy-ca' },
      before: [leaf('front-proxy-client')],
    },
    // Clusters of before it have none.
    kubeletServing: {
      ...{ directory: pki, name: 'kubelet-serving-ca', commonName: 'kubelet-serving-ca' },
      before: [],
    },
    ca: {
      ...{ directory: pki, name: 'ca', commonName: 'wherry' },
      before: [leaf('server'), leaf('kubelet-client'), leaf('admin'), store],
    },
  };
}

/** What is issued and renewed, by the name of its files; `wherry certs renew` takes these names. */
export const leafNames = ['server', 'kubelet-client', 'front-proxy-client', 'admin'] as const;

/** Idempotent. Rejects when a file is unreadable, readable by others, or an authority is incomplete. */
export async function ensurePki(options: PkiOptions): Promise<Pki> {
  const { directory, lifetimeMs } = options;
  const now = options.clock.now();
  await ensurePrivateDirectory(directory);
  await ensurePrivateDirectory(pkiDirectoryOf(directory));
  const places = authorityPlaces(directory);
  const authorities = {
    ca: await ensureAuthorities(places.ca, { now, lifetimeMs }),
    frontProxy: await ensureAuthorities(places.frontProxy, { now, lifetimeMs }),
    kubeletServing: await ensureAuthorities(places.kubeletServing, { now, lifetimeMs }),
  };
  await ensureKey(join(pkiDirectoryOf(directory), 'sa.key'));
  const leaves = await ensureLeaves(options, authorities);
  return {
    authority: authorities.ca.signing,
    ca: authorities.ca.trusted.join(''),
    authorities,
    serving: shown(leaves.serving, authorities.ca),
    servingByAuthority: shownByAuthority(leaves.serving, authorities.ca),
    kubeletClient: leaves.kubeletClient,
    frontProxy: { ca: authorities.frontProxy.trusted.join(''), client: leaves.frontProxyClient },
    admin: leaves.admin,
    adminToken: await ensureToken(join(directory, 'admin.token')),
  };
}

interface Leaves {
  serving: KeyPair;
  kubeletClient: KeyPair;
  frontProxyClient: KeyPair;
  admin: KeyPair;
}

async function ensureLeaves(
  { directory, clock, dnsNames, ips }: PkiOptions,
  { ca, frontProxy }: Pki['authorities'],
): Promise<Leaves> {
  const now = clock.now();
  const names = {
    dnsNames: [...new Set([...wellKnownNames, ...dnsNames])],
    ips: [...new Set(['127.0.0.1', '::1', ...ips])],
  };
  const pair = (
    name: (typeof leafNames)[number],
    issuer: Authority,
    issue: () => Promise<KeyPair>,
    isGood: (cert: string) => boolean = () => true,
  ): Promise<KeyPair> =>
    ensurePair(
      join(pkiDirectoryOf(directory), name),
      issue,
      (cert) => isIssuedBy(cert, issuer.pair.cert) && isYoung(cert, now, issuer) && isGood(cert),
    );
  const client = (
    name: (typeof leafNames)[number],
    issuer: Authority,
    commonName: string,
    organizations: string[],
  ): Promise<KeyPair> => pair(name, issuer, () => issuer.issueClient({ commonName, organizations }, now));
  const administrators = ['system:masters'];
  return {
    serving: await pair(
      'server',
      ca.signing,
      () => ca.signing.issueServing({ commonName: 'kube-apiserver', organizations: [] }, names, now),
      (cert) => coversNames(cert, names.dnsNames, names.ips),
    ),
    kubeletClient: await client(
      'kubelet-client',
      ca.signing,
      'kube-apiserver-kubelet-client',
      administrators,
    ),
    frontProxyClient: await client('front-proxy-client', frontProxy.signing, frontProxyName, []),
    admin: await client('admin', ca.signing, 'kubernetes-admin', administrators),
  };
}

/**
 * Neither near its end, nor from a time to come (the clock was set back), nor of a much longer life than certificates have
 * now.
 */
function isYoung(cert: string, now: Date, { lifetimeMs, pair }: Authority): boolean {
  const passed = lifetimePassed(cert, now);
  const leftMs = lifetimePoint(cert, 1) - now.getTime();
  const isOfAuthority = lifetimePoint(cert, 1) >= lifetimePoint(pair.cert, 1);
  return passed >= 0 && (passed < renewAtPart || isOfAuthority) && leftMs <= lifetimeMs;
}

/** Only the leaf is kept: what stands behind it follows from the authorities of the day. */
const shown = ({ cert, key }: KeyPair, { signing, cross }: AuthoritySet): KeyPair => ({
  cert: leafOf(cert) + (cross ?? signing.pair.cert),
  key,
});

function shownByAuthority({ cert, key }: KeyPair, set: AuthoritySet): ReadonlyMap<string, KeyPair> {
  const { signing, cross, trusted, phase } = set;
  const chains = new Map<string, KeyPair>();
  const add = (authority: string, chain: string): unknown =>
    chains.set(authorityServerName(certificateHash(authority)), { cert: leafOf(cert) + chain, key });
  add(signing.pair.cert, signing.pair.cert);
  const [, old] = trusted;
  if (phase === 'replaced' && old !== undefined && cross !== undefined) add(old, cross + old);
  return chains;
}

const leafOf = (chain: string): string => pemBlocks(chain, 'CERTIFICATE')[0] ?? '';

async function ensurePair(
  path: string,
  issue: () => Promise<KeyPair>,
  isGood: (cert: string) => boolean,
): Promise<KeyPair> {
  const { cert, key } = await readPair(path, 'remove it, and it is made anew');
  if (cert !== undefined && key !== undefined && isGood(cert)) return { cert, key };
  const pair = await issue();
  await writePair(path, pair);
  return pair;
}

/** Of the tokens of service accounts; `auth/authn/keyfiles.ts` uses it. */
async function ensureKey(path: string): Promise<void> {
  if ((await readSecret(path)) === undefined) await writeAtomic(path, await createKey(), 0o600);
}

async function ensureToken(path: string): Promise<string> {
  const found = (await readSecret(path))?.trim();
  // What is left of one could be guessed.
  if (found && found.length < leastTokenChars)
    throw new Error(
      `${path} holds less than ${leastTokenChars} characters; remove it, and a new token is made`,
    );
  if (found) return found;
  const token = randomBytes(32).toString('base64url');
  await writeAtomic(path, `${token}\n`, 0o600);
  return token;
}
