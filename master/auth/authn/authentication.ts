/**
 * Everything that knows somebody, put together from the options: keys and issuer of service account tokens, outside
 * issuers, the webhook, and what the connection must prove. Called by `access.ts`.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Client } from '../../../src/client/client.js';
import { loadKubeconfig } from '../../../src/client/kubeconfig.js';
import type { Clock } from '../../../src/host/clock.js';
import type { Component } from '../../../src/host/component.js';
import type { Logger } from '../../../src/host/log.js';
import type { Authenticator, TokenAuthenticator } from '../auth.js';
import { frontProxyName, type Pki } from '../pki.js';
import { authenticated, createAuthenticator, ofApiServer, type TokenSource } from './authenticator.js';
import { readAuthorities } from './chain.js';
import type { FrontProxyHeaders } from './frontproxy.js';
import { createTokenIssuer, type TokenIssuer } from './issuer.js';
import { issuerOfFlags, type JwtIssuer } from './jwtconfig.js';
import { createJwtTokens } from './jwttokens.js';
import { createKeyFiles } from './keyfiles.js';
import type { AuthenticationOptions } from './options.js';
import { readStructured, type StructuredAuthentication } from './structured.js';
import { createWebhookTokens } from './webhooktokens.js';

export interface Authentication {
  issuer: TokenIssuer;
  authenticator: Authenticator & TokenAuthenticator;
  frontProxy(): FrontProxy;
  /** Where requests without credentials may go; the usual paths when absent. */
  anonymousPaths: ReadonlySet<string> | undefined;
  /** Run before the API answers. */
  parts: readonly Component[];
}

/** Whose headers are believed. */
export interface FrontProxy extends FrontProxyHeaders {
  /** PEM. */
  ca: string;
  /** Any when empty. */
  allowedNames: readonly string[];
}

export interface AuthenticationDeps {
  options: AuthenticationOptions;
  /** `<data-dir>/master`. */
  directory: string;
  pki: Pick<Pki, 'adminToken' | 'frontProxy'>;
  /** host:port where others find the issuer's documents. */
  address: string;
  client: Pick<Client, 'get' | 'patch'>;
  clock: Clock;
  log: Logger;
}

/** Rejects when a file that the options name cannot be used. */
export async function createAuthentication(deps: AuthenticationDeps): Promise<Authentication> {
  const { options, pki, address, client, clock } = deps;
  const log = deps.log.child({ component: 'authentication' });
  const { serviceAccounts } = options;
  const keyFiles = createKeyFiles({
    ...{ clock, log, directory: join(deps.directory, 'pki') },
    signingKeyFile: serviceAccounts.signingKeyFile,
    keyFiles: serviceAccounts.keyFiles,
  });
  await keyFiles.reload();
  const issuer = createTokenIssuer({
    ...{ address, clock, keys: () => keyFiles.current() },
    issuers: serviceAccounts.issuers,
    audiences: serviceAccounts.audiences ?? serviceAccounts.issuers,
    jwksUri: serviceAccounts.jwksUri,
    maxExpirationSeconds: serviceAccounts.maxExpirationSeconds,
    extendExpiration: serviceAccounts.extendExpiration,
  });
  const structured = await structuredOf(options);
  const issuers = await outsideIssuers(options, structured);
  const outside = await outsideSources(issuers, options.webhook, { audiences: issuer.audiences, clock, log });
  const authenticator = createAuthenticator({
    ...{ client, clock, log, issuer, others: outside.sources },
    adminToken: pki.adminToken,
  });
  return {
    issuer,
    authenticator,
    frontProxy: await frontProxyOf(options.frontProxy, pki),
    anonymousPaths: options.anonymousAuth ? structured?.anonymousPaths : new Set(),
    parts: [keyFiles, ...outside.parts],
  };
}

interface OutsideDeps {
  audiences: readonly string[];
  clock: Clock;
  log: Logger;
}

async function structuredOf({
  configFile,
  serviceAccounts,
}: AuthenticationOptions): Promise<StructuredAuthentication | undefined> {
  const text = await readIf(configFile);
  if (text === undefined) return undefined;
  try {
    return readStructured(text, serviceAccounts.issuers);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new Error(`--authentication-config: ${configFile}: ${why}`, { cause: error });
  }
}

async function outsideIssuers(
  { oidc }: AuthenticationOptions,
  structured: StructuredAuthentication | undefined,
): Promise<readonly JwtIssuer[]> {
  if (structured) return structured.issuers;
  return oidc ? [issuerOfFlags(oidc, await readIf(oidc.caFile))] : [];
}

/** Issuers outside in the order of the configuration, then the webhook. */
async function outsideSources(
  issuers: readonly JwtIssuer[],
  webhook: AuthenticationOptions['webhook'],
  { audiences, clock, log }: OutsideDeps,
): Promise<{ sources: TokenSource[]; parts: Component[] }> {
  const ofIssuers = issuers.map((issuer) => createJwtTokens({ issuer, clock, log }));
  const sources = ofIssuers.map(({ find }) =>
    ofApiServer(audiences, async (token) => {
      const user = await find(token);
      return user && authenticated(user);
    }),
  );
  if (!webhook) return { sources, parts: ofIssuers };
  const { configFile, ...how } = webhook;
  const asked = createWebhookTokens({
    ...{ ...how, audiences, clock, log },
    access: await loadKubeconfig(configFile),
  });
  return { sources: [...sources, asked.find], parts: [...ofIssuers, asked] };
}

const readIf = async (path: string | undefined): Promise<string | undefined> =>
  path === undefined ? undefined : readFile(path, 'utf8');

async function frontProxyOf(
  { caFile, allowedNames = [frontProxyName], ...headers }: AuthenticationOptions['frontProxy'],
  pki: AuthenticationDeps['pki'],
): Promise<() => FrontProxy> {
  const given = await readIf(caFile);
  if (caFile !== undefined && readAuthorities(given ?? '').length === 0)
    throw new Error(`--requestheader-client-ca-file: ${caFile} holds no certificate`);
  return () => ({ ...headers, allowedNames, ca: given ?? pki.frontProxy.ca });
}
