/**
 * Header blocks of SPDY/3: names and values with their lengths, all blocks of one direction in one zlib stream. Called by
 * connection.ts, strictly in the order of the frames.
 *
 * Reading is bounded: a block that unpacks to more than `maxBlockBytes`, or to more than `maxHeaders` names, is an error,
 * however little was sent: a stream keeps its headers, and a connection has many streams. Writing
 * uses stored blocks, which every inflater reads; what we send is a dozen bytes.
 */
import { createInflate, type Inflate } from 'node:zlib';
import { dictionary } from './dictionary.js';
import { SpdyError } from './frames.js';

export type Headers = ReadonlyMap<string, string>;

/** Clients of Kubernetes send three, of a few bytes. */
const maxBlockBytes = 16 * 1024;
const maxHeaders = 64;

/** Throws `SpdyError` for a block that is cut short or says a name twice. */
export function parseHeaders(block: Buffer): Headers {
  const headers = new Map<string, string>();
  let at = 0;
  const number = (): number => {
    if (at + 4 > block.length) throw new SpdyError('a header block is cut short');
    at += 4;
    return block.readUInt32BE(at - 4);
  };
  const text = (): string => {
    const length = number();
    if (at + length > block.length) throw new SpdyError('a header block is cut short');
    at += length;
    return block.toString('utf8', at - length, at);
  };
  const count = number();
  if (count > maxHeaders) throw new SpdyError('a header block has too many names');
  for (let n = 0; n < count; n += 1) {
    const name = text().toLowerCase();
    if (headers.has(name)) throw new SpdyError(`header ${JSON.stringify(name)} occurs twice`);
    headers.set(name, text());
  }
  return headers;
}

export function formatHeaders(headers: Headers): Buffer {
  const number = (value: number): Buffer => {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32BE(value);
    return bytes;
  };
  const text = (value: string): Buffer[] => [number(Buffer.byteLength(value)), Buffer.from(value)];
  return Buffer.concat([
    number(headers.size),
    ...[...headers].flatMap(([name, value]) => [...text(name), ...text(value)]),
  ]);
}

/** Unpacks one block after the other. After an error it is of no use any more. */
export class HeaderReader {
  readonly #inflate: Inflate = createInflate({ dictionary });
  #failure: Error | undefined;

  constructor() {
    this.#inflate.on('error', (error) => {
      this.#failure = error;
    });
  }

  /** Rejects with `SpdyError`. One call at a time. */
  read(compressed: Buffer): Promise<Headers> {
    const inflate = this.#inflate;
    const chunks: Buffer[] = [];
    let size = 0;
    return new Promise<Headers>((resolve, reject) => {
      const fail = (error: Error): void => {
        finish();
        inflate.destroy();
        reject(
          error instanceof SpdyError ? error : new SpdyError(`headers cannot be unpacked: ${error.message}`),
        );
      };
      const drain = (): void => {
        for (let chunk: Buffer | null = inflate.read(); chunk !== null; chunk = inflate.read()) {
          size += chunk.length;
          chunks.push(chunk);
          if (size <= maxBlockBytes) continue;
          fail(new SpdyError('a header block is too large'));
          return;
        }
      };
      const finish = (): void => {
        inflate.off('readable', drain);
        inflate.off('error', fail);
      };
      if (this.#failure || inflate.destroyed) return fail(this.#failure ?? new Error('closed'));
      inflate.on('readable', drain);
      inflate.on('error', fail);
      inflate.write(compressed, (error) => {
        if (error) return;
        drain();
        if (inflate.destroyed) return;
        finish();
        try {
          resolve(parseHeaders(Buffer.concat(chunks)));
        } catch (problem) {
          reject(problem);
        }
      });
    });
  }

  close(): void {
    this.#inflate.destroy();
  }
}

const zlibHeader = Buffer.of(0x78, 0x01);
/** An empty stored block: readers learn by it that the block before is complete. */
const flush = Buffer.of(0, 0, 0, 0xff, 0xff);

/** Packs blocks without compressing them. */
export class HeaderWriter {
  #isFirst = true;

  /** Up to 65,535 bytes of headers. */
  write(headers: Headers): Buffer {
    const body = formatHeaders(headers);
    const length = Buffer.alloc(5);
    length.writeUInt16LE(body.length, 1);
    length.writeUInt16LE(~body.length & 0xffff, 3);
    const parts = [...(this.#isFirst ? [zlibHeader] : []), length, body, flush];
    this.#isFirst = false;
    return Buffer.concat(parts);
  }
}
