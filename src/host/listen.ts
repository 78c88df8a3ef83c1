/** The flags of both roles about who may connect and how. Called by `parseMasterOptions` and `parseAgentOptions`. */
import { numberFlag, type RawFlags } from './config.js';
import type { ConnectionLimits } from './connections.js';
import { type TlsSettings, tlsFlags } from './tls.js';

export interface ListenOptions {
  tls: TlsSettings;
  connections: Pick<ConnectionLimits, 'perClient'>;
}

/** Throws an `Error` that names the flag. */
export const listenFlags = (raw: RawFlags): ListenOptions => ({
  tls: tlsFlags(raw),
  connections: {
    perClient: numberFlag(raw, 'max-connections-per-client', { otherwise: 0, from: 0, to: 1_000_000 }),
  },
});
