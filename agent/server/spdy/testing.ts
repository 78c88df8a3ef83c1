/**
 * For tests of SPDY: a client that compresses and reads headers with the dictionary, as those written in Go do.
 * Imported by tests only.
 */
import type { Duplex } from 'node:stream';
import { constants, createDeflate, type Deflate } from 'node:zlib';
import { dictionary } from './dictionary.js';
import {
  controlFrame,
  dataFrame,
  FrameParser,
  flag,
  frameType,
  pingFrame,
  rstFrame,
  streamIdAt,
} from './frames.js';
import { formatHeaders, HeaderReader } from './headers.js';

export interface TestStream {
  id: number;
  /** What came so far. */
  text(): string;
  bytes(): number;
  /** Resolves at SYN_REPLY. */
  replied: Promise<void>;
  /** Resolves with FIN, or RST, or the end of the connection. */
  ended: Promise<'fin' | 'reset' | 'closed'>;
  write(data: Buffer | string, fin?: boolean): Promise<void>;
  end(): Promise<void>;
  reset(): Promise<void>;
}

interface Known extends TestStream {
  take(bytes: Buffer): void;
  onReply(): void;
  onEnd(how: 'fin' | 'reset' | 'closed'): void;
}

export class TestClient {
  readonly closed: Promise<void>;
  goneAway = false;
  pongs: number[] = [];
  /** Bytes that the server said it had taken, by stream. */
  windows = new Map<number, number>();
  readonly #transport: Duplex;
  readonly #streams = new Map<number, Known>();
  readonly #deflate: Deflate = createDeflate({ dictionary, level: 9 });
  readonly #reader = new HeaderReader();
  #nextId = 1;

  constructor(transport: Duplex) {
    this.#transport = transport;
    transport.on('error', () => undefined);
    this.closed = this.#read();
  }

  async open(headers: Readonly<Record<string, string>>, flags = 0): Promise<TestStream> {
    const id = this.#nextId;
    this.#nextId += 2;
    const block = await this.pack(formatHeaders(new Map(Object.entries(headers))));
    const head = Buffer.alloc(10);
    head.writeUInt32BE(id);
    const stream = this.#known(id);
    this.#streams.set(id, stream);
    await this.send(controlFrame(frameType.synStream, Buffer.concat([head, block]), flags));
    return stream;
  }

  ping(id: number): Promise<void> {
    return this.send(pingFrame(id));
  }

  /** An empty SETTINGS frame: this client knows windows. */
  settings(): Promise<void> {
    return this.send(controlFrame(frameType.settings, Buffer.alloc(4)));
  }

  send(frame: Buffer): Promise<void> {
    return new Promise((resolve) => this.#transport.write(frame, () => resolve()));
  }

  destroy(): void {
    this.#transport.destroy();
  }

  /** Compresses what goes into a header block. */
  async pack(block: Buffer): Promise<Buffer> {
    const deflate = this.#deflate;
    deflate.write(block);
    await new Promise<void>((resolve) => deflate.flush(constants.Z_SYNC_FLUSH, resolve));
    const packed: unknown = deflate.read();
    return Buffer.isBuffer(packed) ? packed : Buffer.alloc(0);
  }

  #known(id: number): Known {
    const chunks: Buffer[] = [];
    let onReply = (): void => undefined;
    let onEnd = (_how: 'fin' | 'reset' | 'closed'): void => undefined;
    const replied = new Promise<void>((resolve) => {
      onReply = resolve;
    });
    const ended = new Promise<'fin' | 'reset' | 'closed'>((resolve) => {
      onEnd = resolve;
    });
    return {
      id,
      replied,
      ended,
      onReply,
      onEnd,
      take: (bytes) => void chunks.push(Buffer.from(bytes)),
      text: () => Buffer.concat(chunks).toString(),
      bytes: () => chunks.reduce((sum, { length }) => sum + length, 0),
      write: (data, fin = false) => this.send(dataFrame(id, Buffer.from(data), fin)),
      end: () => this.send(dataFrame(id, Buffer.alloc(0), true)),
      reset: () => this.send(rstFrame(id, 5)),
    };
  }

  async #read(): Promise<void> {
    const parser = new FrameParser();
    try {
      for await (const chunk of this.#transport as AsyncIterable<Buffer>) {
        for (const piece of parser.push(chunk)) {
          if (piece.kind === 'data') {
            const stream = this.#streams.get(piece.streamId);
            stream?.take(piece.bytes);
            if (piece.fin) stream?.onEnd('fin');
          } else await this.#control(piece.type, piece.body, piece.flags);
        }
      }
    } catch {
      // A cut connection: the streams say so.
    }
    for (const stream of this.#streams.values()) stream.onEnd('closed');
    this.#reader.close();
    this.#deflate.destroy();
  }

  async #control(type: number, body: Buffer, flags: number): Promise<void> {
    const stream = this.#streams.get(streamIdAt(body));
    if (type === frameType.synReply) {
      await this.#reader.read(body.subarray(4));
      stream?.onReply();
      if ((flags & flag.fin) !== 0) stream?.onEnd('fin');
    } else if (type === frameType.rstStream) stream?.onEnd('reset');
    else if (type === frameType.goAway) this.goneAway = true;
    else if (type === frameType.ping) this.pongs.push(streamIdAt(body));
    else if (type === frameType.windowUpdate) {
      const id = streamIdAt(body);
      this.windows.set(id, (this.windows.get(id) ?? 0) + streamIdAt(body, 4));
    }
  }
}
