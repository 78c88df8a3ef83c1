/**
 * All that looks after the master's certificates while it runs: renewal, what administrators ask for, and warnings. Put together
 * for the composition root.
 */
import { namespaces } from '../../src/api/kinds.js';
import type { Namespace } from '../../src/api/types.js';
import type { Client } from '../../src/client/client.js';
import { createEventRecorder } from '../../src/client/events.js';
import type { Informers } from '../../src/client/informers.js';
import type { Clock } from '../../src/host/clock.js';
import { type Component, healthOf, startAll, stopAll } from '../../src/host/component.js';
import { expiryWarning } from '../../src/host/expiry.js';
import type { Logger } from '../../src/host/log.js';
import { lifetimePoint } from '../../src/host/pem.js';
import type { Pki } from '../auth/pki.js';
import type { LivePki } from './live.js';
import { createRenewal } from './renewal.js';
import { createRotation } from './rotation.js';

export interface UpkeepOptions {
  certificates: LivePki;
  client: Client;
  informers: Informers;
  clock: Clock;
  log: Logger;
}

/** Between two warnings of the same: events are kept for an hour. */
const warnEveryMs = 30 * 60_000;
const subject: Namespace = {
  apiVersion: 'v1',
  kind: namespaces.kind,
  metadata: { name: 'kube-system', namespace: 'kube-system' },
};

export function createUpkeep({ certificates, client, informers, clock, log }: UpkeepOptions): Component {
  const recorder = createEventRecorder({ client, clock, log, component: 'wherry-master' });
  let warnedMs = Number.NEGATIVE_INFINITY;

  function warn(error: unknown): void {
    const warnings = [...namedCertificates(certificates.pki)].map(([name, certificate]) =>
      expiryWarning(`the certificate ${name} of the master`, certificate, clock.now()),
    );
    const reason = error instanceof Error ? error.message : undefined;
    if (reason !== undefined) warnings.push(`certificates of the master cannot be renewed: ${reason}`);
    const messages = warnings.filter((message) => message !== undefined);
    if (messages.length === 0 || clock.monotonicMs() - warnedMs < warnEveryMs) return;
    warnedMs = clock.monotonicMs();
    for (const message of messages) {
      recorder.event(subject, 'Warning', 'CertificateExpiring', message);
      log.warn({ certificate: message }, 'a certificate needs somebody to look at it');
    }
  }

  const renewal = createRenewal({ certificates, clock, log, onLook: warn });
  const look = (): Promise<void> => renewal.look();
  const rotation = createRotation({ certificates, look, client, informers, clock, log });
  const parts = [recorder, renewal, rotation];
  return {
    name: 'certificates',
    async start(signal) {
      await startAll(parts, signal);
      warn(undefined);
    },
    stop: () => stopAll(parts),
    healthy: () => healthOf(parts),
  };
}

/** By the name of its file. */
function namedCertificates(pki: Pki): ReadonlyMap<string, string> {
  return new Map([
    ['ca', pki.authority.pair.cert],
    ['front-proxy-ca', pki.authorities.frontProxy.signing.pair.cert],
    ['kubelet-serving-ca', pki.authorities.kubeletServing.signing.pair.cert],
    ['server', pki.serving.cert],
    ['kubelet-client', pki.kubeletClient.cert],
    ['front-proxy-client', pki.frontProxy.client.cert],
    ['admin', pki.admin.cert],
  ]);
}

const gauge = 'wherry_certificate_expiration_seconds';

/** For `/metrics`: when each of them expires. */
export function expirationFigures(pki: Pki): string {
  const lines = [...namedCertificates(pki)].map(
    ([name, certificate]) => `${gauge}{name="${name}"} ${lifetimePoint(certificate, 1) / 1000}`,
  );
  return `# HELP ${gauge} When a certificate of the master expires, in seconds since 1970.\n# TYPE ${gauge} gauge\n${lines.join('\n')}\n`;
}
