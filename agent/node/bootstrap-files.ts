/**
 * The agent's credentials on disk (`<data-dir>/agent/pki`, 0700, files 0600). Called by `bootstrap.ts` and the renewal.
 *
 *   ca.crt        the authorities this agent trusts, first the one that signs
 *   ca.known      hashes of those it trusted before: the token it joined with names one of them
 *   client.pem    certificate and key in one file, so that they change together
 *   serving.pem   the same for the agent's own HTTPS server
 *   *.pending.key the key of a request that has no certificate yet; a restart goes on with it
 *
 * What is damaged of the keys counts as none, and is asked for anew.
 */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { ensurePrivateDirectory, readIfExists, requirePrivate, writeAtomic } from '../../src/host/files.js';
import { certificateHash, isReadable, isReadableKey, pemBlocks } from '../../src/host/pem.js';
import type { KeyPair } from '../../src/host/x509.js';

export type CredentialName = 'client' | 'serving';

export interface CredentialFiles {
  readCa(): Promise<string | undefined>;
  /** Those it replaces become known. */
  writeCa(ca: string): Promise<void>;
  /** Hashes of every authority that was ever trusted here. */
  readKnown(): Promise<string[]>;
  readPair(name: CredentialName): Promise<KeyPair | undefined>;
  /** Both end with a line break. Also removes the pending key. */
  writePair(name: CredentialName, pair: KeyPair): Promise<void>;
  readPendingKey(name: CredentialName): Promise<string | undefined>;
  writePendingKey(name: CredentialName, key: string): Promise<void>;
  removePendingKey(name: CredentialName): Promise<void>;
}

/** Of each certificate of a bundle. */
export const hashesOf = (bundle: string): string[] => pemBlocks(bundle, 'CERTIFICATE').map(certificateHash);

export async function openCredentialFiles(directory: string): Promise<CredentialFiles> {
  await ensurePrivateDirectory(directory);
  const at = (name: string): string => join(directory, name);
  const pending = (name: CredentialName): string => at(`${name}.pending.key`);

  async function readSecret(path: string): Promise<string | undefined> {
    const bytes = await readIfExists(path);
    if (bytes) await requirePrivate(path);
    return bytes?.toString();
  }

  /** Without an authority a connection would believe everybody whom the host's own authorities know. */
  async function readCa(): Promise<string | undefined> {
    const text = (await readIfExists(at('ca.crt')))?.toString();
    const blocks = pemBlocks(text ?? '', 'CERTIFICATE');
    if (text !== undefined && (blocks.length === 0 || !blocks.every(isReadable)))
      throw new Error(
        `${at('ca.crt')} holds no certificate in PEM; remove it and join anew (wherry token create)`,
      );
    return text;
  }
  const readKnown = async (): Promise<string[]> => {
    const former = (await readIfExists(at('ca.known')))?.toString().split('\n') ?? [];
    return [...new Set([...former.filter((hash) => hash !== ''), ...hashesOf((await readCa()) ?? '')])];
  };

  return {
    readCa,
    readKnown,
    async writeCa(ca) {
      const known = await readKnown();
      if (known.length > 0) await writeAtomic(at('ca.known'), `${known.join('\n')}\n`, 0o600);
      await writeAtomic(at('ca.crt'), ca, 0o600);
    },
    async readPair(name) {
      const text = await readSecret(at(`${name}.pem`));
      const [key] = pemBlocks(text ?? '', 'PRIVATE KEY');
      const cert = pemBlocks(text ?? '', 'CERTIFICATE').join('');
      return key && cert && isReadable(cert) && isReadableKey(key) ? { cert, key } : undefined;
    },
    async writePair(name, { cert, key }) {
      await writeAtomic(at(`${name}.pem`), cert + key, 0o600);
      await rm(pending(name), { force: true });
    },
    async readPendingKey(name) {
      const key = await readSecret(pending(name));
      return key && isReadableKey(key) ? key : undefined;
    },
    writePendingKey: (name, key) => writeAtomic(pending(name), key, 0o600),
    removePendingKey: (name) => rm(pending(name), { force: true }),
  };
}
