/**
 * 1. Kept TLS connections to servers of the cluster. A pod may be on a network the master is not on: then `dial` opens the
 * way, through the agent of its node; everything else is connected to directly.
 */

import { Agent, type AgentOptions, type RequestOptions } from 'node:https';
import type { Duplex } from 'node:stream';
import { type ConnectionOptions, connect } from 'node:tls';
import type { Address } from './services.js';

/** Opens a connection to a pod. */
export type Dial = (address: Address & { nodeName: string }) => Promise<Duplex>;

/** Request options that also say where the address is. */
export type PoolRequest = RequestOptions & { nodeName?: string | undefined };

const defaults: AgentOptions = {
  keepAlive: true,
  maxFreeSockets: 16,
  maxCachedSessions: 64,
  scheduling: 'lifo',
};

export class TlsPool extends Agent {
  readonly #dial: Dial | undefined;

  constructor(dial?: Dial, options: AgentOptions = defaults) {
    super(options);
    this.#dial = dial;
  }

  /** For one connection that is used up. */
  single(): TlsPool {
    return new TlsPool(this.#dial, { keepAlive: false });
  }

  override createConnection(
    options: PoolRequest,
    callback?: (error: Error | null, stream: Duplex) => void,
  ): Duplex | null | undefined {
    const { host, port, nodeName } = options;
    if (!this.#dial || !nodeName || !host) return super.createConnection(options, callback);
    this.#dial({ host, port: Number(port), nodeName }).then(
      (socket) => callback?.(null, connect({ ...(options as ConnectionOptions), socket })),
      (error: Error) => callback?.(error, undefined as never),
    );
    return undefined;
  }
}
