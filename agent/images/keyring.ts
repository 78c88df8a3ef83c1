/**
 * Where the login for an image comes from, in the order in which kubelet tries them: the pull secrets of the pod (those
 * of its service account are put there when it is made), then the node's own: credential providers and a file in Docker's
 * format. Used by manager.ts.
 *
 * A secret that is missing or unreadable is passed over, as documented; so is a provider that fails: it is logged.
 */
import { readFile } from 'node:fs/promises';
import { parseJson } from '../../src/api/patch/json.js';
import type { Pod, Secret } from '../../src/api/types.js';
import { hasCode } from '../../src/host/files.js';
import type { Logger } from '../../src/host/log.js';
import type { PullAuth } from '../runtime/runtime.js';
import { findLogins, loginsIn, loginsOf, type RegistryLogin } from './credentials.js';
import type { CredentialProviders } from './providers.js';
import type { ImageReference } from './reference.js';

export interface Keyring {
  /** The logins that fit, the first to be tried first; each once. */
  find(pod: Pod, image: ImageReference, signal: AbortSignal): Promise<PullAuth[]>;
}

export interface KeyringOptions {
  /** Objects by name; `undefined` when there is none. */
  secret(namespace: string, name: string): Promise<Secret | undefined> | Secret | undefined;
  providers?: CredentialProviders | undefined;
  /** A `config.json` of Docker's with logins for all pods; read at every pull, need not exist. */
  configFile?: string | undefined;
  log: Logger;
}

export function createKeyring(options: KeyringOptions): Keyring {
  const { log, providers, configFile } = options;

  async function secretsOf(pod: Pod): Promise<Secret[]> {
    const namespace = pod.metadata.namespace ?? 'default';
    const names = (pod.spec?.imagePullSecrets ?? []).flatMap(({ name }) => (name ? [name] : []));
    const found = await Promise.all(names.map(async (name) => options.secret(namespace, name)));
    return found.filter((secret) => secret !== undefined);
  }

  return {
    async find(pod, image, signal) {
      const quietly = async <T>(what: string, ask: () => Promise<T[]>): Promise<T[]> => {
        try {
          return await ask();
        } catch (err) {
          signal.throwIfAborted();
          log.warn({ err, pod: pod.metadata.name }, what);
          return [];
        }
      };
      const [secrets, provided, onNode] = await Promise.all([
        quietly('the pull secrets of a pod could not be read', () => secretsOf(pod)),
        quietly(
          'no login from a credential provider',
          async () => (await providers?.find(image, signal)) ?? [],
        ),
        quietly("the node's file of logins could not be read", () => readLogins(configFile)),
      ]);
      const logins = [secrets.flatMap(loginsOf), provided, onNode].flatMap((from) => findLogins(from, image));
      const byLogin = new Map(logins.map((auth) => [`${auth.username}\0${auth.password}`, auth]));
      return [...byLogin.values()];
    },
  };
}

async function readLogins(path: string | undefined): Promise<RegistryLogin[]> {
  if (path === undefined) return [];
  try {
    const config = parseJson(await readFile(path, 'utf8'));
    if (config === undefined) throw new Error(`${path} is not JSON`);
    return loginsIn(config);
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return [];
    throw error;
  }
}
