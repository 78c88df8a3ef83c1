/**
 * `wherry secrets ...`: the keys that values in the store are encrypted with. `rotate` puts a new key in front; a master that
 * runs takes it up within seconds and writes everything anew with it, `reencrypt` waits for that, or does it itself when
 * none runs. Run on the master's host.
 */
import { statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Cipher } from '../../master/store/cipher.js';
import type { FileStore } from '../../master/store/file.js';
import { systemClock } from '../host/clock.js';
import { acquireLock, LockHeld } from '../host/files.js';
import { silentLogger } from '../host/log.js';
import { asOwnerOf } from './owner.js';

export interface SecretsFlags {
  dataDir: string;
  kubeconfig: string;
  encryptionProviderConfig?: string;
  /** Of `reencrypt`. */
  dropOldKeys?: boolean;
}

const print = (text: string): void => {
  process.stdout.write(text);
};

const pollMs = 500;
const patienceMs = 10 * 60_000;

interface Place {
  directory: string;
  /** The file with the keys. */
  path: string;
  /** Whose owner writes it: the master's directory, or that of the file an administrator named. */
  keeper: string;
}

async function placeOf({ dataDir, encryptionProviderConfig }: SecretsFlags): Promise<Place> {
  const { ownKeyFile } = await import('../../master/store/encryption/keyfile.js');
  const directory = join(dataDir, 'master');
  return encryptionProviderConfig === undefined
    ? { directory, path: ownKeyFile(directory), keeper: directory }
    : { directory, path: encryptionProviderConfig, keeper: dirname(encryptionProviderConfig) };
}

async function writeKeys({ path, keeper }: Place, text: string): Promise<void> {
  const { writeKeyFile } = await import('../../master/store/encryption/keyfile.js');
  await asOwnerOf(keeper, () => writeKeyFile(path, text));
}

async function readKeys(path: string): Promise<{ text: string; names: string[]; first: string | undefined }> {
  const { readKeyFile } = await import('../../master/store/encryption/keyfile.js');
  const found = await readKeyFile(path);
  if (!found)
    throw new Error(
      `${path} does not exist: nothing has been encrypted there; name the master's directory with --data-dir`,
    );
  const { keys, rules } = found.configuration;
  return { text: found.text, names: keys.map(({ name }) => name), first: rules[0]?.key?.name };
}

export async function rotateKeys(flags: SecretsFlags, say = print): Promise<void> {
  const place = await placeOf(flags);
  const { text } = await readKeys(place.path);
  const { withNewKey } = await import('../../master/store/encryption/configuration.js');
  const made = withNewKey(text, systemClock.now());
  await writeKeys(place, made.text);
  say(
    `${place.path}: new values are encrypted with ${made.name} from now on; back the file up, then run: wherry secrets reencrypt\n`,
  );
}

export async function reencrypt(flags: SecretsFlags, say = print): Promise<void> {
  const place = await placeOf(flags);
  const { first, names } = await readKeys(place.path);
  const cipher = await cipherOf(place);
  const { FileStore } = await import('../../master/store/file.js');
  const store = new FileStore({
    directory: join(place.directory, 'store'),
    stamp: (value) => value,
    clock: systemClock,
    log: silentLogger,
    cipher,
  });
  const how = await withoutMaster(place.directory, () => reencryptHere(store));
  if (how === 'busy') await waitForMaster(flags.kubeconfig, first);
  say(`everything is encrypted as ${place.path} says, with ${first ?? 'no key'}\n`);
  if (!flags.dropOldKeys) return;
  // Read again: somebody may have rotated meanwhile.
  const now = await readKeys(place.path);
  if (now.first !== first) throw new Error(`${place.path} has changed meanwhile; run the command again`);
  const { withoutOldKeys } = await import('../../master/store/encryption/configuration.js');
  await writeKeys(place, withoutOldKeys(now.text));
  const dropped = names.filter((name) => name !== first);
  say(`removed from it: ${dropped.length === 0 ? 'nothing' : dropped.join(', ')}\n`);
}

/** Removes what no key opens, while the master is stopped. */
export async function forgetUnreadable(flags: SecretsFlags, say = print): Promise<void> {
  const place = await placeOf(flags);
  const cipher = await cipherOf(place);
  const { checkStore } = await import('../../master/store/check.js');
  const done = await withoutMaster(place.directory, async () => {
    const { removed } = await checkStore(join(place.directory, 'store'), { cipher, forget: true });
    say(`removed ${removed.length} values that none of the keys in ${place.path} opens\n`);
  });
  if (done === 'busy') throw new Error('the master runs: it could open everything when it started');
}

/** Runs it as the only one on the data directory, with its owner's rights; 'busy' when the master runs. */
async function withoutMaster(directory: string, run: () => Promise<void>): Promise<'done' | 'busy'> {
  if (!statSync(directory, { throwIfNoEntry: false }))
    throw new Error(`there is no ${directory}: no master has run there; name its directory with --data-dir`);
  return asOwnerOf(directory, async () => {
    let release: () => Promise<void>;
    try {
      release = await acquireLock(join(directory, 'lock'));
    } catch (error) {
      if (error instanceof LockHeld) return 'busy';
      throw error;
    }
    try {
      await run();
      return 'done';
    } finally {
      await release();
    }
  });
}

async function cipherOf({ path }: Place): Promise<Cipher> {
  const { cipherOfFile } = await import('../../master/store/encryption/keyfile.js');
  return cipherOfFile(path);
}

/** As a master does after its start. */
async function reencryptHere(store: FileStore): Promise<void> {
  await store.start();
  try {
    while (store.valuesToReseal > 0) {
      if (!store.healthy().ok) throw new Error(`the store cannot be written: ${store.healthy().reason}`);
      await systemClock.sleep(10, new AbortController().signal);
    }
  } finally {
    await store.stop();
  }
}

/** Until its metrics say that it writes with this key and has nothing left to write anew. */
async function waitForMaster(kubeconfig: string, key: string | undefined): Promise<void> {
  const { loadKubeconfig } = await import('../client/kubeconfig.js');
  const { createTransport } = await import('../client/transport.js');
  const { server, ...credentials } = await loadKubeconfig(kubeconfig);
  const limits = { callTimeoutMs: 10_000, watchIdleMs: 10_000 };
  const transport = createTransport({ server, credentials: () => credentials, ...limits });
  const limit = systemClock.monotonicMs() + patienceMs;
  try {
    for (;;) {
      const { body } = await transport.send('call', { method: 'GET', path: '/metrics', headers: {} });
      const metrics = await body.text();
      if (isDone(metrics, key)) return;
      if (!metrics.includes('wherry_store_encryption_key{'))
        throw new Error('the master that runs does not encrypt: see its flag --encrypt-secrets and its log');
      if (systemClock.monotonicMs() > limit)
        throw new Error('the master is not done after ten minutes; see its log, then run the command again');
      await systemClock.sleep(pollMs, new AbortController().signal);
    }
  } finally {
    await transport.close();
  }
}

const isDone = (metrics: string, key: string | undefined): boolean =>
  /^wherry_store_values_to_reencrypt 0$/m.test(metrics) &&
  (key === undefined || metrics.includes(`wherry_store_encryption_key{name="${key}"} 1`));
