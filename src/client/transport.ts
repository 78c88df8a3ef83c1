/**
 * The HTTPS connections of the REST client: two pools (plain calls, watches) per set of credentials.
 *
 * Credentials are asked for before each request. When they changed, new requests go over new connections and the old
 * pools close as soon as what runs on them ends, so a renewed certificate never drops a watch.
 */
import { type Dispatcher, Pool } from 'undici';

/** PEM texts. A certificate with its key, or a token, or neither. */
export interface Credentials {
  /** Who the server must be signed by; the system's authorities when absent. */
  ca?: string | undefined;
  cert?: string | undefined;
  key?: string | undefined;
  token?: string | undefined;
}

export interface TransportOptions {
  /** `https://host:port`. */
  server: string;
  credentials: () => Credentials;
  /** Without an answer (or the next piece of one) for so long, a plain call fails. */
  callTimeoutMs: number;
  /** Without a byte for so long, a watch is taken for dead. */
  watchIdleMs: number;
}

export interface Transport {
  send(kind: 'call' | 'watch', request: Request): Promise<Dispatcher.ResponseData>;
  close(): Promise<void>;
}

export interface Request {
  method: Dispatcher.HttpMethod;
  path: string;
  headers: Record<string, string>;
  body?: string | undefined;
  signal?: AbortSignal | undefined;
}

interface Pools {
  key: string;
  call: Pool;
  watch: Pool;
}

const connectTimeoutMs = 10_000;
/** Plain calls at a time; more wait in the pool. */
const callConnections = 32;

export function createTransport(options: TransportOptions): Transport {
  /** Pools of former credentials on which something still runs. */
  const retiring = new Set<Pools>();
  let current: Pools | undefined;

  function open(key: string, { ca, cert, key: privateKey }: Credentials): Pools {
    const connect = {
      timeout: connectTimeoutMs,
      keepAlive: true,
      keepAliveInitialDelay: 30_000,
      ...(ca !== undefined && { ca }),
      ...(cert !== undefined && { cert }),
      ...(privateKey !== undefined && { key: privateKey }),
    };
    return {
      key,
      call: new Pool(options.server, {
        connect,
        connections: callConnections,
        headersTimeout: options.callTimeoutMs,
        bodyTimeout: options.callTimeoutMs,
      }),
      watch: new Pool(options.server, {
        connect,
        headersTimeout: options.watchIdleMs,
        bodyTimeout: options.watchIdleMs,
      }),
    };
  }

  async function retire(pools: Pools): Promise<void> {
    retiring.add(pools);
    await Promise.allSettled([pools.call.close(), pools.watch.close()]);
    retiring.delete(pools);
  }

  function poolsFor(credentials: Credentials): Pools {
    const key = JSON.stringify([credentials.ca, credentials.cert, credentials.key]);
    if (current?.key === key) return current;
    if (current) void retire(current);
    current = open(key, credentials);
    return current;
  }

  return {
    send(kind, request) {
      const credentials = options.credentials();
      const headers = credentials.token
        ? { ...request.headers, authorization: `Bearer ${credentials.token}` }
        : request.headers;
      return poolsFor(credentials)[kind].request({
        method: request.method,
        path: request.path,
        headers,
        ...(request.body !== undefined && { body: request.body }),
        ...(request.signal && { signal: request.signal }),
      });
    },
    async close() {
      const open = [...retiring, ...(current ? [current] : [])];
      current = undefined;
      await Promise.all(open.flatMap((pools) => [pools.call.destroy(), pools.watch.destroy()]));
    },
  };
}
