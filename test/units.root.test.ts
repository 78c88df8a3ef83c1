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

function renderAll(dir: string): { unit: string; file: string }[] {
  return readdirSync(units)
    .filter((name) => name.endsWith('.service'))
    .map((unit) => {
      const file = join(dir, unit);
      writeFileSync(file, renderUnit(readFileSync(join(units, unit), 'utf8'), process.execPath, cli));
      return { unit, file };
    });
}

t.test('systemd-analyze verify', async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'wherry-units-'));
  t.teardown(() => rmSync(dir, { recursive: true }));
  for (const { unit, file } of renderAll(dir)) {
    const { code, stdout, stderr } = await run('systemd-analyze', ['verify', '--man=no', file]);
    // What it says of other units of the machine is not about ours.
    const said = `${stdout}${stderr}`.split('\n').filter((line) => line.includes(unit));
    t.same(said, [], `${unit}: nothing to complain about`);
    t.equal(code, 0);
  }
});

t.test('at boot the agent waits for a master of its host that serves, and needs none', async (t) => {
  const settingsOf = (unit: string): string[] => readFileSync(join(units, unit), 'utf8').split('\n');
  const naming = settingsOf('wherry-agent.service').filter((line) => /^[A-Z].*wherry-master/.test(line));
  t.same(naming, ['After=wherry-master.service']);
  t.ok(settingsOf('wherry-master.service').includes('Type=notify'), 'started means that it serves');
});

t.test('data that lies elsewhere', async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'wherry-units-'));
  t.teardown(() => rmSync(dir, { recursive: true }));
  const template = readFileSync(join(units, 'wherry-master.service'), 'utf8');
  const render = (data: string): string => renderUnit(template, process.execPath, cli, data);
  const file = join(dir, 'wherry-master.service');
  writeFileSync(file, render('/srv/wherry-1/master'));
  const { stdout, stderr, code } = await run('systemd-analyze', ['verify', '--man=no', file]);
  t.notMatch(`${stdout}${stderr}`, /wherry-master/);
  t.equal(code, 0);
  t.match(
    readFileSync(file, 'utf8'),
    /\[Unit\]\nRequiresMountsFor=(\S+)\n\[Service\]\nStateDirectory=\nReadWritePaths=\1\n\n\[Install\]\n/,
  );
  t.equal(render('/var/lib/wherry/master'), renderUnit(template, process.execPath, cli));
  t.throws(() => render('/home/me/data'), {
    message: /sees nothing of \/home: its data cannot lie in \/home\/me/,
  });
  t.throws(() => render('/srv/my data'), { message: /a unit cannot name "\/srv\/my data"/ });
});

t.test('docs/units.md says what systemd-analyze security says', async (t) => {
  const version = /^systemd (\d+)/.exec((await run('systemd-analyze', ['--version'])).stdout)?.[1];
  // Others look at other things.
  if (version !== '252') return t.comment(`this is systemd ${version}, the page is of 252`);
  const dir = mkdtempSync(join(tmpdir(), 'wherry-units-'));
  t.teardown(() => rmSync(dir, { recursive: true }));
  const page = readFileSync(fileURLToPath(new URL('../../docs/units.md', import.meta.url)), 'utf8');
  for (const { unit, file } of renderAll(dir)) {
    const security = ['security', '--offline=yes', '--no-pager'];
    const told = await run('systemd-analyze', [...security, '--json=short', file]);
    const checks = JSON.parse(told.stdout) as { set: boolean; name: string; exposure: string | null }[];
    const exposures = checks.filter(({ set, exposure }) => !set && exposure !== null);
    const verdict = /: ([\d.]+) ([A-Z]+)/.exec((await run('systemd-analyze', [...security, file])).stdout);
    const section = page.split('\n## ').find((part) => part.startsWith(unit)) ?? '';
    t.ok(section.startsWith(`${unit}: ${verdict?.[1]} (${verdict?.[2]})\n`), `${unit}: the verdict`, {
      verdict,
    });
    const rows = [...section.matchAll(/^\| `(.*)` \| ([\d.]+) \| (.+) \|$/gm)];
    t.same(
      rows.map(([, name, exposure]) => ({ name: name?.replaceAll('\\|', '|'), exposure })),
      exposures.map(({ name, exposure }) => ({ name, exposure })),
      `${unit}: what remains`,
    );
  }
});
