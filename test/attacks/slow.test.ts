/**
 * A thousand connections of clients that are slow on purpose, against a master of its own: they are cut off in time, the log
 * says so in a few lines, memory stays bounded, and others are served as usual meanwhile. What is usual is asked of a second
 * master that nobody attacks, in turns with the first: whatever else the machine does, both have it.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { Agent, request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { freePort } from '../../src/testing/port.js';
import type { Kind, Plan, Told } from './slowclients.js';

const program = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
const configMaps = '/api/v1/namespaces/default/configmaps';
const counts: Record<Kind, number> = {
  ...{ silent: 200, handshake: 200, idle: 150, headers: 200, body: 150, refused: 90 },
  reader: 10,
};
/**
 * How long after all have come it may take until the last one of a wave is gone, seconds: the limit and, for a busy machine,
 * half a minute.
 */
const patienceS: Record<Kind, number> = {
  ...{ silent: 30, handshake: 30, idle: 40, headers: 40, body: 60, refused: 60 },
  reader: 75,
};

const kinds = Object.keys(counts) as Kind[];

interface Target {
  plan: Plan;
  /** Its status code; the time it took, milliseconds. */
  get(path: string): Promise<{ code: number; tookMs: number }>;
  create(name: string, bytes: number): Promise<number>;
  rssMb(): number;
  log(): string;
}

async function startMaster(directory: string, started: ChildProcess[]): Promise<Target> {
  const port = await freePort();
  const logFile = join(directory, 'log');
  const log = openSync(logFile, 'w');
  const where = ['--data-dir', directory, '--bind-address', '127.0.0.1', '--secure-port', String(port)];
  const args = [...process.execArgv, program('../../src/cli/main.js'), 'master', ...where];
  const child = spawn(process.execPath, [...args, '--admin-kubeconfig', join(directory, 'kubeconfig')], {
    stdio: ['ignore', log, log],
  });
  closeSync(log);
  started.push(child);
  const agent = new Agent({ keepAlive: true, maxSockets: 2 });
  const [caFile, tokenFile] = [join(directory, 'master/pki/ca.crt'), join(directory, 'master/admin.token')];
  for (let tries = 0; !existsSync(join(directory, 'kubeconfig')); tries++) {
    if (tries > 600) throw new Error(`the master does not start: ${readFileSync(logFile, 'utf8')}`);
    await sleep(100);
  }
  const [ca, token] = [readFileSync(caFile, 'utf8'), readFileSync(tokenFile, 'utf8').trim()];
  const send = (method: string, path: string, body?: string): Promise<number> =>
    new Promise((resolve, reject) => {
      const headers = {
        authorization: `Bearer ${token}`,
        ...(body !== undefined && { 'content-type': 'application/json' }),
      };
      const outgoing = request({ host: '127.0.0.1', port, method, path, ca, agent, headers }, (response) => {
        response.resume();
        response.once('end', () => resolve(response.statusCode ?? 0));
      });
      outgoing.once('error', reject).end(body);
    });
  for (let tries = 0; tries < 100; tries++) {
    if ((await send('GET', '/readyz').catch(() => 0)) === 200) break;
    await sleep(100);
  }
  return {
    plan: { port, ca: caFile, token, list: configMaps, counts },
    async get(path) {
      const beganMs = performance.now();
      const code = await send('GET', path);
      return { code, tookMs: performance.now() - beganMs };
    },
    create: (name, bytes) =>
      send('POST', configMaps, JSON.stringify({ metadata: { name }, data: { x: 'x'.repeat(bytes) } })),
    rssMb: () => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))?.[1]) / 1024,
    log: () => readFileSync(logFile, 'utf8'),
  };
}

/** 99 of 100 normal GETs within two seconds, asked of each in turn, took no longer than this, milliseconds. */
async function probe(targets: readonly Target[], failures: number[]): Promise<number[]> {
  const times = targets.map((): number[] => []);
  const endMs = performance.now() + 2_000;
  while (performance.now() < endMs) {
    for (const [index, target] of targets.entries()) {
      const { code, tookMs } = await target.get(`${configMaps}/small`);
      if (code !== 200) failures.push(code);
      times[index]?.push(tookMs);
    }
    await sleep(3);
  }
  return times.map((of) => of.sort((a, b) => a - b)[Math.floor(of.length * 0.99)] ?? 0);
}

const median = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;

t.test('a thousand slow connections', { timeout: 400_000 }, async (t) => {
  const directories = ['attacked', 'left-alone'].map((name) =>
    mkdtempSync(join(tmpdir(), `wherry-slow-${name}-`)),
  );
  const started: ChildProcess[] = [];
  t.teardown(() => {
    for (const child of started) child.kill('SIGKILL');
    for (const directory of directories) rmSync(directory, { recursive: true, force: true });
  });
  const targets: Target[] = [];
  for (const directory of directories) {
    const made = await startMaster(directory, started);
    for (let i = 0; i < 12; i++) t.equal(await made.create(`large-${i}`, 900_000), 201);
    t.equal(await made.create('small', 100), 201);
    targets.push(made);
  }
  const [target] = targets as [Target, Target];
  const failures: number[] = [];
  for (let i = 0; i < 3; i++) await probe(targets, failures);

  const rssBefore = target.rssMb();
  const attack = spawn(process.execPath, [
    ...[...process.execArgv, program('./slowclients.js')],
    JSON.stringify(target.plan),
  ]);
  started.push(attack);
  const left = { ...counts };
  let haveComeMs: number | undefined;
  createInterface({ input: attack.stdout }).on('line', (line) => {
    const told = JSON.parse(line) as Told;
    Object.assign(left, told.left, { reader: left.reader });
    if (told.coming === 0) haveComeMs ??= performance.now();
  });
  const goneAtS = new Map<Kind, number>();
  const [during, usual]: [number[], number[]] = [[], []];
  const afterS = (): number => (haveComeMs === undefined ? 0 : (performance.now() - haveComeMs) / 1000);
  let mostRss = 0;
  while (goneAtS.size < kinds.length && afterS() < 90) {
    const [attacked = 0, leftAlone = 0] = await probe(targets, failures);
    during.push(attacked);
    usual.push(leftAlone);
    mostRss = Math.max(mostRss, target.rssMb());
    // Who reads nothing does not see the end either: there the log has to tell.
    if (/"reader":\d/.test(target.log())) left.reader = 0;
    for (const kind of kinds) if (left[kind] === 0 && !goneAtS.has(kind)) goneAtS.set(kind, afterS());
  }
  for (const kind of kinds)
    t.ok((goneAtS.get(kind) ?? Number.POSITIVE_INFINITY) <= patienceS[kind], `${kind}: cut off`, {
      afterS: goneAtS.get(kind),
      left: left[kind],
    });
  t.same(failures, [], 'others were served all the time');
  // Half a millisecond is what the two clocks and the scheduler of a small machine make of nothing.
  t.ok(median(during) < 2 * median(usual) + 0.5, 'p99 of a normal GET is less than twice its usual', {
    ...{ usual, during },
  });
  t.comment(`p99 ${median(usual).toFixed(1)} ms usually, ${median(during).toFixed(1)} ms under attack`);
  t.ok(mostRss - rssBefore < 250, 'memory is bounded', { rssBefore, mostRss });

  await sleep(11_000);
  const lines = target
    .log()
    .split('\n')
    .filter((line) => line.includes('connections were cut off'));
  t.ok(lines.length > 0 && lines.length <= 12, 'the log says so in a few lines', { lines });
  const cuts = lines.flatMap((line) => Object.entries((JSON.parse(line) as { cuts: object }).cuts));
  for (const why of ['body', 'reader'])
    t.ok(
      cuts.some(([name]) => name === why),
      `it says why: ${why}`,
      { cuts },
    );
  const sum = cuts.reduce((total, [, count]) => total + Number(count), 0);
  t.ok(sum >= 900, 'it says how many', { cuts });
});
