/** Secrets on disk: nobody finds them there, whatever happens to the store; keys come, go and get lost. */
import { chmod, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import t, { type Test } from 'tap';
import { silentLogger } from '../../../src/host/log.js';
import { createFakeClock, type FakeClock } from '../../../src/testing/clock.js';
import { checkStore } from '../check.js';
import { ValueUnreadable } from '../cipher.js';
import { FileStore } from '../file.js';
import { ConfiguredCipher } from './cipher.js';
import { newConfiguration, parseConfiguration, withNewKey, withoutOldKeys } from './configuration.js';
import { type Encryption, openEncryption } from './encryption.js';

const secret = 'correct horse battery staple';
const key = (name: string): string => `/registry/core/secrets/default/${name}`;

interface Opened {
  store: FileStore;
  encryption: Encryption;
  clock: FakeClock;
  close(): Promise<void>;
}

/** As the master opens it. */
async function open(directory: string, encrypt = true): Promise<Opened> {
  const clock = createFakeClock();
  const log = silentLogger;
  const encryption = await openEncryption({ directory, configFile: undefined, encrypt, clock, log });
  const stamp = (value: Buffer): Buffer => value;
  const store = new FileStore({
    directory: `${directory}/store`,
    stamp,
    clock,
    log,
    cipher: encryption.cipher,
  });
  await encryption.opening(`${directory}/store`, () => store.start());
  const following = encryption.follow(store);
  await following.start(new AbortController().signal);
  return {
    ...{ store, encryption, clock },
    async close() {
      await following.stop();
      await store.stop();
    },
  };
}

const put = (store: FileStore, name: string, text = secret): Promise<unknown> =>
  store.put(name, Buffer.from(text), undefined);

const textOf = async (store: FileStore, name: string): Promise<string | undefined> =>
  (await store.get(name))?.value.toString();

/** Whether the text is anywhere in the store's files. */
async function isOnDisk(directory: string, text = secret): Promise<boolean> {
  const names = await readdir(`${directory}/store`);
  const files = await Promise.all(names.map((name) => readFile(`${directory}/store/${name}`)));
  return files.some((bytes) => bytes.includes(text));
}

async function settled({ store }: Opened): Promise<void> {
  while (store.valuesToReseal > 0) await new Promise((resolve) => setImmediate(resolve));
}

const fixture = (t: Test): string => t.testdir({ pki: {} });

t.test('a Secret is nowhere on disk, through updates, deletion, compaction and restarts', async (t) => {
  const directory = fixture(t);
  const first = await open(directory);
  await put(first.store, key('a'));
  await put(first.store, key('b'), `${secret} 2`);
  await put(first.store, key('a'), `${secret} 3`);
  await put(first.store, '/registry/core/configmaps/default/x', 'a clear text');
  await first.store.delete(key('b'), undefined);
  t.equal(await textOf(first.store, key('a')), `${secret} 3`);
  await first.close();
  t.notOk(await isOnDisk(directory));
  t.ok(await isOnDisk(directory, 'a clear text'), 'the search finds what is clear');
  const second = await open(directory);
  t.equal(await textOf(second.store, key('a')), `${secret} 3`);
  t.equal((await second.store.range(key('b'), { revision: 3 })).entries[0]?.value.toString(), `${secret} 2`);
  await second.store.compact(second.store.revision());
  await second.close();
  t.notOk(await isOnDisk(directory));
  t.match(await checkStore(`${directory}/store`), { entries: 2, sealed: 1, problems: [] });
});

t.test('clear values of before are encrypted at the next start, and leave the disk', async (t) => {
  const directory = fixture(t);
  const off = await open(directory, false);
  for (let n = 0; n < 300; n += 1) await put(off.store, key(`s${n}`), `${secret} ${n}`);
  await off.close();
  t.ok(await isOnDisk(directory));
  const on = await open(directory);
  const [, event] = await Promise.all([settled(on), put(on.store, key('s1'), `${secret} new`)]);
  t.ok(event, 'writes go on meanwhile');
  t.equal(await textOf(on.store, key('s299')), `${secret} 299`);
  await on.close();
  t.notOk(await isOnDisk(directory));
  const again = await open(directory, false);
  await settled(again);
  t.equal(await textOf(again.store, key('s1')), `${secret} new`);
  await again.close();
  t.ok(await isOnDisk(directory), 'switched off: clear again');
});

t.test('a new key is used within seconds, then the old one may go', async (t) => {
  const directory = fixture(t);
  const path = `${directory}/pki/encryption.yaml`;
  const opened = await open(directory);
  await put(opened.store, key('a'));
  const before = await readFile(path, 'utf8');
  const { text, name } = withNewKey(before, opened.clock.now());
  await writeFile(path, text);
  while (!opened.encryption.text().includes(name)) {
    await opened.clock.advance(5000);
    await new Promise((resolve) => setImmediate(resolve));
  }
  t.equal(opened.encryption.cipher.keyFor(key('a')), name);
  await settled(opened);
  t.match(opened.encryption.text(), /^wherry_store_values_to_reencrypt 0$/m);
  await opened.close();
  await writeFile(path, withoutOldKeys(text));
  const later = await open(directory);
  t.equal(await textOf(later.store, key('a')), secret);
  await later.close();
  await writeFile(path, before);
  await t.rejects(open(directory), new RegExp(`encrypted with key ${name}, which ${path} does not have`));
});

t.test('a key file that others can read, or that is broken while it runs', async (t) => {
  const directory = fixture(t);
  const path = `${directory}/pki/encryption.yaml`;
  const opened = await open(directory);
  await writeFile(path, 'nonsense');
  await opened.clock.advance(5000);
  await put(opened.store, key('a'));
  t.equal(await textOf(opened.store, key('a')), secret, 'the former keys stay');
  await opened.close();
  await chmod(path, 0o644);
  await t.rejects(open(directory), /encryption.yaml has mode 644, others may touch it/);
});

t.test('a lost key: the start says what is lost; without it the rest is intact', async (t) => {
  const directory = fixture(t);
  const path = `${directory}/pki/encryption.yaml`;
  const first = await open(directory);
  await put(first.store, key('a'));
  await put(first.store, key('b'));
  await put(first.store, '/registry/core/configmaps/default/x', 'clear');
  await first.close();
  await rename(path, `${path}.away`);
  await t.rejects(
    open(directory),
    /the store holds 2 secrets that cannot be decrypted .* Put .*encryption.yaml back/,
  );
  await t.rejects(readFile(path), 'no new key is made over the old one');
  await rename(`${path}.away`, path);
  const back = await open(directory);
  t.equal(await textOf(back.store, key('a')), secret);
  await back.close();
  await rm(path);
  const cipher = new ConfiguredCipher(path, { rules: [], keys: [] });
  t.equal((await checkStore(`${directory}/store`, { cipher, forget: true })).removed.length, 2);
  const rest = await open(directory);
  t.equal(await textOf(rest.store, key('a')), undefined);
  t.equal(await textOf(rest.store, '/registry/core/configmaps/default/x'), 'clear');
  await rest.close();
});

t.test('a sealed value opens in its place only', async (t) => {
  const cipher = new ConfiguredCipher('/keys', parseConfiguration(newConfiguration(new Date())));
  const place = { key: key('a'), revision: 7 };
  const sealed = cipher.seal(place, Buffer.from(secret));
  t.equal(cipher.open(place, sealed).toString(), secret);
  t.notSame(sealed, cipher.seal(place, Buffer.from(secret)), 'a nonce is used once');
  t.throws(() => cipher.open({ ...place, key: key('b') }, sealed), ValueUnreadable);
  t.throws(() => cipher.open({ ...place, revision: 8 }, sealed), ValueUnreadable);
  const changed = Buffer.from(sealed);
  changed[40] = (changed[40] ?? 0) ^ 1;
  t.throws(() => cipher.open(place, changed), /does not open it/);
  t.throws(() => cipher.open(place, sealed.subarray(0, 10)), ValueUnreadable);
  t.equal(cipher.keyFor('/registry/core/configmaps/default/x'), undefined);
  t.equal(cipher.keyFor('/registry/core/secretsx/default/x'), undefined);
});

const configured = (...rules: object[]): string =>
  JSON.stringify({
    apiVersion: 'apiserver.config.k8s.io/v1',
    kind: 'EncryptionConfiguration',
    resources: rules,
  });
const keyOf = (name: string, fill: number, bytes = 32): object => ({
  name,
  secret: Buffer.alloc(bytes, fill).toString('base64'),
});

t.test('a configuration of Kubernetes: who is encrypted with what', async (t) => {
  const gcm = (...keys: object[]): object => ({ aesgcm: { keys } });
  const configuration = parseConfiguration(
    configured(
      {
        resources: ['configmaps', 'leases.coordination.k8s.io'],
        providers: [{ identity: {} }, gcm(keyOf('old', 1))],
      },
      { resources: ['*.apps'], providers: [gcm(keyOf('apps', 2, 16))] },
      { resources: ['*.'], providers: [gcm(keyOf('core', 3, 24))] },
      { resources: ['*.*'], providers: [gcm(keyOf('rest', 4))] },
    ),
  );
  const cipher = new ConfiguredCipher('/keys', configuration);
  const name = (path: string): string | undefined => cipher.keyFor(`/registry/${path}/default/x`);
  t.equal(name('core/configmaps'), undefined);
  t.equal(name('coordination.k8s.io/leases'), undefined);
  t.equal(name('apps/deployments'), 'apps');
  t.equal(name('core/secrets'), 'core');
  t.equal(name('example.com/things'), 'rest');
  for (const path of ['apps/deployments', 'core/secrets']) {
    const place = { key: `/registry/${path}/default/x`, revision: 1 };
    t.equal(cipher.open(place, cipher.seal(place, Buffer.from('x'))).toString(), 'x', 'any length of key');
  }
});

t.test('a wrong configuration is refused without quoting a key', async (t) => {
  const hush = Buffer.from('hush-hush').toString('base64');
  const refused = (text: string, pattern: RegExp): void => {
    const error = t.throws(() => parseConfiguration(text), pattern) as unknown as Error;
    t.notMatch(error.message, new RegExp(hush));
  };
  const provider = { aesgcm: { keys: [{ name: 'a', secret: hush }] } };
  refused(configured({ resources: ['secrets'], providers: [provider] }), /key a must be 16, 24 or 32 bytes/);
  refused(`a: [${hush}`, /not valid YAML/);
  refused('kind: Pod', /must have kind EncryptionConfiguration/);
  refused(
    configured({ resources: ['secrets'], providers: [{ secretbox: {} }] }),
    /secretbox is not supported/,
  );
  refused(configured({ resources: ['Secrets!'], providers: [{ identity: {} }] }), /must be like secrets/);
  refused(configured({ resources: [], providers: [{ identity: {} }] }), /must not be empty/);
  const two = { aesgcm: { keys: [keyOf('a', 1), keyOf('a', 2)] } };
  refused(configured({ resources: ['secrets'], providers: [two] }), /two different keys are called a/);
  const clear = configured({ resources: ['secrets'], providers: [{ identity: {} }] });
  t.throws(() => withNewKey(clear, new Date()), /no resource is encrypted/);
});
