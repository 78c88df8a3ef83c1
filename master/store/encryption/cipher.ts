/**
 * AES-GCM for values of the store: a random nonce per value, the key's name in front, bound to the place in the store. A value
 * copied to another object, or an old one put in place of a newer one, does not open.
 *
 *   sealed = length of the name (1 byte), name, nonce (12), ciphertext, tag (16)
 */
import { type CipherGCMTypes, createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { type Cipher, type Place, sealedBy, ValueUnreadable } from '../cipher.js';
import type { Configuration, Key, Rule } from './configuration.js';

const nonceBytes = 12;
const tagBytes = 16;

export class ConfiguredCipher implements Cipher {
  /** Named in errors. */
  readonly #file: string;
  #rules: readonly Rule[] = [];
  /** Keys that a file no longer has stay until the end of the process: something may still lie there under them. */
  readonly #keys = new Map<string, Key>();
  /** By the part of a store key that says group and resource. */
  readonly #chosen = new Map<string, Key | undefined>();

  constructor(file: string, configuration: Configuration) {
    this.#file = file;
    this.use(configuration);
  }

  /** Throws when a known key has other bytes now. */
  use({ rules, keys }: Configuration): void {
    for (const { name, secret } of keys)
      if (this.#keys.get(name)?.secret.equals(secret) === false)
        throw new Error(`key ${name} is another one than before; keys need new names`);
    for (const key of keys) this.#keys.set(key.name, key);
    this.#rules = rules;
    this.#chosen.clear();
  }

  keyFor(key: string): string | undefined {
    return this.#keyOf(key)?.name;
  }

  seal(place: Place, value: Buffer): Buffer {
    const key = this.#keyOf(place.key);
    if (!key) throw new Error(`${place.key} is not to be encrypted`);
    const name = Buffer.from(key.name);
    const nonce = randomBytes(nonceBytes);
    const cipher = createCipheriv(algorithmOf(key), key.secret, nonce).setAAD(placeBytes(place));
    const parts = [Buffer.of(name.length), name, nonce, cipher.update(value), cipher.final()];
    return Buffer.concat([...parts, cipher.getAuthTag()]);
  }

  open(place: Place, sealed: Buffer): Buffer {
    const name = sealedBy(sealed);
    const key = this.#keys.get(name);
    if (!key)
      throw new ValueUnreadable(
        `${place.key} is encrypted with key ${name}, which ${this.#file} does not have`,
      );
    const start = 1 + name.length;
    const nonce = sealed.subarray(start, start + nonceBytes);
    const end = sealed.length - tagBytes;
    try {
      const decipher = createDecipheriv(algorithmOf(key), key.secret, nonce, { authTagLength: tagBytes })
        .setAAD(placeBytes(place))
        .setAuthTag(sealed.subarray(end));
      const clear = decipher.update(sealed.subarray(start + nonceBytes, end));
      decipher.final();
      return clear;
    } catch (cause) {
      const why = `key ${name} of ${this.#file} does not open it: another key, or the value was tampered with`;
      throw new ValueUnreadable(`${place.key} at revision ${place.revision}: ${why}`, { cause });
    }
  }

  #keyOf(key: string): Key | undefined {
    const prefix = prefixOf(key);
    if (this.#chosen.has(prefix)) return this.#chosen.get(prefix);
    const [, , group = '', resource = ''] = prefix.split('/');
    const names = namesOf(group === 'core' ? '' : group, resource);
    const rule = this.#rules.find(({ resources }) => resources.some((name) => names.includes(name)));
    this.#chosen.set(prefix, rule?.key);
    return rule?.key;
  }
}

/** `/registry/<group>/<resource>` of a store key; the keys of a kind share it. */
function prefixOf(key: string): string {
  let end = 0;
  for (let slashes = 0; slashes < 3 && end >= 0; slashes += 1) end = key.indexOf('/', end + 1);
  return end < 0 ? key : key.slice(0, end);
}

/** What a configuration may call a resource. */
const namesOf = (group: string, resource: string): string[] => [
  group === '' ? resource : `${resource}.${group}`,
  `*.${group}`,
  '*.*',
];

const algorithmOf = ({ secret }: Key): CipherGCMTypes =>
  secret.length === 32 ? 'aes-256-gcm' : secret.length === 24 ? 'aes-192-gcm' : 'aes-128-gcm';

const placeBytes = ({ key, revision }: Place): Buffer => Buffer.from(`${key}\n${revision}`);
