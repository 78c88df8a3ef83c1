/** Time from the start of a master's process, on a store that has data, to its first answer to a client. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { reachServer } from '../src/cli/up/wait.js';
import { median, ms, type Row } from './row.js';

const cli = fileURLToPath(new URL('../src/cli/main.js', import.meta.url));
const rounds = 3;

export async function benchColdStart(): Promise<Row[]> {
  const dir = mkdtempSync(join(tmpdir(), 'wherry-cold-'));
  try {
    await start(dir);
    const times: number[] = [];
    for (let round = 0; round < rounds; round++) times.push(await start(dir));
    const time = median(times);
    return [
      {
        name: 'master, cold start to first answer',
        measured: ms(time),
        floor: '',
        budget: '<= 1 s',
        ok: time <= 1000,
      },
    ];
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

async function start(dir: string): Promise<number> {
  const kubeconfig = join(dir, 'admin.kubeconfig');
  const begun = performance.now();
  const child: ChildProcess = spawn(
    process.execPath,
    [cli, 'master', '--data-dir', dir, '--admin-kubeconfig', kubeconfig],
    { stdio: 'ignore' },
  );
  try {
    await reachServer(kubeconfig, 30_000);
    return performance.now() - begun;
  } finally {
    const exited = once(child, 'exit');
    child.kill('SIGTERM');
    await exited;
  }
}
