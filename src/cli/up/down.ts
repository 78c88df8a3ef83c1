/** `wherry down`: stops both roles and removes what they left on this host. Idempotent; works after any crash. */
import { existsSync, rmSync } from 'node:fs';
import { hasCode } from '../../host/files.js';
import { agentFlags } from '../agentflags.js';
import { loadConfig, type RawOptions } from '../config.js';
import type { Flag } from '../flag.js';
import { masterFlags } from '../masterflags.js';
import { configOf, paths, type Role, roles } from '../paths.js';
import { cleanUpAgent } from '../roles.js';
import { removeAccount } from './account.js';
import { purgeMaster, tellLeft } from './purge.js';
import { endJob, roleJob, supervisorJob } from './supervise.js';
import { hasSystemd, removeUnits } from './systemd.js';

const say = (text: string): void => void process.stdout.write(`${text}\n`);

export async function down({ purge }: { purge: boolean }): Promise<void> {
  if (process.getuid?.() !== 0) throw new Error('needs root: it stops services and cleans the network');
  if (hasSystemd()) await removeUnits();
  for (const role of roles.toReversed()) {
    await endJob(supervisorJob(role));
    await endJob(roleJob(role));
  }
  say('master and agent are stopped');
  const left = [...(await cleanUpAgent(settingsOf('agent', agentFlags), purge))];
  say('containers, network and cgroups are removed');
  remove(paths.runDir);
  if (!purge) return;
  left.push(...(await purgeMaster(settingsOf('master', masterFlags))));
  for (const dir of [paths.dataDir, paths.configDir, paths.logDir]) remove(dir);
  await removeAccount();
  say('data is removed');
  tellLeft(left);
}

/** One that a disk is mounted on, or in, is emptied. */
function remove(directory: string): void {
  try {
    rmSync(directory, { recursive: true, force: true });
  } catch (error) {
    if (!hasCode(error, 'EBUSY')) throw error;
  }
}

function settingsOf(role: Role, flags: readonly Flag[]): RawOptions {
  const config = configOf(role);
  return loadConfig(existsSync(config) ? { config } : {}, flags);
}
