/**
 * The rules of reads: which state a resourceVersion means, pages over concurrent writes and across a compaction, selectors,
 * forms and encodings. On ConfigMaps and Pods; `kinds.test.ts` shows that other kinds are no different.
 */
import { gunzipSync } from 'node:zlib';
import t from 'tap';
import type { KubeObject } from '../../src/api/types.js';
import { accept, type ConformanceServer, createConformanceServer, type Reply } from './testing.js';

const maps = '/api/v1/namespaces/default/configmaps';
const pods = '/api/v1/namespaces/default/pods';
let server: ConformanceServer;

t.before(async () => {
  server = await createConformanceServer();
});
t.teardown(() => server.stop());

const get = (path: string): Promise<Reply> => server.ask('GET', path);
const make = async (name: string, labels: object = {}): Promise<string> => {
  const reply = await server.ask('POST', maps, { body: { metadata: { name, labels } } });
  return reply.json.metadata.resourceVersion;
};
const names = ({ json }: Reply): string[] => json.items.map((item: KubeObject) => item.metadata.name);
const clear = (): Promise<Reply> => server.ask('DELETE', maps);

t.test('which state a version means', async (t) => {
  await clear();
  const first = await make('a');
  const second = await make('b');
  await make('c');
  const now = (await get(maps)).json.metadata.resourceVersion;
  t.same(
    names(await get(`${maps}?resourceVersion=0`)),
    ['a', 'b', 'c'],
    '0: any state, we answer the newest',
  );
  t.same(names(await get(`${maps}?resourceVersion=${first}`)), ['a', 'b', 'c'], 'not older than');
  t.same(names(await get(`${maps}?resourceVersion=${first}&resourceVersionMatch=NotOlderThan`)), [
    'a',
    'b',
    'c',
  ]);
  const exact = await get(`${maps}?resourceVersion=${second}&resourceVersionMatch=Exact`);
  t.same(names(exact), ['a', 'b']);
  t.equal(exact.json.metadata.resourceVersion, second, 'the list says which state it is');
  t.same(names(await get(`${maps}?resourceVersion=${first}&limit=10`)), ['a'], 'with a limit: exactly');
  t.same(names(await get(`${maps}?resourceVersion=0&limit=1`)).length, 1);
  const future = await get(`${maps}?resourceVersion=${Number(now) + 1000}`);
  t.match(future.json, {
    code: 504,
    reason: 'Timeout',
    message: `Too large resource version: ${Number(now) + 1000}, current: ${now}`,
    details: { causes: [{ reason: 'ResourceVersionTooLarge' }], retryAfterSeconds: 1 },
  });
  t.equal((await get(`${maps}/a?resourceVersion=${first}`)).json.metadata.name, 'a');
});

t.test('versions and match rules that are refused', async (t) => {
  const refused = async (query: string, code: number, message: RegExp): Promise<void> => {
    const { json } = await get(`${maps}?${query}`);
    t.match(json, { kind: 'Status', status: 'Failure', code, message }, query);
  };
  await refused('resourceVersion=abc', 422, /resourceVersion: Invalid value: "abc"/);
  await refused('resourceVersion=-1', 422, /resourceVersion: Invalid value: "-1"/);
  await refused('resourceVersionMatch=Exact', 422, /forbidden unless resourceVersion is provided/);
  await refused('resourceVersion=5&resourceVersionMatch=Nearly', 422, /Unsupported value: "Nearly"/);
  await refused('resourceVersion=0&resourceVersionMatch=Exact', 422, /forbidden for resourceVersion "0"/);
  await refused('limit=ten', 400, /strconv.ParseInt: parsing "ten": invalid syntax/);
  await refused('continue=nonsense', 400, /continue key is not valid/);
  await refused('continue=e30', 400, /continue key is not valid/);
  await refused('sendInitialEvents=true', 422, /sendInitialEvents is forbidden for list/);
  const token = (await get('/api/v1/namespaces?limit=1')).json.metadata.continue;
  if (token) await refused(`continue=${token}`, 400, /continue key is not valid/);
});

t.test('pages are of one state, whatever is written meanwhile', async (t) => {
  await clear();
  for (let n = 0; n < 9; n++) await make(`m-${n}`);
  const first = await get(`${maps}?limit=4`);
  t.equal(first.json.metadata.remainingItemCount, 5);
  await server.ask('DELETE', `${maps}/m-5`);
  await server.ask('DELETE', `${maps}/m-0`);
  await make('m-55');
  await server.ask('PATCH', `${maps}/m-6`, {
    type: 'application/merge-patch+json',
    body: { data: { a: 'b' } },
  });
  const second = await get(`${maps}?limit=4&continue=${first.json.metadata.continue}`);
  t.same([...names(first), ...names(second)], ['m-0', 'm-1', 'm-2', 'm-3', 'm-4', 'm-5', 'm-6', 'm-7']);
  t.equal(second.json.items[2].data, undefined, 'as it was');
  const last = await get(`${maps}?continue=${second.json.metadata.continue}`);
  t.same(names(last), ['m-8']);
  t.equal(last.json.metadata.continue, undefined);
  t.equal(last.json.metadata.remainingItemCount, undefined);
  t.equal(last.json.metadata.resourceVersion, first.json.metadata.resourceVersion);
  const version = first.json.metadata.resourceVersion;
  const both = await get(
    `${maps}?limit=4&resourceVersion=${version}&continue=${first.json.metadata.continue}`,
  );
  t.match(both.json, {
    code: 400,
    message: 'specifying resource version is not allowed when using continue',
  });
  const zero = await get(`${maps}?limit=4&resourceVersion=0&continue=${first.json.metadata.continue}`);
  t.same(names(zero), names(second), '0 is allowed');
  const match = await get(
    `${maps}?resourceVersion=${version}&resourceVersionMatch=Exact&continue=${first.json.metadata.continue}`,
  );
  t.match(match.json, { code: 422, message: /forbidden when continue is provided/ });
});

t.test('a selector in pages: every page is full, and says no remaining count', async (t) => {
  await clear();
  for (let n = 0; n < 30; n++) await make(`s-${String(n).padStart(2, '0')}`, { third: String(n % 3 === 0) });
  const seen: string[] = [];
  let token = '';
  do {
    const page = await get(`${maps}?limit=4&labelSelector=third%3Dtrue${token && `&continue=${token}`}`);
    t.equal(page.json.metadata.remainingItemCount, undefined);
    token = page.json.metadata.continue ?? '';
    if (token) t.equal(page.json.items.length, 4);
    seen.push(...names(page));
  } while (token);
  t.equal(seen.length, 10);
});

t.test('410 when the state of a page is gone, with a token that works', async (t) => {
  await clear();
  for (let n = 0; n < 6; n++) await make(`old-${n}`);
  const first = await get(`${maps}?limit=2`);
  const old = first.json.metadata.resourceVersion;
  await server.ask('DELETE', `${maps}/old-3`);
  await make('old-9');
  await server.api.store.compact(server.api.store.revision());
  const expired = await get(`${maps}?limit=2&continue=${first.json.metadata.continue}`);
  t.match(expired.json, {
    kind: 'Status',
    code: 410,
    reason: 'Expired',
    message: /The provided continue parameter is too old to display a consistent list result/,
    metadata: { continue: String },
  });
  const rest = await get(`${maps}?limit=3&continue=${expired.json.metadata.continue}`);
  t.same(names(rest), ['old-2', 'old-4', 'old-5'], 'the rest as it is now');
  t.same(names(await get(`${maps}?continue=${rest.json.metadata.continue}`)), ['old-9']);
  const exact = await get(`${maps}?resourceVersion=${old}&resourceVersionMatch=Exact`);
  t.match(exact.json, {
    code: 410,
    reason: 'Expired',
    message: 'The resourceVersion for the provided list is too old.',
  });
  t.equal((await get(`${maps}?resourceVersion=${old}`)).code, 200, 'not older than is never too old');
});

t.test('label selectors', async (t) => {
  await clear();
  const labels: Record<string, object> = {
    a: { app: 'web', tier: 'front', n: '1' },
    b: { app: 'web', tier: 'back', n: '5' },
    c: { app: 'db', 'example.com/x': '' },
    d: {},
  };
  for (const [name, set] of Object.entries(labels)) await make(name, set);
  const table: [string, string][] = [
    ['app=web', 'ab'],
    ['app==web', 'ab'],
    ['app!=web', 'cd'],
    ['app in (web,db)', 'abc'],
    ['app notin (web)', 'cd'],
    ['app', 'abc'],
    ['!app', 'd'],
    ['app=web,tier!=back', 'a'],
    ['n>1', 'b'],
    ['n<5', 'a'],
    ['example.com/x=', 'c'],
    ['app in (db),!tier', 'c'],
    [' app = web , tier = back ', 'b'],
    ['app in ()', ''],
    ['', 'abcd'],
  ];
  for (const [selector, expected] of table) {
    const found = await get(`${maps}?labelSelector=${encodeURIComponent(selector)}`);
    if (selector === 'app in ()') t.ok(found.code === 200 || found.code === 400, 'an empty set');
    else t.equal(names(found).join(''), expected, selector);
  }
  for (const wrong of [
    'a=b=c',
    'a in b',
    'a in (b',
    '=x',
    'n>x',
    ',',
    'a b',
    '-a=b',
    `a=${'x'.repeat(64)}`,
  ]) {
    const refused = await get(`${maps}?labelSelector=${encodeURIComponent(wrong)}`);
    t.match(refused.json, { code: 400, reason: 'BadRequest' }, wrong);
  }
});

t.test('field selectors', async (t) => {
  const pod = (name: string, nodeName?: string): object => ({
    metadata: { name },
    spec: { containers: [{ name: 'a', image: 'i' }], ...(nodeName && { nodeName }) },
  });
  await server.ask('POST', pods, { body: pod('on', 'n1') });
  await server.ask('POST', pods, { body: pod('off') });
  const select = async (selector: string): Promise<string> => {
    const path = selector.startsWith('metadata.namespace') ? '/api/v1/pods' : pods;
    return names(await get(`${path}?fieldSelector=${encodeURIComponent(selector)}`)).join();
  };
  t.equal(await select('spec.nodeName=n1'), 'on');
  t.equal(await select('spec.nodeName!=n1'), 'off');
  t.equal(await select('spec.nodeName='), 'off');
  t.equal(await select('status.phase=Pending'), 'off,on');
  t.equal(await select('status.phase!=Running,spec.nodeName=n1'), 'on');
  t.equal(await select('spec.restartPolicy=Always'), 'off,on');
  t.equal(await select('metadata.namespace=default'), 'off,on');
  t.equal(await select('metadata.namespace!=default'), '');
  t.equal(await select('metadata.name=on,metadata.namespace=default'), 'on');
  const refused = async (path: string, message: RegExp | string): Promise<void> => {
    t.match((await get(path)).json, { code: 400, reason: 'BadRequest', message });
  };
  await refused(`${pods}?fieldSelector=spec.x%3D1`, 'field label not supported: spec.x');
  await refused(
    `${maps}?fieldSelector=data.x%3D1`,
    '"data.x" is not a known field selector: only "metadata.name", "metadata.namespace"',
  );
  await refused(`${maps}?fieldSelector=metadata.name`, /invalid selector: 'metadata.name'/);
});

t.test('forms', async (t) => {
  const as = (value: string, path = pods): Promise<Reply> =>
    server.ask('GET', path, { headers: { accept: value } });
  const table = await as(`${accept.table},application/json`);
  t.equal(table.headers['content-type'], 'application/json');
  t.match(table.json, { kind: 'Table', apiVersion: 'meta.k8s.io/v1', metadata: { resourceVersion: String } });
  t.match(table.json.columnDefinitions[0], {
    name: 'Name',
    type: 'string',
    format: 'name',
    priority: 0,
    description: String,
  });
  t.match(table.json.rows, [
    { cells: ['off'], object: { kind: 'PartialObjectMetadata' } },
    { cells: ['on'] },
  ]);
  const included = async (include: string): Promise<unknown> =>
    (await as(accept.table, `${pods}?includeObject=${include}`)).json.rows[0].object?.kind;
  t.same(
    [await included('None'), await included('Metadata'), await included('Object')],
    [undefined, 'PartialObjectMetadata', 'Pod'],
  );
  t.match((await as(accept.table, `${pods}?includeObject=All`)).json, { code: 422 });
  t.match((await as('application/json;as=Table;v=v1beta1;g=meta.k8s.io')).json, {
    kind: 'Table',
    apiVersion: 'meta.k8s.io/v1beta1',
  });
  const metadata = (await as(accept.metadataList)).json;
  t.match(metadata, { kind: 'PartialObjectMetadataList', items: [{ kind: 'PartialObjectMetadata' }] });
  t.equal(metadata.items[0].spec, undefined);
  const paged = (await as(accept.table, `${pods}?limit=1`)).json;
  t.match(paged, { metadata: { continue: String, remainingItemCount: 1 }, rows: [{ cells: ['off'] }] });
  t.equal((await as('application/vnd.kubernetes.protobuf, */*')).code, 200);
  t.equal((await as('application/vnd.kubernetes.protobuf,application/json')).json.kind, 'PodList');
  t.equal((await as('application/*;q=0.5')).json.kind, 'PodList');
  t.equal((await as('application/json;q=0.1,text/html')).json.kind, 'PodList');
  for (const none of [
    'text/html',
    'application/vnd.kubernetes.protobuf',
    'application/cbor',
    'application/json;as=X;v=v1;g=y',
  ]) {
    t.match((await as(none)).json, {
      code: 406,
      reason: 'NotAcceptable',
      message: /^only the following media types are accepted: application\/json/,
    });
  }
  const missing = (await as(accept.table, `${pods}/nothing`)).json;
  t.match(missing, { kind: 'Status', code: 404 }, 'an error is never a table');
});

t.test('HEAD, pretty, gzip', async (t) => {
  const head = await server.ask('HEAD', pods);
  t.same([head.code, head.bytes.length], [200, 0]);
  t.equal((await server.ask('HEAD', `${pods}/nothing`)).code, 404);
  t.ok((await get(`${pods}?pretty=1`)).bytes.toString().includes('\n  "kind"'));
  const human = await server.ask('GET', pods, { headers: { 'user-agent': 'curl/8.0' } });
  t.ok(human.bytes.toString().includes('\n  "kind"'), 'people get line breaks');
  const plain = await server.ask('GET', `${pods}?pretty=false`, { headers: { 'user-agent': 'curl/8.0' } });
  t.notOk(plain.bytes.toString().includes('\n  "kind"'));
  const data = { big: 'x'.repeat(400_000) };
  await server.ask('POST', maps, { body: { metadata: { name: 'big' }, data } });
  const zipped = await server.ask('GET', `${maps}/big`, { headers: { 'accept-encoding': 'gzip' } });
  t.match(zipped.headers, { 'content-encoding': 'gzip', vary: /Accept-Encoding/ });
  t.equal(JSON.parse(gunzipSync(zipped.bytes).toString()).data.big.length, 400_000);
  const unzipped = await get(`${maps}/big`);
  t.equal(unzipped.headers['content-encoding'], undefined);
  const small = await server.ask('GET', pods, { headers: { 'accept-encoding': 'gzip' } });
  t.equal(small.headers['content-encoding'], undefined, 'small answers are not worth it');
});

t.test('paths that lead nowhere', async (t) => {
  for (const path of [
    '/api/v1/nothings',
    `${pods}/on/nothing`,
    `${pods}/on/status/more`,
    '/api/v1/namespaces/default/nodes',
  ]) {
    t.match((await get(path)).json, { code: 404, reason: 'NotFound' }, path);
  }
  for (const [method, path] of [
    ['POST', `${pods}/on`],
    ['PUT', pods],
    ['PATCH', pods],
    ['POST', '/api/v1/pods'],
    ['DELETE', '/api/v1/pods'],
    ['DELETE', `${pods}/on/status`],
  ] as const) {
    t.match(
      (await server.ask(method, path, { body: {} })).json,
      { code: 405, reason: 'MethodNotAllowed' },
      `${method} ${path}`,
    );
  }
  t.equal((await get('/apis/nothing.example.com/v1/things')).code, 404);
});

t.test('discovery and schema documents', async (t) => {
  const as = (accepted: string, path: string): Promise<Reply> =>
    server.ask('GET', path, { headers: { accept: accepted } });
  t.match((await get('/api')).json, { kind: 'APIVersions', versions: ['v1'] });
  const groups = (await get('/apis')).json;
  t.match(groups, {
    kind: 'APIGroupList',
    groups: [{ name: String, preferredVersion: { version: String } }],
  });
  for (const { groupVersion } of groups.groups.flatMap((group: { versions: object[] }) => group.versions)) {
    const list = (await get(`/apis/${groupVersion}`)).json;
    t.match(list, { kind: 'APIResourceList', groupVersion, resources: [{ name: String, verbs: Array }] });
  }
  for (const version of ['v2', 'v2beta1']) {
    const asked = `application/json;g=apidiscovery.k8s.io;v=${version};as=APIGroupDiscoveryList`;
    const answer = await as(`${asked},application/json`, '/apis');
    t.match(answer.headers['content-type'], `g=apidiscovery.k8s.io;v=${version};as=APIGroupDiscoveryList`);
    t.match(answer.json, { kind: 'APIGroupDiscoveryList', apiVersion: `apidiscovery.k8s.io/${version}` });
    const legacy = groups.groups.map((group: { name: string }) => group.name).sort();
    t.same(
      answer.json.items.map((item: KubeObject) => item.metadata.name).sort(),
      legacy,
      'both forms agree',
    );
  }
  t.match((await get('/openapi/v2')).json, { swagger: '2.0', definitions: {} });
  const index = (await get('/openapi/v3')).json;
  t.match(index, { paths: { 'api/v1': { serverRelativeURL: String } } });
  const document = await get(index.paths['api/v1'].serverRelativeURL);
  t.match(document.json, { openapi: '3.0.0', components: { schemas: {} } });
});
