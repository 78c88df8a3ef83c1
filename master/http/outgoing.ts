/**
 * 1. Large answers: sent in pieces as fast as the client takes them, and only so many bytes of them wait for one user.
 * Called by `dispatch.ts`. Without it a few connections that ask for large lists and read nothing would fill the memory.
 */
import type { ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { ApiError } from '../../src/api/errors.js';

/** Answers up to this size are not counted, and sent in one piece. */
export const smallBytes = 256 * 1024;
const pieceBytes = 64 * 1024;
const defaultLimits = { perUserBytes: 64 * 1024 * 1024, totalBytes: 256 * 1024 * 1024 };

export class Outgoing {
  readonly #limits: typeof defaultLimits;
  readonly #ofUser = new Map<string, number>();
  #total = 0;

  constructor(limits: Partial<typeof defaultLimits> = {}) {
    this.#limits = { ...defaultLimits, ...limits };
  }

  /** Throws 429 while so much waits already: before an answer is made, and once more when it is. */
  check(user: string): void {
    const { perUserBytes, totalBytes } = this.#limits;
    if ((this.#ofUser.get(user) ?? 0) < perUserBytes && this.#total < totalBytes) return;
    throw new ApiError(
      'TooManyRequests',
      'Too much that was asked for has not been read yet, please try again later.',
      {
        retryAfterSeconds: 1,
      },
    );
  }

  /** The answer in pieces; counted until `response` is closed. Throws as `check` does. */
  send(user: string, body: Buffer, response: ServerResponse): Readable {
    this.check(user);
    this.#add(user, body.length);
    response.once('close', () => this.#add(user, -body.length));
    return Readable.from(piecesOf(body), { objectMode: false, highWaterMark: pieceBytes });
  }

  #add(user: string, bytes: number): void {
    this.#total += bytes;
    const held = (this.#ofUser.get(user) ?? 0) + bytes;
    if (held > 0) this.#ofUser.set(user, held);
    else this.#ofUser.delete(user);
  }
}

function* piecesOf(body: Buffer): Generator<Buffer> {
  for (let at = 0; at < body.length; at += pieceBytes) yield body.subarray(at, at + pieceBytes);
}
