/**
 * What is encrypted on disk and with which keys: a file of kind EncryptionConfiguration, as kube-apiserver reads it, of which
 * `aesgcm` and `identity` are served. Our own key file has the same form. Pure.
 *
 * The first entry that names a resource decides about it; the first provider writes, all of them read. No error quotes a key.
 */
import { randomBytes } from 'node:crypto';
import { parse, stringify } from 'yaml';

export interface Key {
  name: string;
  /** 16, 24 or 32 bytes. */
  secret: Buffer;
}

export interface Rule {
  /** `secrets`, `deployments.apps`, `*.apps`, `*.` (all of the core group), `*.*`. */
  resources: readonly string[];
  /** What writes; as it is when absent. */
  key: Key | undefined;
}

export interface Configuration {
  rules: readonly Rule[];
  /** All that can be read with. */
  keys: readonly Key[];
}

const apiVersion = 'apiserver.config.k8s.io/v1';
const kind = 'EncryptionConfiguration';

interface RawKey {
  name: string;
  secret: string;
}

interface RawRule {
  resources: string[];
  providers: ({ aesgcm: { keys: RawKey[] } } | { identity: object })[];
}

/** Throws with what is wrong and where. */
export function parseConfiguration(text: string): Configuration {
  const raw = readFile(text);
  const keys = new Map<string, Key>();
  const rules = raw.resources.map(({ resources, providers }, at) => {
    const own = providers.map((provider) =>
      'aesgcm' in provider ? provider.aesgcm.keys.map((key) => readKey(`resources[${at}]`, key)) : [],
    );
    for (const key of own.flat()) {
      const known = keys.get(key.name);
      if (known && !known.secret.equals(key.secret))
        throw new Error(`two different keys are called ${key.name}`);
      keys.set(key.name, key);
    }
    return { resources, key: own[0]?.[0] };
  });
  return { rules, keys: [...keys.values()] };
}

/** A key of its own name, for Secrets; clear values can still be read. */
export function newConfiguration(now: Date): string {
  return render([
    { resources: ['secrets'], providers: [{ aesgcm: { keys: [newKey(now)] } }, { identity: {} }] },
  ]);
}

/** With a new key in front wherever there is one; the others still read. Throws when nothing is encrypted. */
export function withNewKey(text: string, now: Date): { text: string; name: string } {
  const { resources } = readFile(text);
  const key = newKey(now);
  const writing = resources.flatMap(({ providers: [first] }) =>
    first && 'aesgcm' in first ? [first.aesgcm] : [],
  );
  if (writing.length === 0) throw new Error('no resource is encrypted: its first provider must be aesgcm');
  for (const { keys } of writing) keys.unshift(key);
  return { text: render(resources), name: key.name };
}

/** With the key that writes as the only one. */
export function withoutOldKeys(text: string): string {
  const { resources } = readFile(text);
  return render(
    resources.map(({ resources: names, providers: [first, ...others] }) => ({
      resources: names,
      providers:
        first && 'aesgcm' in first
          ? [
              { aesgcm: { keys: first.aesgcm.keys.slice(0, 1) } },
              ...others.filter((provider) => 'identity' in provider),
            ]
          : [{ identity: {} }],
    })),
  );
}

const header = `# Keys that values in the store are encrypted with: the first one writes, all of them read.
# Without this file what they wrote is lost. Keep it with your backups of the store, but not in the same place.
`;

const render = (resources: RawRule[]): string => header + stringify({ apiVersion, kind, resources });

function newKey(now: Date): RawKey {
  const day = now.toISOString().slice(0, 10).replaceAll('-', '');
  return {
    name: `key-${day}-${randomBytes(4).toString('hex')}`,
    secret: randomBytes(32).toString('base64'),
  };
}

function readFile(text: string): { resources: RawRule[] } {
  let raw: unknown;
  try {
    raw = parse(text);
  } catch (error) {
    // The parser's own message quotes the line.
    throw new Error('not valid YAML', { cause: error instanceof Error ? error.name : undefined });
  }
  const file = object('the file', raw);
  if (file['apiVersion'] !== apiVersion || file['kind'] !== kind)
    throw new Error(`must have kind ${kind} and apiVersion ${apiVersion}`);
  const resources = list('resources', file['resources']).map((entry, at) =>
    readRule(`resources[${at}]`, entry),
  );
  if (resources.length === 0) throw new Error('resources: must not be empty');
  return { resources };
}

function readRule(at: string, value: unknown): RawRule {
  const entry = object(at, value);
  const resources = list(`${at}.resources`, entry['resources']).map((name, index) =>
    readResource(`${at}.resources[${index}]`, name),
  );
  const providers = list(`${at}.providers`, entry['providers']).map((provider, index) =>
    readProvider(`${at}.providers[${index}]`, provider),
  );
  if (resources.length === 0) throw new Error(`${at}.resources: must not be empty`);
  if (providers.length === 0) throw new Error(`${at}.providers: must not be empty`);
  return { resources, providers };
}

function readResource(at: string, name: unknown): string {
  if (typeof name !== 'string' || !/^(?:\*\.(?:\*|[a-z0-9.-]*)|[a-z0-9-]+(?:\.[a-z0-9.-]+)?)$/.test(name))
    throw new Error(`${at}: must be like secrets, deployments.apps, *.apps or *.*`);
  return name;
}

function readProvider(at: string, value: unknown): RawRule['providers'][number] {
  const provider = object(at, value);
  const names = Object.keys(provider);
  const [name = ''] = names;
  if (names.length !== 1) throw new Error(`${at}: must be one provider`);
  if (name === 'identity') return { identity: {} };
  if (name !== 'aesgcm') throw new Error(`${at}: ${name} is not supported; take aesgcm or identity`);
  const keys = list(`${at}.aesgcm.keys`, object(`${at}.aesgcm`, provider['aesgcm'])['keys']) as RawKey[];
  if (keys.length === 0) throw new Error(`${at}.aesgcm.keys: must not be empty`);
  for (const key of keys) readKey(`${at}.aesgcm`, key);
  return { aesgcm: { keys } };
}

function readKey(at: string, value: unknown): Key {
  const { name, secret } = object(`${at} key`, value);
  if (typeof name !== 'string' || !/^[\w.-]{1,100}$/.test(name))
    throw new Error(`${at}: the name of a key must be 1 to 100 letters, digits, dots, - or _`);
  const bytes = Buffer.from(typeof secret === 'string' ? secret : '', 'base64');
  if (![16, 24, 32].includes(bytes.length))
    throw new Error(`${at}: the secret of key ${name} must be 16, 24 or 32 bytes in base64`);
  return { name, secret: bytes };
}

function object(at: string, value: unknown): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new Error(`${at}: must be an object`);
  return value as Record<string, unknown>;
}

function list(at: string, value: unknown): unknown[] {
  if (!Array.isArray(value)) throw new Error(`${at}: must be a list`);
  return value;
}
