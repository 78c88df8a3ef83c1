/**
 * A Warning event on the Node while one of its certificates is near its end: thirty days before, or in the last tenth of a
 * shorter life. It should have been renewed long before. Started by the composition root.
 */
import type { EventRecorder } from '../../src/client/events.js';
import type { Clock } from '../../src/host/clock.js';
import { type Component, healthyNow } from '../../src/host/component.js';
import { expiryWarning } from '../../src/host/expiry.js';
import { lifetimePoint, pemBlocks } from '../../src/host/pem.js';
import type { AgentCredentials } from './bootstrap.js';
import { nodeReference } from './nodeevents.js';

/** Often enough for the event to be there when somebody looks: events are kept for an hour. */
const everyMs = 30 * 60_000;
const looksPerLife = 20;

export interface ExpiryWarningOptions {
  credentials: Readonly<AgentCredentials>;
  nodeName: string;
  recorder: EventRecorder;
  clock: Clock;
}

export function createExpiryWarning({
  credentials,
  nodeName,
  recorder,
  clock,
}: ExpiryWarningOptions): Component {
  let cancel = (): void => undefined;

  function look(): void {
    const [authority = credentials.ca] = pemBlocks(credentials.ca, 'CERTIFICATE');
    const watched = {
      'the client certificate of the agent': credentials.client.cert,
      'the serving certificate of the agent': credentials.serving.cert,
      'the authority of the cluster': authority,
    };
    const object = nodeReference(nodeName);
    for (const [name, certificate] of Object.entries(watched)) {
      const warning = expiryWarning(name, certificate, clock.now());
      if (warning) recorder.event(object, 'Warning', 'CertificateExpiring', warning);
    }
    plan();
  }

  function plan(): void {
    const { cert } = credentials.client;
    const lifetimeMs = lifetimePoint(cert, 1) - lifetimePoint(cert, 0);
    cancel = clock.after(Math.min(everyMs, lifetimeMs / looksPerLife), look);
  }

  return {
    name: 'expiry-warning',
    start: async () => plan(),
    stop: async () => cancel(),
    healthy: () => healthyNow,
  };
}
