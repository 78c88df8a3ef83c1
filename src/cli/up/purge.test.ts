/** `down --purge` removes the master's data where its configuration says it is, and nothing else. */
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { giveTree } from './handover.js';
import { purgeMaster } from './purge.js';

const account = { uid: 12345, gid: 12346 };
const options = { skip: process.getuid?.() !== 0 && 'only root gives files away' };

t.test('data of a user that may have put links into it', options, async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'wherry-purge-'));
  t.teardown(() => rmSync(dir, { recursive: true }));
  chmodSync(dir, 0o755);
  const [dataDir, outside] = [join(dir, 'data'), join(dir, 'outside')];
  const master = join(dataDir, 'master');
  mkdirSync(outside, { mode: 0o755 });
  writeFileSync(join(outside, 'key'), '');
  mkdirSync(join(master, 'pki'), { recursive: true });
  writeFileSync(join(master, 'pki/sa.key'), '');
  symlinkSync(outside, join(master, 'store'));
  writeFileSync(join(master, 'notes'), '');
  giveTree(master, account);

  t.same(await purgeMaster({ dataDir }), [join(master, 'notes')]);
  t.same(readdirSync(master), ['notes']);
  t.ok(existsSync(join(outside, 'key')));
  rmSync(join(master, 'notes'));
  t.same(await purgeMaster({ dataDir }), []);
  t.same(readdirSync(dataDir), [], 'the directory of an administrator stays, empty');
  t.same(await purgeMaster({ dataDir }), []);
});

t.test('a directory of root that the user could not empty is told', options, async (t) => {
  const dataDir = mkdtempSync(join(tmpdir(), 'wherry-purge-'));
  t.teardown(() => rmSync(dataDir, { recursive: true }));
  chmodSync(dataDir, 0o755);
  const master = join(dataDir, 'master');
  mkdirSync(join(master, 'pki/mine'), { recursive: true });
  writeFileSync(join(master, 'pki/sa.key'), '');
  writeFileSync(join(master, 'pki/mine/key'), '');
  for (const path of [master, join(master, 'pki')]) chownSync(path, account.uid, account.gid);
  await t.rejects(purgeMaster({ dataDir }), { message: /EACCES|EPERM|ENOTEMPTY/ });
  t.ok(existsSync(join(master, 'pki/mine/key')));
});

t.test('only an absolute path is taken', async (t) => {
  for (const dataDir of ['x', '/a/../b'])
    await t.rejects(purgeMaster({ dataDir }), { message: /absolute path/ });
});
