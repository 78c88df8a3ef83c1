/**
 * One stream of a SPDY connection as a Duplex. Made by connection.ts; used by whoever serves it.
 *
 * Its end sends FIN, `destroy` before both sides have ended sends RST. Writes are done when their bytes have left;
 * a stream that nobody reads stops the whole connection once it holds what it reads ahead, because clients of Kubernetes
 * know no window per stream.
 */
import { Duplex } from 'node:stream';
import type { Headers } from './headers.js';

export const readAheadBytes = 64 * 1024;

/** What a stream asks of its connection. */
export interface StreamLink {
  reply(streamId: number): void;
  data(streamId: number, bytes: Buffer, fin: boolean, sent: () => void): void;
  reset(streamId: number): void;
  /** So many bytes of it were taken. */
  consumed(streamId: number, bytes: number): void;
  gone(streamId: number): void;
}

export class SpdyStream extends Duplex {
  readonly id: number;
  readonly headers: Headers;
  readonly #link: StreamLink;
  #wake: (() => void) | undefined;
  #unreported = 0;
  #isEnded = false;
  #isFinished = false;
  #isReset = false;

  constructor(link: StreamLink, id: number, headers: Headers, readableHighWaterMark = readAheadBytes) {
    super({ allowHalfOpen: true, readableHighWaterMark });
    this.#link = link;
    this.id = id;
    this.headers = headers;
    // Who uses the stream sees its end; the reason is the connection's.
    this.on('error', () => undefined);
  }

  /** Answers SYN_STREAM; nothing may be written before. */
  accept(): this {
    this.#link.reply(this.id);
    return this;
  }

  /** From the connection: bytes of the client. When it is full, what resolves as soon as more may come. */
  receive(bytes: Buffer): Promise<void> | undefined {
    if (this.#isEnded || this.destroyed || bytes.length === 0) return undefined;
    this.#unreported += bytes.length;
    if (this.push(bytes)) return undefined;
    return new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
  }

  /** From the connection: the client sends no more. */
  receiveEnd(): void {
    if (this.#isEnded || this.destroyed) return;
    this.#isEnded = true;
    this.push(null);
  }

  /** From the connection: the client wants no more of it, in neither direction. */
  receiveReset(): void {
    this.#isReset = true;
    this.destroy();
  }

  override _read(): void {
    if (this.#unreported > 0) this.#link.consumed(this.id, this.#unreported);
    this.#unreported = 0;
    this.#wake?.();
    this.#wake = undefined;
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.#link.data(this.id, chunk, false, done);
  }

  override _final(done: () => void): void {
    this.#isFinished = true;
    this.#link.data(this.id, Buffer.alloc(0), true, done);
  }

  override _destroy(_error: Error | null, done: (error: null) => void): void {
    const isComplete = this.#isEnded && this.#isFinished;
    if (!isComplete && !this.#isReset) this.#link.reset(this.id);
    this.#link.gone(this.id);
    this.#wake?.();
    done(null);
  }
}
