/**
 * What the conformance tests talk to a whole in-process API server with: requests over connections that are kept, and
 * watches read line by line. Imported by tests only.
 */
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { Agent, request } from 'node:https';
import type { KubeObject } from '../../src/api/types.js';
import { createTestServer, type TestServer } from '../http/testing.js';
import { createServiceAllocator } from '../registry/kinds/serviceallocator.js';

export interface Told {
  type: string;
  object: KubeObject & { code?: number; reason?: string; message?: string };
}

/** One open watch. `next` waits for the next event and answers undefined at the end of the stream. */
export interface Watching {
  code: number;
  headers: IncomingHttpHeaders;
  next(): Promise<Told | undefined>;
  /** The next `count` events as `TYPE name`; fewer when the stream ends. */
  take(count: number): Promise<string[]>;
  /** All that comes up to the end of the stream. */
  rest(): Promise<Told[]>;
  close(): void;
}

export interface Asking {
  /** An object is sent as JSON. */
  body?: unknown;
  type?: string;
  headers?: Record<string, string>;
  token?: string;
}

export interface Reply {
  code: number;
  headers: IncomingHttpHeaders;
  bytes: Buffer;
  /** The body as JSON. */
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers of every shape
  json: any;
}

export interface Peer {
  ask(method: string, path: string, how?: Asking): Promise<Reply>;
  watch(path: string, how?: Asking): Promise<Watching>;
  close(): void;
}

/** `url` as `https://host:port`; requests carry the bearer token `admin-token` unless they say otherwise. */
export function createPeer(url: string, ca: string): Peer {
  const agent = new Agent({ keepAlive: true, maxSockets: 64, ca });
  const streams = new Agent({ keepAlive: true, ca });
  const { hostname: host, port } = new URL(url);
  const open = (method: string, path: string, how: Asking, over = agent): Promise<IncomingMessage> =>
    new Promise((resolve, reject) => {
      const body = payloadOf(how.body);
      const headers: Record<string, string> = { authorization: `Bearer ${how.token ?? 'admin-token'}` };
      if (body) {
        headers['content-type'] = how.type ?? 'application/json';
        headers['content-length'] = String(body.length);
      }
      const outgoing = request({
        ...{ agent: over, host, port, method, path },
        headers: { ...headers, ...how.headers },
      });
      outgoing.on('response', resolve);
      outgoing.on('error', reject);
      outgoing.end(body);
    });
  return {
    async ask(method, path, how = {}) {
      const response = await open(method, path, how);
      const bytes = await bytesOf(response);
      return {
        code: response.statusCode ?? 0,
        headers: response.headers,
        bytes,
        get json() {
          return JSON.parse(bytes.toString('utf8'));
        },
      };
    },
    watch: async (path, how = {}) => watching(await open('GET', path, how, streams)),
    close() {
      agent.destroy();
      streams.destroy();
    },
  };
}

function payloadOf(body: unknown): Buffer | undefined {
  if (body === undefined) return undefined;
  if (Buffer.isBuffer(body)) return body;
  return Buffer.from(typeof body === 'string' ? body : JSON.stringify(body));
}

async function bytesOf(response: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

function watching(response: IncomingMessage): Watching {
  const told = events(response);
  const next = async (): Promise<Told | undefined> => {
    const result = await told.next();
    return result.done ? undefined : result.value;
  };
  return {
    code: response.statusCode ?? 0,
    headers: response.headers,
    next,
    async take(count) {
      const seen: string[] = [];
      while (seen.length < count) {
        const event = await next();
        if (!event) break;
        seen.push(`${event.type} ${event.object.metadata?.name ?? ''}`.trimEnd());
      }
      return seen;
    },
    async rest() {
      const all: Told[] = [];
      for (let event = await next(); event; event = await next()) all.push(event);
      return all;
    },
    close: () => response.destroy(),
  };
}

async function* events(response: IncomingMessage): AsyncGenerator<Told, void, undefined> {
  let text = '';
  response.setEncoding('utf8');
  for await (const chunk of response) {
    text += chunk as string;
    const lines = text.split('\n');
    text = lines.pop() ?? '';
    for (const line of lines) yield JSON.parse(line) as Told;
  }
  if (text !== '') yield JSON.parse(text) as Told;
}

export interface ConformanceServer extends Peer {
  api: TestServer;
  stop(): Promise<void>;
}

/** `watchLimit` is how many events may wait for one watcher. */
export async function createConformanceServer({ watchLimit = 8192 } = {}): Promise<ConformanceServer> {
  const ranges = { serviceCidr: '10.96.0.0/16', nodePortRange: { from: 30_000, to: 32_767 } };
  const allocators = new Map([['services.', createServiceAllocator(ranges)]]);
  const api = await createTestServer({}, { allocators, watchLimit });
  const peer = createPeer(api.url, api.certificates.ca);
  return {
    ...peer,
    api,
    async stop() {
      peer.close();
      await api.close();
    },
  };
}

export const patchTypes = {
  json: 'application/json-patch+json',
  merge: 'application/merge-patch+json',
  strategic: 'application/strategic-merge-patch+json',
} as const;

export const accept = {
  table: 'application/json;as=Table;v=v1;g=meta.k8s.io',
  metadata: 'application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io',
  metadataList: 'application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io',
} as const;
