/**
 * The API under load: a real master process over TLS with client certificates and durable writes, next to bare Node TLS
 * servers in the same run. Every pair is measured in turns, and the medians are compared.
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
import { benchFanOut } from './fanout.js';
import { Connection, type LoadResult, load, type RawRequest, type Target } from './load.js';
import { median, ms, type Row, ratio } from './row.js';

const clients = 32;
const rounds = 3;
const maps = '/api/v1/namespaces/default/configmaps';

export interface Servers {
  master: Target;
  floor: Target;
}

export async function benchApi(): Promise<Row[]> {
  const directory = mkdtempSync(join(tmpdir(), 'wherry-api-'));
  const children: ChildProcess[] = [];
  try {
    const master = await startMaster(directory, children);
    const floor = await startFloor(directory, master, children);
    const servers = { master, floor };
    return [...(await benchWrites(servers)), ...(await benchReads(servers)), ...(await benchFanOut(servers))];
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

interface Pair {
  name: string;
  count: number;
  ours(n: number, round: number): RawRequest;
  floor(n: number): RawRequest;
  /** The part of the floor's rate that we must reach. */
  atLeast?: number;
}

async function measure(servers: Servers, pair: Pair): Promise<Row> {
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

/** About 1 KB as JSON. */
const configMap = (name: string): Buffer =>
  Buffer.from(
    JSON.stringify({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name, labels: { app: 'bench' } },
      data: { text: 'x'.repeat(880) },
    }),
  );

const nameOf = (n: number, round: number): string => `bench-${round}-${n}`;

async function benchWrites(servers: Servers): Promise<Row[]> {
  const count = 2000;
  const echo = (method: string, body: Buffer): RawRequest => ({ method, path: '/echo', body });
  const patch = Buffer.from(JSON.stringify({ metadata: { labels: { patched: 'yes' } } }));
  const contentType = 'application/merge-patch+json';
  const writes: Pair[] = [
    {
      name: 'API create (1 KB, durable, 32 clients)',
      count,
      ours: (n, round) => ({ method: 'POST', path: maps, body: configMap(nameOf(n, round)) }),
      floor: (n) => echo('POST', configMap(nameOf(n, 0))),
      atLeast: 0.3,
    },
    {
      name: 'API patch (merge, 32 clients)',
      count,
      ours: (n, round) => ({
        method: 'PATCH',
        path: `${maps}/${nameOf(n, round)}`,
        body: patch,
        contentType,
      }),
      floor: () => echo('PATCH', configMap('patched')),
      atLeast: 0.3,
    },
    {
      name: 'API delete (32 clients)',
      count,
      ours: (n, round) => ({ method: 'DELETE', path: `${maps}/${nameOf(n, round)}` }),
      floor: () => echo('DELETE', configMap('deleted')),
      atLeast: 0.3,
    },
  ];
  const rows: Row[] = [];
  for (const pair of writes) rows.push(await measure(servers, pair));
  return rows;
}

async function benchReads(servers: Servers): Promise<Row[]> {
  const fill = { clients, count: 1000 };
  await load(servers.master, fill, (n) => ({ method: 'POST', path: maps, body: configMap(`list-${n}`) }));
  const one = `${maps}/list-0`;
  const sizeOf = async (path: string): Promise<number> => {
    const connection = await Connection.open(servers.master);
    const answer = await connection.send({ method: 'GET', path });
    connection.close();
    return answer.length;
  };
  const [objectBytes, listBytes] = [await sizeOf(one), await sizeOf(maps)];
  return [
    await measure(servers, {
      name: 'API get (1 KB, 32 clients)',
      count: 20_000,
      ours: () => ({ method: 'GET', path: one }),
      floor: () => ({ method: 'GET', path: `/bytes/${objectBytes}` }),
      atLeast: 0.5,
    }),
    await measure(servers, {
      name: `API list of 1,000 (${Math.round(listBytes / 1024)} KB, 32 clients)`,
      count: 300,
      ours: () => ({ method: 'GET', path: maps }),
      floor: () => ({ method: 'GET', path: `/bytes/${listBytes}` }),
    }),
  ];
}
