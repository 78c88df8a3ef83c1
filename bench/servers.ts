/**
 * What the API benchmarks run against: a real master process over TLS with client certificates and durable writes, next
 * to a bare Node TLS server in the same run. Every pair is measured in turns, and the medians are compared.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { reachServer } from '../src/cli/up/wait.js';
import { loadKubeconfig } from '../src/client/kubeconfig.js';
import { type LoadResult, load, type RawRequest, type Target } from './load.js';
import { median, ms, type Row, ratio } from './row.js';

export const clients = 32;
const rounds = 3;

export interface Servers {
  master: Target;
  masterPid: number;
  floor: Target;
}

/** Starts both, runs `bench` and ends them. */
export async function withServers(bench: (servers: Servers) => Promise<Row[]>): Promise<Row[]> {
  const directory = mkdtempSync(join(tmpdir(), 'wherry-api-'));
  const children: ChildProcess[] = [];
  try {
    const master = await startMaster(directory, children);
    const masterPid = children[0]?.pid ?? 0;
    const floor = await startFloor(directory, master, children);
    return await bench({ master, masterPid, floor });
  } finally {
    await Promise.all(
      children.map((child) => {
        const exited = once(child, 'exit');
        child.kill('SIGTERM');
        return exited;
      }),
    );
    rmSync(directory, { recursive: true, force: true });
  }
}

const moduleFile = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

async function startMaster(directory: string, children: ChildProcess[]): Promise<Target> {
  const kubeconfig = join(directory, 'admin.kubeconfig');
  const port = await freePort();
  const flags = ['--data-dir', directory, '--admin-kubeconfig', kubeconfig, '--bind-address', '127.0.0.1'];
  const args = [
    ...process.execArgv,
    moduleFile('../src/cli/main.js'),
    'master',
    ...flags,
    '--secure-port',
    String(port),
  ];
  children.push(
    spawn(process.execPath, [...args, '--log-level', 'error'], { stdio: ['ignore', 'ignore', 'inherit'] }),
  );
  await reachServer(kubeconfig, 30_000);
  const { ca = '', cert = '', key = '' } = await loadKubeconfig(kubeconfig);
  return { port, ca, cert, key };
}

async function startFloor(directory: string, target: Target, children: ChildProcess[]): Promise<Target> {
  const pki = (name: string): string => readFileSync(join(directory, 'master', 'pki', name), 'utf8');
  const args = [...process.execArgv, moduleFile('floor.js')];
  const child = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  children.push(child);
  child.stdin.write(
    `${JSON.stringify({ cert: pki('server.crt'), key: pki('server.key'), ca: target.ca })}\n`,
  );
  const [line] = await once(createInterface({ input: child.stdout }), 'line');
  return { ...target, port: (JSON.parse(String(line)) as { port: number }).port };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  return typeof address === 'object' && address ? address.port : 0;
}

export interface Pair {
  name: string;
  count: number;
  ours(n: number, round: number): RawRequest;
  floor(n: number): RawRequest;
  /** The part of the floor's rate that we must reach. */
  atLeast?: number;
}

export async function measure(servers: Servers, pair: Pair): Promise<Row> {
  const shape = { clients, count: pair.count };
  const ours: LoadResult[] = [];
  const floor: LoadResult[] = [];
  for (let round = 0; round <= rounds; round++) {
    const mine = await load(servers.master, shape, (n) => pair.ours(n, round));
    const bare = await load(servers.floor, shape, pair.floor);
    // The first round warms both up.
    if (round === 0) continue;
    ours.push(mine);
    floor.push(bare);
  }
  const rate = median(ours.map((result) => result.perSecond));
  const floorRate = median(floor.map((result) => result.perSecond));
  const part = rate / floorRate;
  return {
    name: pair.name,
    measured: `${Math.round(rate)}/s, p50 ${ms(median(ours.map((result) => result.p50Ms)))} (${ratio(part)})`,
    floor: `bare Node TLS ${Math.round(floorRate)}/s`,
    budget: pair.atLeast === undefined ? '' : `>= ${pair.atLeast}x bare Node TLS`,
    ok: pair.atLeast === undefined ? undefined : part >= pair.atLeast,
  };
}
