import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import t from 'tap';
import { runChecked } from '../../src/host/exec.js';
import { createFakeClock } from '../../src/testing/clock.js';
import { RotatedFile } from './file.js';

t.test('a full disk: whole lines stay, and later ones are written when there is space again', async (t) => {
  const mount = await mkdtemp(`${tmpdir()}/wherry-audit-`);
  await runChecked('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', mount]);
  t.teardown(async () => {
    await runChecked('umount', ['-l', mount]);
    await rm(mount, { recursive: true });
  });
  const path = `${mount}/audit.log`;
  const common = { maxBytes: 1e9, maxBackups: 0, maxAgeDays: 0, compress: false, clock: createFakeClock() };
  const file = new RotatedFile({ path, ...common });
  await file.open();
  await writeFile(`${mount}/ballast`, Buffer.alloc(700 * 1024));
  const line = 'x'.repeat(9999);
  let kept = 0;
  const fill = async (): Promise<void> => {
    for (;;) {
      await file.append([line, line, line]);
      kept += 3;
    }
  };
  await t.rejects(fill(), { code: 'ENOSPC' });
  await t.rejects(file.append([line, line, line]), { code: 'ENOSPC' });
  const linesOf = async (): Promise<string[]> => (await readFile(path, 'utf8')).split('\n').slice(0, -1);
  t.ok(kept > 0);
  t.same(
    await linesOf(),
    Array.from({ length: kept }, () => line),
  );
  await rm(`${mount}/ballast`);
  await file.append(['after']);
  t.equal((await linesOf()).at(-1), 'after');
  t.equal((await linesOf()).length, kept + 1);
  await file.close();
});
