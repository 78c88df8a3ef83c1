/** Installs and removes the units of `systemd/`; used where systemd runs as PID 1. Idempotent. */
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { run, runChecked } from '../../host/exec.js';
import { paths, type Role, roles } from '../paths.js';

const unitOf = (role: Role): string => `wherry-${role}.service`;

const cli = fileURLToPath(new URL('../main.js', import.meta.url));
/** `systemd/` of the package, seen from `dist/src/cli/up/`. */
const templates = fileURLToPath(new URL('../../../../systemd', import.meta.url));

/** True where systemd is the init system (sd_booted(3)). */
export const hasSystemd = (): boolean => existsSync('/run/systemd/system');

/** Fills in a template; pure. */
export const renderUnit = (template: string, node: string, cliPath: string): string =>
  template.replaceAll('@NODE@', node).replaceAll('@CLI@', cliPath);

/** Installs, enables and starts the role's unit; one whose text changed is restarted. */
export async function startUnit(role: Role): Promise<void> {
  const unit = unitOf(role);
  const file = join(paths.unitDir, unit);
  const text = renderUnit(readFileSync(join(templates, unit), 'utf8'), process.execPath, cli);
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
