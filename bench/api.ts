/** The API under load, with few objects: writes, reads and watches next to a bare Node TLS server. */
import { benchFairness } from './fairness.js';
import { benchFanOut } from './fanout.js';
import { Connection, load, type RawRequest } from './load.js';
import type { Row } from './row.js';
import { clients, measure, type Pair, type Servers, withServers } from './servers.js';

const maps = '/api/v1/namespaces/default/configmaps';

export const benchApi = (): Promise<Row[]> =>
  withServers(async (servers) => [
    ...(await benchWrites(servers)),
    ...(await benchReads(servers)),
    ...(await benchFanOut(servers)),
    ...(await benchFairness(servers)),
  ]);

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
