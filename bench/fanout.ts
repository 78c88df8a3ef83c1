/** Watch fan-out: one stream of writes, many watchers; how many events a second reach clients. */
import { request } from 'node:https';
import { Connection, type Target } from './load.js';
import { median, type Row, ratio } from './row.js';
import type { Servers } from './servers.js';

const watchers = 200;
const events = 100;
const rounds = 3;
const maps = '/api/v1/namespaces/default/configmaps';

const body = (name: string): Buffer =>
  Buffer.from(
    JSON.stringify({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name },
      data: { text: 'x'.repeat(880) },
    }),
  );

export async function benchFanOut({ master, floor }: Servers): Promise<Row[]> {
  const ours: number[] = [];
  const bare: number[] = [];
  const emit = body('emitted');
  for (let round = 0; round < rounds; round++) {
    const version = await currentVersion(master);
    const path = `${maps}?watch=1&resourceVersion=${version}`;
    ours.push(
      await fanOut(master, path, (n) => ({ method: 'POST', path: maps, body: body(`fan-${round}-${n}`) })),
    );
    bare.push(await fanOut(floor, '/watch', () => ({ method: 'POST', path: '/emit', body: emit })));
  }
  const rate = median(ours);
  const floorRate = median(bare);
  return [
    {
      name: `watch fan-out (${watchers} watchers)`,
      measured: `${Math.round(rate)} events/s (${ratio(rate / floorRate)})`,
      floor: `bare Node TLS ${Math.round(floorRate)} events/s`,
      budget: '',
      ok: undefined,
    },
  ];
}

async function currentVersion(target: Target): Promise<string> {
  const connection = await Connection.open(target);
  const list = await connection.send({ method: 'GET', path: `${maps}?limit=1` });
  connection.close();
  return (JSON.parse(list.toString('utf8')) as { metadata: { resourceVersion: string } }).metadata
    .resourceVersion;
}

/** Events delivered per second, counted by the markers of their names. */
async function fanOut(
  target: Target,
  path: string,
  make: (n: number) => { method: string; path: string; body: Buffer },
): Promise<number> {
  const wanted = watchers * events;
  let seen = 0;
  let finish = (): void => undefined;
  const finished = new Promise<void>((resolve) => {
    finish = resolve;
  });
  const marker = Buffer.from('"kind":"ConfigMap"');
  const count = (chunk: Buffer): void => {
    for (let at = chunk.indexOf(marker); at >= 0; at = chunk.indexOf(marker, at + marker.length)) seen += 1;
    if (seen >= wanted) finish();
  };
  const streams = await Promise.all(Array.from({ length: watchers }, () => openWatch(target, path, count)));
  const writer = await Connection.open(target);
  const begun = performance.now();
  for (let n = 0; n < events; n++) await writer.send(make(n));
  await finished;
  const seconds = (performance.now() - begun) / 1000;
  writer.close();
  for (const close of streams) close();
  return wanted / seconds;
}

function openWatch(target: Target, path: string, count: (chunk: Buffer) => void): Promise<() => void> {
  return new Promise((resolve, reject) => {
    const outgoing = request({ host: '127.0.0.1', servername: 'localhost', ...target, path, agent: false });
    outgoing.on('error', reject);
    outgoing.on('response', (response) => {
      let tail = Buffer.alloc(0);
      response.on('data', (chunk: Buffer) => {
        const joined = tail.length > 0 ? Buffer.concat([tail, chunk]) : chunk;
        const whole = joined.lastIndexOf('\n') + 1;
        count(joined.subarray(0, whole));
        tail = Buffer.from(joined.subarray(whole));
      });
      resolve(() => outgoing.destroy());
    });
    outgoing.end();
  });
}
