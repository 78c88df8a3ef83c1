/**
 * One end of SPDY/3.1 over any Duplex: an upgraded socket, or WebSocket messages. Made by the sessions of exec and
 * port-forward, which serve the streams that clients open; and by the runtime for CRI, which opens streams itself.
 *
 * Frames are handled one after the other, so reading stops while a stream is full, and while the client takes none of our
 * answers: a flood of pings, resets or refused streams holds up its sender and takes no memory. Windows: clients written in Go know
 * none, so ours are never waited for; a client that mentions windows is told what was taken. Whatever it is sent, a
 * connection ends in `closed` and never throws.
 */
import type { Duplex } from 'node:stream';
import type { StreamWatch } from '../streamwatch.js';
import {
  type ControlFrame,
  type DataPiece,
  dataFrame,
  FrameParser,
  flag,
  frameType,
  goAwayFrame,
  goAwayStatus,
  pingFrame,
  resetStatus,
  rstFrame,
  SpdyError,
  settingsFrame,
  streamIdAt,
  synReplyFrame,
  synStreamFrame,
  windowUpdateFrame,
} from './frames.js';
import { HeaderReader, type Headers, HeaderWriter } from './headers.js';
import { readAheadBytes, SpdyStream, type StreamLink } from './stream.js';

/** Far above what port-forward of a busy page needs. */
const maxStreams = 2000;
/** Up to so many read ahead in full; together they would hold too much otherwise. */
const fewStreams = 64;
const synStreamBytes = 10;
/** Answers that wait for a client to read them; an honest one has a handful. */
const maxAnswers = 1000;

export class SpdyConnection {
  /** Resolves when the transport is closed, with why if that was not orderly. */
  readonly closed: Promise<Error | undefined>;
  readonly #transport: Duplex;
  readonly #onStream: (stream: SpdyStream) => void;
  readonly #watch: StreamWatch | undefined;
  readonly #streams = new Map<number, SpdyStream>();
  readonly #reader = new HeaderReader();
  readonly #writer = new HeaderWriter();
  #lastId = 0;
  /** Streams of ours that were not answered yet. */
  readonly #opening = new Map<number, () => void>();
  /** Of the stream that we open next; a server opens none. */
  #nextId = 1;
  #usesWindows = false;
  #answers = 0;
  #answersTaken: (() => void) | undefined;

  /** `onStream` accepts the stream or destroys it; called for each SYN_STREAM in their order. */
  constructor(transport: Duplex, onStream: (stream: SpdyStream) => void, watch?: StreamWatch) {
    this.#transport = transport;
    this.#onStream = onStream;
    this.#watch = watch;
    transport.on('error', () => undefined);
    // Also while reading waits for a stream that nobody reads.
    transport.once('close', () => this.#cut());
    this.closed = this.#serve();
  }

  /**
   * Opens a stream, for the client's end; resolves when the server has it, because what comes earlier servers throw
   * away. A reset by the server, and the end of the connection, are the end of its input: servers of Kubernetes close so
   * when all is said, and what came before is still to be read.
   */
  open(headers: Headers): Promise<SpdyStream> {
    const stream = new SpdyStream(this.#link, this.#nextId, headers);
    this.#nextId += 2;
    this.#streams.set(stream.id, stream);
    this.#send(synStreamFrame(stream.id, this.#writer.write(headers)));
    return new Promise((resolve) => {
      this.#opening.set(stream.id, () => resolve(stream));
      if (this.#transport.destroyed) this.#endOf(stream);
    });
  }

  /** Tells the client that this is all; it closes when it has read everything. Streams that are open are cut. */
  end(): void {
    for (const stream of this.#streams.values()) stream.destroy();
    this.#send(goAwayFrame(this.#lastId, goAwayStatus.ok));
  }

  destroy(): void {
    this.#transport.destroy();
  }

  async #serve(): Promise<Error | undefined> {
    const parser = new FrameParser();
    try {
      for await (const chunk of this.#transport as AsyncIterable<Buffer>) {
        for (const piece of parser.push(chunk)) {
          this.#watch?.moved();
          if (piece.kind === 'data') await this.#onData(piece);
          else await this.#onControl(piece);
          if (this.#answers > maxAnswers) await this.#taken();
        }
      }
      return undefined;
    } catch (error) {
      if (error instanceof SpdyError) this.#send(goAwayFrame(this.#lastId, goAwayStatus.protocolError));
      return error instanceof Error ? error : new Error(String(error));
    } finally {
      this.#reader.close();
      this.#transport.destroy();
      this.#cut();
    }
  }

  #taken(): Promise<void> {
    return new Promise((resolve) => {
      this.#answersTaken = resolve;
      if (this.#transport.destroyed) resolve();
    });
  }

  #cut(): void {
    this.#answersTaken?.();
    for (const stream of this.#streams.values()) this.#endOf(stream);
  }

  #endOf(stream: SpdyStream | undefined): void {
    if (!this.#isClient) stream?.receiveReset();
    else if (stream) {
      this.#opened(stream.id);
      stream.receiveEnd();
    }
  }

  #opened(id: number): void {
    this.#opening.get(id)?.();
    this.#opening.delete(id);
  }

  get #isClient(): boolean {
    return this.#nextId > 1;
  }

  async #onData({ streamId, bytes, fin }: DataPiece): Promise<void> {
    const stream = this.#streams.get(streamId);
    // Of a stream that was reset a moment ago more may be on its way.
    if (!stream) return this.#consumed(0, bytes.length);
    const room = stream.receive(bytes);
    if (room !== undefined) await this.#stalled(room);
    if (fin) stream.receiveEnd();
  }

  async #stalled(room: Promise<void>): Promise<void> {
    this.#watch?.stalled(() => {
      // What waits to be written already tells as much.
      if (this.#transport.writableLength === 0) this.#write(settingsFrame());
    });
    await room;
    this.#watch?.taken();
  }

  async #onControl({ type, flags, body }: ControlFrame): Promise<void> {
    switch (type) {
      case frameType.synStream:
        return this.#onSynStream(flags, body);
      case frameType.headers:
        // Read only because all blocks share their compression.
        await this.#reader.read(body.subarray(4));
        if ((flags & flag.fin) !== 0) this.#streams.get(streamIdAt(body))?.receiveEnd();
        return;
      case frameType.rstStream:
        this.#endOf(this.#streams.get(streamIdAt(body)));
        return;
      case frameType.ping: {
        const id = streamIdAt(body);
        // Other numbers would be answers to pings of ours.
        if (id % 2 === (this.#isClient ? 0 : 1)) this.#answer(pingFrame(id));
        return;
      }
      case frameType.settings:
      case frameType.windowUpdate:
        this.#usesWindows = true;
        return;
      case frameType.synReply:
        if (streamIdAt(body) >= this.#nextId)
          throw new SpdyError('an answer to a stream that was not opened');
        await this.#reader.read(body.subarray(4));
        if ((flags & flag.fin) !== 0) this.#streams.get(streamIdAt(body))?.receiveEnd();
        this.#opened(streamIdAt(body));
        return;
      default:
      // GOAWAY: the client closes by itself when its streams are done. Unknown frames are to be ignored.
    }
  }

  async #onSynStream(flags: number, body: Buffer): Promise<void> {
    const id = streamIdAt(body);
    const headers = await this.#reader.read(body.subarray(synStreamBytes));
    if (id % 2 === 0 || id <= this.#lastId) throw new SpdyError(`stream ${id} cannot be opened`);
    this.#lastId = id;
    if (this.#streams.size >= maxStreams || (flags & flag.unidirectional) !== 0) {
      this.#answer(rstFrame(id, resetStatus.refusedStream));
      return;
    }
    const isOneOfMany = this.#streams.size >= fewStreams;
    const stream = new SpdyStream(this.#link, id, headers, isOneOfMany ? readAheadBytes / 8 : readAheadBytes);
    this.#streams.set(id, stream);
    if ((flags & flag.fin) !== 0) stream.receiveEnd();
    this.#onStream(stream);
  }

  readonly #link: StreamLink = {
    reply: (id) => this.#answer(synReplyFrame(id, this.#writer.write(new Map()))),
    data: (id, bytes, fin, sent) => this.#send(dataFrame(id, bytes, fin), sent),
    reset: (id) => this.#answer(rstFrame(id, resetStatus.cancel)),
    consumed: (id, bytes) => this.#consumed(id, bytes),
    gone: (id) => this.#streams.delete(id),
  };

  #consumed(streamId: number, bytes: number): void {
    if (!this.#usesWindows || bytes === 0) return;
    if (streamId !== 0) this.#answer(windowUpdateFrame(streamId, bytes));
    this.#answer(windowUpdateFrame(0, bytes));
  }

  #answer(frame: Buffer): void {
    this.#answers += 1;
    this.#send(frame, () => {
      this.#answers -= 1;
      if (this.#answers === 0) this.#answersTaken?.();
    });
  }

  /** `sent` is called in any case: who writes to a client that is gone learns it by `closed`. */
  #send(frame: Buffer, sent?: () => void): void {
    this.#watch?.moved();
    this.#write(frame, sent);
  }

  #write(frame: Buffer, sent: () => void = () => undefined): void {
    if (!this.#transport.writable) process.nextTick(sent);
    else this.#transport.write(frame, () => sent());
  }
}
