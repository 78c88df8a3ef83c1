import { once } from 'node:events';
import { request } from 'node:https';
import { createInterface } from 'node:readline';
import t from 'tap';
import { createTestServer, type TestServer } from './testing.js';

const pod = (name: string, more: object = {}): object => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name },
  spec: { containers: [{ name: 'app', image: 'nginx' }] },
  ...more,
});

const pods = '/api/v1/namespaces/default/pods';
let api: TestServer;

t.before(async () => {
  api = await createTestServer();
});
t.teardown(() => api.close());

interface Watching {
  next(): Promise<{ type: string; object: Record<string, unknown> }>;
  ended(): Promise<unknown>;
  close(): void;
}

async function watch(path: string, headers: Record<string, string> = {}): Promise<Watching> {
  const { port } = api.server.address();
  const outgoing = request({
    host: '127.0.0.1',
    port,
    path,
    ca: api.certificates.ca,
    headers: { authorization: 'Bearer admin-token', ...headers },
  });
  outgoing.end();
  const [response] = await once(outgoing, 'response');
  const ended = new Promise((resolve) => response.once('end', resolve));
  const lines = createInterface({ input: response })[Symbol.asyncIterator]();
  return {
    next: async () => JSON.parse((await lines.next()).value ?? 'null'),
    ended: () => ended,
    close: () => outgoing.destroy(),
  };
}

t.test('watches', async (t) => {
  const version = (await api.ask('GET', pods)).json<{ metadata: { resourceVersion: string } }>().metadata
    .resourceVersion;
  const plain = await watch(`${pods}?watch=true&resourceVersion=${version}`);
  const table = await watch(`${pods}?watch=true&resourceVersion=${version}`, {
    accept: 'application/json;as=Table;v=v1;g=meta.k8s.io',
  });
  await api.ask('POST', pods, { body: pod('watched') });
  t.match(await plain.next(), { type: 'ADDED', object: { kind: 'Pod', metadata: { name: 'watched' } } });
  const first = await table.next();
  t.match(first, { type: 'ADDED', object: { kind: 'Table', rows: [{ cells: ['watched'] }] } });
  t.match(first.object, { columnDefinitions: [{ name: 'Name' }] });
  await api.ask('DELETE', `${pods}/watched?gracePeriodSeconds=0`);
  t.match(await plain.next(), { type: 'DELETED' });
  t.match(await table.next(), { type: 'DELETED', object: { columnDefinitions: [] } });
  plain.close();
  table.close();
});

t.test('watches with initial events, selectors and limits', async (t) => {
  await api.ask('POST', pods, {
    body: pod('initial', { metadata: { name: 'initial', labels: { only: 'me' } } }),
  });
  const query = 'watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true';
  const watching = await watch(`${pods}?${query}&labelSelector=only%3Dme&timeoutSeconds=1`);
  t.match(await watching.next(), { type: 'ADDED', object: { metadata: { name: 'initial' } } });
  t.match(await watching.next(), {
    type: 'BOOKMARK',
    object: { kind: 'Pod', metadata: { annotations: { 'k8s.io/initial-events-end': 'true' } } },
  });
  await watching.ended();
  t.equal(
    (await api.ask('GET', `${pods}?watch=1&labelSelector=a%3D%3D%3D`)).code,
    400,
    'before the stream an error is an answer',
  );
  t.equal((await api.ask('GET', `${pods}?watch=1&sendInitialEvents=true`)).code, 422);
});

t.test('a watcher that does not read is no burden, and gets 410 or everything', async (t) => {
  const slow = await watch(`${pods}?watch=1`);
  const fill = 'x'.repeat(100_000);
  for (let n = 0; n < 100; n++) {
    const annotations = { fill, n: String(n) };
    await api.ask('POST', pods, { body: pod(`slow-${n}`, { metadata: { name: `slow-${n}`, annotations } }) });
  }
  const seen: string[] = [];
  for (let event = await slow.next(); event; event = await slow.next()) {
    const name = (event.object['metadata'] as { name?: string }).name ?? '';
    if (event.type === 'ERROR' || name.startsWith('slow-'))
      seen.push(event.type === 'ERROR' ? 'ERROR' : name);
    if (event.type === 'ERROR' || name === 'slow-99') break;
  }
  t.ok(seen.at(-1) === 'slow-99' ? seen.length === 100 : seen.at(-1) === 'ERROR');
  slow.close();
});
