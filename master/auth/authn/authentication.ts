/**
 * Everything that knows somebody, put together from the options: keys and issuer of service account tokens, outside
 * issuers, the webhook, and what the connection must prove. Called by `access.ts`.
 */
import { join } from 'node:path';
import type { Client } from '../../../src/client/client.js';
import type { Clock } from '../../../src/host/clock.js';
import type { Component } from '../../../src/host/component.js';
import type { Logger } from '../../../src/host/log.js';
import type { Authenticator, TokenAuthenticator } from '../auth.js';
import { createAuthenticator } from './authenticator.js';
import { createTokenIssuer, type TokenIssuer } from './issuer.js';
import { createKeyFiles } from './keyfiles.js';
import type { AuthenticationOptions } from './options.js';

export interface Authentication {
  issuer: TokenIssuer;
  authenticator: Authenticator & TokenAuthenticator;
  /** Run before the API answers. */
  parts: readonly Component[];
}

export interface AuthenticationDeps {
  options: AuthenticationOptions;
  /** `<data-dir>/master`. */
  directory: string;
  adminToken: string;
  /** host:port where others find the issuer's documents. */
  address: string;
  client: Pick<Client, 'get' | 'patch'>;
  clock: Clock;
  log: Logger;
}

/** Rejects when a file that the options name cannot be used. */
export async function createAuthentication(deps: AuthenticationDeps): Promise<Authentication> {
  const { options, adminToken, address, client, clock } = deps;
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
  const authenticator = createAuthenticator({ adminToken, client, clock, log, issuer });
  return { issuer, authenticator, parts: [keyFiles] };
}
