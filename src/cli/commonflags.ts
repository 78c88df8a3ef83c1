/**
 * The flags that `wherry master` and `wherry agent` share, as the help shows them. Part of the tables in `masterflags.ts` and
 * `agentflags.ts`; what their values mean is checked by `src/host/config.ts` and `src/host/listen.ts`.
 */
import { type Flag, group } from './flag.js';

export const commonFlags: readonly Flag[] = [
  ...group('General', [
    { name: 'data-dir', value: 'dir', description: 'where everything is kept (/var/lib/wherry)' },
    { name: 'bind-address', value: 'ip', description: 'address to listen on (0.0.0.0)' },
    { name: 'cluster-cidr', value: 'cidr', description: 'addresses of pods (10.244.0.0/16)' },
    { name: 'service-cidr', value: 'cidr', description: 'addresses of Services (10.96.0.0/12)' },
    { name: 'log-level', value: 'level', description: 'debug, info, warn or error (info)' },
  ]),
  ...group('Connections', [
    {
      name: 'tls-min-version',
      value: 'version',
      description: 'least version of TLS that is taken: VersionTLS12 or VersionTLS13 (VersionTLS12)',
    },
    {
      name: 'tls-cipher-suites',
      value: 'list',
      description:
        'cipher suites of TLS 1.2 that are taken, by the names of Go (ECDHE with AES-GCM or ChaCha20)',
    },
    {
      name: 'max-connections-per-client',
      value: 'number',
      description: 'how many connections one address may have; 0 for any (0)',
    },
  ]),
];
