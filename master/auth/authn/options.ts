/**
 * The flags of `wherry master` that say who is known, named as kube-apiserver names them. Pure. Called by `options.ts` of
 * the master.
 */
import { parseDuration } from '../../../src/api/duration.js';
import { durationFlag, given, parsedFlag, type RawFlags, wrongFlag } from '../../../src/host/config.js';
import { booleanFlag, listFlag, optionalPath, requireHttps } from './flagvalues.js';
import { defaultIssuer } from './issuer.js';
import { type OidcFlags, oidcFlags } from './oidcflags.js';

export interface AuthenticationOptions {
  /** Whether requests without credentials are answered at all; for health and version only. */
  anonymousAuth: boolean;
  serviceAccounts: ServiceAccountOptions;
  frontProxy: FrontProxyFlags;
  oidc: OidcFlags | undefined;
  webhook: WebhookFlags | undefined;
  /** A file of kind AuthenticationConfiguration. */
  configFile: string | undefined;
}

export interface ServiceAccountOptions {
  /** The first one signs. */
  issuers: readonly string[];
  /** The issuers when absent. */
  audiences: readonly string[] | undefined;
  keyFiles: readonly string[];
  signingKeyFile: string | undefined;
  jwksUri: string | undefined;
  maxExpirationSeconds: number | undefined;
  extendExpiration: boolean;
}

export interface FrontProxyFlags {
  /** Who signs certificates of front proxies; an authority of the master's own when absent. */
  caFile: string | undefined;
  /** Common names; any when empty. The name of the master's own front proxy when absent. */
  allowedNames: readonly string[] | undefined;
  /** All in lowercase. */
  userHeaders: readonly string[];
  uidHeaders: readonly string[];
  groupHeaders: readonly string[];
  extraPrefixes: readonly string[];
}

export interface WebhookFlags {
  /** A kubeconfig that names the server to ask. */
  configFile: string;
  cacheTtlMs: number;
  version: 'v1' | 'v1beta1';
}

export function authenticationOptions(raw: RawFlags): AuthenticationOptions {
  const configFile = optionalPath(raw, 'authentication-config');
  const oidc = oidcFlags(raw);
  if (configFile && oidc)
    throw new Error(
      '--authentication-config and --oidc-... exclude each other; write the issuer into the file',
    );
  if (configFile && given(raw, 'anonymous-auth') !== undefined)
    throw new Error(
      '--authentication-config and --anonymous-auth exclude each other; write it into the file',
    );
  return {
    anonymousAuth: booleanFlag(raw, 'anonymous-auth', true),
    serviceAccounts: serviceAccountOptions(raw),
    frontProxy: frontProxyFlags(raw),
    oidc,
    webhook: webhookFlags(raw),
    configFile,
  };
}

const leastMaxMs = 3_600_000;
const mostMaxMs = 2 ** 32 * 1000;

function serviceAccountOptions(raw: RawFlags): ServiceAccountOptions {
  const issuers = listFlag(raw, 'service-account-issuer') ?? [defaultIssuer];
  for (const issuer of issuers) requireHttps('service-account-issuer', issuer);
  const jwksUri = given(raw, 'service-account-jwks-uri');
  if (jwksUri) requireHttps('service-account-jwks-uri', jwksUri);
  return {
    issuers,
    audiences: listFlag(raw, 'api-audiences'),
    keyFiles: (listFlag(raw, 'service-account-key-file') ?? []).map(absolute('service-account-key-file')),
    signingKeyFile: optionalPath(raw, 'service-account-signing-key-file'),
    jwksUri,
    maxExpirationSeconds: parsedFlag(raw, 'service-account-max-token-expiration', maxExpiration, undefined),
    extendExpiration: booleanFlag(raw, 'service-account-extend-token-expiration', true),
  };
}

function maxExpiration(text: string): number | undefined {
  const ms = parseDuration(text);
  if (ms < leastMaxMs || ms > mostMaxMs)
    throw new Error(`"${text}" must be at least 1h and at most 2^32 seconds`);
  return Math.floor(ms / 1000);
}

const lowercase = (names: readonly string[]): string[] => names.map((name) => name.toLowerCase());

function frontProxyFlags(raw: RawFlags): FrontProxyFlags {
  const names = (flag: string, otherwise: string): string[] => lowercase(listFlag(raw, flag) ?? [otherwise]);
  const caFile = optionalPath(raw, 'requestheader-client-ca-file');
  return {
    caFile,
    // With an authority of the operator's own any of its certificates is good unless names are given.
    allowedNames: listFlag(raw, 'requestheader-allowed-names') ?? (caFile ? [] : undefined),
    userHeaders: names('requestheader-username-headers', 'x-remote-user'),
    uidHeaders: names('requestheader-uid-headers', 'x-remote-uid'),
    groupHeaders: names('requestheader-group-headers', 'x-remote-group'),
    extraPrefixes: names('requestheader-extra-headers-prefix', 'x-remote-extra-'),
  };
}

function webhookFlags(raw: RawFlags): WebhookFlags | undefined {
  const configFile = optionalPath(raw, 'authentication-token-webhook-config-file');
  const version = given(raw, 'authentication-token-webhook-version') ?? 'v1';
  if (version !== 'v1' && version !== 'v1beta1')
    throw wrongFlag('authentication-token-webhook-version', version, 'is unknown; take v1 or v1beta1');
  const cacheTtlMs = durationFlag(raw, 'authentication-token-webhook-cache-ttl', '2m');
  return configFile === undefined ? undefined : { configFile, cacheTtlMs, version };
}

const absolute =
  (flag: string) =>
  (path: string): string => {
    if (!path.startsWith('/')) throw wrongFlag(flag, path, 'must be an absolute path');
    return path;
  };
