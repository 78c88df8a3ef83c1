/** Installs and removes the units of `systemd/`; used where systemd runs as PID 1. Idempotent. */
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { run, runChecked } from '../../host/exec.js';
import { paths, type Role, roles } from '../paths.js';
import { findBarrier, home } from './account.js';

const unitOf = (role: Role): string => `wherry-${role}.service`;

const cli = fileURLToPath(new URL('../main.js', import.meta.url));
/** The package, seen from the command: `dist/src/cli/main.js`. */
const packageOf = (cliPath: string): string => resolve(cliPath, '../../../..');
const templates = join(packageOf(cli), 'systemd');

/** What the master's unit puts an empty directory over; the program shines through. */
const hidden = ['/root', '/home', '/run/user', '/tmp', '/var/tmp'];

/** True where systemd is the init system (sd_booted(3)). */
export const hasSystemd = (): boolean => existsSync('/run/systemd/system');

/** Fills in a template; pure. `data` is where the master's data lies; throws when a unit cannot have it there. */
export function renderUnit(template: string, node: string, cliPath: string, data = home): string {
  const text = template
    .replaceAll('@NODE@', node)
    .replaceAll('@CLI@', cliPath)
    .replaceAll('@APP@', packageOf(cliPath));
  return data === home ? text : text.replace('[Install]', `${elsewhere(data)}[Install]`);
}

/** systemd makes no StateDirectory= elsewhere, nor where there is a link. */
function elsewhere(data: string): string {
  const cover = [...hidden, '/run'].find((directory) => `${data}/`.startsWith(`${directory}/`));
  if (cover !== undefined)
    throw new Error(`the master's unit sees nothing of ${cover}: its data cannot lie in ${data}`);
  if (!/^[\w/.,@:+-]+$/.test(data))
    throw new Error(`a unit cannot name ${JSON.stringify(data)}: take letters, digits and "-" for it`);
  return `[Unit]\nRequiresMountsFor=${data}\n[Service]\nStateDirectory=\nReadWritePaths=${data}\n\n`;
}

/** Throws where the user of the master's unit could not get at the program. */
export function checkReach(): void {
  const app = packageOf(cli);
  for (const [file, top] of [
    [cli, app],
    [process.execPath, process.execPath],
    [app, '/'],
    [process.execPath, '/'],
  ] as const) {
    const barrier = findBarrier(file, top);
    const isHidden = top === '/' && hidden.some((directory) => `${barrier}/`.startsWith(`${directory}/`));
    if (barrier !== undefined && !isHidden)
      throw new Error(
        `the master runs as the user wherry, who may not pass ${barrier}; run: chmod o+rX ${barrier}`,
      );
  }
}

/** Installs, enables and starts the role's unit; one whose text changed is restarted. */
export async function startUnit(role: Role, data?: string): Promise<void> {
  const unit = unitOf(role);
  const file = join(paths.unitDir, unit);
  const text = renderUnit(readFileSync(join(templates, unit), 'utf8'), process.execPath, cli, data);
  const isCurrent = existsSync(file) && readFileSync(file, 'utf8') === text;
  if (!isCurrent) {
    writeFileSync(file, text, { mode: 0o644 });
    await runChecked('systemctl', ['daemon-reload']);
  }
  await runChecked('systemctl', ['enable', '--quiet', unit]);
  await runChecked('systemctl', [isCurrent ? 'start' : 'restart', '--no-block', unit]);
}

export async function removeUnits(): Promise<void> {
  const installed = roles
    .toReversed()
    .map(unitOf)
    .filter((unit) => existsSync(join(paths.unitDir, unit)));
  if (installed.length === 0) return;
  await runChecked('systemctl', ['disable', '--quiet', '--now', ...installed], { timeoutMs: 90_000 });
  for (const unit of installed) rmSync(join(paths.unitDir, unit));
  await runChecked('systemctl', ['daemon-reload']);
  await run('systemctl', ['reset-failed', ...installed]);
}
