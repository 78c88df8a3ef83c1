/**
 * 8. Docker's way to put stdout and stderr on one connection: frames of `type, 0, 0, 0, length (32 bit big endian)`
 * and that many bytes. Used by docker-exec.ts and docker-logs.ts.
 *
 * Reading one frame at a time is the backpressure: nothing is read from Docker while the consumer is busy.
 */
import type { Readable } from 'node:stream';

export interface Frame {
  stream: 'stdout' | 'stderr';
  data: Buffer;
}

const headerBytes = 8;

/** Ends where the stream ends; a frame cut off in the middle (Docker went away) is dropped. */
export async function* readFrames(source: Readable): AsyncGenerator<Frame, void, undefined> {
  let buffered: Buffer[] = [];
  let size = 0;
  let wanted = headerBytes;
  for await (const chunk of source as AsyncIterable<Buffer>) {
    buffered.push(chunk);
    size += chunk.length;
    if (size < wanted) continue;
    let rest = Buffer.concat(buffered, size);
    for (wanted = frameBytes(rest); rest.length >= wanted; wanted = frameBytes(rest)) {
      yield { stream: rest[0] === 2 ? 'stderr' : 'stdout', data: rest.subarray(headerBytes, wanted) };
      rest = rest.subarray(wanted);
    }
    buffered = [rest];
    size = rest.length;
  }
}

/** A terminal has one stream and no frames. */
export async function* readRaw(source: Readable): AsyncGenerator<Frame, void, undefined> {
  for await (const data of source as AsyncIterable<Buffer>) yield { stream: 'stdout', data };
}

/** Bytes of the frame at the start of `buffer`, header included; of a header while that is not complete. */
function frameBytes(buffer: Buffer): number {
  return buffer.length < headerBytes ? headerBytes : headerBytes + buffer.readUInt32BE(4);
}
