/**
 * The WebSocket side of exec and attach: one connection carries numbered channels, the first byte of every message is
 * the channel (subprotocols `v5.channel.k8s.io`, `v4.channel.k8s.io`, `channel.k8s.io`). Called by streaming.ts.
 *
 * Backpressure: a write is done when its bytes have left for the client; reading from the client stops while the
 * program does not take its input. v5 adds a message that closes a channel: the end of stdin.
 */
import { Readable, Writable } from 'node:stream';
import type { RawData, WebSocket } from 'ws';
import type { StreamStatus } from './outcome.js';

/** The best first. */
export const channelProtocols = ['v5.channel.k8s.io', 'v4.channel.k8s.io', 'channel.k8s.io'] as const;
export type ChannelProtocol = (typeof channelProtocols)[number];

/** Channel numbers of the protocol. */
export const channel = { stdin: 0, stdout: 1, stderr: 2, error: 3, resize: 4, close: 255 } as const;

export interface TerminalSize {
  width: number;
  height: number;
}

export class Channels {
  readonly stdin: Readable;
  readonly #socket: WebSocket;
  readonly #protocol: ChannelProtocol;
  readonly #sizes: TerminalSize[] = [];
  #wakeResize: (() => void) | undefined;
  /** Input that is not wanted, or no longer, is dropped; else the client would be held up by it. */
  #takesInput: boolean;

  constructor(socket: WebSocket, options: { protocol: ChannelProtocol; takesInput: boolean }) {
    this.#socket = socket;
    this.#protocol = options.protocol;
    this.#takesInput = options.takesInput;
    this.stdin = new Readable({ read: () => socket.resume(), highWaterMark: 256 * 1024 });
    // The program may end, and with it this stream, before the client has sent everything.
    this.stdin.on('error', () => undefined);
    socket.on('message', (data, isBinary) => this.#receive(toBuffer(data), isBinary));
    socket.on('close', () => this.#end());
  }

  /** What is written to it goes out on this channel. Bytes are ignored once the client is gone. */
  output(number: number): Writable {
    return new Writable({
      write: (chunk: Buffer, _encoding, done) => {
        this.#send(number, chunk).then(() => done(), done);
      },
    });
  }

  /** Tells the client that everything is set up, as kubelet does: an empty message on a channel it listens to. */
  open(number: number): Promise<void> {
    return this.#send(number, Buffer.alloc(0));
  }

  /** How it ended. The oldest protocol knows only words, and only for failures. */
  async finish(status: StreamStatus): Promise<void> {
    const words = status.status === 'Success' ? undefined : status.message;
    const body = this.#protocol === 'channel.k8s.io' ? words : JSON.stringify(status);
    if (body !== undefined) await this.#send(channel.error, Buffer.from(body));
    this.#socket.close(1000);
  }

  /** The terminal's sizes; those that nobody has looked at yet are replaced by the newest. */
  async *sizes(): AsyncGenerator<TerminalSize, void, undefined> {
    for (;;) {
      const size = this.#sizes.pop();
      if (size) {
        this.#sizes.length = 0;
        yield size;
      } else if (this.#socket.readyState === this.#socket.OPEN) {
        await new Promise<void>((resolve) => {
          this.#wakeResize = resolve;
        });
      } else return;
    }
  }

  #receive(message: Buffer, isBinary: boolean): void {
    // A text message may name its channel by a digit.
    const number = isBinary ? message[0] : Number(String.fromCharCode(message[0] ?? 0));
    const data = message.subarray(1);
    if (number === channel.stdin) {
      const isTaken = this.#takesInput && !this.stdin.destroyed && data.length > 0;
      if (isTaken && !this.stdin.push(data)) this.#socket.pause();
    } else if (number === channel.resize) this.#resize(data);
    else if (number === channel.close && data[0] === channel.stdin) this.#endStdin();
  }

  #resize(data: Buffer): void {
    const size = parseSize(data.toString());
    if (!size) return;
    this.#sizes.push(size);
    this.#wakeResize?.();
  }

  #send(number: number, data: Buffer): Promise<void> {
    return new Promise((resolve) => {
      if (this.#socket.readyState !== this.#socket.OPEN) resolve();
      // An error here means that the client is gone, which `close` tells everyone.
      else this.#socket.send(Buffer.concat([Buffer.of(number), data]), { binary: true }, () => resolve());
    });
  }

  #endStdin(): void {
    if (this.#takesInput && !this.stdin.destroyed) this.stdin.push(null);
    this.#takesInput = false;
  }

  #end(): void {
    this.#endStdin();
    this.#wakeResize?.();
  }
}

function toBuffer(data: RawData): Buffer {
  if (Buffer.isBuffer(data)) return data;
  return Array.isArray(data) ? Buffer.concat(data) : Buffer.from(data);
}

/** `{"Width":80,"Height":24}`; anything else is ignored. */
function parseSize(text: string): TerminalSize | undefined {
  try {
    const { Width: width, Height: height }: { Width?: unknown; Height?: unknown } = JSON.parse(text);
    return typeof width === 'number' && typeof height === 'number' ? { width, height } : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
