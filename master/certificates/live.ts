/**
 * The master's certificates as everybody has them: one object that changes in place when something is issued anew, and who
 * wants to be told. Made by `core.ts`; looked at by `renewal.ts` every minute and after a wish of an administrator.
 *
 * Whoever keeps a connection open goes on with the certificate it began with.
 */
import { isDeepStrictEqual } from 'node:util';
import type { Clock } from '../../src/host/clock.js';
import type { Logger } from '../../src/host/log.js';
import { ensurePki, type Pki } from '../auth/pki.js';
import type { ApiAddress } from '../bootstrap.js';
import { hostNow, lookAgain, type NamesOptions, servingNames } from './names.js';
import type { CertificateOptions } from './options.js';

export interface LivePki {
  /** The same object for the life of the master. */
  readonly pki: Pki;
  /** `<data-dir>/master`. */
  readonly directory: string;
  readonly lifetimeMs: number;
  /** Renews what is due and names what is new. Rejects when a file cannot be read or written; then nothing changed. */
  look(): Promise<void>;
  /** Told after each look that changed something. */
  onChange(listener: () => void): () => void;
}

export interface LivePkiOptions {
  directory: string;
  options: NamesOptions & { advertiseAddress: string | undefined; certificates: CertificateOptions };
  /** Live too: its address follows that of the host. */
  api: ApiAddress;
  clock: Pick<Clock, 'now'>;
  log: Logger;
  /** For tests. */
  host?: typeof hostNow;
}

export async function openPki(given: LivePkiOptions): Promise<LivePki> {
  const { directory, options, api, clock, log, host = hostNow } = given;
  const { lifetimeMs } = options.certificates;
  const listeners = new Set<() => void>();
  const ensure = (): Promise<Pki> =>
    ensurePki({ directory, clock, lifetimeMs, ...servingNames(options, api, host()) });
  const pki = await ensure();

  return {
    pki,
    directory,
    lifetimeMs,
    async look() {
      const address = await lookAgain(options, api.address, host());
      const isMoved = address !== api.address;
      if (isMoved) log.warn({ old: api.address, new: address }, 'the address of the master changed');
      api.address = address;
      const fresh = await ensure();
      if (!isMoved && isDeepStrictEqual(textsOf(fresh), textsOf(pki))) return;
      Object.assign(pki, fresh);
      for (const listener of listeners) listener();
    },
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}

/** All that is text in it; the rest follows from that. */
const textsOf = ({ ca, authorities, serving, kubeletClient, frontProxy, admin }: Pki): unknown => [
  ca,
  [
    authorities.ca.cross,
    authorities.ca.phase,
    authorities.frontProxy.phase,
    authorities.kubeletServing.trusted,
  ],
  [serving, kubeletClient, frontProxy, admin],
];
