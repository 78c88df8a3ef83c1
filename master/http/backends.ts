/**
 * 1. Connections from the master to pods and Services' endpoints. A pod is reached through the agent of its node, by HTTP
 * CONNECT, so the master need not be on the pod network; any other address directly. Called by proxy.ts; for whoever
 * else in the master has to speak HTTP with something in the cluster.
 */
import { Agent, type ClientRequest, type ClientRequestArgs, request } from 'node:http';
import { connect as connectTcp } from 'node:net';
import type { Duplex } from 'node:stream';
import { connect as connectTls } from 'node:tls';
import { ApiError, isReason } from '../../src/api/errors.js';
import { nodes } from '../../src/api/kinds.js';
import type { Node } from '../../src/api/types.js';
import type { Registry, RequestContext } from '../registry/registry.js';
import type { AgentLink } from './agentlink.js';
import type { Backend } from './proxytarget.js';

const connectTimeoutMs = 10_000;

export interface BackendsOptions {
  registry: Registry;
  link: AgentLink;
}

interface DialArgs extends ClientRequestArgs {
  dial: () => Promise<Duplex>;
  /** Whose connection it is: scheme, node, address, port. */
  connection: string;
}

/** A connection is good for another request to the same backend only. */
class Pool extends Agent {
  override getName(options?: Partial<DialArgs>): string {
    return options?.connection ?? '';
  }

  override createConnection(
    options: Partial<DialArgs>,
    callback?: (error: Error | null, stream: Duplex) => void,
  ): undefined {
    const failed = (error: Error): void => callback?.(error, undefined as never);
    options.dial?.().then((socket) => callback?.(null, socket), failed);
  }
}

export class Backends {
  readonly #options: BackendsOptions;
  readonly #pool = new Pool({ keepAlive: true, maxFreeSockets: 16, timeout: 30_000 });

  constructor(options: BackendsOptions) {
    this.#options = options;
  }

  /** A request to the backend; trouble on the way comes as its `error`. `reuse`: on a pooled connection. */
  request(
    backend: Backend,
    how: ClientRequestArgs & { reuse: boolean },
    context: RequestContext,
  ): ClientRequest {
    const { reuse, ...args } = how;
    const { scheme, nodeName = '', host, port } = backend;
    const dialArgs: DialArgs = {
      ...args,
      // As forgiving about line ends as clients in other languages are; scripts write what they write.
      insecureHTTPParser: true,
      agent: reuse ? this.#pool : new Pool({ keepAlive: false }),
      dial: () => this.dial(backend, context),
      connection: `${scheme} ${nodeName} ${host} ${port}`,
    };
    return request(dialArgs);
  }

  /** Opens a connection, with TLS for `https`. Rejects with the system's error or the agent's. */
  async dial(backend: Backend, context: RequestContext): Promise<Duplex> {
    const { host, port, nodeName, scheme } = backend;
    const node = nodeName === undefined ? undefined : await this.#node(nodeName, context);
    const socket = node
      ? await this.#options.link.connect(node, { host, port })
      : await dialDirectly(host, port);
    return scheme === 'https' ? startTls(socket, host) : socket;
  }

  close(): void {
    this.#pool.destroy();
  }

  async #node(name: string, context: RequestContext): Promise<Node> {
    const { registry } = this.#options;
    const row = registry.resources.of(nodes);
    try {
      if (row) return (await registry.get(row, { name }, context)).object;
    } catch (error) {
      if (!isReason(error, 'NotFound')) throw error;
    }
    throw new ApiError('ServiceUnavailable', `node ${JSON.stringify(name)} does not exist`);
  }
}

function dialDirectly(host: string, port: number): Promise<Duplex> {
  return new Promise((resolve, reject) => {
    const socket = connectTcp({ host, port, timeout: connectTimeoutMs, noDelay: true });
    socket.once('error', reject);
    socket.once('timeout', () => socket.destroy(new Error(`dial tcp ${host}:${port}: i/o timeout`)));
    socket.once('connect', () => {
      socket.setTimeout(0);
      socket.off('error', reject);
      resolve(socket);
    });
  });
}

/** Certificates of pods are their own affair: as kube-apiserver, the proxies do not check them. */
function startTls(socket: Duplex, host: string): Promise<Duplex> {
  return new Promise((resolve, reject) => {
    const secure = connectTls({ socket, host, rejectUnauthorized: false });
    secure.once('error', reject);
    secure.once('secureConnect', () => {
      secure.off('error', reject);
      resolve(secure);
    });
  });
}
