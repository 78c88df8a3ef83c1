/**
 * Cuts a byte stream into lines for `rest.ts`. A line may span chunks and a chunk may hold many lines; what waits for
 * its end is bounded by `maxBytes`, after which the stream is refused. Empty lines (keep-alives) are skipped.
 */

const newline = 0x0a;

export async function* linesOf(chunks: AsyncIterable<Uint8Array>, maxBytes: number): AsyncIterable<string> {
  let parts: Buffer[] = [];
  let waiting = 0;
  for await (const raw of chunks) {
    const chunk = Buffer.from(raw.buffer, raw.byteOffset, raw.byteLength);
    let from = 0;
    for (let end = chunk.indexOf(newline); end >= 0; end = chunk.indexOf(newline, from)) {
      parts.push(chunk.subarray(from, end));
      const line = Buffer.concat(parts).toString('utf8').trim();
      parts = [];
      waiting = 0;
      from = end + 1;
      if (line !== '') yield line;
    }
    if (from < chunk.length) {
      parts.push(chunk.subarray(from));
      waiting += chunk.length - from;
      if (waiting > maxBytes) throw new Error(`a line is longer than ${maxBytes} bytes`);
    }
  }
  const rest = Buffer.concat(parts).toString('utf8').trim();
  if (rest !== '') yield rest;
}
