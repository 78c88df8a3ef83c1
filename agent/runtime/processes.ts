/**
 * Processes of containers as this host sees them: who they are, and how they end with all that descend from them. For
 * runtimes that have no call to end a command. Called by the exec of the runtimes.
 */
import { readFile } from 'node:fs/promises';
import { hasCode } from '../../src/host/files.js';

/** SIGKILL for a process and all that descend from it, parents first so that nothing new appears. */
export async function killTree(pid: number): Promise<void> {
  const children = await procFile(pid, `task/${pid}/children`);
  sendSignal(pid, 'SIGKILL');
  for (const child of children.split(' ').filter(Boolean)) await killTree(Number(child));
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
  const text = await procFile(pid, 'stat');
  // The name, in parentheses, may hold anything; the start is the twentieth field after it, in ticks of 10 ms.
  return Number(text.slice(text.lastIndexOf(')') + 2).split(' ')[19] ?? 0) / 100;
}

async function procFile(pid: number, name: string): Promise<string> {
  return readFile(`/proc/${pid}/${name}`, 'utf8').catch((error: unknown) => {
    if (hasCode(error, 'ENOENT', 'ESRCH')) return '';
    throw error;
  });
}
