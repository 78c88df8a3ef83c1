/**
 * TLS of both servers, the API's and the agents': which versions and cipher suites they take. Called by
 * `parseMasterOptions` and `parseAgentOptions`; the servers spread the result into what they hand to Node.
 *
 * TLS 1.2 with ECDHE and an AEAD cipher is the least: nothing without forward secrecy, no CBC, no SHA-1. The flags and
 * names are those of kube-apiserver and kubelet, so that hardening guides apply; what such guides forbid is refused.
 */
import { constants } from 'node:crypto';
import type { SecureVersion } from 'node:tls';
import { given, parsedFlag, type RawFlags } from './config.js';

/** What Node's TLS servers take. */
export interface TlsSettings {
  minVersion: SecureVersion;
  /** OpenSSL's names, the best first. */
  ciphers: string;
  honorCipherOrder: true;
  ecdhCurve: string;
  /**
   * No renegotiation. No session tickets: a resumed session does not show its certificate again, and the key of tickets
   * would have to be rotated.
   */
  secureOptions: number;
}

/** Go's names -> OpenSSL's. Of TLS 1.3 all three are always taken, as in Go. */
const modernSuites: ReadonlyMap<string, string> = new Map([
  ['TLS_AES_128_GCM_SHA256', 'TLS_AES_128_GCM_SHA256'],
  ['TLS_AES_256_GCM_SHA384', 'TLS_AES_256_GCM_SHA384'],
  ['TLS_CHACHA20_POLY1305_SHA256', 'TLS_CHACHA20_POLY1305_SHA256'],
]);

const suites: ReadonlyMap<string, string> = new Map([
  ['TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256', 'ECDHE-ECDSA-AES128-GCM-SHA256'],
  ['TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256', 'ECDHE-RSA-AES128-GCM-SHA256'],
  ['TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384', 'ECDHE-ECDSA-AES256-GCM-SHA384'],
  ['TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384', 'ECDHE-RSA-AES256-GCM-SHA384'],
  ['TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256', 'ECDHE-ECDSA-CHACHA20-POLY1305'],
  ['TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256', 'ECDHE-RSA-CHACHA20-POLY1305'],
]);

/** Names that Go keeps for old programs. */
const oldNames: Readonly<Record<string, string>> = {
  TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305: 'TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256',
  TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305: 'TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256',
};

const versions: Readonly<Record<string, SecureVersion>> = {
  VersionTLS12: 'TLSv1.2',
  VersionTLS13: 'TLSv1.3',
};

const settings = (minVersion: SecureVersion, chosen: readonly string[]): TlsSettings => ({
  minVersion,
  ciphers: [...modernSuites.values(), ...chosen].join(':'),
  honorCipherOrder: true,
  ecdhCurve: 'X25519:P-256:P-384',
  secureOptions: constants.SSL_OP_NO_TICKET | constants.SSL_OP_NO_RENEGOTIATION,
});

export const defaultTls: TlsSettings = settings('TLSv1.2', [...suites.values()]);

/** `--tls-min-version` and `--tls-cipher-suites`. Throws an `Error` that names the flag. */
export function tlsFlags(raw: RawFlags): TlsSettings {
  const minVersion = parsedFlag(raw, 'tls-min-version', parseVersion, 'TLSv1.2');
  if (given(raw, 'tls-cipher-suites') === undefined) return settings(minVersion, [...suites.values()]);
  return settings(minVersion, parsedFlag(raw, 'tls-cipher-suites', parseSuites, []));
}

function parseVersion(text: string): SecureVersion {
  const version = versions[text];
  if (version === undefined)
    throw new Error(`${JSON.stringify(text)} is not taken; take one of ${Object.keys(versions).join(', ')}`);
  return version;
}

function parseSuites(text: string): string[] {
  const names = text.split(',').map((name) => name.trim());
  const wanted = names.map((name) => oldNames[name] ?? name).filter((name) => !modernSuites.has(name));
  return wanted.map((name) => {
    const suite = suites.get(name);
    if (suite === undefined)
      throw new Error(
        `${JSON.stringify(name)} is unknown or not safe; take some of ${[...suites.keys(), ...modernSuites.keys()].join(', ')}`,
      );
    return suite;
  });
}
