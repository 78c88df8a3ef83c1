/**
 * The addresses of this node, as a list that everybody who needs them keeps: it changes in place when the host's
 * address does (a new lease of DHCP, a moved VM). Looked at by `node.ts` with every look at the host.
 *
 * An address that a flag names stays, whatever the interfaces say.
 */
import { networkInterfaces } from 'node:os';
import type { Logger } from '../../src/host/log.js';

export interface NodeAddress {
  /** The one that other nodes use comes first. Live: the same list for the life of the agent. */
  readonly ips: readonly string[];
  /** The primary one, at this moment. */
  current(): string;
  /** Looks whether it is still this host's, and finds another if not. Rejects when there is none. */
  look(): Promise<string>;
  onChange(listener: (ip: string) => void): () => void;
}

export interface NodeAddressOptions {
  ip: string;
  /** `--node-ip` was given. */
  isFixed: boolean;
  /** Asked when the address is on no interface any more. */
  find: () => Promise<string>;
  log: Logger;
  /** For tests. */
  hostAddresses?: () => string[];
}

export function createNodeAddress(options: NodeAddressOptions): NodeAddress {
  const { log, hostAddresses = addressesOfHost } = options;
  const ips = [options.ip];
  const listeners = new Set<(ip: string) => void>();
  const current = (): string => ips[0] ?? '';
  return {
    ips,
    current,
    async look() {
      if (options.isFixed || hostAddresses().includes(current())) return current();
      const found = await options.find();
      if (found !== current()) {
        log.warn({ old: current(), new: found }, 'the address of this node changed');
        ips.splice(0, 1, found);
        for (const listener of listeners) listener(found);
      }
      return found;
    },
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}

const addressesOfHost = (): string[] =>
  Object.values(networkInterfaces()).flatMap((list) => list?.map(({ address }) => address) ?? []);
