/** Halting and killing real processes: all threads, and children whichever thread started them. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { setImmediate } from 'node:timers/promises';
import t from 'tap';
import { halt, killTree } from './processes.js';

/** A process whose second thread starts a child, writes the child's pid and then counts, as fast as it can. */
const twoThreads = `
new (require('node:worker_threads').Worker)(\`
  const child = require('node:child_process').spawn('sleep', ['1000']);
  require('node:fs').writeSync(1, child.pid + '\\\\n');
  for (;;);
\`, { eval: true });
`;

async function start(): Promise<{ exited: Promise<unknown>; pid: number; childPid: number }> {
  const parent = spawn(process.execPath, ['-e', twoThreads], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [line] = (await once(parent.stdout as NodeJS.ReadableStream, 'data')) as [Buffer];
  return { exited: once(parent, 'exit'), pid: parent.pid ?? 0, childPid: Number(line.toString()) };
}

/** User and system time that it has had, in ticks of 10 ms. */
async function ticksOf(pid: number): Promise<number> {
  const fields = (await readFile(`/proc/${pid}/stat`, 'utf8')).split(') ')[1]?.split(' ') ?? [];
  return Number(fields[11]) + Number(fields[12]);
}

t.test('a halted process does nothing any more', async (t) => {
  const { exited, pid } = await start();
  t.equal(await halt(pid), true);
  const before = await ticksOf(pid);
  await new Promise((resolve) => setTimeout(resolve, 200));
  t.ok((await ticksOf(pid)) - before <= 2, 'of some 20');
  await killTree(pid);
  await exited;
});

t.test('what another thread than the first has started is killed too', async (t) => {
  const { exited, pid, childPid } = await start();
  await killTree(pid);
  t.strictSame(await exited, [null, 'SIGKILL']);
  while (await isAlive(childPid)) await setImmediate();
  t.pass('the signal reaches it when it next has a processor');
  t.equal(await halt(pid), false, 'nobody is there');
  await killTree(pid);
});

/** A killed orphan stays a moment until somebody collects it. */
async function isAlive(pid: number): Promise<boolean> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => ') Z');
  return !/\) [ZX]/.test(stat);
}
