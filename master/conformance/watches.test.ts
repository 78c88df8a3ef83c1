/**
 * The rules of watches: where they begin, that nothing is missing and nothing comes twice, bookmarks, initial events, what
 * a selection sees, how they end, and what is too old. On ConfigMaps; `kinds.test.ts` shows the other kinds.
 */
import t from 'tap';
import type { KubeObject } from '../../src/api/types.js';
import { accept, type ConformanceServer, createConformanceServer, patchTypes } from './testing.js';

const maps = '/api/v1/namespaces/default/configmaps';
const initial = 'watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true';
let server: ConformanceServer;

t.before(async () => {
  server = await createConformanceServer();
});
t.teardown(() => server.stop());
t.beforeEach(async () => {
  await server.ask('DELETE', maps);
});

const version = async (): Promise<string> => (await server.ask('GET', maps)).json.metadata.resourceVersion;
const make = async (name: string, labels: object = {}): Promise<string> => {
  const made = await server.ask('POST', maps, { body: { metadata: { name, labels } } });
  return made.json.metadata.resourceVersion;
};
const label = async (name: string, labels: object): Promise<KubeObject> => {
  const body = { metadata: { labels } };
  return (await server.ask('PATCH', `${maps}/${name}`, { type: patchTypes.merge, body })).json;
};
const drop = (name: string): Promise<unknown> => server.ask('DELETE', `${maps}/${name}`);
const compact = (): Promise<void> => server.api.store.compact(server.api.store.revision());

t.test('from a version: all that came behind it, in order, and then what comes', async (t) => {
  await make('a');
  const from = await version();
  await make('b');
  await label('a', { x: '1' });
  const watch = await server.watch(`${maps}?watch=true&resourceVersion=${from}`);
  t.equal(watch.code, 200);
  t.match(watch.headers, { 'content-type': 'application/json', 'transfer-encoding': 'chunked' });
  t.same(await watch.take(2), ['ADDED b', 'MODIFIED a']);
  await drop('b');
  await make('b');
  t.same(await watch.take(2), ['DELETED b', 'ADDED b']);
  watch.close();
});

t.test('without a version, and from 0: the present first', async (t) => {
  await make('a');
  await make('b');
  for (const query of ['watch=1', 'watch=1&resourceVersion=0', 'watch=1&resourceVersion=']) {
    const watch = await server.watch(`${maps}?${query}`);
    t.same((await watch.take(2)).sort(), ['ADDED a', 'ADDED b'], query);
    const name = `then-${query.length}`;
    await make(name);
    t.same(await watch.take(1), [`ADDED ${name}`]);
    watch.close();
    await drop(name);
  }
});

t.test('DELETED carries the last state at a version of its own', async (t) => {
  await make('a');
  const last = await label('a', { last: 'state' });
  const watch = await server.watch(`${maps}?watch=1&resourceVersion=${last.metadata.resourceVersion}`);
  await drop('a');
  const event = await watch.next();
  t.match(event, { type: 'DELETED', object: { kind: 'ConfigMap', apiVersion: 'v1' } });
  t.same(event?.object.metadata.labels, { last: 'state' });
  t.equal(event?.object.metadata.uid, last.metadata.uid);
  t.ok(Number(event?.object.metadata.resourceVersion) > Number(last.metadata.resourceVersion));
  const on = await server.watch(`${maps}?watch=1&resourceVersion=${event?.object.metadata.resourceVersion}`);
  await make('b');
  t.same(await on.take(1), ['ADDED b'], 'one can go on from it');
  for (const one of [watch, on]) one.close();
});

t.test('objects enter and leave a selection', async (t) => {
  const from = await version();
  const watch = await server.watch(`${maps}?watch=1&resourceVersion=${from}&labelSelector=in%3Dyes`);
  await make('a', { in: 'no' });
  await label('a', { in: 'yes' });
  await label('a', { more: 'x' });
  await label('a', { in: 'no' });
  await label('a', { more: 'y' });
  await label('a', { in: 'yes' });
  await drop('a');
  await make('end', { in: 'yes' });
  const seen = await watch.take(6);
  t.same(seen, ['ADDED a', 'MODIFIED a', 'DELETED a', 'ADDED a', 'DELETED a', 'ADDED end']);
  watch.close();
  const left = await server.watch(`${maps}?watch=1&resourceVersion=${from}&labelSelector=in%3Dyes`);
  for (let n = 0; n < 2; n++) await left.next();
  t.same(
    (await left.next())?.object.metadata.labels,
    { in: 'yes', more: 'x' },
    'as the selection last saw it',
  );
  left.close();
  const named = await server.watch(
    `${maps}?watch=1&resourceVersion=${from}&fieldSelector=metadata.name%3Dend`,
  );
  t.same(await named.take(1), ['ADDED end']);
  named.close();
  const single = await server.watch(`${maps}/end?watch=1`);
  t.match(await single.next(), { kind: 'ConfigMap' }, 'an object is got, whatever watch says');
  single.close();
});

t.test('one namespace does not see another', async (t) => {
  await server.ask('POST', '/api/v1/namespaces', { body: { metadata: { name: 'default-2' } } });
  const from = await version();
  const mine = await server.watch(`${maps}?watch=1&resourceVersion=${from}`);
  const all = await server.watch(`/api/v1/configmaps?watch=1&resourceVersion=${from}`);
  await server.ask('POST', '/api/v1/namespaces/default-2/configmaps', {
    body: { metadata: { name: 'other' } },
  });
  await make('mine');
  t.same(await mine.take(1), ['ADDED mine']);
  t.same(await all.take(2), ['ADDED other', 'ADDED mine']);
  for (const one of [mine, all]) one.close();
});

t.test('initial events, then a bookmark that says so, then what comes', async (t) => {
  const end = {
    type: 'BOOKMARK',
    object: { metadata: { annotations: { 'k8s.io/initial-events-end': 'true' } } },
  };
  const empty = await server.watch(`${maps}?${initial}`);
  t.match(await empty.next(), { ...end, object: { ...end.object, kind: 'ConfigMap', apiVersion: 'v1' } });
  await make('a');
  t.same(await empty.take(1), ['ADDED a'], 'also behind an empty list');
  const last = await make('b');
  for (const more of ['', '&resourceVersion=0', `&resourceVersion=${last}`]) {
    const watch = await server.watch(`${maps}?${initial}${more}`);
    t.same((await watch.take(2)).sort(), ['ADDED a', 'ADDED b']);
    const bookmark = await watch.next();
    t.match(bookmark, end);
    t.ok(Number(bookmark?.object.metadata.resourceVersion) >= Number(last));
    await label('a', { n: String(more.length) });
    t.same(await watch.take(1), ['MODIFIED a']);
    watch.close();
  }
  const none = await server.watch(
    `${maps}?watch=1&sendInitialEvents=false&resourceVersionMatch=NotOlderThan`,
  );
  await make('c');
  t.same(await none.take(1), ['ADDED c'], 'false: only what is new');
  const table = await server.watch(`${maps}?${initial}`, { headers: { accept: accept.table } });
  for (let n = 0; n < 3; n++) t.equal((await table.next())?.object.kind, 'Table');
  t.match(await table.next(), {
    type: 'BOOKMARK',
    object: {
      kind: 'Table',
      rows: [{ object: { metadata: { annotations: { 'k8s.io/initial-events-end': 'true' } } } }],
    },
  });
  for (const one of [empty, none, table]) one.close();
});

t.test('forms', async (t) => {
  const from = await version();
  const metadata = await server.watch(`${maps}?watch=1&resourceVersion=${from}`, {
    headers: { accept: accept.metadata },
  });
  const object = await server.watch(`${maps}?watch=1&resourceVersion=${from}&includeObject=Object`, {
    headers: { accept: accept.table },
  });
  const none = await server.watch(`${maps}?watch=1&resourceVersion=${from}&includeObject=None`, {
    headers: { accept: accept.table },
  });
  await make('a');
  t.match(await metadata.next(), {
    type: 'ADDED',
    object: { kind: 'PartialObjectMetadata', metadata: { name: 'a' } },
  });
  t.match(await object.next(), { object: { kind: 'Table', rows: [{ object: { kind: 'ConfigMap' } }] } });
  const bare = (await none.next())?.object as unknown as { rows: { object?: object }[] };
  t.equal(bare.rows[0]?.object, undefined);
  await drop('a');
  t.match(await metadata.next(), { type: 'DELETED', object: { kind: 'PartialObjectMetadata' } });
  t.match(await object.next(), { type: 'DELETED', object: { columnDefinitions: [] } }, 'columns come once');
  for (const one of [metadata, object, none]) one.close();
  t.equal((await server.ask('GET', `${maps}?watch=1`, { headers: { accept: 'text/html' } })).code, 406);
  const protobuf = 'application/vnd.kubernetes.protobuf;stream=watch,application/json';
  const json = await server.watch(`${maps}?watch=1&timeoutSeconds=1`, { headers: { accept: protobuf } });
  t.equal(json.headers['content-type'], 'application/json');
  json.close();
});

t.test('the end: in time, with a last bookmark of the right kind', async (t) => {
  await make('a');
  const from = await version();
  const watch = await server.watch(
    `${maps}?watch=1&resourceVersion=${from}&timeoutSeconds=1&allowWatchBookmarks=1`,
  );
  const plain = await server.watch(`${maps}?watch=1&resourceVersion=${from}&timeoutSeconds=1`);
  const all = await watch.rest();
  t.match(all, [{ type: 'BOOKMARK', object: { kind: 'ConfigMap', apiVersion: 'v1' } }]);
  t.ok(Number(all[0]?.object.metadata.resourceVersion) >= Number(from));
  t.same(await plain.rest(), [], 'no bookmark for who does not know them');
});

t.test('too old: 410 as an event', async (t) => {
  const from = await make('a');
  await make('b');
  const watch = await server.watch(`${maps}?watch=1&resourceVersion=${from}`);
  t.same(await watch.take(1), ['ADDED b']);
  await compact();
  await make('c');
  t.same(await watch.take(1), ['ADDED c'], 'who follows is not disturbed');
  watch.close();
  const late = await server.watch(`${maps}?watch=1&resourceVersion=${from}`);
  t.equal(late.code, 200);
  t.match(await late.rest(), [
    {
      type: 'ERROR',
      object: {
        kind: 'Status',
        code: 410,
        reason: 'Expired',
        message: /^too old resource version: \d+ \(\d+\)$/,
      },
    },
  ]);
  const relist = await server.watch(`${maps}?${initial}&resourceVersion=${from}`);
  t.same(
    (await relist.take(4)).sort(),
    ['ADDED a', 'ADDED b', 'ADDED c', 'BOOKMARK'],
    'initial events are never too old',
  );
  relist.close();
});

t.test('what is refused before the stream begins', async (t) => {
  const refused = async (query: string, status: object): Promise<void> => {
    t.match((await server.ask('GET', `${maps}?watch=1&${query}`)).json, { kind: 'Status', ...status }, query);
  };
  await refused('labelSelector=a%3D%3D%3D', { code: 400 });
  await refused('fieldSelector=spec.x%3Dy', { code: 400, message: /is not a known field selector/ });
  await refused('resourceVersion=x', { code: 422 });
  await refused('timeoutSeconds=x', { code: 400 });
  await refused('sendInitialEvents=true', {
    code: 422,
    reason: 'Invalid',
    message: /sendInitialEvents requires setting resourceVersionMatch to NotOlderThan/,
  });
  await refused('resourceVersionMatch=NotOlderThan', {
    code: 422,
    message: /resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided/,
  });
  await refused('sendInitialEvents=true&resourceVersionMatch=Exact', { code: 422 });
  await refused(`resourceVersion=${server.api.store.revision() + 1000}`, {
    code: 504,
    reason: 'Timeout',
    details: { causes: [{ reason: 'ResourceVersionTooLarge' }] },
  });
});

t.test('a watcher that does not keep up is cut with 410', async (t) => {
  const slow = await createConformanceServer({ watchLimit: 50 });
  t.teardown(() => slow.stop());
  const fill = 'x'.repeat(200_000);
  const watch = await slow.watch(`${maps}?watch=1&resourceVersion=${slow.api.store.revision()}`);
  for (let n = 0; n < 150; n++)
    await slow.ask('POST', maps, { body: { metadata: { name: `s-${n}` }, data: { fill } } });
  const all = await watch.rest();
  const names = all.slice(0, -1).map((event) => event.object.metadata.name);
  t.same(
    names,
    names.map((_, n) => `s-${n}`),
    'no gap up to the cut',
  );
  t.match(all.at(-1), { type: 'ERROR', object: { code: 410, reason: 'Expired' } });
  const last = all.at(-2)?.object.metadata.resourceVersion;
  const on = await slow.watch(`${maps}?watch=1&resourceVersion=${last}`);
  t.same(await on.take(1), [`ADDED s-${names.length}`], 'it may go on from what it saw last');
  on.close();
});

/** 10,000 were measured: 48 KiB each, most of it TLS, and half a second until all of them had an event. */
t.test('many watchers at once', async (t) => {
  const from = await version();
  const watches = await Promise.all(
    Array.from({ length: 500 }, () => server.watch(`${maps}?watch=1&resourceVersion=${from}`)),
  );
  await make('for-all');
  await drop('for-all');
  const seen = await Promise.all(watches.map((watch) => watch.take(2)));
  t.same([...new Set(seen.map(String))], ['ADDED for-all,DELETED for-all']);
  for (const watch of watches) watch.close();
});
