/**
 * Who shows a token of an outside OpenID Connect issuer. One per issuer, asked by the authenticator: tokens that say they are
 * another's are not looked at.
 */
import { decodeJwt, errors } from 'jose';
import type { Clock } from '../../../src/host/clock.js';
import { type Component, healthyNow } from '../../../src/host/component.js';
import type { Logger } from '../../../src/host/log.js';
import type { User } from '../../registry/registry.js';
import { looksLikeJwt } from './issuer.js';
import { ClaimsRefused, userOfJwt } from './jwtclaims.js';
import type { JwtIssuer } from './jwtconfig.js';
import { createOutbound } from './outbound.js';
import { createRemoteKeys } from './remotekeys.js';

export interface JwtTokens extends Component {
  /** `undefined` for any reason; why is in the log, without the token. */
  find(token: string): Promise<User | undefined>;
}

export interface JwtTokensOptions {
  issuer: JwtIssuer;
  clock: Clock;
  log: Logger;
}

/** For clocks of issuers that are ahead; nothing is good past its end. */
const notBeforeLeewaySeconds = 300;
const timeoutMs = 10_000;

export function createJwtTokens({ issuer, clock, log }: JwtTokensOptions): JwtTokens {
  const { url, discoveryUrl, ca, audiences, algorithms } = issuer;
  const outbound = createOutbound({ ca, timeoutMs, clock });
  const keys = createRemoteKeys({ issuer: url, discoveryUrl, outbound, clock, log });
  return {
    name: `issuer ${url}`,
    // Nobody waits for the issuer: it may be away, or run in this very cluster.
    start: async () => void keys.refresh(),
    stop: () => outbound.close(),
    healthy: () => healthyNow,
    async find(token) {
      if (!looksLikeJwt(token) || issuerOf(token) !== url) return undefined;
      const now = clock.now();
      const claims = await keys.verify(token, {
        issuer: url,
        audience: [...audiences],
        algorithms: [...algorithms],
        requiredClaims: ['exp'],
        currentDate: now,
        clockTolerance: notBeforeLeewaySeconds,
      });
      if (!claims || (claims.exp ?? 0) * 1000 <= now.getTime()) return undefined;
      try {
        return userOfJwt(claims, issuer);
      } catch (error) {
        if (!(error instanceof ClaimsRefused)) throw error;
        log.info({ issuer: url, reason: error.message }, 'a token of an outside issuer makes no user');
        return undefined;
      }
    },
  };
}

/** Not verified: only says whom to ask. */
function issuerOf(token: string): string | undefined {
  try {
    return decodeJwt(token).iss;
  } catch (error) {
    if (error instanceof errors.JOSEError) return undefined;
    throw error;
  }
}
