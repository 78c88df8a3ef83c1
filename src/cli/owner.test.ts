/** Commands of root on the data of a master that is another user: nothing in it becomes root's, and no link leads out of it. */
import {
  chmodSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { newConfiguration } from '../../master/store/encryption/configuration.js';
import { FileStore } from '../../master/store/file.js';
import { silentLogger } from '../host/log.js';
import { createFakeClock } from '../testing/clock.js';
import { asOwnerOf } from './owner.js';
import { forgetUnreadable, reencrypt, rotateKeys } from './secrets.js';
import { checkStoreCommand } from './store.js';

const [uid, gid] = [12345, 12346];
const options = { skip: process.getuid?.() !== 0 && 'only root gives files away' };
const whoIs = (): unknown[] => [process.geteuid?.(), process.getegid?.(), process.getgroups?.()];

/** A data directory as `up` leaves it: root's, and in it the master's own. */
function dataOf(t: Test): { dataDir: string; master: string } {
  const dataDir = mkdtempSync(join(tmpdir(), 'wherry-owner-'));
  t.teardown(() => rmSync(dataDir, { recursive: true }));
  chmodSync(dataDir, 0o755);
  const master = join(dataDir, 'master');
  for (const path of [master, join(master, 'pki')]) {
    mkdirSync(path, { mode: 0o700 });
    chownSync(path, uid, gid);
  }
  return { dataDir, master };
}

const strangersIn = (directory: string): string[] =>
  readdirSync(directory, { recursive: true, encoding: 'utf8' }).filter((path) => {
    const owner = statSync(join(directory, path));
    return owner.uid !== uid || owner.gid !== gid;
  });

t.test("with the owner's rights, and with root's again", options, async (t) => {
  const { dataDir, master } = dataOf(t);
  const root = whoIs();
  t.same(await asOwnerOf(master, async () => whoIs()), [uid, gid, [gid]]);
  await t.rejects(
    asOwnerOf(master, async () => writeFileSync(join(dataDir, 'new'), '')),
    { code: 'EACCES' },
  );
  t.same(whoIs(), root);
  t.same(await asOwnerOf(dataDir, async () => whoIs()), root, 'what is of root');
  t.same(await asOwnerOf(join(dataDir, 'none'), async () => whoIs()), root, 'what is not there');
});

t.test("the store and the keys stay the master's", options, async (t) => {
  const { dataDir, master } = dataOf(t);
  const flags = { dataDir, kubeconfig: join(dataDir, 'none') };
  const said: string[] = [];
  const say = (text: string): void => void said.push(text);
  const keys = join(master, 'pki/encryption.yaml');
  writeFileSync(keys, newConfiguration(new Date(0)), { mode: 0o600 });
  chownSync(keys, uid, gid);
  const clock = createFakeClock();
  const store = new FileStore({
    ...{ directory: join(master, 'store'), stamp: (value: Buffer) => value },
    ...{ clock, log: silentLogger },
  });
  await asOwnerOf(master, async () => {
    await store.start();
    await store.put('/registry/core/secrets/default/a', Buffer.from('value'), 0);
    await store.stop();
  });
  t.same(strangersIn(master), []);

  await rotateKeys(flags, say);
  await reencrypt({ ...flags, dropOldKeys: true }, say);
  await forgetUnreadable(flags, say);
  await checkStoreCommand({ dataDir }, say);
  t.match(said.at(-1), /1 objects at revision 2, 1 values encrypted, 0 problems/);
  t.same(strangersIn(master), []);

  rmSync(keys);
  writeFileSync(keys, newConfiguration(new Date(1)), { mode: 0o600 });
  await rotateKeys(flags, say);
  t.same(strangersIn(master), [], "a file that root put there by hand becomes the master's");
});

t.test('a store that leads elsewhere', options, async (t) => {
  const { dataDir, master } = dataOf(t);
  const outside = join(dataDir, 'outside');
  mkdirSync(outside, { mode: 0o700 });
  writeFileSync(join(outside, 'CURRENT'), 'MANIFEST-000001\n');
  symlinkSync(outside, join(master, 'store'));
  await t.rejects(checkStoreCommand({ dataDir }), /cannot open the store/);
  t.same(readdirSync(outside), ['CURRENT']);
  t.equal(readFileSync(join(outside, 'CURRENT'), 'utf8'), 'MANIFEST-000001\n');
});
