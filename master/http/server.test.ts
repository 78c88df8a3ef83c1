import { once } from 'node:events';
import { request } from 'node:https';
import { connect } from 'node:tls';
import t from 'tap';
import type { Status } from '../../src/api/errors.js';
import { encodeObject } from './encode.js';
import type { Asked, TestServer } from './testing.js';
import { createTestServer } from './testing.js';

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

t.test('what is answered only, a review, has no table', async (t) => {
  const { rows } = api.registry.resources;
  const reviews = rows.find(({ type }) => type.resource === 'selfsubjectaccessreviews');
  if (!reviews) return t.fail('not served');
  const form = { as: 'table', apiVersion: 'meta.k8s.io/v1' } as const;
  const item = { bytes: Buffer.from('{}'), object: { metadata: {} } };
  const encode = () => encodeObject(reviews, item, { form, include: 'Metadata', pretty: false }, new Date(0));
  t.throws(encode, { reason: 'NotAcceptable', code: 406 });
});

t.test('creates, reads, lists, changes and deletes', async (t) => {
  const created = await api.ask('POST', pods, { body: pod('web') });
  t.equal(created.code, 201);
  t.match(created.headers, { 'content-type': 'application/json', 'audit-id': /^[\w-]{36}$/ });
  const got = await api.ask('GET', `${pods}/web`);
  t.equal(got.code, 200);
  t.equal(got.text, created.text, 'the bytes that were written are served');
  const list = (await api.ask('GET', '/api/v1/pods')).json();
  t.match(list, { kind: 'PodList', apiVersion: 'v1', items: [{ metadata: { name: 'web' } }] });
  t.match(list, { metadata: { resourceVersion: /^\d+$/ } });
  const patched = await api.ask('PATCH', `${pods}/web`, {
    body: { metadata: { labels: { a: 'b' } } },
    headers: { 'content-type': 'application/merge-patch+json' },
  });
  t.match(patched.json(), { metadata: { labels: { a: 'b' } } });
  const deleted = await api.ask('DELETE', `${pods}/web?gracePeriodSeconds=0`);
  t.match(deleted.json(), {
    kind: 'Status',
    status: 'Success',
    details: { name: 'web', kind: 'pods', uid: String },
  });
  t.equal((await api.ask('GET', `${pods}/web`)).json<Status>().message, 'pods "web" not found');
});

t.test('answers wrong input with its Status', async (t) => {
  interface Case {
    what: string;
    method?: string;
    path?: string;
    how?: Asked;
    code: number;
    message: RegExp | string;
  }
  const contentType = (type: string): Record<string, string> => ({ 'content-type': type });
  const cases: Case[] = [
    {
      what: 'malformed JSON',
      how: { body: '{"kind":"Pod",' },
      code: 400,
      message:
        /^the object provided is unrecognized \(must be of type Pod\): couldn't get version\/kind; json parse error: /,
    },
    {
      what: 'malformed YAML',
      how: { body: 'kind: Pod\n  bad: [', headers: contentType('application/yaml') },
      code: 400,
      message: /error converting YAML to JSON: .* at line 1, column 7/,
    },
    {
      what: 'two YAML documents',
      how: { body: 'a: 1\n---\nb: 2\n', headers: contentType('application/yaml') },
      code: 400,
      message: /several YAML documents/,
    },
    { what: 'no body', code: 400, message: /no body \(<empty>\)/ },
    {
      what: 'deep nesting',
      how: { body: `${'['.repeat(1e5)}${']'.repeat(1e5)}` },
      code: 400,
      message: /nested/,
    },
    {
      what: '__proto__',
      how: { body: '{"metadata":{"__proto__":{"a":1}}}' },
      code: 400,
      message: /"__proto__"/,
    },
    {
      what: 'broken protobuf',
      how: { body: 'k8s\0\x12\x7f', headers: contentType('application/vnd.kubernetes.protobuf') },
      code: 400,
      message: /protobuf/,
    },
    {
      what: 'CBOR',
      how: { body: 'x', headers: contentType('application/cbor') },
      code: 415,
      message:
        /^the body of the request was in an unknown format - accepted media types include: application\/json/,
    },
    {
      what: 'patch without a patch type',
      method: 'PATCH',
      path: `${pods}/x`,
      how: { body: '{}' },
      code: 415,
      message: /accepted media types include: application\/json-patch\+json, /,
    },
    {
      what: 'over 3 MiB',
      how: { body: Buffer.alloc(4 * 1024 * 1024, 0x20) },
      code: 413,
      message: 'Request entity too large: limit is 3145728',
    },
    {
      what: 'unknown field',
      path: `${pods}?fieldValidation=Strict`,
      how: { body: pod('strict', { spec: { containers: [], hostname2: 'x' } }) },
      code: 400,
      message: /strict decoding error: unknown field "spec.hostname2"/,
    },
    {
      what: 'duplicate field',
      path: `${pods}?fieldValidation=Strict`,
      how: { body: '{"kind":"Pod","apiVersion":"v1","metadata":{"name":"a","name":"b"}}' },
      code: 400,
      message: /strict decoding error: duplicate field "metadata.name"/,
    },
    {
      what: 'dryRun=foo',
      path: `${pods}?dryRun=foo`,
      how: { body: pod('x') },
      code: 422,
      message:
        'CreateOptions.meta.k8s.io "" is invalid: dryRun: Unsupported value: ["foo"]: supported values: "All"',
    },
    {
      what: 'fieldValidation=x',
      path: `${pods}?fieldValidation=x`,
      how: { body: pod('x') },
      code: 422,
      message: /fieldValidation: Unsupported value: "x": supported values: "", "Ignore", "Strict", "Warn"/,
    },
    {
      what: 'limit=abc',
      method: 'GET',
      path: `${pods}?limit=abc`,
      code: 400,
      message: 'strconv.ParseInt: parsing "abc": invalid syntax',
    },
    {
      what: 'resourceVersionMatch alone',
      method: 'GET',
      path: `${pods}?resourceVersionMatch=Exact`,
      code: 422,
      message: /resourceVersionMatch is forbidden unless resourceVersion is provided/,
    },
    {
      what: 'propagationPolicy',
      method: 'DELETE',
      path: `${pods}/x?propagationPolicy=Foo`,
      code: 422,
      message:
        /propagationPolicy: Unsupported value: "Foo": supported values: "Foreground", "Background", "Orphan"/,
    },
    {
      what: 'DeleteOptions of another kind',
      method: 'DELETE',
      path: `${pods}/x`,
      how: { body: pod('x') },
      code: 400,
      message: 'decoded object cannot be converted to DeleteOptions',
    },
    {
      what: 'bad percent-encoding',
      method: 'GET',
      path: `${pods}/%zz`,
      code: 400,
      message: /percent-encoding/,
    },
    { what: 'slash in a name', method: 'GET', path: `${pods}/a%2Fb`, code: 400, message: /may not contain/ },
    {
      what: 'unknown resource',
      method: 'GET',
      path: '/api/v1/foos',
      code: 404,
      message: 'the server could not find the requested resource',
    },
    {
      what: 'watch path of old',
      method: 'GET',
      path: '/api/v1/watch/pods',
      code: 404,
      message: 'the server could not find the requested resource',
    },
    {
      what: 'unknown subresource',
      method: 'GET',
      path: `${pods}/x/foo`,
      code: 404,
      message: 'the server could not find the requested resource',
    },
    {
      what: 'wrong verb',
      method: 'POST',
      path: '/api/v1/pods',
      how: { body: pod('x') },
      code: 405,
      message: 'the server does not allow this method on the requested resource',
    },
    {
      what: 'PUT on a list',
      method: 'PUT',
      path: pods,
      how: { body: pod('x') },
      code: 405,
      message: /does not allow/,
    },
    {
      what: 'no JSON wanted',
      method: 'GET',
      path: pods,
      how: { headers: { accept: 'application/xml' } },
      code: 406,
      message: /only the following media types are accepted: application\/json/,
    },
    {
      what: 'quality zero',
      method: 'GET',
      path: pods,
      how: { headers: { accept: '*/*;q=0' } },
      code: 406,
      message: /only/,
    },
    {
      what: 'apply without a manager',
      method: 'PATCH',
      path: `${pods}/x`,
      how: { body: '{}', headers: contentType('application/apply-patch+yaml') },
      code: 422,
      message: /fieldManager: Required value: is required for apply patch/,
    },
  ];
  for (const { what, method = 'POST', path = pods, how, code, message } of cases) {
    const answer = await api.ask(method, path, how);
    const status = answer.json<Status>();
    t.equal(answer.code, code, what);
    t.match(status, { kind: 'Status', apiVersion: 'v1', status: 'Failure', code }, what);
    t.match(status.message, message, what);
    t.equal(answer.headers['content-type'], 'application/json', what);
  }
  const lost = await api.ask('GET', '/apis/nope.example/v1/foos');
  t.equal(lost.code, 404);
  t.equal(lost.text, '404 page not found\n');
  t.equal(
    (await api.ask('GET', `${pods}/${'n'.repeat(253)}`)).json<Status>().reason,
    'NotFound',
    'long names',
  );
});

t.test('reads YAML as kubectl does', async (t) => {
  const text = [
    'apiVersion: v1',
    'kind: ConfigMap',
    'metadata:',
    '  name: yaml',
    '  annotations: {date: 2024-01-02, time: "12:30:45", bare: 12:30:45}',
    'data:',
    '  key: !!binary aGk=',
    '  flag: "yes"',
  ].join('\n');
  const how = { body: text, headers: { 'content-type': 'application/yaml' } };
  const answer = await api.ask('POST', '/api/v1/namespaces/default/configmaps', how);
  t.equal(answer.code, 201, answer.text);
  t.match(answer.json(), {
    metadata: { annotations: { date: '2024-01-02', time: '12:30:45', bare: '12:30:45' } },
    data: { key: 'aGk=', flag: 'yes' },
  });
  const volumes = [{ name: 'v', secret: { secretName: 's', defaultMode: 0 } }];
  const yamlPod = JSON.stringify(
    pod('octal', { spec: { containers: [{ name: 'a', image: 'b' }], volumes } }),
  );
  const octal = yamlPod.replace('"defaultMode":0', '"defaultMode": 0644');
  const made = await api.ask('POST', `${pods}?dryRun=All`, { ...how, body: octal });
  t.match(made.json(), { spec: { volumes: [{ secret: { defaultMode: 420 } }] } });
});

t.test('negotiates tables, metadata and pretty printing', async (t) => {
  await api.ask('POST', pods, { body: pod('table') });
  const accept = (value: string): Asked => ({ headers: { accept: value } });
  const kubectl =
    'application/json;as=Table;v=v1;g=meta.k8s.io,application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json';
  const table = (await api.ask('GET', pods, accept(kubectl))).json<{ rows: { object: object }[] }>();
  t.match(table, {
    kind: 'Table',
    apiVersion: 'meta.k8s.io/v1',
    columnDefinitions: [{ name: 'Name', format: String }],
  });
  t.match(table.rows[0], {
    cells: ['table'],
    object: { kind: 'PartialObjectMetadata', metadata: { name: 'table' } },
  });
  const bare = (await api.ask('GET', `${pods}?includeObject=None`, accept(kubectl))).json<{
    rows: object[];
  }>();
  t.notOk('object' in (bare.rows[0] ?? {}));
  const full = (await api.ask('GET', `${pods}?includeObject=Object`, accept(kubectl))).json();
  t.match(full, { rows: [{ object: { kind: 'Pod', spec: { containers: [{}] } } }] });
  const one = (await api.ask('GET', `${pods}/table`, accept(kubectl))).json();
  t.match(one, { kind: 'Table', rows: [{ cells: ['table'] }], metadata: { resourceVersion: /^\d+$/ } });
  t.equal((await api.ask('GET', `${pods}?includeObject=x`, accept(kubectl))).code, 422);
  const metadata = 'application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1';
  const partial = (await api.ask('GET', pods, accept(metadata))).json<{ items: object[] }>();
  t.match(partial, { kind: 'PartialObjectMetadataList', items: [{ kind: 'PartialObjectMetadata' }] });
  t.notOk('spec' in (partial.items[0] ?? {}));
  const protobufFirst = await api.ask(
    'GET',
    pods,
    accept('application/vnd.kubernetes.protobuf,application/json'),
  );
  t.equal(protobufFirst.headers['content-type'], 'application/json');
  t.match((await api.ask('GET', `${pods}/table?pretty=true`)).text, /^\{\n {2}"/);
});

t.test('writes YAML for those who take that alone', async (t) => {
  await api.ask('POST', pods, { body: pod('as-yaml') });
  const accept = (value: string): Asked => ({ headers: { accept: value } });
  const one = await api.ask('GET', `${pods}/as-yaml`, accept('application/yaml'));
  t.equal(one.headers['content-type'], 'application/yaml');
  t.match(one.text, /^apiVersion: v1\nkind: Pod\nmetadata:\n {2}creationTimestamp: "?20.*\n/);
  t.match(
    one.text,
    /\n {2}containers:\n {2}- /,
    'items of lists stand below their field, as kubectl writes them',
  );
  const list = await api.ask('GET', pods, accept('application/yaml'));
  t.match(list.text, /^apiVersion: v1\nitems:\n- apiVersion: v1\n/);
  const both = await api.ask('GET', pods, accept('application/yaml;q=0.5, application/json'));
  t.equal(both.headers['content-type'], 'application/json');
  const watch = await api.ask('GET', `${pods}?watch=1`, accept('application/yaml'));
  t.match(watch, { code: 406, text: /only the following media types are accepted: application\/json"/ });
  const gone = await api.ask('DELETE', `${pods}/as-yaml?gracePeriodSeconds=0`, accept('application/yaml'));
  t.match(gone.text, /^apiVersion: v1\n(.*\n)*kind: (Status|Pod)\n/);
});

t.test('compresses only what is large and only when asked', async (t) => {
  const data = { big: 'x'.repeat(200_000) };
  const maps = '/api/v1/namespaces/default/configmaps';
  await api.ask('POST', maps, {
    body: { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'big' }, data },
  });
  const headers = { 'accept-encoding': 'gzip' };
  t.equal((await api.ask('GET', `${maps}/big`, { headers })).headers['content-encoding'], 'gzip');
  t.equal((await api.ask('GET', `${maps}/big`)).headers['content-encoding'], undefined);
  t.equal((await api.ask('GET', pods, { headers })).headers['content-encoding'], undefined);
});

t.test('sends warnings as headers', async (t) => {
  const body = pod('warned', { spec: { containers: [{ name: 'app', image: 'x' }], hostname2: 'ü"' } });
  const { headers, code } = await api.ask('POST', `${pods}?dryRun=All`, { body });
  t.equal(code, 201);
  t.equal(headers['warning'], '299 - "unknown field \\"spec.hostname2\\""');
});

t.test('discovers', async (t) => {
  const core = (await api.ask('GET', '/api/v1')).json<{ resources: { name: string }[] }>();
  const find = (name: string): unknown => core.resources.find((resource) => resource.name === name);
  t.match(find('pods'), {
    kind: 'Pod',
    namespaced: true,
    singularName: 'pod',
    shortNames: ['po'],
    verbs: ['create'],
  });
  t.match(find('pods/log'), { kind: 'Pod', verbs: ['get'] });
  const hashes = async (path: string): Promise<object> =>
    Object.fromEntries(
      (await api.ask('GET', path))
        .json<{ resources: { name: string; storageVersionHash?: string }[] }>()
        .resources.map(({ name, storageVersionHash }) => [name, storageVersionHash]),
    );
  t.match(await hashes('/api/v1'), {
    ...{ pods: 'xPOwRZ+Yhw8=', services: '0/CO1lhkEBI=', configmaps: 'qFsyl6wFWjQ=', events: 'r2yiGXH7wu8=' },
    ...{ 'pods/log': undefined, componentstatuses: undefined },
  });
  t.match(await hashes('/apis/apps/v1'), {
    ...{ deployments: '8aSe+NMegvE=', controllerrevisions: '85nkx63pcBU=', 'deployments/scale': undefined },
  });
  t.match(await hashes('/apis/events.k8s.io/v1'), { events: 'r2yiGXH7wu8=' }, 'stored as core events');
  t.match(await hashes('/apis/batch/v1'), { jobs: 'mudhfqk/qZY=', cronjobs: 'sd5LIXh4Fjs=' });
  t.match(await hashes('/apis/authorization.k8s.io/v1'), { subjectaccessreviews: undefined });
  const apps = (await api.ask('GET', '/apis/apps/v1')).json<{ resources: { name: string }[] }>();
  const scale = apps.resources.find((resource) => resource.name === 'deployments/scale');
  t.match(scale, { group: 'autoscaling', version: 'v1', kind: 'Scale' });
  t.match((await api.ask('GET', '/apis/apps')).json(), { kind: 'APIGroup', name: 'apps' });
  t.match((await api.ask('GET', '/apis')).json(), { kind: 'APIGroupList', groups: [{}] });
  t.match((await api.ask('GET', '/api')).json(), { kind: 'APIVersions', versions: ['v1'] });
  for (const version of ['v2', 'v2beta1']) {
    const accept = `application/json;g=apidiscovery.k8s.io;v=${version};as=APIGroupDiscoveryList`;
    const answer = await api.ask('GET', '/apis', { headers: { accept: `${accept},application/json` } });
    t.equal(answer.headers['content-type'], accept);
    t.match(answer.json(), {
      kind: 'APIGroupDiscoveryList',
      items: [{ versions: [{ freshness: 'Current' }] }],
    });
  }
  t.match((await api.ask('GET', '/version')).json(), {
    major: '1',
    minor: '36',
    gitVersion: /^v1\.36\.4\+wherry\./,
  });
  t.match((await api.ask('GET', '/')).json<{ paths: string[] }>().paths, new Set(['/api/v1']));
  t.equal((await api.ask('GET', '/healthz')).text, 'ok');
  t.match((await api.ask('GET', '/readyz?verbose')).text, /^\[\+\]ping ok\n(?:.*\n)*readyz check passed\n$/);
  t.equal((await api.ask('GET', '/nope')).text, '404 page not found\n');
  t.equal((await api.ask('GET', '/livez/nope')).code, 404);
  t.equal((await api.ask('POST', '/version', { body: '{}' })).code, 405);
});

t.test('a stop ends watches cleanly and refuses what comes after', async (t) => {
  const other = await createTestServer();
  const outgoing = request({
    ...{ host: '127.0.0.1', port: other.server.address().port, path: '/api/v1/pods?watch=1' },
    ca: other.certificates.ca,
    headers: { authorization: 'Bearer admin-token' },
  });
  outgoing.end();
  const [response] = await once(outgoing, 'response');
  response.resume();
  const ended = once(response, 'end');
  await other.close();
  await ended;
  t.ok(response.complete);
  await t.rejects(other.ask('GET', '/healthz'), { code: 'ECONNREFUSED' });
});

/** Sends raw text and resolves with all that comes back until the server closes. */
async function raw(text: string): Promise<string> {
  const socket = connect({ host: '127.0.0.1', port: api.server.address().port, ca: api.certificates.ca });
  socket.write(text);
  let answer = '';
  for await (const chunk of socket) answer += String(chunk);
  return answer;
}

t.test('what is no request gets an answer all the same', async (t) => {
  t.match(await raw('nonsense\r\n\r\n'), /^HTTP\/1.1 400 Bad Request[\s\S]*"kind":"Status"/);
  const large = await raw(`GET / HTTP/1.1\r\nhost: x\r\nx: ${'y'.repeat(70_000)}\r\n\r\n`);
  t.match(large, /^HTTP\/1.1 431 [\s\S]*headers are too large/);
  t.equal((await api.ask('TRACE', '/')).code, 405);
});
