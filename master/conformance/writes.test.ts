/**
 * The rules of writes: names, metadata, optimistic locks, patches and what is wrong with them, deletion in all its ways, dry
 * runs, field validation, generation and subresources. `kinds.test.ts` shows that no kind is different.
 */
import t from 'tap';
import type { KubeObject } from '../../src/api/types.js';
import type { Resource } from '../resources/resource.js';
import { createResources } from '../resources/table.js';
import { encodeProtobuf } from './encode.js';
import { pathOf, sampleOf } from './samples.js';
import { type ConformanceServer, createConformanceServer, patchTypes, type Reply } from './testing.js';

const maps = '/api/v1/namespaces/default/configmaps';
const pods = '/api/v1/namespaces/default/pods';
const deployments = '/apis/apps/v1/namespaces/default/deployments';
let server: ConformanceServer;

t.before(async () => {
  server = await createConformanceServer();
});
t.teardown(() => server.stop());

const post = (path: string, body: unknown): Promise<Reply> => server.ask('POST', path, { body });
const put = (path: string, body: unknown): Promise<Reply> => server.ask('PUT', path, { body });
const get = async (path: string): Promise<KubeObject & { spec: Record<string, unknown> }> =>
  (await server.ask('GET', path)).json;
const patch = (path: string, type: keyof typeof patchTypes, body: unknown): Promise<Reply> =>
  server.ask('PATCH', path, { type: patchTypes[type], body });
const remove = (path: string, options?: object): Promise<Reply> =>
  server.ask(
    'DELETE',
    path,
    options ? { body: { kind: 'DeleteOptions', apiVersion: 'v1', ...options } } : {},
  );
const named = (name: string, more: object = {}): object => ({ metadata: { name, ...more } });
const podSpec = { containers: [{ name: 'app', image: 'nginx' }] };
const deployment = (name: string): object => ({
  metadata: { name },
  spec: {
    selector: { matchLabels: { a: 'b' } },
    template: { metadata: { labels: { a: 'b' } }, spec: podSpec },
  },
});

t.test('names', async (t) => {
  const made = await post(maps, { metadata: { generateName: 'gen-' } });
  t.match(made.json.metadata, { name: /^gen-[bcdfghjklmnpqrstvwxz2456789]{5}$/, generateName: 'gen-' });
  const long = await post(maps, { metadata: { generateName: 'x'.repeat(100) } });
  t.equal(long.json.metadata.name.length, 63);
  t.match((await post(maps, { metadata: {} })).json, {
    code: 422,
    reason: 'Invalid',
    message: /metadata.name: Required value: name or generateName is required/,
  });
  t.match((await post(maps, named('Not_A_Name'))).json, {
    code: 422,
    message:
      /ConfigMap "Not_A_Name" is invalid: metadata.name: Invalid value: "Not_A_Name": a lowercase RFC 1123 subdomain/,
    details: {
      kind: 'ConfigMap',
      name: 'Not_A_Name',
      causes: [{ reason: 'FieldValueInvalid', field: 'metadata.name' }],
    },
  });
  t.match((await post(maps, named('a', { namespace: 'other' }))).json, {
    code: 400,
    message: 'the namespace of the provided object does not match the namespace sent on the request',
  });
  t.match((await post('/api/v1/namespaces/nowhere/configmaps', named('a'))).json, {
    code: 404,
    message: 'namespaces "nowhere" not found',
  });
  t.match((await post(maps, named('a', { resourceVersion: '1' }))).json, {
    code: 400,
    message: /resourceVersion should not be set on objects to be created/,
  });
});

t.test('metadata that only the server writes, and what may not change', async (t) => {
  const body = named('meta', {
    uid: 'mine',
    creationTimestamp: '2001-01-01T00:00:00Z',
    deletionTimestamp: '2001-01-01T00:00:00Z',
    generation: 7,
    selfLink: '/x',
  });
  const { metadata } = (await post(maps, body)).json;
  t.not(metadata.uid, 'mine');
  t.not(metadata.creationTimestamp, '2001-01-01T00:00:00Z');
  t.same([metadata.deletionTimestamp, metadata.selfLink], [undefined, undefined]);
  const changed = await put(`${maps}/meta`, named('meta', { creationTimestamp: '2002-01-01T00:00:00Z' }));
  t.match(changed.json, { code: 422, message: /field is immutable/ });
  t.match((await put(`${maps}/meta`, named('meta', { labels: { '-bad': 'x' } }))).json, {
    code: 422,
    message: /metadata.labels: Invalid value: "-bad"/,
  });
  t.match((await put(`${maps}/meta`, named('meta', { finalizers: ['nodomain'] }))).json, { code: 422 });
  await remove(`${maps}/meta`);
  await post(maps, named('meta'));
  const two = [
    { apiVersion: 'v1', kind: 'Pod', name: 'a', uid: 'u1', controller: true },
    { apiVersion: 'v1', kind: 'Pod', name: 'b', uid: 'u2', controller: true },
  ];
  t.match((await put(`${maps}/meta`, named('meta', { ownerReferences: two }))).json, {
    code: 422,
    message: /Only one reference can have Controller set to true/,
  });
  const huge = named('meta', { annotations: { a: 'x'.repeat(300_000) } });
  t.match((await put(`${maps}/meta`, huge)).json, { code: 422, message: /metadata.annotations: Too long/ });
  await post(maps, { ...named('fixed'), data: { a: 'b' }, immutable: true });
  t.equal((await patch(`${maps}/fixed`, 'merge', { data: { a: 'c' } })).code, 422);
});

t.test('optimistic locks', async (t) => {
  const { json: first } = await post(maps, named('lock'));
  await patch(`${maps}/lock`, 'merge', { data: { a: '1' } });
  t.match((await put(`${maps}/lock`, first)).json, {
    code: 409,
    reason: 'Conflict',
    message:
      'Operation cannot be fulfilled on configmaps "lock": the object has been modified; please apply your changes to the latest version and try again',
  });
  const stale = { metadata: { resourceVersion: first.metadata.resourceVersion }, data: { a: '2' } };
  t.equal((await patch(`${maps}/lock`, 'merge', stale)).code, 409);
  t.equal(
    (await put(`${maps}/lock`, { ...named('lock'), data: { a: '3' } })).code,
    200,
    'without a version: anyway',
  );
  const leases = '/apis/coordination.k8s.io/v1/namespaces/default/leases';
  t.equal((await put(`${leases}/new`, named('new'))).code, 201, 'PUT creates where the kind allows it');
  t.equal((await put(`${maps}/absent`, named('absent'))).code, 404, 'and nowhere else');
  t.match((await put(`${leases}/new`, named('new'))).json, {
    code: 422,
    message: /metadata.resourceVersion: Invalid value: (?:0|0x0): must be specified for an update/,
  });
  const writers = Array.from({ length: 20 }, (_, n) =>
    patch(`${maps}/lock`, 'merge', { data: { [`k${n}`]: 'v' } }),
  );
  t.same(
    [...new Set((await Promise.all(writers)).map(({ code }) => code))],
    [200],
    'patches race, none is lost',
  );
  t.equal(Object.keys((await server.ask('GET', `${maps}/lock`)).json.data).length, 21);
});

t.test('patches that do not fit', async (t) => {
  await post(deployments, deployment('patched'));
  const path = `${deployments}/patched`;
  const rejected = {
    code: 422,
    reason: 'Invalid',
    message: 'the server rejected our request due to an error in our request',
  };
  t.match((await patch(path, 'json', [{ op: 'test', path: '/spec/replicas', value: 9 }])).json, rejected);
  t.match((await patch(path, 'json', [{ op: 'remove', path: '/spec/nothing' }])).json, rejected);
  t.match((await patch(path, 'json', { op: 'add' })).json, { code: 400, reason: 'BadRequest' });
  const many = Array(10_001).fill({ op: 'test', path: '/kind', value: 'Deployment' });
  t.match((await patch(path, 'json', many)).json, {
    code: 413,
    reason: 'RequestEntityTooLarge',
    message: /The allowed maximum operations in a JSON patch is 10000, got 10001/,
  });
  t.equal((await patch(path, 'json', many.slice(0, 10_000))).code, 200);
  t.equal((await patch(path, 'merge', '{')).code, 400);
  t.equal((await patch(path, 'merge', '[]')).code, 400);
  t.equal((await patch(path, 'merge', { spec: { replicas: 'many' } })).code >= 400, true);
  t.equal((await patch(path, 'merge', { spec: { replicas: -1 } })).code, 422);
  t.equal((await patch(path, 'merge', { metadata: { name: 'other' } })).code, 400);
  t.equal((await patch(path, 'merge', { kind: 'Pod' })).code, 400);
  t.equal((await patch(`${deployments}/absent`, 'merge', {})).code, 404);
  const containers = [{ name: 'side', image: 'side' }];
  const merged = await patch(path, 'strategic', { spec: { template: { spec: { containers } } } });
  t.same(
    merged.json.spec.template.spec.containers.map(({ name }: { name: string }) => name).sort(),
    ['app', 'side'],
    'lists merge by key',
  );
  const gone = [{ name: 'side', $patch: 'delete' }];
  const left = await patch(path, 'strategic', { spec: { template: { spec: { containers: gone } } } });
  t.equal(left.json.spec.template.spec.containers.length, 1);
  const replaced = await patch(path, 'merge', { spec: { template: { spec: { containers } } } });
  t.equal(replaced.json.spec.template.spec.containers[0].name, 'side', 'a merge patch replaces lists');
  const cbor = await server.ask('PATCH', path, { type: 'application/cbor', body: 'x' });
  t.match(cbor.json, { code: 415, reason: 'UnsupportedMediaType' });
});

t.test('deletion: preconditions, grace, finalizers, propagation', async (t) => {
  const { json: made } = await post(maps, named('gone'));
  for (const preconditions of [{ uid: 'x' }, { resourceVersion: '1' }]) {
    t.match((await remove(`${maps}/gone`, { preconditions })).json, {
      code: 409,
      message: /Precondition failed/,
    });
  }
  const status = (await remove(`${maps}/gone`, { preconditions: { uid: made.metadata.uid } })).json;
  t.match(status, {
    kind: 'Status',
    status: 'Success',
    details: { name: 'gone', kind: 'configmaps', uid: made.metadata.uid },
  });
  t.equal((await remove(`${maps}/gone`)).code, 404);
  await post(maps, named('held', { finalizers: ['example.com/hold'] }));
  const held = (await remove(`${maps}/held`)).json;
  t.match(held.metadata, {
    deletionTimestamp: String,
    deletionGracePeriodSeconds: 0,
    finalizers: ['example.com/hold'],
  });
  t.equal(
    (
      await patch(`${maps}/held`, 'merge', {
        metadata: { finalizers: ['example.com/hold', 'example.com/new'] },
      })
    ).code,
    422,
    'no new finalizers now',
  );
  t.equal((await remove(`${maps}/held`)).code, 200, 'again');
  t.equal((await post(maps, named('held'))).code, 409, 'the name is still taken');
  t.equal((await patch(`${maps}/held`, 'merge', { metadata: { finalizers: null } })).code, 200);
  t.equal((await server.ask('GET', `${maps}/held`)).code, 404, 'gone with its last finalizer');
  for (const [policy, finalizer] of [
    ['Orphan', 'orphan'],
    ['Foreground', 'foregroundDeletion'],
  ] as const) {
    await post(deployments, deployment('owner'));
    const kept = (await remove(`${deployments}/owner`, { propagationPolicy: policy })).json;
    t.same(kept.metadata.finalizers, [finalizer], policy);
    await patch(`${deployments}/owner`, 'merge', { metadata: { finalizers: null } });
    t.equal((await server.ask('GET', `${deployments}/owner`)).code, 404);
  }
  t.match((await remove(`${maps}/x`, { propagationPolicy: 'Sideways' })).json, {
    code: 422,
    message: /propagationPolicy: Unsupported value: "Sideways"/,
  });
  t.match((await remove(`${maps}/x`, { propagationPolicy: 'Orphan', orphanDependents: true })).json, {
    code: 422,
  });
  await post(pods, { ...named('graceful'), spec: { ...podSpec, nodeName: 'n1' } });
  const marked = (await remove(`${pods}/graceful`)).json;
  t.match(marked.metadata, { deletionGracePeriodSeconds: 30, deletionTimestamp: String });
  const shorter = (await remove(`${pods}/graceful`, { gracePeriodSeconds: 5 })).json;
  t.equal(shorter.metadata.deletionGracePeriodSeconds, 5);
  const longer = (await remove(`${pods}/graceful?gracePeriodSeconds=60`)).json;
  t.equal(longer.metadata.deletionGracePeriodSeconds, 5, 'never longer');
  t.equal((await remove(`${pods}/graceful`, { gracePeriodSeconds: 0 })).code, 200);
  t.equal((await server.ask('GET', `${pods}/graceful`)).code, 404);
});

t.test('deletecollection', async (t) => {
  await server.ask('DELETE', maps);
  for (const n of [0, 1, 2, 3]) await post(maps, named(`c-${n}`, { labels: { odd: String(n % 2) } }));
  const left = async (): Promise<string> =>
    (await server.ask('GET', maps)).json.items.map((item: KubeObject) => item.metadata.name).join();
  t.equal((await server.ask('DELETE', `${maps}?dryRun=All`)).code, 200);
  t.equal(await left(), 'c-0,c-1,c-2,c-3');
  t.equal((await server.ask('DELETE', `${maps}?labelSelector=odd%3D1`)).json.kind, 'ConfigMapList');
  t.equal(await left(), 'c-0,c-2');
  await server.ask('DELETE', `${maps}?fieldSelector=metadata.name%3Dc-0`);
  t.equal(await left(), 'c-2');
  t.equal((await server.ask('DELETE', `${maps}?labelSelector=%3D%3D`)).code, 400);
  await server.ask('DELETE', maps);
  t.equal(await left(), '');
});

t.test('a dry run keeps nothing, of anything', async (t) => {
  await post(maps, named('dry'));
  const before = server.api.store.revision();
  const all = '?dryRun=All';
  const answers = [
    await post(`${maps}${all}`, named('never')),
    await post(`${maps}${all}`, { metadata: { generateName: 'never-' } }),
    await put(`${maps}/dry${all}`, { ...named('dry'), data: { a: 'b' } }),
    await patch(`${maps}/dry${all}`, 'merge', { data: { a: 'b' } }),
    await remove(`${maps}/dry`, { dryRun: ['All'] }),
    await server.ask('DELETE', `${maps}${all}`),
  ];
  t.same(
    answers.map(({ code }) => code),
    [201, 201, 200, 200, 200, 200],
  );
  t.equal(server.api.store.revision(), before, 'nothing was written');
  t.equal((await post(`${maps}${all}`, named('dry'))).code, 409, 'it says what would be wrong');
  t.equal((await post(`${maps}?dryRun=Some`, named('x'))).code, 422);
  const service = {
    ...named('svc'),
    spec: { type: 'NodePort', ports: [{ port: 80, nodePort: 30_333 }], clusterIP: '10.96.7.7' },
  };
  for (let times = 0; times < 2; times++)
    t.equal(
      (await post(`/api/v1/namespaces/default/services${all}`, service)).code,
      201,
      'addresses stay free',
    );
  t.equal((await post('/api/v1/namespaces/default/services', service)).code, 201);
});

t.test('field validation', async (t) => {
  const typo = JSON.stringify({ ...named('typo'), dota: { a: 1 }, metadata: { name: 'typo', lables: {} } });
  const twice = '{"metadata":{"name":"twice"},"data":{"a":"1","a":"2"}}';
  const send = (body: string, how: string): Promise<Reply> =>
    post(`${maps}?dryRun=All&fieldValidation=${how}`, body);
  t.equal((await send(typo, 'Ignore')).headers['warning'], undefined);
  const warned = await send(typo, 'Warn');
  t.equal(warned.code, 201);
  t.match(
    warned.headers['warning'],
    /^299 - "unknown field \\"metadata.lables\\"", 299 - "unknown field \\"dota\\""$/,
  );
  t.equal(
    (await post(`${maps}?dryRun=All`, typo)).headers['warning'],
    warned.headers['warning'],
    'Warn is the default',
  );
  t.match((await send(typo, 'Strict')).json, {
    code: 400,
    message:
      'ConfigMap in version "v1" cannot be handled as a ConfigMap: strict decoding error: unknown field "metadata.lables", unknown field "dota"',
  });
  t.match((await send(twice, 'Warn')).headers['warning'], /duplicate field \\"data.a\\"/);
  t.match((await send(twice, 'Strict')).json, {
    code: 400,
    message: /strict decoding error: duplicate field "data.a"/,
  });
  t.equal((await send(twice, 'Ignore')).json.data.a, '2');
  t.match((await send(typo, 'Perhaps')).json, {
    code: 422,
    message: /fieldValidation: Unsupported value: "Perhaps"/,
  });
  await post(maps, named('strict'));
  const patched = await server.ask('PATCH', `${maps}/strict?fieldValidation=Strict`, {
    type: patchTypes.merge,
    body: { dota: {} },
  });
  t.match(patched.json, { message: /unknown field "dota"/ });
  const manager = await post(`${maps}?fieldManager=${'x'.repeat(129)}`, named('m'));
  t.equal(manager.code, 422);
});

t.test('bodies that are none', async (t) => {
  t.match((await post(maps, '{"metadata"')).json, { code: 400, reason: 'BadRequest' });
  t.equal((await post(maps, 'null')).code, 400);
  t.equal((await post(maps, '[]')).code, 400);
  t.match((await post(maps, { ...named('x'), apiVersion: 'v2' })).json, {
    code: 400,
    message: 'the API version in the data (v2) does not match the expected API version (v1)',
  });
  t.equal((await post(maps, { ...named('x'), data: { a: 'x'.repeat(3 * 1024 * 1024) } })).code, 413);
  const yaml = await server.ask('POST', maps, {
    type: 'application/yaml',
    body: 'metadata: {name: yaml}\ndata: {a: "1"}\n',
  });
  t.equal(yaml.code, 201);
});

t.test('generation and subresources', async (t) => {
  const path = `${deployments}/sub`;
  t.equal((await post(deployments, deployment('sub'))).json.metadata.generation, 1);
  const scaled = await patch(`${path}/scale`, 'merge', { spec: { replicas: 3 } });
  t.match(scaled.json, {
    kind: 'Scale',
    apiVersion: 'autoscaling/v1',
    spec: { replicas: 3 },
    status: { selector: 'a=b' },
  });
  t.equal((await get(path)).metadata.generation, 2, 'scaling is an intention');
  await patch(path, 'merge', { metadata: { labels: { x: 'y' } } });
  const status = { status: { observedGeneration: 2 }, spec: { replicas: 9 } };
  const written = await patch(`${path}/status`, 'merge', status);
  t.match(written.json, {
    metadata: { generation: 2 },
    spec: { replicas: 3 },
    status: { observedGeneration: 2 },
  });
  const both = await patch(path, 'merge', { status: { observedGeneration: 7 }, spec: { paused: true } });
  t.match(
    both.json,
    { metadata: { generation: 3 }, status: { observedGeneration: 2 } },
    "status is not the owner's",
  );
  t.equal((await patch(path, 'merge', { spec: { paused: true } })).json.metadata.generation, 3, 'no change');
  const scale = (await server.ask('GET', `${path}/scale`)).json;
  const wrong = { ...scale, metadata: { ...scale.metadata, resourceVersion: '1' } };
  t.equal((await put(`${path}/scale`, wrong)).code, 409);
  t.equal((await put(`${path}/scale`, { ...scale, spec: { replicas: -1 } })).code, 422);
  t.equal((await put(`${path}/scale`, { ...scale, spec: { replicas: 1 } })).json.spec.replicas, 1);
  t.equal((await server.ask('GET', `${path}/status`)).json.kind, 'Deployment');
});

t.test('every kind by protobuf is what it is by JSON', async (t) => {
  const type = 'application/vnd.kubernetes.protobuf';
  const dry = (row: Resource): string => `${pathOf(row)}?dryRun=All`;
  for (const row of createResources()) {
    if (row.verbs) continue;
    const sample = sampleOf(row, 40);
    const json = await server.ask('POST', dry(row), { body: sample });
    const protobuf = await server.ask('POST', dry(row), { type, body: encodeProtobuf(row.type, sample) });
    const what = `${row.type.group}/${row.type.version} ${row.type.kind}`;
    t.same([json.code, protobuf.code], [201, 201], what);
    t.same(comparable(protobuf), comparable(json), what);
  }
});

function comparable({ json }: Reply): unknown {
  const { uid, creationTimestamp: _at, managedFields: _managed, ...metadata } = json.metadata;
  return JSON.parse(
    JSON.stringify({ ...json, metadata })
      .replaceAll(uid, 'uid')
      .replace(/"\d{4}-\d\d-\d\dT[\d:.]+Z"/g, '"now"'),
  );
}
