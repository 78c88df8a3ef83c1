/**
 * The keys of service account tokens on disk. Made by `access.ts`; the issuer asks for the present set at every use.
 *
 *   <data-dir>/master/pki/sa.key       signs, unless --service-account-signing-key-file names another one
 *   <data-dir>/master/pki/sa-old-*     only verify (private or public, PEM): keys of before a rotation
 *   --service-account-key-file ...     only verify, too
 *
 * A rotation is: rename `sa.key` to `sa-old-<date>.key`, write a new `sa.key`. Files that change are taken up within
 * seconds; what cannot be read then is reported, and the keys of before stay. No token ends while its key verifies.
 */
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../../../src/host/clock.js';
import { type Component, healthyNow } from '../../../src/host/component.js';
import { hasCode, namesIn, requirePrivate } from '../../../src/host/files.js';
import type { Logger } from '../../../src/host/log.js';
import { type KeySet, keySetOf, readSigningKey, readVerificationKeys } from './keys.js';

export interface KeyFilesOptions {
  /** Where the master's own keys are: `<data-dir>/master/pki`. */
  directory: string;
  /** Signs instead of the own key. */
  signingKeyFile?: string | undefined;
  /** More to verify with. */
  keyFiles?: readonly string[];
  clock: Pick<Clock, 'after'>;
  log: Logger;
}

export interface KeyFiles extends Component {
  /** Another object as soon as something changed. Only after `start`. */
  current(): KeySet;
  /** Looks at the files now. Rejects with the name of the file that cannot be used. */
  reload(): Promise<void>;
}

const lookEveryMs = 10_000;
const ownKey = 'sa.key';
const formerKey = /^sa-old-.*\.(?:key|pub|pem|crt)$/;

export function createKeyFiles(options: KeyFilesOptions): KeyFiles {
  const { clock, log } = options;
  let found: { keys: KeySet; state: string } | undefined;
  let cancel = (): void => undefined;
  let isStopped = false;

  async function reload(): Promise<void> {
    const paths = await pathsOf(options);
    const state = await stateOf([paths.signer, ...paths.others]);
    if (state === found?.state) return;
    const signer = await usable(paths.signer, readSigningKey);
    const others = await Promise.all(paths.others.map((path) => usable(path, readVerificationKeys)));
    found = { keys: keySetOf(signer, others.flat()), state };
  }

  async function look(): Promise<void> {
    const before = found?.keys;
    try {
      await reload();
      if (found && found.keys !== before)
        log.info(
          { signer: found.keys.signer.kid, keys: found.keys.keys.length },
          'keys of service account tokens read anew',
        );
    } catch (err) {
      log.error({ err }, 'cannot read the keys of service account tokens, going on with those of before');
    }
    if (!isStopped) cancel = clock.after(lookEveryMs, () => void look());
  }

  return {
    name: 'service-account-keys',
    async start() {
      await reload();
      cancel = clock.after(lookEveryMs, () => void look());
    },
    async stop() {
      isStopped = true;
      cancel();
    },
    healthy: () => healthyNow,
    current() {
      if (!found) throw new Error('the keys of service account tokens have not been read');
      return found.keys;
    },
    reload,
  };
}

interface Paths {
  signer: string;
  others: string[];
}

/** The own key goes on verifying when another one signs, unless the operator says what verifies. */
async function pathsOf({ directory, signingKeyFile, keyFiles = [] }: KeyFilesOptions): Promise<Paths> {
  const own = join(directory, ownKey);
  const names = await namesIn(directory);
  const former = names.filter((name) => formerKey.test(name)).sort();
  const others = [...keyFiles, ...former.map((name) => join(directory, name))];
  if (!signingKeyFile) return { signer: own, others };
  const keepsOwn = keyFiles.length === 0 && names.includes(ownKey);
  return { signer: signingKeyFile, others: keepsOwn ? [own, ...others] : others };
}

/** Says when something changed; a file that is not there is for the reader to complain about. */
async function stateOf(paths: readonly string[]): Promise<string> {
  const states = paths.map(async (path) => {
    try {
      const { ino, mtimeMs, size } = await stat(path);
      return `${path} ${ino} ${mtimeMs} ${size}`;
    } catch (error) {
      if (hasCode(error, 'ENOENT')) return `${path} missing`;
      throw error;
    }
  });
  return (await Promise.all(states)).join('\n');
}

async function usable<T>(path: string, read: (pem: string) => T): Promise<T> {
  try {
    const pem = await readFile(path, 'utf8');
    if (pem.includes('PRIVATE KEY-----')) await requirePrivate(path);
    return read(pem);
  } catch (error) {
    throw new Error(`${path}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
}
