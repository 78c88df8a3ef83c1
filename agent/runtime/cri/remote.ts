/**
 * 8. The streams of a command in a container or of the container itself: CRI answers Exec and Attach with a URL, which is
 * upgraded to SPDY and speaks `v4.channel.k8s.io`, as kubelet's own. SPDY, because its streams end one by one: input can
 * be closed while output goes on. Called by exec.ts.
 */
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { Duplex, Readable, Writable } from 'node:stream';
import { SpdyConnection } from '../../server/spdy/connection.js';
import type { SpdyStream } from '../../server/spdy/stream.js';
import { type ExecSpec, RuntimeError } from '../runtime.js';

export type Streams = Omit<ExecSpec, 'command'>;

/** The `Status` of the error stream, as far as it matters. */
export interface RemoteStatus {
  status?: string;
  message?: string;
  reason?: string;
  details?: { causes?: { reason?: string; message?: string }[] };
}

const upgradeTimeoutMs = 30_000;

/**
 * Moves bytes both ways until the other end has told how it ended. Rejects with the signal's reason when it aborts, with
 * `RuntimeError` when the connection breaks. Output is written one piece at a time (backpressure).
 */
export async function runRemote(url: string, streams: Streams, signal: AbortSignal): Promise<RemoteStatus> {
  signal.throwIfAborted();
  const socket = await upgrade(url, signal);
  const connection = new SpdyConnection(socket, (stream) => stream.destroy());
  const abort = (): void => connection.destroy();
  signal.addEventListener('abort', abort, { once: true });
  const opened: SpdyStream[] = [];
  const open = async (streamType: string): Promise<SpdyStream> => {
    const stream = await connection.open(new Map([['streamtype', streamType]]));
    opened.push(stream);
    return stream;
  };
  try {
    const [status, input, stdout, stderr, size] = await Promise.all([
      open('error'),
      streams.stdin && open('stdin'),
      open('stdout'),
      streams.tty ? undefined : open('stderr'),
      streams.tty ? open('resize') : undefined,
    ]);
    if (size) void sendSizes(streams.resize, size);
    if (streams.stdin && input) feed(streams.stdin, input);
    const [text] = await Promise.all([
      textOf(status),
      deliver(stdout, streams.stdout),
      stderr && deliver(stderr, streams.stderr),
    ]);
    signal.throwIfAborted();
    return parseStatus(text);
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  } finally {
    signal.removeEventListener('abort', abort);
    for (const stream of opened) {
      streams.stdin?.unpipe(stream);
      stream.destroy();
    }
    connection.destroy();
  }
}

function upgrade(url: string, signal: AbortSignal): Promise<Duplex> {
  const target = new URL(url);
  const isTls = target.protocol === 'https:';
  const headers = {
    connection: 'Upgrade',
    upgrade: 'SPDY/3.1',
    'x-stream-protocol-version': 'v4.channel.k8s.io',
  };
  // Its certificate is made up by the runtime at its start; the way there is loopback.
  const options = {
    method: 'POST',
    headers,
    signal,
    agent: false,
    timeout: upgradeTimeoutMs,
    rejectUnauthorized: false,
  };
  return new Promise((resolve, reject) => {
    const request = (isTls ? httpsRequest : httpRequest)(target, options);
    const fail = (error: Error): void =>
      reject(
        signal.aborted
          ? signal.reason
          : new RuntimeError('unavailable', `container runtime: ${error.message}`, { cause: error }),
      );
    request.once('error', fail);
    request.once('timeout', () => request.destroy(new Error('the streaming server does not answer')));
    request.once('response', (response: IncomingMessage) => {
      response.resume();
      reject(
        new RuntimeError('failed', `the runtime did not switch to SPDY but answered ${response.statusCode}`),
      );
    });
    request.once('upgrade', (_response, socket, head) => {
      socket.setTimeout(0);
      if (head.length > 0) socket.unshift(head);
      resolve(socket);
    });
    request.end();
  });
}

/** Input to the command; its end is the command's end of file. A broken source ends it too. */
function feed(source: Readable, stream: SpdyStream): void {
  source.once('error', () => stream.end());
  source.pipe(stream);
}

/** A stream is left as it is at its end: a reset sent to a server that has closed would cost what it said last. */
const piecesOf = (stream: Readable): AsyncIterable<Buffer> => stream.iterator({ destroyOnReturn: false });

async function deliver(stream: Readable, target: Writable | undefined): Promise<void> {
  for await (const data of piecesOf(stream)) {
    if (target) await write(target, data);
  }
}

const write = (target: Writable, data: Buffer): Promise<void> =>
  new Promise((resolve, reject) => {
    target.write(data, (error) => (error ? reject(error) : resolve()));
  });

/** Ends with the connection, whose streams then take nothing any more. */
async function sendSizes(sizes: Streams['resize'], stream: SpdyStream): Promise<void> {
  const closed = new Promise<undefined>((resolve) => stream.once('close', () => resolve(undefined)));
  const iterator = sizes?.[Symbol.asyncIterator]();
  while (iterator) {
    const next = await Promise.race([iterator.next(), closed]);
    if (next === undefined || next.done || stream.destroyed) return;
    stream.write(JSON.stringify({ Width: next.value.width, Height: next.value.height }));
  }
}

async function textOf(stream: Readable): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of piecesOf(stream)) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

function parseStatus(text: string): RemoteStatus {
  try {
    return JSON.parse(text) as RemoteStatus;
  } catch (cause) {
    throw new RuntimeError('unavailable', 'container runtime: the connection to the command broke', {
      cause,
    });
  }
}
