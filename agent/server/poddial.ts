/**
 * Connections into pods: to their loopback for port-forward, to their address for the master's proxy. Called by
 * portforward.ts and connect.ts.
 *
 * A pod's namespace is that of its sandbox; pods on the host's network are reached from here. A namespace is known by
 * its identity, not by its path: a process id may come again.
 */
import type { Socket } from 'node:net';
import { ApiError, badRequest, notFound } from '../../src/api/errors.js';
import type { Pod } from '../../src/api/types.js';
import type { Clock } from '../../src/host/clock.js';
import { namespaceId } from '../network/namespace.js';
import type { Runtime } from '../runtime/runtime.js';
import { type Dial, dialHere, NamespaceDialer } from './netns.js';

export interface PodDialerOptions {
  pods(): readonly Pod[];
  runtime: Pick<Runtime, 'listSandboxes'>;
  clock: Clock;
}

export class PodDialer {
  readonly #options: PodDialerOptions;
  /** By identity of the namespace. */
  readonly #dialers = new Map<string, NamespaceDialer>();

  constructor(options: PodDialerOptions) {
    this.#options = options;
  }

  /** Throws 404 for a pod that is not on this node, 400 for one that does not run. */
  async find(ref: { namespace: string; pod: string }): Promise<Pod> {
    const pod = this.#options
      .pods()
      .find(({ metadata }) => metadata.namespace === ref.namespace && metadata.name === ref.pod);
    if (!pod) throw notFound({ group: '', resource: 'pods', name: ref.pod });
    await this.#dialOf(pod);
    return pod;
  }

  /** Connects to what listens on the pod's loopback, IPv4 first. Rejects with words for the user. */
  async loopback(pod: Pod, port: number): Promise<Socket> {
    const dial = await this.#dialOf(pod);
    const failures: string[] = [];
    for (const [family, host] of [
      ['tcp4', '127.0.0.1'],
      ['tcp6', '::1'],
    ] as const) {
      try {
        return await dial(host, port);
      } catch (error) {
        const shown = host.includes(':') ? `[${host}]` : host;
        failures.push(`dial ${family} ${shown}:${port}: ${reasonOf(error)}`);
      }
    }
    throw new Error(
      `failed to connect to localhost:${port} inside the pod's network namespace, IPv4: ${failures[0]}, IPv6: ${failures[1]}`,
    );
  }

  /** Connects to an address of one of this node's pods. Throws 403 for every other. */
  async address(host: string, port: number): Promise<Socket> {
    const isOurs = this.#options
      .pods()
      .some(({ status }) => status?.podIP === host || status?.podIPs?.some(({ ip }) => ip === host));
    if (!isOurs) throw new ApiError('Forbidden', `${host} is not the address of a pod of this node`);
    try {
      return await dialHere(host, port);
    } catch (error) {
      throw new ApiError('ServiceUnavailable', `dial tcp ${host}:${port}: ${reasonOf(error)}`, undefined, {
        cause: error,
      });
    }
  }

  close(): void {
    for (const dialer of this.#dialers.values()) dialer.close();
    this.#dialers.clear();
  }

  async #dialOf(pod: Pod): Promise<Dial> {
    if (pod.spec?.hostNetwork) return dialHere;
    const { uid = '', name = '' } = pod.metadata;
    const sandboxes = await this.#options.runtime.listSandboxes({ podUid: uid });
    const path = sandboxes.find(({ state }) => state === 'running')?.networkNamespace ?? '';
    const identity = await namespaceId(path);
    if (identity === '') {
      throw badRequest(
        `unable to forward port because pod ${JSON.stringify(name)} is not running. Current status=${pod.status?.phase ?? 'Pending'}`,
      );
    }
    let dialer = this.#dialers.get(identity);
    if (!dialer) {
      dialer = new NamespaceDialer(path, this.#options.clock, () => this.#dialers.delete(identity));
      this.#dialers.set(identity, dialer);
    }
    return dialer.dial;
  }
}

const words: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connect: connection refused',
  ECONNRESET: 'connect: connection reset by peer',
  EADDRNOTAVAIL: 'connect: cannot assign requested address',
  EHOSTUNREACH: 'connect: no route to host',
  ENETUNREACH: 'connect: network is unreachable',
  ETIMEDOUT: 'i/o timeout',
};

const reasonOf = (error: unknown): string => {
  const { code, message }: { code?: string; message?: string } = error instanceof Error ? error : {};
  return words[code ?? ''] ?? message ?? String(error);
};
