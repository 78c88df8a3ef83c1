/**
 * 1. From the master to the HTTPS API of a node's agent, with the master's client certificate: requests whose answer
 * streams back, and upgraded connections that are tunnelled byte for byte.
 *
 * The agent's certificate must be that of the node (`agentidentity.ts`). Trouble on the way is an `ApiError` of 503 that says
 * what and where; what the agent itself answers is passed on with its code.
 */
import type { ClientRequest, IncomingMessage, OutgoingHttpHeaders } from 'node:http';
import { Agent, type RequestOptions, request } from 'node:https';
import { isIPv6 } from 'node:net';
import type { Duplex, Readable } from 'node:stream';
import type { PeerCertificate } from 'node:tls';
import { ApiError, type Status } from '../../src/api/errors.js';
import type { Node } from '../../src/api/types.js';
import { type AgentAuthorities, identityProblem } from './agentidentity.js';
import { noAnswer } from './proxyheaders.js';

/** PEM; asked for at every connection, so that renewed certificates are used. */
export interface AgentCredentials extends AgentAuthorities {
  cert: string;
  key: string;
}

export interface AgentRequest {
  node: Node;
  path: string;
  headers?: OutgoingHttpHeaders;
  signal?: AbortSignal;
  /** Whatever certificate the agent shows: a user who asks for logs may say that it does not matter. */
  insecure?: boolean;
}

const connectTimeoutMs = 10_000;
const defaultAgentPort = 10250;
const maxErrorBytes = 64 * 1024;

export class AgentLink {
  readonly #credentials: () => AgentCredentials;
  readonly #pool = new Agent({ keepAlive: true, maxFreeSockets: 16, timeout: connectTimeoutMs });

  constructor(credentials: () => AgentCredentials) {
    this.#credentials = credentials;
  }

  /** Resolves with an answer of 2xx; its body is the caller's to read. Throws what the agent refused with. */
  async get(wanted: AgentRequest): Promise<IncomingMessage> {
    const response = await this.#send(wanted);
    if (response.statusCode && response.statusCode >= 200 && response.statusCode < 300) return response;
    throw await refusalOf(response).catch((error: Error) => unreachable(wanted.node, error));
  }

  /** Resolves with the agent's 101 and the raw connection behind it. */
  upgrade(wanted: AgentRequest): Promise<{ response: IncomingMessage; socket: Duplex; head: Buffer }> {
    return new Promise((resolve, reject) => {
      const outgoing = request({ ...this.#options(wanted), agent: false });
      outgoing.on('upgrade', (response, socket, head) => resolve({ response, socket, head }));
      outgoing.on('response', (response) =>
        refusalOf(response).then(reject, (error: Error) => reject(unreachable(wanted.node, error))),
      );
      outgoing.on('timeout', () =>
        outgoing.destroy(new Error(`no answer within ${connectTimeoutMs / 1000} s`)),
      );
      outgoing.on('error', (error) => reject(unreachable(wanted.node, error)));
      outgoing.end();
    });
  }

  /** A connection to a pod of the node. Rejects with an `ApiError` of 503, or what the agent refused with. */
  connect(node: Node, { host, port }: { host: string; port: number }): Promise<Duplex> {
    const path = `${isIPv6(host) ? `[${host}]` : host}:${port}`;
    return new Promise((resolve, reject) => {
      const outgoing = request({ ...this.#options({ node, path }), method: 'CONNECT', agent: false });
      outgoing.on('connect', (response, socket, head) => {
        socket.setTimeout(0);
        if (response.statusCode === 200) {
          if (head.length > 0) socket.unshift(head);
          resolve(socket);
          return;
        }
        if (head.length > 0) socket.unshift(head);
        textOf(socket).then((text) => {
          const message = parseStatus(text)?.message ?? `the agent cannot reach ${path}`;
          reject(new ApiError('ServiceUnavailable', `error trying to reach service: ${message}`));
        }, reject);
      });
      outgoing.on('timeout', () =>
        outgoing.destroy(new Error(`no answer within ${connectTimeoutMs / 1000} s`)),
      );
      outgoing.on('error', (error) => reject(unreachable(node, error)));
      outgoing.end();
    });
  }

  /** Any request to the agent, for the caller to write and to read; only connecting has a time limit. */
  open({ reuse, method, ...wanted }: AgentRequest & { method: string; reuse: boolean }): ClientRequest {
    const { timeout: _, ...options } = this.#options(wanted);
    const outgoing = request({ ...options, method, agent: reuse ? this.#pool : false });
    outgoing.once('socket', (socket) => {
      if (!socket.connecting) return;
      const giveUp = (): void =>
        void outgoing.destroy(
          unreachable(wanted.node, new Error(`no answer within ${connectTimeoutMs / 1000} s`)),
        );
      socket.setTimeout(connectTimeoutMs, giveUp);
      socket.once('secureConnect', () => {
        socket.setTimeout(0);
        socket.off('timeout', giveUp);
      });
    });
    return outgoing;
  }

  /** Where the agent listens. Throws 503 while the node has no address. */
  addressOf(node: Node): { host: string; port: number } {
    const host = node.status?.addresses?.find((entry) => entry.type === 'InternalIP')?.address;
    if (!host) {
      const name = JSON.stringify(node.metadata.name);
      throw new ApiError('ServiceUnavailable', `node ${name} has no InternalIP address yet`);
    }
    return { host, port: node.status?.daemonEndpoints?.kubeletEndpoint?.Port ?? defaultAgentPort };
  }

  close(): void {
    this.#pool.destroy();
  }

  #send(wanted: AgentRequest): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
      const outgoing = request({ ...this.#options(wanted), agent: this.#pool });
      outgoing.on('response', (response) => {
        response.socket.setTimeout(0);
        resolve(response);
      });
      outgoing.on('timeout', () =>
        outgoing.destroy(new Error(`no answer within ${connectTimeoutMs / 1000} s`)),
      );
      outgoing.on('error', (error) => reject(unreachable(wanted.node, error)));
      outgoing.on('close', () => reject(unreachable(wanted.node, noAnswer())));
      outgoing.end();
    });
  }

  #options({ node, path, headers, signal, insecure }: AgentRequest): RequestOptions {
    const { host, port } = this.addressOf(node);
    const name = node.metadata.name ?? '';
    const { cert, key, ...authorities } = this.#credentials();
    return {
      ...{ cert, key, ca: [authorities.ca, authorities.formerCa] },
      host,
      port,
      path,
      method: 'GET',
      servername: name,
      checkServerIdentity: (_host: string, certificate: PeerCertificate) =>
        identityProblem(certificate, name, authorities),
      timeout: connectTimeoutMs,
      ...(insecure && { rejectUnauthorized: false, checkServerIdentity: () => undefined }),
      ...(headers && { headers }),
      ...(signal && { signal }),
    };
  }
}

const unreachable = (node: Node, cause: Error): ApiError =>
  new ApiError(
    'ServiceUnavailable',
    `the agent of node ${JSON.stringify(node.metadata.name)} cannot be reached: ${cause.message || String((cause as NodeJS.ErrnoException).code)}`,
    undefined,
    { cause },
  );

/** The agent's `Status` body, or its text, as an error. */
async function refusalOf(response: IncomingMessage): Promise<ApiError> {
  const code = response.statusCode ?? 500;
  const text = await textOf(response);
  const status = parseStatus(text);
  return ApiError.fromStatus(status ?? { message: text || `the agent answered ${code}` }, code);
}

async function textOf(stream: Readable): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    chunks.push(chunk);
    size += chunk.length;
    if (size > maxErrorBytes) break;
  }
  return Buffer.concat(chunks).toString('utf8').trim();
}

function parseStatus(text: string): Partial<Status> | undefined {
  if (!text.startsWith('{')) return undefined;
  try {
    return JSON.parse(text) as Partial<Status>;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
