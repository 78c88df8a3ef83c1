import { chmod, readdir, readFile, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import {
  acquireLock,
  ensureDirectory,
  ensurePrivateDirectory,
  LockHeld,
  readIfExists,
  requirePrivate,
  writeAtomic,
} from './files.js';

t.test('writeAtomic replaces content and mode and leaves nothing else behind', async (t) => {
  const directory = t.testdir({ a: 'old' });
  await writeAtomic(join(directory, 'a'), 'new', 0o640);
  t.equal(await readFile(join(directory, 'a'), 'utf8'), 'new');
  t.equal((await stat(join(directory, 'a'))).mode & 0o777, 0o640);
  t.same(await readdir(directory), ['a']);
});

t.test('a failed writeAtomic leaves the old file and no temporary one', async (t) => {
  const directory = t.testdir({ a: { b: 'a directory cannot be replaced' } });
  await t.rejects(writeAtomic(join(directory, 'a'), 'new', 0o600));
  t.same(await readdir(directory), ['a']);
});

t.test('readIfExists tells absence from trouble', async (t) => {
  const directory = t.testdir({ a: 'x' });
  t.equal((await readIfExists(join(directory, 'a')))?.toString(), 'x');
  t.equal(await readIfExists(join(directory, 'b')), undefined);
  await symlink('loop', join(directory, 'loop'));
  await t.rejects(readIfExists(join(directory, 'loop')), { code: 'ELOOP' });
});

t.test('ensureDirectory makes parents and keeps what is there', async (t) => {
  const path = join(t.testdir(), 'x', 'y');
  await ensureDirectory(path, 0o700);
  await ensureDirectory(path, 0o755);
  t.equal((await stat(path)).mode & 0o777, 0o700);
  await chmod(path, 0o770);
  await t.rejects(
    ensurePrivateDirectory(path),
    /has mode 770, others may replace what is in it; run: chmod go-w/,
  );
  await ensureDirectory(path, 0o755);
});

t.test('requirePrivate refuses what others can read', async (t) => {
  const path = join(t.testdir({ key: 'secret' }), 'key');
  await chmod(path, 0o600);
  await requirePrivate(path);
  await chmod(path, 0o640);
  await t.rejects(requirePrivate(path), /mode 640/);
});

t.test('a lock keeps a second holder out until it is given back', async (t) => {
  const path = join(t.testdir(), 'lock');
  const release = await acquireLock(path);
  await t.rejects(acquireLock(path), LockHeld);
  await release();
  await (await acquireLock(path))();
  t.equal(await readIfExists(path), undefined);
});

t.test('a lock of a dead process is taken over: pid gone, pid reused, other boot, torn file', async (t) => {
  const path = join(t.testdir(), 'lock');
  const release = await acquireLock(path);
  const mine = await readFile(path, 'utf8');
  await release();
  const [boot, pid, start] = mine.split(' ');
  for (const stale of [
    `${boot} 4194999 1`,
    `${boot} ${pid} ${Number(start) - 1}`,
    `other ${pid} ${start}`,
    '',
  ]) {
    await writeFile(path, stale);
    await (await acquireLock(path))();
  }
  t.same(await readdir(join(path, '..')), []);
});
