/**
 * Frames of SPDY/3.1, to bytes and from bytes. Pure. Called by connection.ts.
 *
 * A control frame is read whole and may be 64 KB; the bytes of a DATA frame are handed on as they come, so that its
 * length (up to 16 MB) costs no memory.
 */
export class SpdyError extends Error {
  override readonly name = 'SpdyError';
}

export const frameType = {
  synStream: 1,
  synReply: 2,
  rstStream: 3,
  settings: 4,
  ping: 6,
  goAway: 7,
  headers: 8,
  windowUpdate: 9,
} as const;

export const flag = { fin: 1, unidirectional: 2 } as const;

/** Why a stream was reset. */
export const resetStatus = { protocolError: 1, refusedStream: 3, cancel: 5 } as const;

/** Why a connection ends. */
export const goAwayStatus = { ok: 0, protocolError: 1 } as const;

export interface ControlFrame {
  kind: 'control';
  type: number;
  flags: number;
  body: Buffer;
}

/** The next bytes of a DATA frame; `fin` comes with the last ones. */
export interface DataPiece {
  kind: 'data';
  streamId: number;
  bytes: Buffer;
  fin: boolean;
}

const version = 3;
const headerBytes = 8;
const maxControlBytes = 64 * 1024;
/** The length field has 24 bits. */
const maxDataBytes = 0xffffff;
const idMask = 0x7fffffff;

/** Takes bytes in any portions, gives frames. After it threw `SpdyError` the connection is beyond repair. */
export class FrameParser {
  #pending: Buffer = Buffer.alloc(0);
  /** The DATA frame whose bytes are still coming. */
  #data: { streamId: number; fin: boolean; left: number } | undefined;

  *push(chunk: Buffer): Generator<ControlFrame | DataPiece, void, undefined> {
    let rest = this.#pending.length > 0 ? Buffer.concat([this.#pending, chunk]) : chunk;
    for (;;) {
      if (this.#data) {
        if (rest.length === 0) break;
        const bytes = rest.subarray(0, this.#data.left);
        rest = rest.subarray(bytes.length);
        yield this.#takeData(this.#data, bytes);
        continue;
      }
      if (rest.length < headerBytes) break;
      const length = rest.readUIntBE(5, 3);
      if ((rest.readUInt8(0) & 0x80) === 0) {
        const streamId = rest.readUInt32BE(0);
        if (streamId === 0) throw new SpdyError('data for stream 0');
        this.#data = { streamId, fin: (rest.readUInt8(4) & flag.fin) !== 0, left: length };
        rest = rest.subarray(headerBytes);
        if (length === 0) yield this.#takeData(this.#data, Buffer.alloc(0));
        continue;
      }
      if ((rest.readUInt16BE(0) & 0x7fff) !== version) throw new SpdyError('this is not SPDY/3');
      if (length > maxControlBytes) throw new SpdyError('a control frame is too large');
      if (rest.length < headerBytes + length) break;
      yield {
        kind: 'control',
        type: rest.readUInt16BE(2),
        flags: rest.readUInt8(4),
        body: rest.subarray(headerBytes, headerBytes + length),
      };
      rest = rest.subarray(headerBytes + length);
    }
    this.#pending = rest;
  }

  #takeData(frame: { streamId: number; fin: boolean; left: number }, bytes: Buffer): DataPiece {
    frame.left -= bytes.length;
    const isLast = frame.left === 0;
    if (isLast) this.#data = undefined;
    return { kind: 'data', streamId: frame.streamId, bytes, fin: isLast && frame.fin };
  }
}

/** A control frame around its body. */
export function controlFrame(type: number, body: Buffer, flags = 0): Buffer {
  const head = Buffer.alloc(headerBytes);
  head.writeUInt16BE(0x8000 | version, 0);
  head.writeUInt16BE(type, 2);
  head.writeUInt8(flags, 4);
  head.writeUIntBE(body.length, 5, 3);
  return Buffer.concat([head, body]);
}

export function dataFrame(streamId: number, bytes: Buffer, fin = false): Buffer {
  if (bytes.length > maxDataBytes) throw new SpdyError('too many bytes for one frame');
  const head = Buffer.alloc(headerBytes);
  head.writeUInt32BE(streamId, 0);
  head.writeUInt8(fin ? flag.fin : 0, 4);
  head.writeUIntBE(bytes.length, 5, 3);
  return Buffer.concat([head, bytes]);
}

export const rstFrame = (streamId: number, status: number): Buffer =>
  controlFrame(frameType.rstStream, numbers(streamId, status));

export const goAwayFrame = (lastStreamId: number, status: number): Buffer =>
  controlFrame(frameType.goAway, numbers(lastStreamId, status));

export const windowUpdateFrame = (streamId: number, bytes: number): Buffer =>
  controlFrame(frameType.windowUpdate, numbers(streamId, bytes));

/** Without a single setting: asks for nothing, not even for an answer. */
export const settingsFrame = (): Buffer => controlFrame(frameType.settings, numbers(0));

export const pingFrame = (id: number): Buffer => controlFrame(frameType.ping, numbers(id));

/** `block` is the packed headers. */
export const synReplyFrame = (streamId: number, block: Buffer): Buffer =>
  controlFrame(frameType.synReply, Buffer.concat([numbers(streamId), block]));

/** Opens a stream of the highest priority that belongs to no other. */
export const synStreamFrame = (streamId: number, block: Buffer): Buffer =>
  controlFrame(frameType.synStream, Buffer.concat([numbers(streamId, 0), Buffer.alloc(2), block]));

/** The 31 bits of a stream's number at `offset`. Throws for a frame that is too short. */
export function streamIdAt(body: Buffer, offset = 0): number {
  if (body.length < offset + 4) throw new SpdyError('a frame is too short');
  return body.readUInt32BE(offset) & idMask;
}

function numbers(...values: readonly number[]): Buffer {
  const bytes = Buffer.alloc(values.length * 4);
  values.forEach((value, index) => {
    bytes.writeUInt32BE(value >>> 0, index * 4);
  });
  return bytes;
}
