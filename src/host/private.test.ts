import { chmod, chown } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { checkDirectory, checkPrivate, checkTrusted } from './private.js';

t.test('a secret is for its owner alone', async (t) => {
  const path = join(t.testdir({ key: 'secret' }), 'key');
  for (const mode of [0o600, 0o400]) {
    await chmod(path, mode);
    t.doesNotThrow(() => checkPrivate(path));
  }
  for (const [mode, shown] of [
    [0o640, '640'],
    [0o604, '604'],
    [0o620, '620'],
  ] as const) {
    await chmod(path, mode);
    t.throws(() => checkPrivate(path), {
      message: `${path} has mode ${shown}, others may touch it; run: chmod 600 ${path}`,
    });
  }
});

t.test('settings may be read by others, not written', async (t) => {
  const path = join(t.testdir({ config: 'a: b' }), 'config');
  await chmod(path, 0o644);
  t.doesNotThrow(() => checkTrusted(path));
  await chmod(path, 0o664);
  t.throws(() => checkTrusted(path), { message: /has mode 664, others may write it; run: chmod go-w / });
});

t.test('nobody replaces what is in a directory of secrets', async (t) => {
  const path = t.testdir();
  for (const mode of [0o700, 0o755, 0o1775]) {
    await chmod(path, mode);
    t.doesNotThrow(() => checkDirectory(path));
  }
  await chmod(path, 0o775);
  t.throws(() => checkDirectory(path), {
    message: /has mode 775, others may replace what is in it; run: chmod go-w /,
  });
});

t.test(
  'whose files they are',
  { skip: process.getuid?.() !== 0 && 'only root gives files away' },
  async (t) => {
    const directory = t.testdir({ key: 'secret' });
    const path = join(directory, 'key');
    await chmod(path, 0o600);
    await chown(path, 12345, 12345);
    t.throws(() => checkPrivate(path), {
      message: `${path} belongs to user 12345, and user 0 runs this; run: chown 0 ${path}`,
    });
    await chown(directory, 12345, 12345);
    t.doesNotThrow(() => checkPrivate(path), 'root looks after what a user has in a directory of its own');
  },
);
