/**
 * Strict reading of the protobuf wire format: no value reaches beyond the message it is in, and nesting is bounded.
 * Pure. Used by the decoder next door only.
 *
 * The bytes are read by protobufjs; this class keeps the ends and refuses what it is lenient about. Groups are refused,
 * Kubernetes has none. Bad bytes end in `WireError`.
 */
import protobuf from 'protobufjs/minimal.js';

/** The bytes are not what the schema says; `decode.ts` makes a 400 of it. */
export class WireError extends Error {
  override readonly name = 'WireError';
}

/** How the value of a field is laid out. */
export const wireTypes = { varint: 0, fixed64: 1, bytes: 2, fixed32: 5 } as const;

/** Messages in messages; the deepest real ones (schemas of custom resources) have a few dozen. */
const maxDepth = 100;

const unexpectedEnd = (): WireError => new WireError('unexpected EOF');

export class Wire {
  readonly #reader: protobuf.Reader;
  readonly #bytes: Uint8Array;
  #wireType = 0;
  #depth = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#reader = protobuf.Reader.create(bytes);
  }

  /** The number of the next field of the message, or 0 at its end. */
  next(): number {
    if (this.isAtEnd()) return 0;
    const tag = this.#reader.uint32();
    this.#wireType = tag & 7;
    const number = tag >>> 3;
    if (number === 0) throw new WireError(`illegal tag 0 (wire type ${this.#wireType})`);
    return number;
  }

  isAtEnd(): boolean {
    const { pos, len } = this.#reader;
    if (pos > len) throw unexpectedEnd();
    return pos === len;
  }

  /** A repeated number may come as one run of bytes. */
  isPacked(): boolean {
    return this.#wireType === wireTypes.bytes;
  }

  /** Values that follow, in a packed run, are of this type. */
  expectInRun(wireType: number): void {
    this.#wireType = wireType;
  }

  /** Into the message (or packed run) that the field holds; give the result back to `leave`. */
  enter(): number {
    this.#expect(wireTypes.bytes);
    if (++this.#depth > maxDepth) throw new WireError(`nested more than ${maxDepth} levels deep`);
    const length = this.#length();
    const outerEnd = this.#reader.len;
    this.#reader.len = this.#reader.pos + length;
    return outerEnd;
  }

  /** Only at the end of what was entered. */
  leave(outerEnd: number): void {
    this.#depth--;
    this.#reader.len = outerEnd;
  }

  skip(): void {
    switch (this.#wireType) {
      case wireTypes.varint:
        this.#checkVarint();
        this.#reader.skip();
        return;
      case wireTypes.fixed64:
        this.#reader.skip(8);
        return;
      case wireTypes.bytes:
        this.#reader.skip(this.#length());
        return;
      case wireTypes.fixed32:
        this.#reader.skip(4);
        return;
      default:
        throw new WireError(`illegal wire type ${this.#wireType}`);
    }
  }

  string(): string {
    this.#expect(wireTypes.bytes);
    const start = this.#reader.pos;
    this.#length();
    this.#reader.pos = start;
    return this.#reader.string();
  }

  /** A view, not a copy. */
  bytes(): Uint8Array {
    this.#expect(wireTypes.bytes);
    return this.#reader.bytes();
  }

  bool(): boolean {
    this.#startVarint();
    return this.#reader.bool();
  }

  int32(): number {
    this.#startVarint();
    return this.#reader.int32();
  }

  /** As JSON numbers are read: exact up to 2^53. */
  int64(): number {
    this.#startVarint();
    return Number(this.#reader.int64());
  }

  double(): number {
    this.#expect(wireTypes.fixed64);
    const value = this.#reader.double();
    if (!Number.isFinite(value)) throw new WireError('a number out of range');
    return value;
  }

  #length(): number {
    const length = this.#reader.uint32();
    if (length > this.#reader.len - this.#reader.pos) throw unexpectedEnd();
    return length;
  }

  #startVarint(): void {
    this.#expect(wireTypes.varint);
    this.#checkVarint();
  }

  /** The reader itself does not see every number that the end cuts off. */
  #checkVarint(): void {
    const { pos, len } = this.#reader;
    const end = Math.min(len, pos + 10);
    for (let i = pos; i < end; i++) if ((this.#bytes[i] ?? 0) < 128) return;
    throw end === len ? unexpectedEnd() : new WireError('integer overflow');
  }

  #expect(wireType: number): void {
    if (this.#wireType !== wireType) throw new WireError(`wrong wire type ${this.#wireType}`);
  }
}
