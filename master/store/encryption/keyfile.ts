/** The file that holds the keys: mode 0600, replaced in one step, in the hands of whoever had it. */
import { existsSync } from 'node:fs';
import { chown, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { readIfExists, requirePrivate, writeAtomic } from '../../../src/host/files.js';
import { ConfiguredCipher } from './cipher.js';
import { type Configuration, parseConfiguration } from './configuration.js';

/** `<data-dir>/master/pki/encryption.yaml` */
export const ownKeyFile = (masterDirectory: string): string =>
  join(masterDirectory, 'pki', 'encryption.yaml');

/** Undefined when there is no such file. Errors name the file. */
export async function readKeyFile(
  path: string,
): Promise<{ text: string; configuration: Configuration } | undefined> {
  const text = (await readIfExists(path))?.toString();
  if (text === undefined) return undefined;
  await requirePrivate(path);
  try {
    return { text, configuration: parseConfiguration(text) };
  } catch (error) {
    throw new Error(`${path}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
}

/** For tools; without a key file there are no keys. */
export async function cipherOfFile(path: string): Promise<ConfiguredCipher> {
  const found = await readKeyFile(path);
  return new ConfiguredCipher(path, found?.configuration ?? { rules: [], keys: [] });
}

/** A file that exists keeps its owner when root writes it: it may be of a master that is not root. */
export async function writeKeyFile(path: string, text: string): Promise<void> {
  const owner = existsSync(path) ? await stat(path) : undefined;
  await writeAtomic(path, text, 0o600);
  if (owner && process.geteuid?.() === 0) await chown(path, owner.uid, owner.gid);
}
