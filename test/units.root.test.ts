/** The systemd units, filled in as `wherry up` does, are understood by systemd. A real boot of them: `npm run test:vm`. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { renderUnit } from '../src/cli/up/systemd.js';
import { run } from '../src/host/exec.js';

const units = fileURLToPath(new URL('../../systemd/', import.meta.url));
const cli = fileURLToPath(new URL('../src/cli/main.js', import.meta.url));

t.test('systemd-analyze verify', async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'wherry-units-'));
  t.teardown(() => rmSync(dir, { recursive: true }));
  for (const unit of readdirSync(units).filter((name) => name.endsWith('.service'))) {
    const file = join(dir, unit);
    writeFileSync(file, renderUnit(readFileSync(join(units, unit), 'utf8'), process.execPath, cli));
    const { code, stdout, stderr } = await run('systemd-analyze', ['verify', '--man=no', file]);
    // What it says of other units of the machine is not about ours.
    const said = `${stdout}${stderr}`.split('\n').filter((line) => line.includes(unit));
    t.same(said, [], `${unit}: nothing to complain about`);
    t.equal(code, 0);
  }
});
