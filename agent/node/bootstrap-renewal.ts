/**
 * Renews the agent's certificates in place, at a random point between 70 and 90 % of their life, so that the nodes of a
 * cluster do not come all at once. Nothing restarts: `credentials` is changed and `onRenewed` told. Called by the
 * agent's composition root, after `joinCluster`.
 */
import type { Client } from '../../src/client/client.js';
import { type Controller, createController } from '../../src/client/controller.js';
import type { ReconcileResult } from '../../src/client/reconciler.js';
import type { Clock } from '../../src/host/clock.js';
import type { Logger } from '../../src/host/log.js';
import { coversNames, lifetimePoint } from '../../src/host/pem.js';
import type { AgentCredentials } from './bootstrap.js';
import { type CredentialName, openCredentialFiles } from './bootstrap-files.js';
import { type NodeIdentity, obtainCertificate } from './bootstrap-request.js';

export interface RenewalOptions {
  credentials: AgentCredentials;
  identity: NodeIdentity;
  pkiDir: string;
  /** Speaks with `credentials.client`, as it is at the time of the call. */
  client: Pick<Client, 'create' | 'get' | 'watch'>;
  /** The serving certificate goes into the running server; the REST client asks `credentials` itself. */
  onRenewed(name: CredentialName): void;
  clock: Clock;
  log: Logger;
  random?: () => number;
}

/** Looks at least this often, so that a clock that was set is noticed. */
const lookEveryMs = 12 * 3_600_000;

/** `enqueue('serving')` after the node's addresses changed: a certificate that does not name them is due at once. */
export function createRenewal(options: RenewalOptions): Controller {
  const { credentials, identity, client, clock, log, random = Math.random } = options;
  /** Chosen once per process: moving the point at every look would pull it towards the start. */
  const point = 0.7 + 0.2 * random();

  async function reconcile(key: string, signal: AbortSignal): Promise<ReconcileResult> {
    const name: CredentialName = key === 'client' ? 'client' : 'serving';
    const { cert } = credentials[name];
    const isNamed = name === 'client' || coversNames(cert, [identity.nodeName], identity.nodeIps);
    const dueMs = isNamed ? lifetimePoint(cert, point) - clock.now().getTime() : 0;
    if (dueMs > 0) return { requeueAfterMs: Math.min(dueMs, lookEveryMs) };
    const files = await openCredentialFiles(options.pkiDir);
    credentials[name] = await obtainCertificate({ name, identity, client, files, signal });
    options.onRenewed(name);
    log.info({ certificate: name }, 'certificate renewed');
    return { requeueAfterMs: lookEveryMs };
  }

  const controller = createController({
    name: 'certificate-renewal',
    reconciler: { reconcile: (key, { signal }) => reconcile(key, signal) },
    sources: [],
    clock,
    log,
    backoff: { minMs: 1_000, maxMs: 600_000, jitter: 0.5 },
  });
  return {
    ...controller,
    async start(signal) {
      await controller.start(signal);
      for (const name of ['client', 'serving']) controller.enqueue(name);
    },
  };
}
