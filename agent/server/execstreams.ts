/**
 * exec and attach over SPDY/3.1, as kubectl before 1.30 speaks it: one stream each for error, stdin, stdout, stderr and,
 * with a terminal, resize; the header `streamtype` tells which. Called by upgrades.ts.
 */
import type { Duplex, Readable, Writable } from 'node:stream';
import { PassThrough } from 'node:stream';
import type { Clock } from '../../src/host/clock.js';
import type { StreamStatus } from './outcome.js';
import { SpdyConnection } from './spdy/connection.js';
import type { SpdyStream } from './spdy/stream.js';
import { parseSize, Sizes, type StreamClient, type TerminalSize } from './streamclient.js';
import type { StreamWatch } from './streamwatch.js';

/** The best first: v2 tells failures apart from output, v3 adds terminal sizes, v4 the exit code. */
export const execProtocols = [
  'v4.channel.k8s.io',
  'v3.channel.k8s.io',
  'v2.channel.k8s.io',
  'channel.k8s.io',
] as const;
export type ExecProtocol = (typeof execProtocols)[number];

/** As long as kubelet waits for a client to open its streams. */
const openTimeoutMs = 30_000;
/** How long a client may take to close after it was told that this is all. */
const closeTimeoutMs = 5_000;

export interface WantedStreams {
  stdin: boolean;
  stdout: boolean;
  stderr: boolean;
  tty: boolean;
}

/** Resolves when the client has opened all its streams; with `undefined` when it went away or took too long. */
export async function openExecStreams(
  transport: Duplex,
  options: { protocol: ExecProtocol; wanted: WantedStreams; clock: Clock; watch: StreamWatch },
): Promise<StreamClient | undefined> {
  const { protocol, wanted, clock, watch } = options;
  const streams = new Map<string, SpdyStream>();
  const missing = namesOf(wanted, protocol);
  const gone = new AbortController();
  let ready = (): void => undefined;
  const complete = new Promise<boolean>((resolve) => {
    ready = () => resolve(true);
    gone.signal.addEventListener('abort', () => resolve(false), { once: true });
  });
  const take = (stream: SpdyStream): void => {
    const name = stream.headers.get('streamtype') ?? '';
    if (!missing.delete(name)) {
      stream.destroy();
      return;
    }
    streams.set(name, stream.accept());
    if (missing.size === 0) ready();
  };
  const connection = new SpdyConnection(transport, take, watch);
  void connection.closed.then(() => gone.abort(new Error('the client closed the connection')));
  const cancelTimeout = clock.after(openTimeoutMs, () => connection.destroy());
  const isComplete = await complete;
  cancelTimeout();
  return isComplete ? new SpdyClient({ connection, streams, gone: gone.signal, protocol, clock }) : undefined;
}

function namesOf(wanted: WantedStreams, protocol: ExecProtocol): Set<string> {
  const names = (['stdin', 'stdout', 'stderr'] as const).filter((name) => wanted[name]);
  const hasResize = wanted.tty && (protocol === 'v3.channel.k8s.io' || protocol === 'v4.channel.k8s.io');
  return new Set(['error', ...names, ...(hasResize ? ['resize'] : [])]);
}

interface SpdyClientOptions {
  connection: SpdyConnection;
  streams: ReadonlyMap<string, SpdyStream>;
  gone: AbortSignal;
  protocol: ExecProtocol;
  clock: Clock;
}

class SpdyClient implements StreamClient {
  readonly stdin: Readable;
  readonly stdout: Writable;
  readonly stderr: Writable;
  readonly gone: AbortSignal;
  readonly #options: SpdyClientOptions;
  readonly #sizes = new Sizes();

  constructor(options: SpdyClientOptions) {
    const { streams, gone } = options;
    this.#options = options;
    this.gone = gone;
    // Those the client did not ask for are not used.
    this.stdin = streams.get('stdin') ?? new PassThrough();
    this.stdout = streams.get('stdout') ?? new PassThrough();
    this.stderr = streams.get('stderr') ?? new PassThrough();
    for (const name of ['error', 'stdout', 'stderr']) streams.get(name)?.resume();
    const resize = streams.get('resize');
    if (resize) this.#readSizes(resize);
    gone.addEventListener('abort', () => this.#sizes.end(), { once: true });
  }

  sizes(): AsyncIterable<TerminalSize> {
    return this.#sizes;
  }

  /** Before v4 a failure is told in words and success by silence. */
  async finish(status: StreamStatus): Promise<void> {
    const { connection, streams, protocol, clock } = this.#options;
    const words = status.status === 'Success' ? '' : (status.message ?? '');
    const text = protocol === 'v4.channel.k8s.io' ? JSON.stringify(status) : words;
    await end(streams.get('stdout'));
    await end(streams.get('stderr'));
    await end(streams.get('error'), text);
    connection.end();
    const cancel = clock.after(closeTimeoutMs, () => connection.destroy());
    await connection.closed;
    cancel();
  }

  /** One JSON object after the other; each ends with its brace. */
  #readSizes(resize: SpdyStream): void {
    let text = '';
    resize.on('data', (data: Buffer) => {
      text += data.toString('latin1');
      const objects = text.split('}');
      text = (objects.pop() ?? '').slice(0, 256);
      for (const object of objects) {
        const size = parseSize(`${object}}`);
        if (size) this.#sizes.push(size);
      }
    });
  }
}

/** Resolves when the stream's end has left for the client, or cannot any more. */
function end(stream: SpdyStream | undefined, text = ''): Promise<void> {
  return new Promise((resolve) => {
    if (!stream || stream.destroyed || stream.writableFinished) return resolve();
    stream.once('close', resolve);
    stream.end(text, () => resolve());
  });
}
