/**
 * Credential providers: programs on the node that know logins for registries (kubelet's exec plugins,
 * `CredentialProviderRequest` and `-Response` v1). Used by keyring.ts.
 *
 * A program is run without a shell, gets its question on stdin, and has a minute. Its answer is kept as long, and for
 * as many images, as it says itself. What it says never gets into a log.
 */
import { join } from 'node:path';
import { parseJson } from '../../src/api/patch/json.js';
import type { Clock } from '../../src/host/clock.js';
import type { Exec } from '../../src/host/exec.js';
import type { Logger } from '../../src/host/log.js';
import { loginsOfAuths, matchesImage, type RegistryLogin, recordOf } from './credentials.js';
import { cacheMsOf, type ProviderConfig } from './providerconfig.js';
import type { ImageReference } from './reference.js';

export interface CredentialProviders {
  /** Of all providers that match the image; one that fails is logged and has none. */
  find(image: ImageReference, signal: AbortSignal): Promise<RegistryLogin[]>;
}

export interface CredentialProvidersOptions {
  providers: readonly ProviderConfig[];
  /** Where their programs are. */
  binDirectory: string;
  exec: Exec;
  clock: Pick<Clock, 'monotonicMs'>;
  log: Logger;
}

const timeoutMs = 60_000;
const apiVersion = 'credentialprovider.kubelet.k8s.io/v1';
const globalKey = '*';

interface Cached {
  logins: RegistryLogin[];
  /** Monotonic milliseconds. */
  until: number;
}

export function createCredentialProviders(options: CredentialProvidersOptions): CredentialProviders {
  const { exec, clock, binDirectory, log } = options;
  const caches = options.providers.map((config) => ({
    config,
    answers: new Map<string, Cached>(),
    asking: new Map<string, Promise<RegistryLogin[]>>(),
  }));
  type Provider = (typeof caches)[number];

  async function loginsFrom(
    provider: Provider,
    image: ImageReference,
    signal: AbortSignal,
  ): Promise<RegistryLogin[]> {
    const { answers, asking } = provider;
    const now = clock.monotonicMs();
    for (const [key, { until }] of answers) if (until <= now) answers.delete(key);
    const name = `${image.registry}/${image.repository}`;
    const known = answers.get(name) ?? answers.get(image.registry) ?? answers.get(globalKey);
    if (known) return known.logins;
    const underWay = asking.get(name) ?? ask(provider, name, image).finally(() => asking.delete(name));
    asking.set(name, underWay);
    const logins = await underWay;
    signal.throwIfAborted();
    return logins;
  }

  async function ask(
    { config, answers }: Provider,
    name: string,
    image: ImageReference,
  ): Promise<RegistryLogin[]> {
    const request = { apiVersion, kind: 'CredentialProviderRequest', image: name };
    const { code, stdout, stderr } = await exec(join(binDirectory, config.name), config.args, {
      input: JSON.stringify(request),
      env: { ...config.env },
      timeoutMs,
    });
    if (code !== 0)
      throw new Error(
        `credential provider ${config.name} exited with ${code}: ${stderr.trim().slice(0, 1000)}`,
      );
    const { logins, cacheKeyType, cacheMs } = parseAnswer(stdout, config);
    const key = { Image: name, Registry: image.registry, Global: globalKey }[cacheKeyType];
    if (cacheMs > 0) answers.set(key, { logins, until: clock.monotonicMs() + cacheMs });
    return logins;
  }

  return {
    async find(image, signal) {
      const matching = caches.filter(({ config }) =>
        config.matchImages.some((pattern) => matchesImage(pattern, image)),
      );
      const found = matching.map(async (provider) => {
        try {
          return await loginsFrom(provider, image, signal);
        } catch (err) {
          signal.throwIfAborted();
          log.warn({ err, provider: provider.config.name }, 'a credential provider gave no login');
          return [];
        }
      });
      return (await Promise.all(found)).flat();
    },
  };
}

type CacheKeyType = 'Image' | 'Registry' | 'Global';

const isCacheKeyType = (value: unknown): value is CacheKeyType =>
  value === 'Image' || value === 'Registry' || value === 'Global';

function parseAnswer(
  stdout: string,
  { name, defaultCacheMs }: ProviderConfig,
): { logins: RegistryLogin[]; cacheKeyType: CacheKeyType; cacheMs: number } {
  const answer = recordOf(parseJson(stdout)) ?? {};
  const wrong = (what: string): Error => new Error(`credential provider ${name} answered ${what}`);
  if (answer['kind'] !== 'CredentialProviderResponse' || answer['apiVersion'] !== apiVersion)
    throw wrong(`something that is no CredentialProviderResponse of ${apiVersion}`);
  const { auth, cacheKeyType, cacheDuration } = answer;
  if (!isCacheKeyType(cacheKeyType)) throw wrong('an unknown cacheKeyType');
  const cacheMs = typeof cacheDuration === 'string' ? cacheMsOf(cacheDuration) : defaultCacheMs;
  return { logins: loginsOfAuths(auth), cacheKeyType, cacheMs };
}
