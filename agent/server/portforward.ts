/**
 * Port-forward over SPDY: for every connection that the user's side accepts, kubectl opens a pair of streams, `data` and
 * `error`, that share a `requestID` and name a `port`. Called by upgrades.ts for SPDY/3.1 and for SPDY in WebSocket
 * messages; `forward` by portsockets.ts too.
 */
import type { Socket } from 'node:net';
import type { Duplex, Writable } from 'node:stream';
import type { Pod } from '../../src/api/types.js';
import type { Clock } from '../../src/host/clock.js';
import { SpdyConnection } from './spdy/connection.js';
import type { SpdyStream } from './spdy/stream.js';
import type { StreamWatch } from './streamwatch.js';

export const portForwardProtocol = 'portforward.k8s.io';

/** How the pod's ports are reached. */
export interface PortTarget {
  pod: Pod;
  dial(port: number): Promise<Socket>;
}

/** As long as kubelet waits for the second stream of a pair. */
const pairTimeoutMs = 30_000;
/** Of one client at a time; as many as it may have open. */
const maxDials = 1000;

interface Pair {
  data?: SpdyStream;
  error?: SpdyStream;
  port: number;
  cancelTimeout(): void;
}

/** Serves until the client goes. Never rejects. */
export async function servePortForward(
  transport: Duplex,
  target: PortTarget,
  { clock, watch }: { clock: Clock; watch?: StreamWatch },
): Promise<void> {
  const pairs = new Map<string, Pair>();
  const bounded = { ...target, dial: boundedDial(target.dial) };
  const take = (stream: SpdyStream): void => {
    const type = stream.headers.get('streamtype');
    const port = parsePort(stream.headers.get('port'));
    if ((type !== 'data' && type !== 'error') || port === undefined) {
      stream.destroy();
      return;
    }
    // The oldest clients number no requests; they open the error stream right before the data stream.
    const request = stream.headers.get('requestid') ?? String(type === 'error' ? stream.id : stream.id - 2);
    const pair = pairs.get(request) ?? newPair(request, port);
    if (pair[type]) {
      stream.destroy();
      return;
    }
    pair[type] = stream.accept();
    stream.once('close', () => abandon(request, pair));
    if (!pair.data || !pair.error) return;
    pair.cancelTimeout();
    pairs.delete(request);
    pair.error.resume();
    void forward(bounded, pair.port, { data: pair.data, error: pair.error });
  };

  function newPair(request: string, port: number): Pair {
    const pair: Pair = {
      port,
      cancelTimeout: clock.after(pairTimeoutMs, () => {
        pairs.delete(request);
        const stream = pair.error ?? pair.data;
        const words = pair.error ? `timed out waiting for the data stream of request ${request}` : '';
        stream?.end(words, () => stream.destroy());
      }),
    };
    pairs.set(request, pair);
    return pair;
  }

  /** A stream that ends before the pair is complete leaves nothing to wait for. */
  function abandon(request: string, pair: Pair): void {
    pair.cancelTimeout();
    if (pairs.get(request) === pair) pairs.delete(request);
  }

  await new SpdyConnection(transport, take, watch).closed;
  for (const { cancelTimeout } of pairs.values()) cancelTimeout();
}

/** Streams that are reset while their port is dialed make room for others; what dials goes on until it ends. */
function boundedDial(dial: PortTarget['dial']): PortTarget['dial'] {
  let under = 0;
  return async (port) => {
    if (under >= maxDials) throw new Error('too many connections are being opened');
    under += 1;
    try {
      return await dial(port);
    } finally {
      under -= 1;
    }
  };
}

/** 1 to 65535. */
export function parsePort(text: string | undefined): number | undefined {
  const port = /^\d{1,5}$/.test(text ?? '') ? Number(text) : 0;
  return port >= 1 && port <= 65_535 ? port : undefined;
}

/**
 * Joins a stream with a new connection to a port of the pod until both have ended; what fails is told on the error
 * stream in kubelet's words. Never rejects.
 */
export async function forward(
  target: PortTarget,
  port: number,
  streams: { data: Duplex; error: Writable },
): Promise<void> {
  const { data, error } = streams;
  try {
    const socket = await target.dial(port);
    if (data.destroyed) socket.destroy();
    else await join(socket, streams);
  } catch (failure) {
    const reason = failure instanceof Error ? failure.message : String(failure);
    error.end(`error forwarding port ${port} to pod ${target.pod.metadata.name}, uid : ${reason}`);
    data.end();
    data.resume();
  }
}

/** Bytes both ways, each direction ending by itself; a side that breaks takes the other along. */
function join(socket: Socket, { data, error }: { data: Duplex; error: Writable }): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.setNoDelay(true);
    socket.once('error', reject);
    socket.once('end', () => {
      // The user's side waits for this: all that the program had to say has been said.
      data.end();
      error.end();
    });
    socket.once('close', () => {
      data.end();
      error.end();
      data.resume();
      resolve();
    });
    data.once('close', () => (data.readableEnded ? socket.destroySoon() : socket.destroy()));
    data.once('error', () => socket.destroy());
    socket.pipe(data, { end: false });
    data.pipe(socket);
  });
}
