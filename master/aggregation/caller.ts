/**
 * 1. POSTs JSON to an HTTPS server that an object of the cluster names: by URL, or as a Service. Called by admission
 * webhooks and by the conversion webhooks of CustomResourceDefinitions; one instance per master.
 *
 * Connections are kept and shared by equal targets. A call ends with its timeout, with the request it is made for, and
 * when the answer grows too large; nothing waits for it but its own caller.
 */
import type { IncomingMessage } from 'node:http';
import { type Agent, type RequestOptions, request } from 'node:https';
import { isIP } from 'node:net';
import type { Client } from '../../src/client/client.js';
import type { Clock } from '../../src/host/clock.js';
import { noAnswer } from '../http/proxyheaders.js';
import { dialText, serverNameOf, tlsOf } from './dial.js';
import { type Dial, type PoolRequest, TlsPool } from './pool.js';
import { type Address, resolveService, ServiceUnresolved } from './services.js';

/** `clientConfig` of webhooks: either `url` or `service`. */
export interface CallTarget {
  url?: string | undefined;
  service?:
    | { namespace: string; name: string; path?: string | undefined; port?: number | undefined }
    | undefined;
  caBundle?: string | undefined;
}

export interface Call {
  target: CallTarget;
  body: unknown;
  timeoutMs: number;
  signal: AbortSignal;
}

/** No usable answer; the message says `Post "https://...": why`. */
export class CallFailed extends Error {}

export interface Caller {
  /** The decoded JSON of a 200. Rejects with `CallFailed`. */
  post(call: Call): Promise<unknown>;
  close(): void;
}

export interface CallerOptions {
  client: Pick<Client, 'get' | 'list'>;
  clock: Pick<Clock, 'after'>;
  /** The way to pods; directly when absent. */
  dial?: Dial;
}

const maxAnswerBytes = 8 * 1024 * 1024;
const maxErrorText = 2048;

interface Place {
  url: string;
  path: string;
  address: Address;
  tls: RequestOptions;
}

export function createCaller({ client, clock, dial }: CallerOptions): Caller {
  const pool = new TlsPool(dial);

  async function placeOf(target: CallTarget, timeoutMs: number): Promise<Place> {
    const url = urlOf(target, timeoutMs);
    const { service } = target;
    if (!service) return placeOfUrl(new URL(url), target.caBundle);
    const name = serverNameOf(service);
    const { pathname, search } = new URL(url);
    try {
      const address = await resolveService(client, service);
      return {
        url,
        path: pathname + search,
        address,
        tls: { ...tlsOf(target, name), headers: { host: name } },
      };
    } catch (error) {
      if (error instanceof ServiceUnresolved) throw failed(url, error.message, error);
      throw error;
    }
  }

  return {
    async post({ target, body, timeoutMs, signal }) {
      const place = await placeOf(target, timeoutMs);
      const bytes = Buffer.from(JSON.stringify(body));
      const ending = new AbortController();
      const abort = (): void => ending.abort();
      const cancel = clock.after(timeoutMs, abort);
      signal.addEventListener('abort', abort, { once: true });
      try {
        signal.throwIfAborted();
        return await exchange(pool, place, bytes, ending.signal);
      } catch (error) {
        if (error instanceof CallFailed) throw error;
        const aborted = signal.aborted ? 'context canceled' : 'context deadline exceeded';
        throw failed(
          place.url,
          ending.signal.aborted || signal.aborted ? aborted : dialText(error, place.address),
          error,
        );
      } finally {
        cancel();
        signal.removeEventListener('abort', abort);
      }
    },
    close: () => pool.destroy(),
  };
}

const failed = (url: string, why: string, cause?: unknown): CallFailed =>
  new CallFailed(`Post ${JSON.stringify(url)}: ${why}`, { cause });

/** With the timeout as a parameter, as kube-apiserver tells it. */
function urlOf({ url, service }: CallTarget, timeoutMs: number): string {
  const base = service
    ? `https://${serverNameOf(service)}:${service.port ?? 443}${service.path ?? '/'}`
    : (url ?? '');
  if (!base) throw new CallFailed('webhook configuration must have either service or URL');
  return `${base}${base.includes('?') ? '&' : '?'}timeout=${Math.ceil(timeoutMs / 1000)}s`;
}

function placeOfUrl(url: URL, caBundle: string | undefined): Place {
  if (url.protocol !== 'https:') throw failed(url.href, 'only https is allowed');
  const host = url.hostname.replace(/^\[|\]$/g, '');
  return {
    url: url.href,
    path: url.pathname + url.search,
    address: { host, port: Number(url.port || 443) },
    tls: tlsOf({ caBundle }, isIP(host) ? '' : host),
  };
}

/** One exchange; once more when a kept connection turns out to be closed before anything was answered. */
async function exchange(pool: Agent, place: Place, bytes: Buffer, signal: AbortSignal): Promise<unknown> {
  try {
    return await exchangeOnce(pool, place, bytes, signal);
  } catch (error) {
    if (!(error instanceof StaleConnection) || signal.aborted) throw error;
    return exchangeOnce(pool, place, bytes, signal);
  }
}

class StaleConnection extends Error {
  readonly code = 'ECONNRESET';
}

function exchangeOnce(pool: Agent, place: Place, bytes: Buffer, signal: AbortSignal): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const options: PoolRequest = {
      ...place.tls,
      nodeName: place.address.nodeName,
      host: place.address.host,
      port: place.address.port,
      path: place.path,
      method: 'POST',
      agent: pool,
      signal,
      headers: {
        ...place.tls.headers,
        'content-type': 'application/json',
        accept: 'application/json, */*',
        'content-length': bytes.length,
        'user-agent': 'kube-apiserver-admission',
      },
    };
    const outgoing = request(options);
    let isAnswered = false;
    outgoing.on('response', (response) => {
      isAnswered = true;
      readAnswer(response, place).then(resolve, reject);
    });
    outgoing.on('error', (error: NodeJS.ErrnoException) => {
      const isStale = outgoing.reusedSocket && !isAnswered && error.code === 'ECONNRESET';
      reject(isStale ? new StaleConnection(error.message, { cause: error }) : error);
    });
    outgoing.on('close', () => {
      if (!isAnswered) reject(noAnswer());
    });
    outgoing.end(bytes);
  });
}

async function readAnswer(response: IncomingMessage, { url }: Place): Promise<unknown> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > maxAnswerBytes) throw failed(url, `the answer is larger than ${maxAnswerBytes} bytes`);
    chunks.push(chunk);
  }
  const text = Buffer.concat(chunks).toString('utf8');
  const code = response.statusCode ?? 0;
  if (code < 200 || code > 299) throw new CallFailed(refusalText(code, text));
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    throw new CallFailed(`couldn't get version/kind; json parse error: ${(error as Error).message}`, {
      cause: error,
    });
  }
}

/** As client-go words answers that are no success. */
function refusalText(code: number, text: string): string {
  if (code === 404) return 'the server could not find the requested resource';
  if (code === 401) return 'the server has asked for the client to provide credentials';
  if (code === 403) return `unknown`;
  if (code >= 500) {
    const shown = JSON.stringify(text.slice(0, maxErrorText));
    return `an error on the server (${shown}) has prevented the request from succeeding`;
  }
  return `the server rejected our request for an unknown reason (${code})`;
}
