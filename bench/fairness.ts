/** What a client feels while another one floods the API: the p99 of its reads, alone and beside 256 busy connections. */
import { Connection, load, type Target } from './load.js';
import { ms, type Row, ratio } from './row.js';
import type { Servers } from './servers.js';

const namespace = '/api/v1/namespaces/default';
const maps = `${namespace}/configmaps`;
const bindings = '/apis/rbac.authorization.k8s.io/v1/namespaces/default/rolebindings';

export async function benchFairness({ master }: Servers): Promise<Row[]> {
  const token = await editorToken(master);
  const { cert: _cert, key: _key, ...anonymous } = master;
  const reads = { clients: 1, count: 500 };
  const read = () => ({ method: 'GET', path: `${maps}/list-0` });
  await load(master, reads, read);
  const alone = await load(master, reads, read);
  let isOver = false;
  let flooded = 0;
  const flood = Array.from({ length: 256 }, async () => {
    const connection = await Connection.open(anonymous);
    while (!isOver) {
      await connection.send({ method: 'GET', path: `${maps}?labelSelector=app%3Dnone`, token });
      flooded += 1;
    }
    connection.close();
  });
  const beside = await load(master, reads, read);
  isOver = true;
  await Promise.all(flood);
  return [
    {
      name: 'p99 of a read while another client floods with lists',
      measured: `${ms(beside.p99Ms)} (${ratio(beside.p99Ms / alone.p99Ms)})`,
      floor: `${ms(alone.p99Ms)} alone; ${flooded} requests of the flood answered`,
      budget: '',
      ok: undefined,
    },
  ];
}

/** The token of a service account that may do what the role `edit` allows. */
async function editorToken(target: Target): Promise<string> {
  const connection = await Connection.open(target);
  const post = (path: string, body: object): Promise<Buffer> =>
    connection.send({ method: 'POST', path, body: Buffer.from(JSON.stringify(body)) });
  await post(bindings, {
    metadata: { name: 'flood' },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'edit' },
    subjects: [{ kind: 'ServiceAccount', name: 'flood', namespace: 'default' }],
  });
  await post(`${namespace}/serviceaccounts`, { metadata: { name: 'flood' } });
  const answer = await post(`${namespace}/serviceaccounts/flood/token`, {
    apiVersion: 'authentication.k8s.io/v1',
    kind: 'TokenRequest',
    spec: {},
  });
  connection.close();
  return (JSON.parse(answer.toString()) as { status: { token: string } }).status.token;
}
