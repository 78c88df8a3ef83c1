/** Keys and certificates as files of the master: mode 0600, whole or not at all. Called by `pki.ts` and `authorities.ts`. */
import { readIfExists, requirePrivate, writeAtomic } from '../../src/host/files.js';
import { isReadable, isReadableKey, matchesKey } from '../../src/host/pem.js';
import type { KeyPair } from '../../src/host/x509.js';

/**
 * A certificate of another key (a crash between the two writes of `writePair`) counts as none. Rejects for what is no
 * certificate or key at all, with the name of the file, what to do, and nothing of what is in it.
 */
export async function readPair(
  path: string,
  advice = 'put it back from a backup',
): Promise<{ cert: string | undefined; key: string | undefined }> {
  const key = await readSecret(`${path}.key`);
  const cert = (await readIfExists(`${path}.crt`))?.toString();
  if (cert !== undefined && !isReadable(cert))
    throw new Error(`${path}.crt holds no certificate in PEM; ${advice}`);
  if (key !== undefined && !isReadableKey(key))
    throw new Error(`${path}.key holds no private key in PEM; ${advice}`);
  if (cert === undefined || key === undefined || matchesKey(cert, key)) return { cert, key };
  return { cert: undefined, key };
}

/** The key first, so that a certificate never stands without its own. */
export async function writePair(path: string, pair: KeyPair): Promise<void> {
  await writeAtomic(`${path}.key`, pair.key, 0o600);
  await writeAtomic(`${path}.crt`, pair.cert, 0o600);
}

/** Throws when others may read it. */
export async function readSecret(path: string): Promise<string | undefined> {
  const bytes = await readIfExists(path);
  if (bytes) await requirePrivate(path);
  return bytes?.toString();
}
