/**
 * Renews the agent's certificates in place, at a random point between 70 and 90 % of their life, so that the nodes of a
 * cluster do not come all at once; at once when they do not name an address of the node, and when another authority signs
 * now. Nothing restarts: `credentials` is changed and `onRenewed` told. Called by the agent's composition root, after
 * `joinCluster`.
 *
 * A master that is away is asked again, until the end of the certificate and after that: then with the join token, if the
 * agent was given one that still holds.
 */
import type { Client } from '../../src/client/client.js';
import { type Controller, createController } from '../../src/client/controller.js';
import { bearerOf, parseJoinToken } from '../../src/client/jointoken.js';
import type { ReconcileResult } from '../../src/client/reconciler.js';
import { createRestClient } from '../../src/client/rest.js';
import type { Clock } from '../../src/host/clock.js';
import type { Logger } from '../../src/host/log.js';
import { coversNames, isIssuedBy, lifetimePassed, lifetimePoint } from '../../src/host/pem.js';
import type { KeyPair } from '../../src/host/x509.js';
import type { AgentCredentials } from './bootstrap.js';
import { type CredentialName, openCredentialFiles } from './bootstrap-files.js';
import { type NodeIdentity, obtainCertificate } from './bootstrap-request.js';

export interface RenewalOptions {
  credentials: AgentCredentials;
  identity: NodeIdentity;
  pkiDir: string;
  /** For when the certificate of the client has expired. */
  server: string;
  token: string | undefined;
  /** Speaks with `credentials.client`, as it is at the time of the call. */
  client: Pick<Client, 'create' | 'get' | 'watch'>;
  /** The serving certificate goes into the running server; the REST client asks `credentials` itself. */
  onRenewed(name: CredentialName): void;
  /** After every try that failed. */
  onFailed?(name: CredentialName, error: unknown): void;
  clock: Clock;
  log: Logger;
  random?: () => number;
}

/** Looks at least this often, so that a clock that was set is noticed. */
const lookEveryMs = 12 * 3_600_000;
const backoff = { minMs: 1_000, maxMs: 600_000, jitter: 0.5 };
/** A certificate that lives for minutes has no time for long pauses: at most this part of its life. */
const pausePart = 0.02;

/** `enqueue('serving')` after the node's addresses changed: a certificate that does not name them is due at once. */
export function createRenewal(options: RenewalOptions): Controller {
  const { credentials, identity, client, clock, log, random = Math.random } = options;
  /** Chosen once per process: moving the point at every look would pull it towards the start. */
  const point = 0.7 + 0.2 * random();

  /** Of the authorities that sign, as they were when a certificate was obtained. */
  const obtainedUnder: Partial<Record<CredentialName, string>> = {};
  const issuersOf = (name: CredentialName): string | undefined =>
    name === 'client' ? credentials.ca : credentials.servingCa;

  /** How long the certificate is good enough; 0 when it is due. */
  function dueMs(name: CredentialName): number {
    const { cert } = credentials[name];
    const isNamed = name === 'client' || coversNames(cert, [identity.nodeName], identity.nodeIps);
    // The first of the bundle is the one that signs; when that is not what was got, asking again changes nothing.
    const issuers = issuersOf(name);
    const isOfAnother =
      issuers !== undefined && !isIssuedBy(cert, issuers) && obtainedUnder[name] !== issuers;
    if (!isNamed || isOfAnother) return 0;
    return Math.max(0, lifetimePoint(cert, point) - clock.now().getTime());
  }

  /** Who asks: the node itself, or whoever holds the join token when the node has been away too long. */
  async function asking(ask: (by: RenewalOptions['client']) => Promise<KeyPair>): Promise<KeyPair> {
    if (lifetimePassed(credentials.client.cert, clock.now()) < 1 || options.token === undefined)
      return ask(client);
    const token = bearerOf(parseJoinToken(options.token));
    const joining = createRestClient({ server: options.server, ca: credentials.ca, token });
    try {
      return await ask(joining);
    } finally {
      await joining.close();
    }
  }

  async function renew(name: CredentialName, signal: AbortSignal): Promise<void> {
    const files = await openCredentialFiles(options.pkiDir);
    const obtain = (by: RenewalOptions['client']): Promise<KeyPair> =>
      obtainCertificate({ name, identity, client: by, files, signal });
    const issuers = issuersOf(name);
    credentials[name] = await (name === 'client' ? asking(obtain) : obtain(client));
    if (issuers !== undefined) obtainedUnder[name] = issuers;
    options.onRenewed(name);
    log.info({ certificate: name }, 'certificate renewed');
  }

  async function reconcile(key: string, signal: AbortSignal): Promise<ReconcileResult> {
    const name: CredentialName = key === 'client' ? 'client' : 'serving';
    if (dueMs(name) <= 0) {
      try {
        await renew(name, signal);
      } catch (error) {
        options.onFailed?.(name, error);
        throw error;
      }
    }
    // Never 0, also when the new one is due already: the master may sign for less than a look takes.
    return { requeueAfterMs: Math.min(Math.max(dueMs(name), 1_000), lookEveryMs) };
  }

  const { cert } = credentials.client;
  const lifetimeMs = lifetimePoint(cert, 1) - lifetimePoint(cert, 0);
  const controller = createController({
    name: 'certificate-renewal',
    reconciler: { reconcile: (key, { signal }) => reconcile(key, signal) },
    sources: [],
    // One waits for a human perhaps: the other goes on.
    workers: 2,
    clock,
    log,
    backoff: { ...backoff, maxMs: Math.max(backoff.minMs, Math.min(backoff.maxMs, lifetimeMs * pausePart)) },
  });
  return {
    ...controller,
    async start(signal) {
      await controller.start(signal);
      for (const name of ['client', 'serving']) controller.enqueue(name);
    },
  };
}
