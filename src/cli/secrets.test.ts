/** `wherry secrets`, on the store of a master that is stopped. */
import { readFile, rm } from 'node:fs/promises';
import t from 'tap';
import { checkStore } from '../../master/store/check.js';
import { openEncryption } from '../../master/store/encryption/encryption.js';
import { FileStore } from '../../master/store/file.js';
import { acquireLock } from '../host/files.js';
import { silentLogger } from '../host/log.js';
import { createFakeClock } from '../testing/clock.js';
import { forgetUnreadable, reencrypt, rotateKeys } from './secrets.js';

const name = '/registry/core/secrets/default/a';

/** Writes or reads one Secret as a master does. */
async function withStore<T>(dataDir: string, use: (store: FileStore) => Promise<T>): Promise<T> {
  const [clock, log] = [createFakeClock(), silentLogger];
  const directory = `${dataDir}/master`;
  const encryption = await openEncryption({ directory, configFile: undefined, encrypt: true, clock, log });
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
  try {
    return await use(store);
  } finally {
    await following.stop();
    await store.stop();
  }
}

t.test('a key comes, everything is written anew, the old key goes; a lost one', async (t) => {
  const dataDir = t.testdir({ master: { pki: {} } });
  const flags = { dataDir, kubeconfig: `${dataDir}/none` };
  const path = `${dataDir}/master/pki/encryption.yaml`;
  const said: string[] = [];
  const say = (text: string): void => void said.push(text);
  const keys = async (): Promise<number> => (await readFile(path, 'utf8')).split('name:').length - 1;

  await t.rejects(rotateKeys(flags, say), /encryption.yaml does not exist: nothing has been encrypted/);
  await withStore(dataDir, (store) => store.put(name, Buffer.from('value'), 0));
  await rotateKeys(flags, say);
  t.equal(await keys(), 2);
  await reencrypt({ ...flags, dropOldKeys: true }, say);
  t.equal(await keys(), 1);
  t.match(
    said.splice(0).join(''),
    /values are encrypted with key-.*everything is encrypted.*removed from it: key-/s,
  );
  t.equal(await withStore(dataDir, async (store) => (await store.get(name))?.value.toString()), 'value');

  t.match(await checkStore(`${dataDir}/master/store`), { sealed: 1, problems: [] });
  const release = await acquireLock(`${dataDir}/master/lock`);
  await t.rejects(forgetUnreadable(flags, say), /the master runs/);
  await t.rejects(reencrypt(flags, say), /none/, 'a running master is asked, through the kubeconfig');
  await release();

  await rm(path);
  await t.rejects(
    withStore(dataDir, async () => undefined),
    /holds 1 secrets that cannot be decrypted/,
  );
  await forgetUnreadable(flags, say);
  t.match(said.splice(0), [/removed 1 values/]);
  t.equal(await withStore(dataDir, (store) => store.get(name)), undefined);
});
