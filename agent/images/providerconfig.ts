/**
 * The configuration of credential providers, kubelet's `CredentialProviderConfig`, checked. Called once at the start;
 * what is wrong stops it with a message that names the file and the field.
 */
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { parse } from 'yaml';
import { parseDuration } from '../../src/api/duration.js';
import { recordOf } from './credentials.js';

export interface ProviderConfig {
  /** File name of the program in the directory of providers. */
  name: string;
  matchImages: readonly string[];
  defaultCacheMs: number;
  args: readonly string[];
  env: Readonly<Record<string, string>>;
}

const configVersion = /^kubelet\.config\.k8s\.io\/v1(alpha1|beta1)?$/;
/** Of what provider and agent say to each other. */
const protocolVersion = 'credentialprovider.kubelet.k8s.io/v1';

/** A file, or a directory of `.json`, `.yaml` and `.yml` files in the order of their names. */
export async function readProviderConfig(path: string): Promise<ProviderConfig[]> {
  const isDirectory = (await stat(path)).isDirectory();
  const names = isDirectory ? (await readdir(path)).filter((name) => /\.(json|ya?ml)$/.test(name)) : [];
  const files = isDirectory ? names.toSorted().map((name) => join(path, name)) : [path];
  const providers = (await Promise.all(files.map(readOne))).flat();
  const repeated = providers.find(({ name }, index) => providers.findIndex((p) => p.name === name) < index);
  if (repeated)
    throw new Error(`${path}: credential provider ${JSON.stringify(repeated.name)} is there twice`);
  return providers;
}

async function readOne(path: string): Promise<ProviderConfig[]> {
  try {
    return parseProviderConfig(await readFile(path, 'utf8'));
  } catch (error) {
    throw new Error(`${path}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
}

/** Throws with what is wrong. */
export function parseProviderConfig(text: string): ProviderConfig[] {
  const config = recordOf(parse(text)) ?? {};
  if (config['kind'] !== 'CredentialProviderConfig' || !configVersion.test(String(config['apiVersion'])))
    throw new Error('is no CredentialProviderConfig of kubelet.config.k8s.io/v1');
  const providers = config['providers'];
  if (!Array.isArray(providers) || providers.length === 0) throw new Error('providers must not be empty');
  return providers.map((value: unknown, index) =>
    parseProvider(recordOf(value) ?? {}, `providers[${index}]`),
  );
}

function parseProvider(provider: Record<string, unknown>, at: string): ProviderConfig {
  const { name, matchImages, defaultCacheDuration, apiVersion, args = [], env = [] } = provider;
  if (typeof name !== 'string' || !/^[^/\s]+$/.test(name) || name === '.' || name === '..')
    throw new Error(`${at}.name must be the name of a file, without "/" and spaces`);
  if (!isStrings(matchImages) || matchImages.length === 0)
    throw new Error(`${at}.matchImages must name at least one image or registry`);
  if (apiVersion !== protocolVersion) throw new Error(`${at}.apiVersion must be ${protocolVersion}`);
  if (typeof defaultCacheDuration !== 'string') throw new Error(`${at}.defaultCacheDuration is required`);
  if (provider['tokenAttributes'] !== undefined)
    throw new Error(`${at}.tokenAttributes: tokens of service accounts for providers are not supported`);
  if (!isStrings(args)) throw new Error(`${at}.args must be a list of texts`);
  return {
    name,
    matchImages,
    defaultCacheMs: cacheMsOf(defaultCacheDuration),
    args,
    env: environmentOf(env, at),
  };
}

function environmentOf(list: unknown, at: string): Record<string, string> {
  if (!Array.isArray(list)) throw new Error(`${at}.env must be a list`);
  return Object.fromEntries(
    list.map((entry: unknown, index) => {
      const { name, value = '' } = recordOf(entry) ?? {};
      if (typeof name !== 'string' || name === '' || typeof value !== 'string')
        throw new Error(`${at}.env[${index}] must have a name and a value`);
      return [name, value];
    }),
  );
}

/** Milliseconds; `0` without a unit is a duration too. */
export const cacheMsOf = (text: string): number => (text === '0' ? 0 : parseDuration(text));

const isStrings = (value: unknown): value is string[] =>
  Array.isArray(value) && value.every((item) => typeof item === 'string');
