/**
 * 1. How long the server waits for its clients: bodies that trickle in and answers that nobody takes. Called by `server.ts`
 * for every request that ends by itself; watches have a limit of their own (`watch.ts`), proxied requests none.
 *
 * A body may take ten seconds and one more for each kilobyte, a minute at most. An answer goes out in pieces of 64 KB
 * (`outgoing.ts`), and each has to be taken within 20 seconds.
 */
import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Clock } from '../../src/host/clock.js';
import type { RequestInfo } from './request.js';
import { refuseConnection } from './status.js';

const sweepMs = 2_000;
const bodyMs = { least: 10_000, perByte: 1, most: 60_000 };
const stalledMs = 20_000;

/** The request that was begun last on a connection; a property costs a request less than a place in a set. */
const current = Symbol('current response');

interface BusySocket extends Socket {
  [current]?: ServerResponse | undefined;
}

/** What the looks have seen of a request. */
interface Look {
  sinceMs: number;
  /** Of the connection, at the first look. */
  readBefore: number;
  /** How much had left at the last look that saw it move, and when that was. */
  taken: number;
  takenMs: number;
}

export class Patience {
  readonly #clock: Clock;
  readonly #wasCut: (why: 'body' | 'reader', address: string | undefined) => void;
  readonly #sockets = new Set<BusySocket>();
  readonly #looks = new WeakMap<ServerResponse, Look>();
  #cancel: (() => void) | undefined;

  constructor(clock: Clock, wasCut: (why: 'body' | 'reader', address: string | undefined) => void) {
    this.#clock = clock;
    this.#wasCut = wasCut;
  }

  /** From the next look on, until the body is here and the answer is taken, or until it is released. */
  begin({ socket }: { socket: BusySocket }, response: ServerResponse): void {
    socket[current] = response;
    if (this.#sockets.has(socket)) return;
    this.#sockets.add(socket);
    socket.once('close', () => this.#sockets.delete(socket));
    this.#cancel ??= this.#clock.after(sweepMs, () => this.#sweep());
  }

  /** It may take as long as it likes. */
  release({ socket }: { socket: BusySocket }): void {
    socket[current] = undefined;
  }

  stop(): void {
    this.#cancel?.();
  }

  #sweep(): void {
    const nowMs = this.#clock.monotonicMs();
    for (const socket of this.#sockets) {
      const response = socket[current];
      if (!response) continue;
      const { req: raw } = response;
      const look = this.#lookOf(response, socket, nowMs);
      // Refused before its body was read, it stays until the body is here: the connection is not free before.
      if (raw.complete && response.closed) socket[current] = undefined;
      else if (!raw.complete) this.#checkBody(socket, response, look, nowMs);
      else if (response.headersSent) this.#checkAnswer(socket, look, nowMs);
    }
    this.#cancel = this.#sockets.size > 0 ? this.#clock.after(sweepMs, () => this.#sweep()) : undefined;
  }

  #lookOf(response: ServerResponse, { bytesRead }: Socket, nowMs: number): Look {
    let look = this.#looks.get(response);
    if (!look) {
      look = { sinceMs: nowMs, readBefore: bytesRead, taken: 0, takenMs: nowMs };
      this.#looks.set(response, look);
    }
    return look;
  }

  #checkBody(socket: Socket, response: ServerResponse, { sinceMs, readBefore }: Look, nowMs: number): void {
    const bytes = socket.bytesRead - readBefore;
    if (nowMs - sinceMs <= Math.min(bodyMs.least + bytes * bodyMs.perByte, bodyMs.most)) return;
    this.#wasCut('body', socket.remoteAddress);
    if (response.headersSent) socket.destroy();
    else refuseConnection(requestTimeout(), socket);
  }

  #checkAnswer(socket: Socket, look: Look, nowMs: number): void {
    const taken = socket.bytesWritten - socket.writableLength;
    if (taken !== look.taken) {
      look.taken = taken;
      look.takenMs = nowMs;
    } else if (nowMs - look.takenMs > stalledMs) {
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
