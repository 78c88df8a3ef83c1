/**
 * 1. How long the server waits for its clients: bodies that trickle in and answers that nobody takes. Called by `server.ts`
 * for every request that ends by itself; watches have a limit of their own (`watch.ts`), proxied requests none.
 *
 * A body may take ten seconds and one more for each kilobyte, a minute at most. An answer goes out in pieces of 64 KB
 * (`outgoing.ts`), and each has to be taken within 20 seconds.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Clock } from '../../src/host/clock.js';
import type { RequestInfo } from './request.js';
import { refuseConnection } from './status.js';

const sweepMs = 2_000;
const bodyMs = { least: 10_000, perByte: 1, most: 60_000 };
const stalledMs = 20_000;

interface Exchange {
  raw: IncomingMessage;
  response: ServerResponse;
  sinceMs: number;
  /** Of the connection, before this request's body. */
  readBefore: number;
  /** How much of the answer had left at the last look that saw it move, and when that was. */
  taken: number;
  takenMs: number;
}

export class Patience {
  readonly #clock: Clock;
  readonly #wasCut: (why: 'body' | 'reader', address: string | undefined) => void;
  readonly #exchanges = new Set<Exchange>();
  #cancel: (() => void) | undefined;

  constructor(clock: Clock, wasCut: (why: 'body' | 'reader', address: string | undefined) => void) {
    this.#clock = clock;
    this.#wasCut = wasCut;
  }

  /** From now on until the body is here and the answer is taken, or until it is released. */
  begin(raw: IncomingMessage, response: ServerResponse): Exchange {
    const nowMs = this.#clock.monotonicMs();
    const exchange: Exchange = {
      ...{ raw, response, sinceMs: nowMs, takenMs: nowMs },
      readBefore: raw.socket.bytesRead,
      taken: 0,
    };
    this.#exchanges.add(exchange);
    // Refused before its body was read, it stays until the body is here: the connection is not free before.
    response.once('close', () => raw.complete && this.#exchanges.delete(exchange));
    this.#cancel ??= this.#clock.after(sweepMs, () => this.#sweep());
    return exchange;
  }

  /** It may take as long as it likes. */
  release(exchange: Exchange): void {
    this.#exchanges.delete(exchange);
  }

  stop(): void {
    this.#cancel?.();
  }

  #sweep(): void {
    const nowMs = this.#clock.monotonicMs();
    for (const exchange of this.#exchanges) {
      const { raw, response } = exchange;
      if (raw.socket.destroyed || (raw.complete && response.closed)) this.#exchanges.delete(exchange);
      else if (!raw.complete) this.#checkBody(exchange, nowMs);
      else if (response.headersSent) this.#checkAnswer(exchange, nowMs);
    }
    this.#cancel = this.#exchanges.size > 0 ? this.#clock.after(sweepMs, () => this.#sweep()) : undefined;
  }

  #checkBody({ raw, response, sinceMs, readBefore }: Exchange, nowMs: number): void {
    const bytes = raw.socket.bytesRead - readBefore;
    if (nowMs - sinceMs <= Math.min(bodyMs.least + bytes * bodyMs.perByte, bodyMs.most)) return;
    this.#wasCut('body', raw.socket.remoteAddress);
    if (response.headersSent) raw.socket.destroy();
    else refuseConnection(requestTimeout(), raw.socket);
  }

  #checkAnswer(exchange: Exchange, nowMs: number): void {
    const { socket } = exchange.raw;
    const taken = socket.bytesWritten - socket.writableLength;
    if (taken !== exchange.taken) {
      exchange.taken = taken;
      exchange.takenMs = nowMs;
    } else if (nowMs - exchange.takenMs > stalledMs) {
      this.#wasCut('reader', socket.remoteAddress);
      socket.destroy();
    }
  }
}

/** What Node says when a request does not arrive in time. */
const requestTimeout = (): Error & { code: string } =>
  Object.assign(new Error('the request did not arrive in time'), { code: 'ERR_HTTP_REQUEST_TIMEOUT' });

/** Whether its answer has an end of its own. */
export const isShort = ({ verb, target }: RequestInfo): boolean =>
  verb !== 'watch' && !(target?.group === '' && target.resource === 'pods' && target.subresource === 'log');
