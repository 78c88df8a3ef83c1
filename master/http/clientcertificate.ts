/**
 * 1. What a connection proves by its certificate: a user, a front proxy, nothing, or something nobody here believes. Called
 * by `identity.ts` for every request; a connection is looked at once, and again when the authorities change. Whom a certificate
 * makes a user is kept beyond its connection: to find out costs as much as several requests.
 *
 * The TLS library has checked the chain against all authorities together. Which of them it leads to is decided here: the
 * authority of front proxies makes no users, and that of users no front proxies. Sessions are not resumed (`src/host/tls.ts`):
 * what stands between a certificate and its authority is shown every time.
 */
import { X509Certificate } from 'node:crypto';
import type { DetailedPeerCertificate, TLSSocket } from 'node:tls';
import type { Credentials } from '../auth/auth.js';
import { issuedByOneOf, readAuthorities, type Validity } from '../auth/authn/chain.js';

/** PEM of the authorities, and which names are front proxies (any when empty). */
export interface ClientTrust {
  clients: string;
  frontProxies?: { ca: string; allowedNames: readonly string[] } | undefined;
}

export type Proof = { kind: 'none' | 'unknown' } | UserProof | { kind: 'frontProxy'; validity: Validity };

interface UserProof {
  kind: 'user';
  certificate: NonNullable<Credentials['certificate']>;
  validity: Validity;
}

interface Known {
  proof: Proof;
  trust: Trust;
}

interface Trust {
  clients: X509Certificate[];
  frontProxies: { authorities: X509Certificate[]; allowedNames: readonly string[] };
  /** By SHA-256 of the certificate. Holds whatever else a connection shows: to be a user comes first. */
  users: Map<string, UserProof>;
}

const maxUsers = 1024;

const none: Proof = { kind: 'none' };
const unknown: Proof = { kind: 'unknown' };

export class ClientCertificates {
  #trust: Trust;
  readonly #known = new WeakMap<TLSSocket, Known>();

  constructor(trust: ClientTrust) {
    this.#trust = readTrust(trust);
  }

  trust(trust: ClientTrust): void {
    this.#trust = readTrust(trust);
  }

  of(socket: TLSSocket, nowMs: number): Proof {
    let known = this.#known.get(socket);
    if (known?.trust !== this.#trust) {
      known = { proof: this.#prove(socket, nowMs), trust: this.#trust };
      this.#known.set(socket, known);
    }
    const { proof } = known;
    return !('validity' in proof) || isWithin(proof.validity, nowMs) ? proof : unknown;
  }

  #prove(socket: TLSSocket, nowMs: number): Proof {
    const fingerprint = socket.getPeerCertificate()?.fingerprint256;
    if (!fingerprint) return none;
    if (!socket.authorized) return unknown;
    const { users } = this.#trust;
    const before = users.get(fingerprint);
    // Another way to an authority, shown now, may hold longer.
    if (before && isWithin(before.validity, nowMs)) return before;
    const proof = this.#examine(socket);
    if (proof.kind === 'user') {
      if (users.size >= maxUsers) users.clear();
      users.set(fingerprint, proof);
    }
    return proof;
  }

  #examine(socket: TLSSocket): Proof {
    // Not `getPeerX509Certificate`: it takes the chain away from the socket.
    const peer = socket.getPeerCertificate(true);
    const leaf = new X509Certificate(peer.raw);
    const { commonName, organizations } = namesOf(leaf);
    if (!commonName) return unknown;
    const { clients, frontProxies } = this.#trust;
    const between = chainOf(peer);
    const asUser = issuedByOneOf(clients, leaf, between);
    if (asUser) {
      const sha256 = leaf.fingerprint256.replaceAll(':', '').toLowerCase();
      return { kind: 'user', certificate: { commonName, organizations, sha256 }, validity: asUser };
    }
    const { authorities, allowedNames } = frontProxies;
    const isNamed = allowedNames.length === 0 || allowedNames.includes(commonName);
    const asProxy = isNamed ? issuedByOneOf(authorities, leaf, between) : undefined;
    return asProxy ? { kind: 'frontProxy', validity: asProxy } : unknown;
  }
}

const isWithin = ({ fromMs, untilMs }: Validity, nowMs: number): boolean =>
  nowMs >= fromMs && nowMs <= untilMs;

const readTrust = ({ clients, frontProxies }: ClientTrust): Trust => ({
  clients: readAuthorities(clients),
  frontProxies: {
    authorities: readAuthorities(frontProxies?.ca ?? ''),
    allowedNames: frontProxies?.allowedNames ?? [],
  },
  users: new Map(),
});

/** What is above the leaf and is not its own issuer. */
function chainOf(leaf: DetailedPeerCertificate): X509Certificate[] {
  const chain: X509Certificate[] = [];
  const seen = new Set<string>([leaf.fingerprint256]);
  for (let above = leaf.issuerCertificate; above?.raw; above = above.issuerCertificate) {
    if (seen.has(above.fingerprint256)) break;
    seen.add(above.fingerprint256);
    const certificate = new X509Certificate(above.raw);
    if (certificate.subject !== certificate.issuer) chain.push(certificate);
  }
  return chain;
}

/** A certificate with several common names has none: whoever reads another one of them would take it for another user. */
function namesOf(leaf: X509Certificate): { commonName: string; organizations: string[] } {
  const { subject } = leaf.toLegacyObject();
  const commonName: string | string[] | undefined = subject?.CN;
  const organizations: string | string[] | undefined = subject?.O;
  return {
    commonName: typeof commonName === 'string' ? commonName : '',
    organizations: [organizations ?? []].flat(),
  };
}
