/**
 * Processes of containers as this host sees them: who they are, and how they end with all that descend from them. For
 * runtimes that have no call to end a command. Called by the exec of the runtimes.
 */
import { readFile } from 'node:fs/promises';
import { setImmediate } from 'node:timers/promises';
import { hasCode } from '../../src/host/files.js';

/** SIGKILL for a process and all that descend from it. Each is stopped first, so that it starts nothing new meanwhile. */
export async function killTree(pid: number): Promise<void> {
  if (!sendSignal(pid, 'SIGSTOP')) return;
  for (let tries = 0; tries < 100 && (await isOnItsWay(pid)); tries += 1) await setImmediate();
  const children = await procFile(pid, `task/${pid}/children`);
  sendSignal(pid, 'SIGKILL');
  for (const child of children.split(' ').filter(Boolean)) await killTree(Number(child));
}

/** It has not come to a halt yet: another processor may be in the middle of starting a child for it. */
async function isOnItsWay(pid: number): Promise<boolean> {
  const [state = ''] = await statOf(pid);
  return 'RSDI'.includes(state) && state !== '';
}

/** False when it is gone. */
export function sendSignal(pid: number, signal: NodeJS.Signals | number): boolean {
  try {
    return process.kill(pid, signal);
  } catch (error) {
    if (hasCode(error, 'ESRCH')) return false;
    throw error;
  }
}

/** Its command line; empty when it is gone. */
export async function commandOf(pid: number): Promise<string[]> {
  const text = await procFile(pid, 'cmdline');
  return text === '' ? [] : text.replace(/\0$/, '').split('\0');
}

/** Seconds after the boot of the host, as `os.uptime` counts; 0 when it is gone. */
export async function startedAtSeconds(pid: number): Promise<number> {
  // In ticks of 10 ms.
  return Number((await statOf(pid))[19] ?? 0) / 100;
}

/** The fields of its `stat`, from its state on; the name before, in parentheses, may hold anything. */
async function statOf(pid: number): Promise<string[]> {
  const text = await procFile(pid, 'stat');
  return text === '' ? [] : text.slice(text.lastIndexOf(')') + 2).split(' ');
}

async function procFile(pid: number, name: string): Promise<string> {
  return readFile(`/proc/${pid}/${name}`, 'utf8').catch((error: unknown) => {
    if (hasCode(error, 'ENOENT', 'ESRCH')) return '';
    throw error;
  });
}
