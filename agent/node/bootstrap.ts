/**
 * 7. How a host becomes a node: `joinCluster` turns a join token into certificates. Called by the agent at every start.
 *
 *   TLS without trust -> chain against the pin -> ca.crt
 *   -> client certificate, asked for with the token -> client.pem
 *   -> serving certificate, asked for with the client certificate -> serving.pem
 *
 * What is on disk and still good is not asked for again, so a restart needs neither token nor master. The token is
 * sent to nobody but a server whose chain ends in the pinned authority.
 */
import { isReason } from '../../src/api/errors.js';
import { createBackoff } from '../../src/client/backoff.js';
import { bearerOf, type JoinToken, parseJoinToken } from '../../src/client/jointoken.js';
import { createRestClient } from '../../src/client/rest.js';
import { type Clock, systemClock } from '../../src/host/clock.js';
import type { Logger } from '../../src/host/log.js';
import {
  commonNameOf,
  coversNames,
  isIssuedByOneOf,
  lifetimePassed,
  lifetimePoint,
  matchesKey,
} from '../../src/host/pem.js';
import type { KeyPair } from '../../src/host/x509.js';
import { fetchAuthority, PinMismatch } from './bootstrap-authority.js';
import { type CredentialFiles, type CredentialName, openCredentialFiles } from './bootstrap-files.js';
import { type NodeIdentity, obtainCertificate, RequestRefused } from './bootstrap-request.js';

export interface JoinOptions extends NodeIdentity {
  /** `https://host:port` of the master. */
  server: string;
  /** Needed for the first start only. */
  token: string | undefined;
  /** `<data-dir>/agent/pki`. */
  pkiDir: string;
  signal: AbortSignal;
  log: Logger;
  clock?: Clock;
}

/** All PEM. They are replaced when they are renewed: read them when they are needed. */
export interface AgentCredentials {
  /** Of every authority that is trusted, first the one that signs. */
  ca: string;
  client: KeyPair;
  serving: KeyPair;
  /** Of those that sign `serving`, first the one that does now; undefined until the master has told. */
  servingCa: string | undefined;
}

/**
 * Waits for a master that cannot be reached. Rejects when a person has to help: no or wrong token, wrong server,
 * request refused.
 */
export async function joinCluster(options: JoinOptions): Promise<AgentCredentials> {
  const { server, signal } = options;
  const files = await openCredentialFiles(options.pkiDir);
  const token = options.token === undefined ? undefined : parseJoinToken(options.token);
  const now = (options.clock ?? systemClock).now();
  const ca = await ensureAuthority(options, files, token);

  const isGood = (pair: KeyPair | undefined): pair is KeyPair =>
    pair !== undefined && matchesKey(pair.cert, pair.key) && lifetimePassed(pair.cert, now) < 1;
  const ensure = async (
    name: CredentialName,
    access: (found: KeyPair | undefined) => KeyPair | { token: string },
    isCurrent: (cert: string) => boolean,
  ): Promise<KeyPair> => {
    const found = await files.readPair(name);
    if (isGood(found) && isCurrent(found.cert)) return found;
    const client = createRestClient({ server, ca, ...access(found) });
    try {
      return await persist(options, () =>
        obtainCertificate({ name, identity: options, client, files, signal }),
      );
    } finally {
      await client.close();
    }
  };

  const client = await ensure(
    'client',
    (found) => ({ token: bearerOf(requireToken(token, found)) }),
    (cert) => isIssuedByOneOf(cert, ca) && commonNameOf(cert) === `system:node:${options.nodeName}`,
  );
  const serving = await ensure(
    'serving',
    () => client,
    // Who should have issued it is not known yet; the renewal sees to that.
    (cert) => coversNames(cert, [options.nodeName], options.nodeIps),
  );
  return { ca, client, serving, servingCa: undefined };
}

async function ensureAuthority(
  options: JoinOptions,
  files: CredentialFiles,
  token: JoinToken | undefined,
): Promise<string> {
  const found = await files.readCa();
  if (found !== undefined) {
    if (token && !(await files.readKnown()).includes(token.caHash)) {
      throw new PinMismatch(
        `${options.pkiDir} belongs to another cluster than the join token; remove it to join anew`,
      );
    }
    return found;
  }
  const { caHash } = requireToken(token);
  const ca = await persist(options, () => fetchAuthority(options.server, caHash, options.signal));
  await files.writeCa(ca);
  return ca;
}

function requireToken(token: JoinToken | undefined, expired?: KeyPair): JoinToken {
  if (token) return token;
  const why = expired
    ? `the certificate of this node expired on ${expiryOf(expired.cert)} while the agent could not renew it`
    : 'this host has no valid credentials';
  throw new Error(`${why}: a join token is needed (wherry token create)`);
}

const expiryOf = (cert: string): string => new Date(lifetimePoint(cert, 1)).toISOString();

/** Tries until it works; gives up when trying again cannot help. */
async function persist<T>(
  { clock = systemClock, signal, log }: JoinOptions,
  run: () => Promise<T>,
): Promise<T> {
  const backoff = createBackoff({ minMs: 500, maxMs: 15_000, jitter: 0.5 });
  for (;;) {
    try {
      return await run();
    } catch (error) {
      const isHopeless =
        error instanceof PinMismatch ||
        error instanceof RequestRefused ||
        isReason(error, 'Forbidden', 'Invalid', 'BadRequest');
      if (isReason(error, 'Unauthorized') && !signal.aborted)
        throw new Error(
          'the master does not know the join token any more: make a new one (wherry token create)',
          {
            cause: error,
          },
        );
      if (isHopeless || signal.aborted) throw error;
      log.warn({ err: error }, 'joining did not work yet, will try again');
      await clock.sleep(backoff.next(), signal);
    }
  }
}
