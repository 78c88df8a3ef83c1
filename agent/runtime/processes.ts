/**
 * Processes of containers as this host sees them: who they are, and how they end with all that descend from them. For
 * runtimes that have no call to end a command. Called by the exec of the runtimes, and by tests that freeze something.
 */
import { readdir, readFile } from 'node:fs/promises';
import { setImmediate } from 'node:timers/promises';
import { hasCode } from '../../src/host/files.js';

/** For a process in the middle of a system call that does not end. */
const haltMs = 1000;

/** SIGKILL for a process and all that descend from it. Each is stopped first, so that it starts nothing new meanwhile. */
export async function killTree(pid: number): Promise<void> {
  if (!(await halt(pid))) return;
  const children = await Promise.all(
    (await threadsOf(pid)).map((thread) => procFile(pid, `${thread}/children`)),
  );
  sendSignal(pid, 'SIGKILL');
  for (const child of children.flatMap((line) => line.split(' ')).filter(Boolean))
    await killTree(Number(child));
}

/**
 * SIGSTOP; resolves when all its threads have come to a halt, which takes them until they next have a processor, or after
 * a second. False when it is gone.
 */
export async function halt(pid: number): Promise<boolean> {
  if (!sendSignal(pid, 'SIGSTOP')) return false;
  const deadline = performance.now() + haltMs;
  while ((await isMoving(pid)) && performance.now() < deadline) await setImmediate();
  return true;
}

async function isMoving(pid: number): Promise<boolean> {
  for (const thread of await threadsOf(pid)) {
    const [state = ''] = await statOf(pid, thread);
    if (state !== '' && 'RSDI'.includes(state)) return true;
  }
  return false;
}

/** Directories below that of the process. */
async function threadsOf(pid: number): Promise<string[]> {
  const ids = await unlessGone(readdir(`/proc/${pid}/task`), []);
  return ids.map((id) => `task/${id}`);
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

/** The fields of its `stat`, or of one of its threads', from its state on; the name before, in parentheses, may hold anything. */
async function statOf(pid: number, thread = '.'): Promise<string[]> {
  const text = await procFile(pid, `${thread}/stat`);
  return text === '' ? [] : text.slice(text.lastIndexOf(')') + 2).split(' ');
}

const procFile = (pid: number, name: string): Promise<string> =>
  unlessGone(readFile(`/proc/${pid}/${name}`, 'utf8'), '');

const unlessGone = <T>(reading: Promise<T>, otherwise: T): Promise<T> =>
  reading.catch((error: unknown) => {
    if (hasCode(error, 'ENOENT', 'ESRCH')) return otherwise;
    throw error;
  });
