/** The API with 10,000 pods in it: the verbs again, lists by selector, and what the master's memory comes to. */
import { readFileSync } from 'node:fs';
import { Connection, load } from './load.js';
import type { Row } from './row.js';
import { clients, measure, type Servers, withServers } from './servers.js';

const count = 10_000;
/** One in so many has the label that is selected. */
const share = 100;
const namespace = '/api/v1/namespaces/default';
const pods = `${namespace}/pods`;

/** About 1.3 KB when stored. */
const pod = (name: string, group: number): Buffer =>
  Buffer.from(
    JSON.stringify({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name, labels: { app: 'bench', group: `g${group}` } },
      spec: {
        schedulerName: 'nobody',
        containers: [{ name: 'a', image: 'registry.example/bench:1', ports: [{ containerPort: 80 }] }],
      },
    }),
  );

export const benchMany = (): Promise<Row[]> =>
  withServers(async (servers) => {
    const before = residentMb(servers.masterPid);
    await load(servers.master, { clients, count }, (n) => ({
      method: 'POST',
      path: pods,
      body: pod(`many-${n}`, n % share),
    }));
    const memory = await settledMb(servers.masterPid);
    return [...(await benchVerbs(servers)), ...(await benchLists(servers)), memoryRow(before, memory)];
  });

async function benchVerbs(servers: Servers): Promise<Row[]> {
  const created = (n: number, round: number): string => `more-${round}-${n}`;
  const echo = { method: 'POST', path: '/echo', body: pod('echo', 0) };
  const merge = 'application/merge-patch+json';
  const patch = Buffer.from(JSON.stringify({ metadata: { labels: { patched: 'yes' } } }));
  const at = `with ${count} pods`;
  return [
    await measure(servers, {
      name: `API create of a pod, ${at}`,
      count: 1000,
      ours: (n, round) => ({ method: 'POST', path: pods, body: pod(created(n, round), 0) }),
      floor: () => echo,
    }),
    await measure(servers, {
      name: `API patch of a pod, ${at}`,
      count: 1000,
      ours: (n, round) => ({
        ...{ method: 'PATCH', path: `${pods}/${created(n, round)}`, body: patch, contentType: merge },
      }),
      floor: () => echo,
    }),
    await measure(servers, {
      name: `API delete of a pod, ${at}`,
      count: 1000,
      ours: (n, round) => ({
        ...{ method: 'DELETE', path: `${pods}/${created(n, round)}?gracePeriodSeconds=0` },
      }),
      floor: () => echo,
    }),
    await measure(servers, {
      name: `API get of a pod, ${at}`,
      count: 20_000,
      ours: (n) => ({ method: 'GET', path: `${pods}/many-${n % count}` }),
      floor: () => ({ method: 'GET', path: '/bytes/2000' }),
    }),
  ];
}

async function benchLists(servers: Servers): Promise<Row[]> {
  const list = async (name: string, query: string, times: number): Promise<Row> => {
    const path = pods + query;
    const connection = await Connection.open(servers.master);
    const { length } = await connection.send({ method: 'GET', path });
    connection.close();
    return measure(servers, {
      name: `API list: ${name} (${Math.round(length / 1024)} KB)`,
      count: times,
      ours: () => ({ method: 'GET', path }),
      floor: () => ({ method: 'GET', path: `/bytes/${length}` }),
    });
  };
  return [
    await list('1,000 of 10,000 pods', '?limit=1000', 100),
    await list(`${count / share} of 10,000 pods by label`, '?labelSelector=group%3Dg7', 200),
    await list('all 10,000 pods', '', 8),
  ];
}

const residentMb = (pid: number): number =>
  Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024;

/** The least of half a minute: what is left when the garbage of the writes is gone. */
async function settledMb(pid: number): Promise<number> {
  let least = Number.POSITIVE_INFINITY;
  for (let n = 0; n < 30; n += 1) {
    await new Promise((resolve) => setTimeout(resolve, 1000));
    least = Math.min(least, residentMb(pid));
  }
  return least;
}

const memoryRow = (before: number, after: number): Row => ({
  name: `memory of the master with ${count} pods`,
  measured: `${Math.round(after)} MB`,
  floor: `${Math.round(before)} MB when empty`,
  budget: '',
  ok: undefined,
});
