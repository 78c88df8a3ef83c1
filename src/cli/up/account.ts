/**
 * The system user `wherry` that the master runs as, and what belongs to it. Called by `up` before the master starts, by
 * `down --purge`, and by the supervisor; under systemd the unit names the user itself. Idempotent; why it is a user of its
 * own and how root still looks after its files: decision 018.
 */
import { readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { run, runChecked } from '../../host/exec.js';
import { masterNames, paths } from '../paths.js';
import { type Account, followLink, giveFile, giveTree, letRead, shareDirectory } from './handover.js';

const name = 'wherry';
export const home = join(paths.dataDir, 'master');

interface Entry extends Account {
  home: string;
}

/** As /etc/passwd has it; the master is a user of this host, not of a directory service. */
function findEntry(): Entry | undefined {
  const line = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .find((candidate) => candidate.startsWith(`${name}:`));
  const [, , uid, gid, , directory] = line?.split(':') ?? [];
  return directory === undefined ? undefined : { uid: Number(uid), gid: Number(gid), home: directory };
}

/**
 * Makes the user where there is none, and gives it what it needs. What the master left as root becomes its own. The answer is
 * where its data lies, links followed.
 */
export async function ensureAccount(dataDir: string): Promise<string> {
  if (!findEntry()) {
    const how = ['--system', '--user-group', '--no-create-home', '--shell', '/usr/sbin/nologin'];
    await runChecked('useradd', [...how, '--home-dir', home, '--comment', 'Wherry master', name]);
  }
  const account = findEntry();
  if (!account) throw new Error(`the user ${name} was made and is not there`);
  if (account.uid === 0) throw new Error(`the user ${name} is root by another name; remove it`);
  const data = followLink(join(dataDir, 'master'), account, masterNames);
  giveTree(data, account);
  const barrier = findBarrier(dirname(data));
  if (barrier !== undefined)
    throw new Error(
      `the master runs as the user ${name}, who may not pass ${barrier} to its data in ${data}; run: chmod o+x ${barrier}`,
    );
  giveTree(join(paths.logDir, 'audit'), account);
  // It replaces its kubeconfig there.
  shareDirectory(paths.configDir, account);
  letRead(paths.masterConfig, account);
  giveFile(paths.adminKubeconfig, account);
  return data;
}

/** Removes the user if `ensureAccount` made it. */
export async function removeAccount(): Promise<void> {
  if (findEntry()?.home !== home) return;
  await runChecked('userdel', [name]);
  // Gone with its user, except where the host is set up to keep it.
  await run('groupdel', [name]);
}

/** Whom the master runs as without systemd; undefined where the user is missing or cannot get at the program. */
export function masterAccount(program: readonly string[]): Account | undefined {
  return program.some((file) => findBarrier(file) !== undefined) ? undefined : findEntry();
}

/** The first of the file and the directories above it, from `top` down, that a stranger may not pass. */
export function findBarrier(file: string, top = '/'): string | undefined {
  const barrier = file === top ? undefined : findBarrier(dirname(file), top);
  if (barrier !== undefined) return barrier;
  const stats = statSync(file);
  const wanted = stats.isDirectory() ? 0o1 : 0o4;
  return (stats.mode & wanted) === wanted ? undefined : file;
}
