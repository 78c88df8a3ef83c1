/**
 * Keeps a role running where there is no systemd; what the units in `systemd/` do elsewhere. One supervisor per role.
 *
 * Crash-only: the role is in a process group of its own and outlives a killed supervisor; the next one ends what it
 * finds by pid file and starts afresh (a restart of master or agent never touches containers). A pid counts only while
 * its command line is ours, so a recycled pid is never signalled.
 */
import { spawn } from 'node:child_process';
import {
  closeSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Backoff, createBackoff } from '../../client/backoff.js';
import { systemClock } from '../../host/clock.js';
import { configOf, nodeFlagsOf, paths, type Role } from '../paths.js';
import { masterAccount } from './account.js';

const restarts = { minMs: 250, maxMs: 30_000 };
/** Who lived this long starts again without a growing delay. */
const steadyMs = 10_000;
const stopTimeoutMs = 25_000;
const logCheckMs = 600_000;
const maxLogBytes = 20 * 1024 * 1024;

const cli = fileURLToPath(new URL('../main.js', import.meta.url));
/** What whoever runs a role has to be able to read. */
export const program: readonly string[] = [process.execPath, cli];

/** What runs under a pid file: a role, or the supervisor of one. */
interface Job {
  name: string;
  /** What its command line holds, whether or not the process renamed itself. */
  marks: readonly string[];
}

export const roleJob = (role: Role): Job => ({ name: role, marks: [`main.js\0${role}\0`, `wherry ${role}`] });
export const supervisorJob = (role: Role): Job => ({
  name: `${role}-supervisor`,
  marks: [`main.js\0supervise\0${role}`],
});

const pidFile = (job: Job): string => join(paths.runDir, `${job.name}.pid`);
const logFile = (role: Role): string => join(paths.logDir, `${role}.log`);

/** The pid of the running job, or undefined. */
export function findJob(job: Job): number | undefined {
  if (!existsSync(pidFile(job))) return undefined;
  const pid = Number(readFileSync(pidFile(job), 'utf8'));
  const cmdline = `/proc/${pid}/cmdline`;
  if (!Number.isInteger(pid) || !existsSync(cmdline)) return undefined;
  const line = readFileSync(cmdline, 'utf8');
  return job.marks.some((mark) => line.includes(mark)) ? pid : undefined;
}

/** SIGTERM, then SIGKILL; resolves when the process is gone. */
export async function endJob(job: Job): Promise<void> {
  const pid = findJob(job);
  if (pid !== undefined) process.kill(pid, 'SIGTERM');
  const deadline = systemClock.monotonicMs() + stopTimeoutMs;
  while (findJob(job) !== undefined) {
    if (pid !== undefined && systemClock.monotonicMs() > deadline) process.kill(pid, 'SIGKILL');
    await systemClock.sleep(50, new AbortController().signal);
  }
  rmSync(pidFile(job), { force: true });
}

/** Starts a supervisor of the role in the background unless one runs. */
export function startSupervisor(role: Role): void {
  if (findJob(supervisorJob(role)) !== undefined) return;
  mkdirSync(paths.runDir, { recursive: true });
  mkdirSync(paths.logDir, { recursive: true });
  const log = openSync(logFile(role), 'a');
  const child = spawn(process.execPath, ['--max-semi-space-size=1', cli, 'supervise', role], {
    detached: true,
    stdio: ['ignore', log, log],
  });
  closeSync(log);
  child.unref();
  if (child.pid) writeFileSync(pidFile(supervisorJob(role)), String(child.pid));
}

/** Runs until SIGTERM, which also ends the role. */
export async function supervise(role: Role): Promise<void> {
  const job = roleJob(role);
  await endJob(job);
  let stopping = false;
  const keep = (backoff: Backoff): void => {
    const startedMs = systemClock.monotonicMs();
    const log = openSync(logFile(role), 'a');
    const account = role === 'master' ? masterAccount(program) : undefined;
    const child = spawn(process.execPath, [...nodeFlagsOf(role), cli, role, '--config', configOf(role)], {
      ...account,
      detached: true,
      stdio: ['ignore', log, log],
    });
    closeSync(log);
    if (child.pid) writeFileSync(pidFile(job), String(child.pid));
    child.once('exit', () => {
      if (systemClock.monotonicMs() - startedMs > steadyMs) backoff.reset();
      setTimeout(() => !stopping && keep(backoff), backoff.next());
    });
  };
  keep(createBackoff(restarts));
  const rotation = setInterval(() => rotate(logFile(role)), logCheckMs);
  await new Promise((resolve) => process.once('SIGTERM', resolve));
  stopping = true;
  clearInterval(rotation);
  await endJob(job);
  rmSync(pidFile(supervisorJob(role)), { force: true });
}

/** Copy and truncate: the role writes in append mode and goes on in the emptied file. */
function rotate(file: string): void {
  if (statSync(file).size < maxLogBytes) return;
  copyFileSync(file, `${file}.1`);
  truncateSync(file);
}
