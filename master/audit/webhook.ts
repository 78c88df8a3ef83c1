/**
 * The audit log sent to another server: POSTs of an audit.k8s.io/v1 EventList, as kube-apiserver's webhook backend sends them.
 * Carries the batches of a `Spool`.
 */
import type { KubeAccess } from '../../src/client/kubeconfig.js';
import { createTransport, type Transport } from '../../src/client/transport.js';
import { Undeliverable } from './spool.js';

const answerTimeoutMs = 30_000;

export class AuditWebhook {
  readonly #transport: Transport;
  readonly #path: string;

  constructor({ server, ca, cert, key, token }: KubeAccess) {
    const url = new URL(server);
    this.#path = url.pathname + url.search;
    this.#transport = createTransport({
      server: url.origin,
      credentials: () => ({ ca, cert, key, token }),
      callTimeoutMs: answerTimeoutMs,
      watchIdleMs: answerTimeoutMs,
    });
  }

  /** Rejects with `Undeliverable` when the server refuses the events themselves. */
  async post(events: readonly string[]): Promise<void> {
    const { statusCode, body } = await this.#transport.send('call', {
      method: 'POST',
      path: this.#path,
      headers: { 'content-type': 'application/json' },
      body: `{"kind":"EventList","apiVersion":"audit.k8s.io/v1","metadata":{},"items":[${events.join(',')}]}`,
    });
    await body.dump();
    if (statusCode >= 200 && statusCode < 300) return;
    const isFinal = statusCode === 400 || statusCode === 413 || statusCode === 422;
    throw new (isFinal ? Undeliverable : Error)(`the audit webhook answered ${statusCode}`);
  }

  close(): Promise<void> {
    return this.#transport.close();
  }
}
