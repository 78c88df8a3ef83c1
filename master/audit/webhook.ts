/**
 * The audit log sent to another server: POSTs of an audit.k8s.io/v1 EventList, as kube-apiserver's webhook backend sends them.
 * Carries the batches of a `Spool`. What it answers decides, as soon as its head is here; how long that takes has a limit
 * however it comes.
 */
import type { KubeAccess } from '../../src/client/kubeconfig.js';
import { createTransport, type Transport } from '../../src/client/transport.js';
import type { Clock } from '../../src/host/clock.js';
import { Undeliverable } from './spool.js';

const answerTimeoutMs = 30_000;
const maxAnswerBytes = 64 * 1024;

export class AuditWebhook {
  readonly #transport: Transport;
  readonly #path: string;
  readonly #clock: Pick<Clock, 'after'>;
  readonly #ends = new Set<AbortController>();
  #isGivenUp = false;

  constructor({ server, ca, cert, key, token }: KubeAccess, clock: Pick<Clock, 'after'>) {
    this.#clock = clock;
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
    if (this.#isGivenUp) throw new Error('the audit webhook is not waited for any more');
    const end = new AbortController();
    const cancel = this.#clock.after(answerTimeoutMs, () => end.abort(late()));
    this.#ends.add(end);
    const done = (): void => {
      cancel();
      this.#ends.delete(end);
    };
    const { statusCode, body } = await this.#send(events, end.signal).catch((error: unknown) => {
      done();
      throw error;
    });
    // Only so that the connection can be used again: nobody waits for it, and what comes of it does not matter.
    body.dump({ limit: maxAnswerBytes, signal: end.signal }).then(done, done);
    if (statusCode >= 200 && statusCode < 300) return;
    const isFinal = statusCode === 400 || statusCode === 413 || statusCode === 422;
    throw new (isFinal ? Undeliverable : Error)(`the audit webhook answered ${statusCode}`);
  }

  #send(events: readonly string[], signal: AbortSignal): ReturnType<Transport['send']> {
    return this.#transport.send('call', {
      method: 'POST',
      path: this.#path,
      headers: { 'content-type': 'application/json' },
      body: `{"kind":"EventList","apiVersion":"audit.k8s.io/v1","metadata":{},"items":[${events.join(',')}]}`,
      signal,
    });
  }

  /** Whoever still waits for an answer gets none, and nothing more is sent. */
  giveUp(): void {
    this.#isGivenUp = true;
    for (const end of this.#ends) end.abort(late());
  }

  close(): Promise<void> {
    return this.#transport.close();
  }
}

const late = (): Error => new Error('the audit webhook gave no answer in time');
