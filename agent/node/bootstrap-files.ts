/**
 * The agent's credentials on disk (`<data-dir>/agent/pki`, 0700, files 0600). Called by `bootstrap.ts` and the renewal.
 *
 *   ca.crt        the authority this agent trusts
 *   client.pem    certificate and key in one file, so that they change together
 *   serving.pem   the same for the agent's own HTTPS server
 *   *.pending.key the key of a request that has no certificate yet; a restart goes on with it
 */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { ensureDirectory, readIfExists, requirePrivate, writeAtomic } from '../../src/host/files.js';
import { pemBlocks } from '../../src/host/pem.js';
import type { KeyPair } from '../../src/host/x509.js';

export type CredentialName = 'client' | 'serving';

export interface CredentialFiles {
  readCa(): Promise<string | undefined>;
  writeCa(ca: string): Promise<void>;
  readPair(name: CredentialName): Promise<KeyPair | undefined>;
  /** Both end with a line break. Also removes the pending key. */
  writePair(name: CredentialName, pair: KeyPair): Promise<void>;
  readPendingKey(name: CredentialName): Promise<string | undefined>;
  writePendingKey(name: CredentialName, key: string): Promise<void>;
  removePendingKey(name: CredentialName): Promise<void>;
}

export async function openCredentialFiles(directory: string): Promise<CredentialFiles> {
  await ensureDirectory(directory, 0o700);
  const at = (name: string): string => join(directory, name);
  const pending = (name: CredentialName): string => at(`${name}.pending.key`);

  async function readSecret(path: string): Promise<string | undefined> {
    const bytes = await readIfExists(path);
    if (bytes) await requirePrivate(path);
    return bytes?.toString();
  }

  return {
    readCa: async () => (await readIfExists(at('ca.crt')))?.toString(),
    writeCa: (ca) => writeAtomic(at('ca.crt'), ca, 0o600),
    async readPair(name) {
      const text = await readSecret(at(`${name}.pem`));
      const [key] = pemBlocks(text ?? '', 'PRIVATE KEY');
      const cert = pemBlocks(text ?? '', 'CERTIFICATE').join('');
      return key && cert ? { cert, key } : undefined;
    },
    async writePair(name, { cert, key }) {
      await writeAtomic(at(`${name}.pem`), cert + key, 0o600);
      await rm(pending(name), { force: true });
    },
    readPendingKey: (name) => readSecret(pending(name)),
    writePendingKey: (name, key) => writeAtomic(pending(name), key, 0o600),
    removePendingKey: (name) => rm(pending(name), { force: true }),
  };
}
