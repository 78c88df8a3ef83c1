import t from 'tap';
import { deployments as deploymentType } from '../../src/api/kinds.js';
import type { ConfigMap, Deployment, KubeObject, Node, Pod, Scale } from '../../src/api/types.js';
import { createFakeClock } from '../../src/testing/clock.js';
import { contextOf, createTestRegistry, type TestRegistry } from './testing.js';

const context = contextOf();
const dry = contextOf({ dryRun: true });
const ref = (name: string) => ({ namespace: 'default', name });
const containers = [{ name: 'main', image: 'nginx' }];

interface Refusal {
  code: number;
  message?: string | RegExp;
  details?: object;
}

const setUp = (random: () => number = Math.random): Promise<TestRegistry> =>
  createTestRegistry({ clock: createFakeClock(), random });

const deployment = (name: string, spec: object = {}): object => ({
  metadata: { name },
  spec: {
    selector: { matchLabels: { app: name } },
    template: { metadata: { labels: { app: name } }, spec: { containers } },
    ...spec,
  },
});

t.test('create: what the registry fills in, and nobody else', async (t) => {
  const { registry, rowOf } = await setUp();
  const body = {
    metadata: {
      name: 'a',
      uid: 'mine',
      generation: 7,
      creationTimestamp: '1999-01-01T00:00:00Z',
      deletionTimestamp: '1999-01-01T00:00:00Z',
    },
    ...{ spec: (deployment('a') as Deployment).spec, status: { replicas: 9 } },
  };
  const { object, created } = await registry.create(rowOf('deployments'), 'default', body, context);
  t.ok(created);
  t.match(object, {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: {
      namespace: 'default',
      uid: /^0{8}-/,
      generation: 1,
      creationTimestamp: '2026-01-01T00:00:00Z',
      deletionTimestamp: undefined,
    },
    spec: { replicas: 1, strategy: { type: 'RollingUpdate' } },
    status: {},
  });
  t.equal((object as Deployment).status?.replicas, undefined, 'status is not the creator’s');
  t.equal(body.metadata.uid, 'mine', 'the body stays as it is');
  await t.rejects(registry.create(rowOf('deployments'), 'default', deployment('a'), context), {
    reason: 'AlreadyExists',
    code: 409,
    message: 'deployments.apps "a" already exists',
  });
});

t.test('create: refusals before anything is looked at', async (t) => {
  const { registry, rowOf } = await setUp();
  const maps = rowOf('configmaps');
  const cases: [string, unknown, Refusal][] = [
    [
      'default',
      { metadata: { name: 'a', namespace: 'other' } },
      { code: 400, message: /namespace of the provided object does not match/ },
    ],
    [
      'default',
      { metadata: { name: 'a', resourceVersion: '1' } },
      { code: 400, message: 'resourceVersion should not be set on objects to be created' },
    ],
    ['nowhere', { metadata: { name: 'a' } }, { code: 404, message: 'namespaces "nowhere" not found' }],
    [
      'default',
      { kind: 'Secret', metadata: { name: 'a' } },
      { code: 400, message: /Secret in version "v1" cannot be handled as a ConfigMap/ },
    ],
    [
      'default',
      { apiVersion: 'v2', metadata: { name: 'a' } },
      { code: 400, message: /API version in the data \(v2\) does not match/ },
    ],
    ['default', [], { code: 400 }],
    ['default', null, { code: 400 }],
    [
      'default',
      { metadata: {} },
      {
        code: 422,
        message: / is invalid: metadata\.name: Required value: name or generateName is required$/,
      },
    ],
    [
      'default',
      { metadata: { name: 'a' }, data: { a: 1 } },
      { code: 400, details: { causes: [{ field: 'data.a' }] } },
    ],
  ];
  for (const [namespace, body, expected] of cases) {
    await t.rejects(registry.create(maps, namespace, body, context), expected, JSON.stringify(body));
  }
  t.equal((await registry.list(maps, {}, context)).items.length, 0);
});

t.test('create: generateName', async (t) => {
  const values = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0.99, 0.99, 0.99, 0.99, 0.99];
  const { registry, rowOf } = await setUp(() => values.shift() ?? 0);
  const make = (generateName: string) =>
    registry.create(rowOf('configmaps'), 'default', { metadata: { generateName } }, context);
  t.equal((await make('job-')).object.metadata.name, 'job-bbbbb');
  t.equal((await make('job-')).object.metadata.name, 'job-99999', 'a taken name is generated again');
  await t.rejects(make('job-'), { code: 409, reason: 'AlreadyExists' }, 'not for ever');
  t.equal((await make('x'.repeat(80))).object.metadata.name?.length, 63);
  await t.rejects(make('Job-'), { code: 422, message: /metadata\.generateName: Invalid value: "Job-"/ });
});

t.test('update: conflicts, preconditions, identity', async (t) => {
  const { registry, rowOf, store } = await setUp();
  const maps = rowOf('configmaps');
  const { object } = await registry.create(
    maps,
    'default',
    { metadata: { name: 'a' }, data: { v: '1' } },
    context,
  );
  const put = (metadata: object, data: object = { v: '2' }, name = 'a') =>
    registry.update(maps, ref(name), { metadata, data }, context);
  const { object: second } = await put({ name: 'a', resourceVersion: object.metadata.resourceVersion });
  t.match(second, {
    data: { v: '2' },
    metadata: { uid: object.metadata.uid, creationTimestamp: object.metadata.creationTimestamp },
  });
  await t.rejects(put({ name: 'a', resourceVersion: object.metadata.resourceVersion }, { v: '3' }), {
    code: 409,
    reason: 'Conflict',
    message:
      'Operation cannot be fulfilled on configmaps "a": the object has been modified; please apply your changes to the latest version and try again',
    details: { name: 'a', kind: 'configmaps' },
  });
  await t.rejects(put({ name: 'a', uid: 'other' }), {
    code: 409,
    message: /UID in precondition: other, UID in object meta: /,
  });
  await t.rejects(put({ name: 'b' }), { code: 400, message: /does not match the name on the URL \(a\)/ });
  await t.rejects(put({ name: 'zz' }, {}, 'zz'), { code: 404 });

  const before = store.revision();
  const { object: same } = await put({ name: 'a' });
  t.equal(store.revision(), before, 'an update that changes nothing writes nothing');
  t.equal(same.metadata.resourceVersion, second.metadata.resourceVersion);
  const { object: unconditional } = await put({ name: 'a' }, { v: '4' });
  t.match(unconditional, { data: { v: '4' } }, 'without a version the last one wins');
});

t.test('update: generation counts changes of the spec; status has its own way', async (t) => {
  const { registry, rowOf } = await setUp();
  const row = rowOf('deployments');
  const merge = (body: object, subresource?: string) =>
    registry.patch(row, ref('a'), { type: 'merge', body }, context, subresource);
  await registry.create(row, 'default', deployment('a'), context);
  const generation = async (body: object, subresource?: string) =>
    (await merge(body, subresource)).object.metadata.generation;
  t.equal(await generation({ metadata: { labels: { x: 'y' } } }), 1, 'labels are not the spec');
  t.equal(await generation({ spec: { replicas: 3 } }), 2);
  t.equal(await generation({ spec: { replicas: 3 } }), 2);
  t.equal(await generation({ status: { replicas: 5 } }), 2);

  const { object: untouched } = await registry.get(row, ref('a'), context);
  t.equal((untouched as Deployment).status?.replicas, undefined, 'the main resource does not write status');
  const { object } = await merge(
    {
      spec: { replicas: 8 },
      metadata: { labels: { z: 'z' } },
      status: { replicas: 5, observedGeneration: 2 },
    },
    'status',
  );
  t.match(object, { spec: { replicas: 3 }, status: { replicas: 5 }, metadata: { generation: 2 } });
  t.equal(object.metadata.labels?.['z'], undefined, 'a status writer owns nothing else');
  t.match(
    (await merge({ spec: { replicas: 1 } })).object,
    { status: { replicas: 5 } },
    'and keeps what it wrote',
  );
  await t.rejects(merge({ status: { replicas: -1 } }, 'status'), {
    code: 422,
    message: /status\.replicas: Invalid value: -1: must be greater than or equal to 0/,
  });
  await t.rejects(registry.update(rowOf('configmaps'), ref('a'), {}, context, 'status'), { code: 404 });
});

t.test('scale: a view of replicas', async (t) => {
  const { registry, rowOf } = await setUp();
  const row = rowOf('deployments');
  await registry.create(row, 'default', deployment('a', { replicas: 2 }), context);
  const view = (await registry.get(row, ref('a'), context, 'scale')).object as unknown as Scale;
  t.match(view, {
    kind: 'Scale',
    apiVersion: 'autoscaling/v1',
    spec: { replicas: 2 },
    status: { replicas: 0, selector: 'app=a' },
  });
  const scaled = await registry.update(row, ref('a'), { ...view, spec: { replicas: 5 } }, context, 'scale');
  t.match(scaled.object, { kind: 'Scale', spec: { replicas: 5 } });
  t.match((await registry.get(row, ref('a'), context)).object, {
    kind: 'Deployment',
    metadata: { generation: 2 },
    spec: { replicas: 5 },
  });
  await t.rejects(registry.update(row, ref('a'), { ...view, spec: { replicas: 1 } }, context, 'scale'), {
    code: 409,
  });
  await t.rejects(
    registry.patch(row, ref('a'), { type: 'merge', body: { spec: { replicas: -1 } } }, context, 'scale'),
    { code: 422, message: /spec\.replicas: Invalid value: -1: must be greater than or equal to 0/ },
  );
  await t.rejects(registry.get(rowOf('configmaps'), ref('a'), context, 'scale'), { code: 404 });
});

t.test('binding: once, and only to a node', async (t) => {
  const { registry, rowOf } = await setUp();
  const pods = rowOf('pods');
  await registry.create(pods, 'default', { metadata: { name: 'a' }, spec: { containers } }, context);
  const bind = (target: object, name = 'a') =>
    registry.post(
      pods,
      ref('a'),
      'binding',
      { apiVersion: 'v1', kind: 'Binding', metadata: { name }, target },
      context,
    );
  await t.rejects(bind({ kind: 'Service', name: 'x' }), {
    code: 422,
    message: /target\.kind: Unsupported value: "Service"/,
  });
  await t.rejects(bind({ kind: 'Node' }), { code: 422, message: /target\.name: Required value/ });
  await t.rejects(bind({ kind: 'Node', name: 'n' }, 'other'), { code: 400 });
  const answers = await Promise.allSettled(['n1', 'n2', 'n3'].map((name) => bind({ kind: 'Node', name })));
  t.equal(answers.filter(({ status }) => status === 'fulfilled').length, 1, 'one of three schedulers wins');
  await t.rejects(bind({ kind: 'Node', name: 'n9' }), {
    code: 409,
    message: /Operation cannot be fulfilled on pods\/binding "a": pod a is already assigned to node "n\d"/,
  });
  const { object } = await registry.get(pods, ref('a'), context);
  t.match(object, {
    spec: { nodeName: /^n[123]$/ },
    status: { conditions: [{ type: 'PodScheduled', status: 'True' }] },
  });
  await t.rejects(registry.post(pods, ref('a'), 'nonsense', {}, context), { code: 404 });
});

t.test('dryRun answers as if, and stores nothing', async (t) => {
  const { registry, rowOf, store } = await setUp();
  const maps = rowOf('configmaps');
  await registry.create(maps, 'default', { metadata: { name: 'a' }, data: { v: '1' } }, context);
  const before = store.revision();
  t.match((await registry.create(maps, 'default', { metadata: { name: 'b' } }, dry)).object, {
    metadata: { name: 'b', uid: /./ },
  });
  t.match((await registry.update(maps, ref('a'), { data: { v: '2' } }, dry)).object, { data: { v: '2' } });
  t.match((await registry.patch(maps, ref('a'), { type: 'merge', body: { data: { v: '3' } } }, dry)).object, {
    data: { v: '3' },
  });
  t.match(await registry.delete(maps, ref('a'), {}, dry), { gone: true });
  t.match(await registry.delete(maps, ref('a'), { dryRun: true }, context), { gone: true });
  await t.rejects(registry.create(maps, 'default', { metadata: { name: 'a' } }, dry), { code: 409 });
  t.equal(store.revision(), before);
  t.match((await registry.get(maps, ref('a'), context)).object, { data: { v: '1' } });
});

t.test('fieldValidation: Ignore, Warn, Strict', async (t) => {
  const { registry, rowOf } = await setUp();
  const body = (name: string) => ({
    metadata: { name },
    spec: { containers: [{ ...containers[0], imagee: 'x' }], foo: 1 },
  });
  const send = (name: string, given: ReturnType<typeof contextOf>) =>
    registry.create(rowOf('pods'), 'default', body(name), given);
  const ignore = contextOf({ fieldValidation: 'Ignore' });
  const stored = (await send('a', ignore)).object as Pod & { spec: { foo?: unknown } };
  t.equal(stored.spec.foo, undefined, 'never stored');
  t.same(ignore.warnings, []);
  const warn = contextOf({ fieldValidation: 'Warn' });
  await send('b', warn);
  t.same([...warn.warnings].sort(), [
    'unknown field "spec.containers[0].imagee"',
    'unknown field "spec.foo"',
  ]);
  await t.rejects(send('c', contextOf({ fieldValidation: 'Strict' })), {
    code: 400,
    reason: 'BadRequest',
    message:
      /^Pod in version "v1" cannot be handled as a Pod: strict decoding error: unknown field "spec\.[\s\S]*", unknown field "spec\./,
  });
  const patched = contextOf({ fieldValidation: 'Warn' });
  await registry.patch(rowOf('pods'), ref('a'), { type: 'merge', body: { spec: { bar: 1 } } }, patched);
  t.same(patched.warnings, ['unknown field "spec.bar"']);
});

t.test('concurrent writers: no write is lost, a conditional one fails instead', async (t) => {
  const { registry, rowOf } = await setUp();
  const maps = rowOf('configmaps');
  await registry.create(maps, 'default', { metadata: { name: 'a' } }, context);
  const keys = Array.from({ length: 8 }, (_, index) => `k${index}`);
  await Promise.all(
    keys.map((key) =>
      registry.patch(maps, ref('a'), { type: 'merge', body: { data: { [key]: '1' } } }, context),
    ),
  );
  const { object } = await registry.get(maps, ref('a'), context);
  t.same(Object.keys((object as ConfigMap).data ?? {}).sort(), keys);
  const version = object.metadata.resourceVersion;
  const answers = await Promise.allSettled(
    keys.map((key) =>
      registry.update(
        maps,
        ref('a'),
        { metadata: { name: 'a', resourceVersion: version }, data: { [key]: '2' } },
        context,
      ),
    ),
  );
  t.equal(answers.filter(({ status }) => status === 'fulfilled').length, 1);
});

t.test('patch: each kind of patch, and what is no patch', async (t) => {
  const { registry, rowOf } = await setUp();
  const row = rowOf('deployments');
  await registry.create(row, 'default', deployment('a'), context);
  const patch = async (type: 'json' | 'merge' | 'strategic', body: unknown) =>
    (await registry.patch(row, ref('a'), { type, body }, context)).object as Deployment;
  t.match(await patch('json', [{ op: 'replace', path: '/spec/replicas', value: 4 }]), {
    spec: { replicas: 4 },
  });
  const template = { spec: { containers: [{ name: 'side', image: 'busybox' }] } };
  const merged = await patch('strategic', { spec: { template } });
  t.same(
    merged.spec?.template.spec?.containers.map(({ name }) => name).sort(),
    ['main', 'side'],
    'lists merge by name',
  );
  t.match(await patch('merge', { metadata: { labels: { x: null, y: '1' } } }), {
    metadata: { labels: { y: '1' } },
  });
  await t.rejects(patch('json', [{ op: 'test', path: '/spec/replicas', value: 9 }]), { code: 422 });
  await t.rejects(patch('merge', { metadata: { name: 'b' } }), { code: 400 });
  await t.rejects(patch('merge', { metadata: { resourceVersion: '1' }, spec: { replicas: 1 } }), {
    code: 409,
  });
  await t.rejects(patch('merge', { spec: { replicas: 'many' } }), {
    code: 400,
    details: { causes: [{ field: 'spec.replicas' }] },
  });
  await t.rejects(patch('merge', { spec: { selector: { matchLabels: { app: 'b' } } } }), {
    code: 422,
    message: /spec\.selector: Invalid value: \{"matchLabels":\{"app":"b"\}\}: field is immutable/,
    details: { group: deploymentType.group, kind: 'Deployment' },
  });
});

t.test('cluster-scoped kinds have no namespace', async (t) => {
  const { registry, rowOf } = await setUp();
  const nodes = rowOf('nodes');
  const { object } = await registry.create(
    nodes,
    undefined,
    { metadata: { name: 'n1' }, status: { phase: 'Running' } } as KubeObject,
    context,
  );
  t.equal(object.metadata.namespace, undefined);
  t.equal((object as Node).metadata.generation, undefined, 'nodes have no generation');
});
