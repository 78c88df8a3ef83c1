/**
 * Encryption at rest of a running master. Called by `core.ts`: the cipher goes to the store; the key file is made at the first
 * start, and followed from then on: a new key in it is used within seconds, and what lies on disk is written anew with it.
 *
 *   openEncryption -> store opens with the cipher -> keep (a new key is on disk before anything is written with it) -> follow
 *
 * A key file that is gone is not made anew while the store holds values of its keys: the start fails and says what is lost.
 */
import { stat } from 'node:fs/promises';
import type { Clock } from '../../../src/host/clock.js';
import { type Component, healthyNow } from '../../../src/host/component.js';
import { hasCode } from '../../../src/host/files.js';
import type { Logger } from '../../../src/host/log.js';
import { unreadableIn } from '../check.js';
import { type Cipher, ValueUnreadable } from '../cipher.js';
import type { FileStore } from '../file.js';
import { ConfiguredCipher } from './cipher.js';
import { type Configuration, newConfiguration, parseConfiguration } from './configuration.js';
import { ownKeyFile, readKeyFile, writeKeyFile } from './keyfile.js';

const lookEveryMs = 5000;

export interface EncryptionDeps {
  /** `<data-dir>/master`. */
  directory: string;
  /** An EncryptionConfiguration; the master's own key file when absent. */
  configFile: string | undefined;
  /** Off: what is encrypted is read, and written clear from then on. */
  encrypt: boolean;
  clock: Pick<Clock, 'after' | 'now'>;
  log: Logger;
}

export interface Encryption {
  readonly cipher: Cipher;
  /** Opens the store; its failure for want of a key is explained. */
  opening(storeDirectory: string, open: () => Promise<void>): Promise<void>;
  /** Once the store is open: puts a new key on disk, and follows the file. */
  follow(store: Pick<FileStore, 'reseal' | 'valuesToReseal'>): Component;
  /** Prometheus text. */
  text(): string;
}

/** Throws when the key file is not what it should be or others may read it. */
export async function openEncryption({
  directory,
  configFile,
  encrypt,
  clock,
  log,
}: EncryptionDeps): Promise<Encryption> {
  const path = configFile ?? ownKeyFile(directory);
  const found = await readKeyFile(path);
  if (!found && configFile) throw new Error(`${path} does not exist`);
  const made = found || !encrypt ? undefined : newConfiguration(clock.now());
  const wanted = (configuration: Configuration): Configuration =>
    encrypt ? configuration : { ...configuration, rules: [] };
  const first = found?.configuration ?? (made ? parseConfiguration(made) : { rules: [], keys: [] });
  const cipher = new ConfiguredCipher(path, wanted(first));
  let active = wanted(first);
  let seen = '';
  let store: Pick<FileStore, 'reseal' | 'valuesToReseal'> | undefined;

  async function look(): Promise<void> {
    const now = await marksOf(path);
    if (now === seen) return;
    const read = await readKeyFile(path);
    if (!read) throw new Error(`${path} is gone; put it back before the next start`);
    seen = now;
    active = wanted(read.configuration);
    cipher.use(active);
    log.info({ key: active.rules[0]?.key?.name }, 'encryption keys read again');
    await store?.reseal();
  }

  return {
    cipher,
    async opening(storeDirectory, open) {
      try {
        await open();
      } catch (error) {
        if (!(error instanceof ValueUnreadable)) throw error;
        throw new Error(await explain(storeDirectory, cipher, error, path), { cause: error });
      }
    },
    follow(opened) {
      store = opened;
      let cancel = (): void => undefined;
      let isStopped = false;
      const plan = (): void => {
        if (!isStopped) cancel = clock.after(lookEveryMs, () => void round());
      };
      let lastError = '';
      const round = async (): Promise<void> => {
        try {
          await look();
          lastError = '';
        } catch (err) {
          // Once, not every few seconds.
          const message = err instanceof Error ? err.message : String(err);
          if (message !== lastError)
            log.error({ err }, 'encryption keys cannot be read again, the former stay');
          lastError = message;
        }
        plan();
      };
      return {
        name: 'encryption',
        async start() {
          if (made) await writeKeyFile(path, made);
          seen = await marksOf(path);
          plan();
        },
        async stop() {
          isStopped = true;
          cancel();
        },
        healthy: () => healthyNow,
      };
    },
    text: () => figures(active, store?.valuesToReseal ?? 0),
  };
}

/** Changes whenever the file does; '' without one. */
async function marksOf(path: string): Promise<string> {
  try {
    const { mtimeMs, size, ino } = await stat(path);
    return `${mtimeMs} ${size} ${ino}`;
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return '';
    throw error;
  }
}

async function explain(directory: string, cipher: Cipher, error: Error, path: string): Promise<string> {
  const lost = [...(await unreadableIn(directory, cipher))].map(([kind, count]) => `${count} ${kind}`);
  return (
    `the store holds ${lost.join(', ')} that cannot be decrypted (${error.message}). Put ${path} back from your backup; ` +
    'without it they are lost: `wherry secrets forget` removes them, everything else is intact'
  );
}

function figures({ rules }: Configuration, waiting: number): string {
  const names = [...new Set(rules.flatMap(({ key }) => (key ? [key.name] : [])))];
  return [
    '# HELP wherry_store_encryption_key The keys that values are encrypted with now.',
    '# TYPE wherry_store_encryption_key gauge',
    ...names.map((name) => `wherry_store_encryption_key{name="${name}"} 1`),
    '# HELP wherry_store_values_to_reencrypt Values on disk that are not yet encrypted as configured.',
    '# TYPE wherry_store_values_to_reencrypt gauge',
    `wherry_store_values_to_reencrypt ${waiting}`,
    '',
  ].join('\n');
}
