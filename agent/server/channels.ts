/**
 * Numbered channels on one WebSocket connection, the wire of exec, attach and of the older port-forward. Called by
 * streaming.ts and portsockets.ts.
 *
 * The first byte of a message is the channel; in the base64 protocols messages are text, the first character is the
 * channel's digit and the rest base64. Backpressure: a write is done when its bytes have left for the client; reading
 * from the client stops while one of its channels is full. v5 adds a message that closes a channel: the end of stdin.
 */
import { Readable, Writable } from 'node:stream';
import type { RawData, WebSocket } from 'ws';
import type { StreamStatus } from './outcome.js';
import { parseSize, Sizes, type StreamClient, type TerminalSize } from './streamclient.js';
import type { StreamWatch } from './streamwatch.js';

/** The best first. */
export const channelProtocols = [
  'v5.channel.k8s.io',
  'v4.channel.k8s.io',
  'v4.base64.channel.k8s.io',
  'channel.k8s.io',
  'base64.channel.k8s.io',
] as const;
export type ChannelProtocol = (typeof channelProtocols)[number];

/** Channel numbers of exec and attach. */
export const channel = { stdin: 0, stdout: 1, stderr: 2, error: 3, resize: 4, close: 255 } as const;

const readAheadBytes = 256 * 1024;

/** The channels of a connection, whatever they are used for. */
export class Channels {
  readonly gone: AbortSignal;
  readonly #socket: WebSocket;
  readonly #isText: boolean;
  readonly #watch: StreamWatch;
  readonly #inputs = new Map<number, (data: Buffer) => void>();
  readonly #full = new Set<Readable>();

  constructor(socket: WebSocket, protocol: ChannelProtocol, watch: StreamWatch) {
    this.#socket = socket;
    this.#watch = watch;
    this.#isText = protocol.includes('base64');
    const gone = new AbortController();
    this.gone = gone.signal;
    socket.on('message', (data, isBinary) => this.#receive(toBuffer(data), isBinary));
    socket.once('close', () => gone.abort(new Error('the client closed the connection')));
  }

  /** What is written to it goes out on this channel. Bytes are ignored once the client is gone. */
  output(number: number): Writable {
    return new Writable({
      write: (chunk: Buffer, _encoding, done) => {
        this.send(number, chunk).then(() => done(), done);
      },
    });
  }

  /** What comes in on a channel. Nobody's messages are dropped. */
  onMessage(number: number, take: (data: Buffer) => void): void {
    this.#inputs.set(number, take);
  }

  /** The bytes of a channel as a stream; ends with the connection, or by `push(null)`. */
  input(number: number): Readable {
    const stream: Readable = new Readable({ read: () => this.#taken(stream), highWaterMark: readAheadBytes });
    // Its reader may be over, and with it this stream, before the client has sent everything.
    stream.on('error', () => undefined);
    stream.once('close', () => this.#taken(stream));
    this.onMessage(number, (data) => {
      const isTaken = !stream.destroyed && !stream.readableEnded && data.length > 0;
      if (!isTaken || stream.push(data)) return;
      if (this.#full.size === 0) this.#stop();
      this.#full.add(stream);
    });
    this.gone.addEventListener('abort', () => this.endInput(number, stream), { once: true });
    return stream;
  }

  /** The client sends no more on this channel. */
  endInput(number: number, stream: Readable): void {
    this.#inputs.delete(number);
    if (!stream.destroyed) stream.push(null);
  }

  send(number: number, data: Buffer): Promise<void> {
    this.#watch.moved();
    return new Promise((resolve) => {
      if (this.#socket.readyState !== this.#socket.OPEN) resolve();
      // An error here means that the client is gone, which `close` tells everyone.
      else if (this.#isText) this.#socket.send(`${number}${data.toString('base64')}`, () => resolve());
      else this.#socket.send(Buffer.concat([Buffer.of(number), data]), { binary: true }, () => resolve());
    });
  }

  close(): void {
    this.#socket.resume();
    this.#socket.close(1000);
  }

  #receive(message: Buffer, isBinary: boolean): void {
    this.#watch.moved();
    // A text message names its channel by a digit.
    const number = isBinary ? message[0] : Number(String.fromCharCode(message[0] ?? 0));
    const data = message.subarray(1);
    const plain = this.#isText ? Buffer.from(data.toString('latin1'), 'base64') : data;
    if (number !== undefined) this.#inputs.get(number)?.(plain);
  }

  #taken(stream: Readable): void {
    if (!this.#full.delete(stream) || this.#full.size > 0) return;
    this.#watch.taken();
    this.#socket.resume();
  }

  #stop(): void {
    this.#socket.pause();
    this.#watch.stalled(() => {
      // What waits to be written already tells as much.
      if (this.#socket.readyState === this.#socket.OPEN && this.#socket.bufferedAmount === 0)
        this.#socket.pong();
    });
  }
}

/** The client of an exec or attach. */
export class ChannelClient implements StreamClient {
  readonly stdin: Readable;
  readonly stdout: Writable;
  readonly stderr: Writable;
  readonly gone: AbortSignal;
  readonly #channels: Channels;
  readonly #protocol: ChannelProtocol;
  readonly #sizes = new Sizes();

  constructor(
    socket: WebSocket,
    options: { protocol: ChannelProtocol; takesInput: boolean; watch: StreamWatch },
  ) {
    const channels = new Channels(socket, options.protocol, options.watch);
    this.#channels = channels;
    this.#protocol = options.protocol;
    this.gone = channels.gone;
    this.stdout = channels.output(channel.stdout);
    this.stderr = channels.output(channel.stderr);
    // Input that is not wanted is dropped; else the client would be held up by it.
    this.stdin = options.takesInput ? channels.input(channel.stdin) : Readable.from([]);
    channels.onMessage(channel.resize, (data) => {
      const size = parseSize(data.toString());
      if (size) this.#sizes.push(size);
    });
    channels.onMessage(channel.close, (data) => {
      if (options.takesInput && data[0] === channel.stdin) channels.endInput(channel.stdin, this.stdin);
    });
    this.gone.addEventListener('abort', () => this.#sizes.end(), { once: true });
  }

  /** Tells the client that everything is set up, as kubelet does: an empty message on a channel it listens to. */
  open(number: number): Promise<void> {
    return this.#channels.send(number, Buffer.alloc(0));
  }

  sizes(): AsyncIterable<TerminalSize> {
    return this.#sizes;
  }

  /** The oldest protocols know only words, and only for failures. */
  async finish(status: StreamStatus): Promise<void> {
    const words = status.status === 'Success' ? undefined : status.message;
    const body = this.#protocol.startsWith('v') ? JSON.stringify(status) : words;
    if (body !== undefined) await this.#channels.send(channel.error, Buffer.from(body));
    this.#channels.close();
  }
}

function toBuffer(data: RawData): Buffer {
  if (Buffer.isBuffer(data)) return data;
  return Array.isArray(data) ? Buffer.concat(data) : Buffer.from(data);
}
