/**
 * Logins for registries out of pull secrets: reading both Secret formats and finding those that fit an image. Pure.
 * Used by keyring.ts and providers.ts.
 *
 * An entry's key is a host, perhaps with port, path prefix and patterns (`*`, `?`, `[a-c]`) within labels of the host
 * (`*.registry.io/team`), as Kubernetes documents for `imagePullSecrets`. More exact keys come first.
 */
import { parseJson } from '../../src/api/patch/json.js';
import type { Secret } from '../../src/api/types.js';
import type { PullAuth } from '../runtime/runtime.js';
import { defaultRegistry, type ImageReference } from './reference.js';

export interface RegistryLogin {
  /** Host with port, without scheme. */
  host: string;
  /** Path prefix with its leading slash, or ''. */
  path: string;
  username: string;
  password: string;
}

interface DockerConfigEntry {
  username?: unknown;
  password?: unknown;
  auth?: unknown;
}

/** Logins of one Secret. What is no pull secret, or is not readable, has none. */
export function loginsOf(secret: Secret): RegistryLogin[] {
  const current = secret.data?.['.dockerconfigjson'];
  const legacy = secret.data?.['.dockercfg'];
  if (secret.type === 'kubernetes.io/dockerconfigjson' && current !== undefined) {
    return loginsIn(parseJson(decode(current)));
  }
  if (secret.type === 'kubernetes.io/dockercfg' && legacy !== undefined)
    return loginsOfAuths(parseJson(decode(legacy)));
  return [];
}

/** Of a parsed `config.json` of Docker; what has no `auths` has none. */
export const loginsIn = (config: unknown): RegistryLogin[] => loginsOfAuths(recordOf(config)?.['auths']);

/** Whether an image is one that `pattern` means, as `matchImages` of a credential provider. */
export const matchesImage = (pattern: string, image: ImageReference): boolean =>
  fits(splitKey(pattern), image);

const fits = ({ host, path }: { host: string; path: string }, image: ImageReference): boolean =>
  matchesHost(host, image.registry) && `/${image.repository}`.startsWith(path);

/** Those that fit the image, the most exact first. */
export function findLogins(logins: readonly RegistryLogin[], image: ImageReference): PullAuth[] {
  return logins
    .filter((login) => fits(login, image))
    .toSorted((a, b) => b.path.length - a.path.length || stars(a.host) - stars(b.host))
    .map(({ username, password }) => ({ username, password, serverAddress: serverAddress(image) }));
}

/** Docker keeps the login of its own registry under this address. */
const serverAddress = (image: ImageReference): string =>
  image.registry === defaultRegistry ? 'https://index.docker.io/v1/' : image.registry;

const stars = (host: string): number => host.split('*').length;

function matchesHost(pattern: string, host: string): boolean {
  const [patternName, patternPort] = splitPort(pattern);
  const [name, port] = splitPort(host);
  const wanted = patternName.split('.');
  const labels = name.split('.');
  return (
    patternPort === port &&
    wanted.length === labels.length &&
    wanted.every((label, index) => matchesLabel(label, labels[index] ?? ''))
  );
}

/** `*` stands for any run of characters within one label, `?` for one, `[a-c]` for one of these. */
function matchesLabel(pattern: string, label: string): boolean {
  const tokens = pattern.match(/\[\^?[\w-]+\]|[\s\S]/g) ?? [];
  const source = tokens.map((token) => {
    if (token === '*') return '.*';
    if (token === '?') return '.';
    return token.length > 1 ? token : token.replace(/[.+^${}()|[\]\\]/, '\\$&');
  });
  try {
    return new RegExp(`^${source.join('')}$`, 'i').test(label);
  } catch (error) {
    // `[z-a]`
    if (error instanceof SyntaxError) return false;
    throw error;
  }
}

function splitPort(host: string): [string, string] {
  const colon = host.lastIndexOf(':');
  return colon < 0 ? [host, ''] : [host.slice(0, colon), host.slice(colon + 1)];
}

/** Of a map from key to login, as in `auths`. */
export function loginsOfAuths(auths: unknown): RegistryLogin[] {
  return Object.entries(recordOf(auths) ?? {}).flatMap(([key, value]) => {
    const login = loginOf(recordOf(value) ?? {});
    return login ? [{ ...splitKey(key), ...login }] : [];
  });
}

/** `https://index.docker.io/v1/` and the like: the scheme and the API version are no part of the name. */
function splitKey(key: string): { host: string; path: string } {
  const bare = key.replace(/^https?:\/\//, '');
  const slash = bare.indexOf('/');
  const host = slash < 0 ? bare : bare.slice(0, slash);
  const path = slash < 0 ? '' : bare.slice(slash).replace(/^\/v[12](?=\/|$)/, '');
  const isDefault = ['index.docker.io', 'registry-1.docker.io', defaultRegistry].includes(host);
  return { host: isDefault ? defaultRegistry : host, path: path === '/' ? '' : path };
}

/** `auth` (base64 of `user:password`) wins over the fields, as in Docker's own configuration. */
function loginOf(entry: DockerConfigEntry): { username: string; password: string } | undefined {
  if (typeof entry.auth === 'string' && entry.auth !== '') {
    const text = Buffer.from(entry.auth, 'base64').toString();
    const colon = text.indexOf(':');
    return colon < 0 ? undefined : { username: text.slice(0, colon), password: text.slice(colon + 1) };
  }
  const { username, password } = entry;
  return typeof username === 'string' && typeof password === 'string' ? { username, password } : undefined;
}

const decode = (base64: string): string => Buffer.from(base64, 'base64').toString();

export const recordOf = (value: unknown): Record<string, unknown> | undefined =>
  typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
