/**
 * The master's keys on disk, under `<data-dir>/master`: made on the first start, renewed by later ones. Called by the
 * composition root at start and once a day after that (a change of `serving` goes into the running server).
 *
 * All files are 0600 in directories of 0700. The authority is never replaced: that would lock out every node, so half
 * an authority is an error. The others are re-issued when less than 30 % of their life is left or when the serving
 * certificate does not name an address of the master.
 */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import type { Clock } from '../../src/host/clock.js';
import { ensureDirectory, readIfExists, requirePrivate, writeAtomic } from '../../src/host/files.js';
import { coversNames, isIssuedBy, lifetimePassed, matchesKey } from '../../src/host/pem.js';
import { createKey, type KeyPair } from '../../src/host/x509.js';
import { type Authority, createAuthority, loadAuthority } from './ca.js';

export interface Pki {
  authority: Authority;
  /** PEM of the authority: what clients trust. */
  ca: string;
  /** Of the API server; `cert` is leaf and authority. */
  serving: KeyPair;
  /** What the master shows to agents on 10250: `kube-apiserver-kubelet-client` of system:masters. */
  kubeletClient: KeyPair;
  /** What the master shows to aggregated API servers, of an authority for this one purpose: they believe it who asks. */
  frontProxy: { ca: string; client: KeyPair };
  /** `kubernetes-admin` of system:masters. */
  admin: KeyPair;
  /** Bearer token of the same administrator. */
  adminToken: string;
  /** PKCS#8 PEM of the key that signs tokens of service accounts. */
  serviceAccountKey: string;
}

export interface PkiOptions {
  /** `<data-dir>/master`. */
  directory: string;
  /** What clients may call the API server, besides the names every cluster has. */
  dnsNames: readonly string[];
  /** Node and bind addresses, and the first of the service network. */
  ips: readonly string[];
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

/** The only name that aggregated API servers take the front proxy by. */
export const frontProxyName = 'front-proxy-client';

/** Idempotent. Rejects when a file is unreadable, readable by others, or the authority is incomplete. */
export async function ensurePki(options: PkiOptions): Promise<Pki> {
  const { directory } = options;
  const now = options.clock.now();
  const pkiDirectory = join(directory, 'pki');
  await ensureDirectory(directory, 0o700);
  await ensureDirectory(pkiDirectory, 0o700);
  const authority = await ensureAuthority(pkiDirectory, now);

  const frontProxy = await ensureAuthority(pkiDirectory, now, 'front-proxy-ca');

  const pair = (
    name: string,
    issue: () => Promise<KeyPair>,
    isGood: (cert: string) => boolean = () => true,
    issuer: Authority = authority,
  ): Promise<KeyPair> =>
    ensurePair(
      join(pkiDirectory, name),
      issue,
      (cert) => isIssuedBy(cert, issuer.pair.cert) && lifetimePassed(cert, now) < renewAtPart && isGood(cert),
    );
  const names = {
    dnsNames: [...new Set([...wellKnownNames, ...options.dnsNames])],
    ips: [...new Set(['127.0.0.1', '::1', ...options.ips])],
  };
  const administrators = ['system:masters'];
  return {
    authority,
    ca: authority.pair.cert,
    serving: await pair(
      'server',
      () => authority.issueServing({ commonName: 'kube-apiserver', organizations: [] }, names, now),
      (cert) => coversNames(cert, names.dnsNames, names.ips),
    ),
    kubeletClient: await pair('kubelet-client', () =>
      authority.issueClient(
        { commonName: 'kube-apiserver-kubelet-client', organizations: administrators },
        now,
      ),
    ),
    frontProxy: {
      ca: frontProxy.pair.cert,
      client: await pair(
        'front-proxy-client',
        () => frontProxy.issueClient({ commonName: frontProxyName, organizations: [] }, now),
        undefined,
        frontProxy,
      ),
    },
    admin: await pair('admin', () =>
      authority.issueClient({ commonName: 'kubernetes-admin', organizations: administrators }, now),
    ),
    adminToken: await ensureToken(join(directory, 'admin.token')),
    serviceAccountKey: await ensureKey(join(pkiDirectory, 'sa.key')),
  };
}

async function ensureAuthority(directory: string, now: Date, name = 'ca'): Promise<Authority> {
  const path = join(directory, name);
  const found = await readPair(path);
  if (found.cert !== undefined && found.key !== undefined)
    return loadAuthority({ cert: found.cert, key: found.key });
  // The key is written first: a certificate without its key can only be a loss.
  if (found.cert !== undefined) throw new Error(`${path}.key is missing; restore it from a backup`);
  if ((await readIfExists(`${path}.crt`)) !== undefined)
    throw new Error(`${path}.key and ${path}.crt do not match`);
  const authority = await createAuthority(now, name === 'ca' ? undefined : name);
  await writePair(path, authority.pair);
  return authority;
}

async function ensurePair(
  path: string,
  issue: () => Promise<KeyPair>,
  isGood: (cert: string) => boolean,
): Promise<KeyPair> {
  const { cert, key } = await readPair(path);
  if (cert !== undefined && key !== undefined && isGood(cert)) return { cert, key };
  const pair = await issue();
  await writePair(path, pair);
  return pair;
}

/** A certificate of another key (a crash between the two writes of `writePair`) counts as none. */
async function readPair(path: string): Promise<{ cert: string | undefined; key: string | undefined }> {
  const key = await readSecret(`${path}.key`);
  const cert = (await readIfExists(`${path}.crt`))?.toString();
  if (cert === undefined || key === undefined || matchesKey(cert, key)) return { cert, key };
  return { cert: undefined, key };
}

async function writePair(path: string, pair: KeyPair): Promise<void> {
  await writeAtomic(`${path}.key`, pair.key, 0o600);
  await writeAtomic(`${path}.crt`, pair.cert, 0o600);
}

/** Never replaced: that would end every token. */
async function ensureKey(path: string): Promise<string> {
  const found = await readSecret(path);
  if (found !== undefined) return found;
  const key = await createKey();
  await writeAtomic(path, key, 0o600);
  return key;
}

async function ensureToken(path: string): Promise<string> {
  const found = await readSecret(path);
  if (found?.trim()) return found.trim();
  const token = randomBytes(32).toString('base64url');
  await writeAtomic(path, `${token}\n`, 0o600);
  return token;
}

async function readSecret(path: string): Promise<string | undefined> {
  const bytes = await readIfExists(path);
  if (bytes) await requirePrivate(path);
  return bytes?.toString();
}
