/**
 * Every kind the server has, along the whole of its life: created, read in every form, listed in pages and by selectors,
 * watched, changed and deleted. What a kind does beyond that is tested beside its strategy.
 */
import t, { type Test as Tap } from 'tap';
import { apiVersionOf } from '../../src/api/kinds.js';
import type { KubeObject } from '../../src/api/types.js';
import type { Resource } from '../resources/resource.js';
import { createResources } from '../resources/table.js';
import { pathOf, sampleOf, takesGeneratedName } from './samples.js';
import { accept, type ConformanceServer, createConformanceServer, patchTypes } from './testing.js';

const rows = createResources().filter((row) => !row.verbs);
let server: ConformanceServer;

t.before(async () => {
  server = await createConformanceServer();
});
t.teardown(() => server.stop());

interface Listed {
  kind: string;
  apiVersion: string;
  metadata: { resourceVersion: string; continue?: string; remainingItemCount?: number };
  items: KubeObject[];
}

/** What a collection holds before the test; namespaces are there from the start. */
const mine = (items: readonly KubeObject[]): string[] =>
  items.flatMap(({ metadata: { labels, name } }) => (labels?.['n'] === undefined ? [] : [name ?? '']));

for (const row of rows) {
  const { type } = row;
  t.test(`${apiVersionOf(type)} ${type.kind}`, async (t) => {
    const collection = pathOf(row);
    const list = async (query = ''): Promise<Listed> => (await server.ask('GET', collection + query)).json;
    const before = (await list()).metadata.resourceVersion;
    const names: string[] = [];
    for (const n of [0, 1, 2]) {
      const body = sampleOf(row, n);
      const made = await server.ask('POST', collection, { body });
      if (made.code !== 201) return t.fail(`${type.kind} sample: ${made.bytes}`);
      names.push(body.metadata.name ?? '');
    }
    await reads(t, row, names);
    await lists(t, list, names);
    await writes(t, row, names[0] ?? '');
    await watched(t, row, before, names);
    await deletes(t, row, list);
  });
}

async function reads(t: Tap, row: Resource, names: readonly string[]): Promise<void> {
  const { type } = row;
  const path = pathOf(row, names[0]);
  const got = await server.ask('GET', path);
  t.match(got.json, { apiVersion: apiVersionOf(type), kind: type.kind, metadata: { name: names[0] } });
  t.match(got.json.metadata, { uid: String, resourceVersion: /^\d+$/, creationTimestamp: /^\d{4}-.*Z$/ });
  t.equal(got.json.metadata.selfLink, undefined);
  const head = await server.ask('HEAD', path);
  t.same([head.code, head.bytes.length, head.headers['content-length']], [200, 0, String(got.bytes.length)]);
  const pretty = await server.ask('GET', `${path}?pretty=true`);
  t.ok(pretty.bytes.toString().startsWith('{\n  "'), 'pretty');
  t.same(pretty.json, got.json);
  const table = (await server.ask('GET', path, { headers: { accept: accept.table } })).json;
  t.match(table, { kind: 'Table', apiVersion: 'meta.k8s.io/v1' });
  t.equal(table.rows[0].cells.length, table.columnDefinitions.length);
  const nameColumn = table.columnDefinitions.findIndex((column: { name: string }) => column.name === 'Name');
  t.equal(table.rows[0].cells[nameColumn], names[0]);
  t.match(table.rows[0].object, { kind: 'PartialObjectMetadata', metadata: { name: names[0] } });
  const metadata = (await server.ask('GET', path, { headers: { accept: accept.metadata } })).json;
  t.match(metadata, { kind: 'PartialObjectMetadata', apiVersion: 'meta.k8s.io/v1' });
  t.same(metadata.metadata, got.json.metadata);
  t.same(Object.keys(metadata).sort(), ['apiVersion', 'kind', 'metadata']);
  t.equal((await server.ask('GET', path, { headers: { accept: 'text/html' } })).code, 406);
  t.equal((await server.ask('GET', pathOf(row, 'no-such-thing'))).code, 404);
}

async function lists(
  t: Tap,
  list: (query?: string) => Promise<Listed>,
  names: readonly string[],
): Promise<void> {
  const all = await list();
  t.match(all, { kind: /List$/, metadata: { resourceVersion: /^\d+$/ } });
  t.same(mine(all.items), [...names].sort());
  const paged: KubeObject[] = [];
  let token = '';
  for (let page = await list('?limit=2'); ; page = await list(`?limit=2&continue=${token}`)) {
    paged.push(...page.items);
    t.equal(page.metadata.resourceVersion, all.metadata.resourceVersion, 'all pages are of one state');
    const left = all.items.length - paged.length;
    t.equal(page.metadata.remainingItemCount, left === 0 ? undefined : left);
    token = page.metadata.continue ?? '';
    if (token === '') break;
  }
  t.same(paged, all.items);
  const select = async (query: string): Promise<string[]> => mine((await list(query)).items);
  t.same(await select('?labelSelector=parity%3Deven'), [names[0], names[2]].sort());
  t.same(await select('?labelSelector=parity!%3Deven,n'), [names[1]]);
  t.same(await select('?labelSelector=n%20in%20(0,1)'), [names[0], names[1]].sort());
  t.same(await select('?labelSelector=n%20notin%20(0,1),parity'), [names[2]]);
  t.same(await select('?labelSelector=!nothing,n%3E0'), [names[1], names[2]].sort());
  t.same(await select(`?fieldSelector=metadata.name%3D${names[1]}`), [names[1]]);
  t.same(await select(`?fieldSelector=metadata.name!%3D${names[1]}`), [names[0], names[2]].sort());
  const unknown = (await list('?fieldSelector=spec.nothing%3Dx')) as unknown as {
    code: number;
    message: string;
  };
  t.equal(unknown.code, 400);
  t.match(
    unknown.message,
    /is not a known field selector: only "metadata.name", "metadata.namespace"|field label.* not supported/,
  );
}

async function writes(t: Tap, row: Resource, name: string): Promise<void> {
  const path = pathOf(row, name);
  const again = await server.ask('POST', pathOf(row), { body: sampleOf(row, 0) });
  t.match(again.json, { code: 409, reason: 'AlreadyExists', details: { name, kind: row.type.resource } });
  const got = (await server.ask('GET', path)).json;
  const unchanged = await server.ask('PUT', path, { body: got });
  t.equal(unchanged.code, 200);
  t.equal(unchanged.json.metadata.resourceVersion, got.metadata.resourceVersion, 'no change is no write');
  const annotated = { ...got, metadata: { ...got.metadata, annotations: { by: 'put' } } };
  const dry = await server.ask('PUT', `${path}?dryRun=All`, { body: annotated });
  t.match(dry.json, { metadata: { annotations: { by: 'put' } } });
  t.equal(
    (await server.ask('GET', path)).json.metadata.annotations?.by,
    undefined,
    'a dry run keeps nothing',
  );
  const put = (await server.ask('PUT', path, { body: annotated })).json;
  t.equal(put.metadata.annotations?.by, 'put');
  t.equal(put.metadata.uid, got.metadata.uid);
  t.equal(put.metadata.generation, got.metadata.generation, 'metadata is no new generation');
  t.ok(Number(put.metadata.resourceVersion) > Number(got.metadata.resourceVersion));
  const stale = await server.ask('PUT', path, {
    body: { ...annotated, metadata: { ...got.metadata, labels: { n: '9' } } },
  });
  t.match(stale.json, { code: 409, reason: 'Conflict', message: /the object has been modified/ });
  const other = { ...got, metadata: { ...got.metadata, name: 'other' } };
  t.equal((await server.ask('PUT', path, { body: other })).code, 400, 'another name');
  const moved = { ...put, metadata: { ...put.metadata, uid: 'another' } };
  t.equal((await server.ask('PUT', path, { body: moved })).code, 409, 'another uid');
  const patch = (type: string, body: unknown): Promise<{ code: number; json: KubeObject }> =>
    server.ask('PATCH', path, { type, body });
  const merged = await patch(patchTypes.merge, { metadata: { annotations: { by: 'merge' } } });
  t.equal(merged.json.metadata.annotations?.['by'], 'merge', 'merge patch');
  const strategic = await patch(patchTypes.strategic, { metadata: { annotations: { by: null, also: 'x' } } });
  t.same(strategic.json.metadata.annotations, { also: 'x' }, 'strategic merge patch');
  const replace = [{ op: 'replace', path: '/metadata/annotations/also', value: 'json' }];
  const json = await patch(patchTypes.json, replace);
  t.equal(json.json.metadata.annotations?.['also'], 'json', 'JSON patch');
  t.equal((await patch('application/json', {})).code, 415);
  t.equal((await server.ask('POST', pathOf(row), { body: 'x', type: 'text/plain' })).code, 415);
  const kind = { ...got, kind: 'Nonsense' };
  t.equal((await server.ask('PUT', path, { body: kind })).code, 400, 'another kind');
  if (takesGeneratedName(row)) {
    const { name: _name, ...metadata } = sampleOf(row, 0).metadata;
    const generated = { ...sampleOf(row, 7), metadata: { ...metadata, labels: {}, generateName: 'made-' } };
    const made = await server.ask('POST', `${pathOf(row)}?dryRun=All`, { body: generated });
    t.equal(made.code, 201, made.bytes.toString());
    t.match(made.json.metadata.name, /^made-[b-z2-9]{5}$/);
    t.equal((await server.ask('GET', pathOf(row, made.json.metadata.name))).code, 404);
  }
}

/** From the version before the first object on, nothing is missing and nothing comes twice. */
async function watched(t: Tap, row: Resource, before: string, names: readonly string[]): Promise<void> {
  const [first = '', second = '', third = ''] = names;
  const from = `${pathOf(row)}?watch=1&resourceVersion=${before}`;
  const all = await server.watch(from);
  const history = await all.take(6);
  t.same(history.slice(0, 3), [`ADDED ${first}`, `ADDED ${second}`, `ADDED ${third}`]);
  t.same(history.slice(3), [`MODIFIED ${first}`, `MODIFIED ${first}`, `MODIFIED ${first}`]);
  const selected = await server.watch(`${from}&labelSelector=parity%3Deven`);
  t.same(await selected.take(5), [`ADDED ${first}`, `ADDED ${third}`, ...Array(3).fill(`MODIFIED ${first}`)]);
  const relabel = { type: patchTypes.merge, body: { metadata: { labels: { parity: 'odd' } } } };
  t.equal((await server.ask('PATCH', pathOf(row, third), relabel)).code, 200);
  t.same(await selected.take(2), [`MODIFIED ${first}`, `DELETED ${third}`], 'it left the selection');
  const back = { type: patchTypes.merge, body: { metadata: { labels: { parity: 'even' } } } };
  await server.ask('PATCH', pathOf(row, third), back);
  t.same(await selected.take(1), [`ADDED ${third}`], 'it came back');
  selected.close();
  all.close();
  const options = 'watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true';
  const initial = await server.watch(`${pathOf(row)}?${options}&labelSelector=n`);
  t.same((await initial.take(3)).sort(), names.map((name) => `ADDED ${name}`).sort());
  t.match(await initial.next(), {
    type: 'BOOKMARK',
    object: {
      kind: row.type.kind,
      apiVersion: apiVersionOf(row.type),
      metadata: { resourceVersion: /^\d+$/, annotations: { 'k8s.io/initial-events-end': 'true' } },
    },
  });
  initial.close();
  const table = await server.watch(`${pathOf(row)}?watch=1&labelSelector=n`, {
    headers: { accept: accept.table },
  });
  const added = await table.next();
  t.match(added, { type: 'ADDED', object: { kind: 'Table', columnDefinitions: [{ name: String }] } });
  table.close();
}

async function deletes(t: Tap, row: Resource, list: (query?: string) => Promise<Listed>): Promise<void> {
  const { items, metadata } = await list('?labelSelector=n');
  const [first] = items;
  const path = pathOf(row, first?.metadata.name);
  const wrong = { kind: 'DeleteOptions', apiVersion: 'v1', preconditions: { uid: 'another' } };
  t.match((await server.ask('DELETE', path, { body: wrong })).json, { code: 409, reason: 'Conflict' });
  t.equal((await server.ask('DELETE', `${path}?dryRun=All`)).code, 200);
  t.equal((await server.ask('GET', path)).code, 200, 'a dry run deletes nothing');
  const watch = await server.watch(
    `${pathOf(row)}?watch=1&labelSelector=n&resourceVersion=${metadata.resourceVersion}`,
  );
  const now = {
    kind: 'DeleteOptions',
    apiVersion: 'v1',
    gracePeriodSeconds: 0,
    // Jobs and replication controllers would wait for their orphans to be let go.
    propagationPolicy: 'Background',
    preconditions: { uid: first?.metadata.uid },
  };
  t.equal((await server.ask('DELETE', path, { body: now })).code, 200);
  const gone = await untilDeleted(watch);
  t.equal(gone?.metadata.uid, first?.metadata.uid);
  t.ok(Number(gone?.metadata.resourceVersion) > Number(first?.metadata.resourceVersion), 'a new version');
  // These stay until a controller has removed what they hold, as what has finalizers from its creation on.
  const isHeld =
    ['namespaces', 'customresourcedefinitions'].includes(row.type.resource) ||
    first?.metadata.finalizers !== undefined;
  if (!isHeld) {
    t.equal((await server.ask('GET', path)).code, 404);
    const some = await server.ask(
      'DELETE',
      `${pathOf(row)}?labelSelector=parity%3Deven&gracePeriodSeconds=0&propagationPolicy=Background`,
    );
    t.equal(some.code, 200);
    const left = mine((await list()).items);
    t.equal(left.length, 1, 'only what was selected');
    t.equal(
      (await server.ask('DELETE', pathOf(row), { body: { ...now, preconditions: undefined } })).code,
      200,
    );
    t.same(mine((await list()).items), []);
  }
  watch.close();
}

/** The last state of the first object that goes; one with finalizers of its own is only marked. */
async function untilDeleted(watch: {
  next(): Promise<{ type: string; object: KubeObject } | undefined>;
}): Promise<KubeObject | undefined> {
  for (let event = await watch.next(); event; event = await watch.next()) {
    if (event.type === 'DELETED' || event.object.metadata.deletionTimestamp) return event.object;
  }
  return undefined;
}
