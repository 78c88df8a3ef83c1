/**
 * The system user `wherry` that the master runs as, and what belongs to it. Called by `up` before the master starts, by
 * `down --purge`, and by the supervisor; under systemd the unit names the user itself. Idempotent; why it is a user of its
 * own and how root still looks after its files: decision 018.
 */
import {
  chmodSync,
  chownSync,
  existsSync,
  lchownSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { run, runChecked } from '../../host/exec.js';
import { paths } from '../paths.js';

const name = 'wherry';
const home = join(paths.dataDir, 'master');

export interface Account {
  uid: number;
  gid: number;
}

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

/** Makes the user where there is none, and gives it what it needs. What the master left as root becomes its own. */
export async function ensureAccount(dataDir: string): Promise<void> {
  if (!findEntry()) {
    const how = ['--system', '--user-group', '--no-create-home', '--shell', '/usr/sbin/nologin'];
    await runChecked('useradd', [...how, '--home-dir', home, '--comment', 'Wherry master', name]);
  }
  const account = findEntry();
  if (!account) throw new Error(`the user ${name} was made and is not there`);
  if (account.uid === 0) throw new Error(`the user ${name} is root by another name; remove it`);
  giveTree(join(dataDir, 'master'), account);
  giveTree(join(paths.logDir, 'audit'), account);
  // It replaces its kubeconfig there; what is root's in a sticky directory it cannot touch.
  mkdirSync(paths.configDir, { recursive: true });
  chownSync(paths.configDir, 0, account.gid);
  chmodSync(paths.configDir, 0o1775);
  chownSync(paths.masterConfig, 0, account.gid);
  chmodSync(paths.masterConfig, 0o640);
  if (existsSync(paths.adminKubeconfig)) chownSync(paths.adminKubeconfig, account.uid, account.gid);
}

/** Removes the user if `ensureAccount` made it. */
export async function removeAccount(): Promise<void> {
  if (findEntry()?.home !== home) return;
  await runChecked('userdel', [name]);
  // Gone with its user, except where the host is set up to keep it.
  await run('groupdel', [name]);
}

function giveTree(directory: string, account: Account): void {
  if (!existsSync(directory)) {
    mkdirSync(dirname(directory), { recursive: true, mode: 0o755 });
    mkdirSync(directory, { mode: 0o700 });
  }
  // Once it is the user's, root must not walk there: the user could lead it elsewhere.
  if (lstatSync(directory).uid !== account.uid) give(directory, account);
}

/** The top last: until then it is root's. */
function give(path: string, account: Account): void {
  if (lstatSync(path).isDirectory()) for (const entry of readdirSync(path)) give(join(path, entry), account);
  lchownSync(path, account.uid, account.gid);
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
