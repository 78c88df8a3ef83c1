/** Processes inside lab hosts: started in a namespace, remembered by pid file, ended by it. */
import { spawn } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { systemClock } from '../src/host/clock.js';
import type { LabHost } from './layout.js';

export type Role = 'docker' | 'master' | 'agent';

const pidFile = (host: LabHost, role: Role): string => join(host.runDir, `${role}.pid`);

/** Pid of the running process, or undefined. Start time guards against a recycled pid. */
export function pidOf(host: LabHost, role: Role): number | undefined {
  const file = pidFile(host, role);
  if (!existsSync(file)) return undefined;
  const [pid, started] = readFileSync(file, 'utf8').split(' ');
  return pid && started !== undefined && startTime(Number(pid)) === started ? Number(pid) : undefined;
}

/** Field 22 of proc_pid_stat(5); undefined when there is no such process, or only a zombie of it. */
function startTime(pid: number): string | undefined {
  const file = `/proc/${pid}/stat`;
  if (!existsSync(file)) return undefined;
  const fields = readFileSync(file, 'utf8')
    .replace(/^.*\) /, '')
    .split(' ');
  return fields[0] === 'Z' ? undefined : fields[19];
}

/** Starts it in the host's network namespace, unless it runs. `nsenter`, not `ip netns exec`, which hides cgroups. */
export function start(host: LabHost, role: Role, file: string, args: readonly string[]): void {
  if (pidOf(host, role) !== undefined) return;
  mkdirSync(host.runDir, { recursive: true });
  const log = openSync(join(host.runDir, `${role}.log`), 'a');
  const child = spawn('nsenter', [`--net=/run/netns/${host.namespace}`, file, ...args], {
    detached: true,
    stdio: ['ignore', log, log],
  });
  closeSync(log);
  child.unref();
  if (!child.pid) throw new Error(`cannot start ${role} on ${host.name}`);
  writeFileSync(pidFile(host, role), `${child.pid} ${startTime(child.pid) ?? ''}`);
}

/** Sends the signal and waits until the process is gone; SIGKILL after ten seconds. */
export async function end(host: LabHost, role: Role, signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
  const pid = pidOf(host, role);
  if (pid !== undefined) process.kill(pid, signal);
  const deadline = systemClock.monotonicMs() + 10_000;
  while (pid !== undefined && pidOf(host, role) === pid) {
    if (systemClock.monotonicMs() > deadline) process.kill(pid, 'SIGKILL');
    await systemClock.sleep(50, new AbortController().signal);
  }
  rmSync(pidFile(host, role), { force: true });
}

/** Every process that lives in one of the host's cgroups or belongs to its Docker: what a power cut would end too. */
export function killLeftovers(pids: readonly number[]): void {
  for (const pid of pids) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
  }
}
