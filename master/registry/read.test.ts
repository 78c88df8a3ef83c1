import t from 'tap';
import { ApiError, type Reason } from '../../src/api/errors.js';
import type { ConfigMap, Pod } from '../../src/api/types.js';
import type { ListOptions } from '../../src/client/client.js';
import { createFakeClock } from '../../src/testing/clock.js';
import type { Resource } from '../resources/resource.js';
import { contextOf, createTestRegistry } from './testing.js';

const context = contextOf();

async function setUp() {
  const { registry, store, rowOf } = await createTestRegistry({ clock: createFakeClock() });
  const maps = rowOf('configmaps') as unknown as Resource<ConfigMap>;
  const add = (name: string, labels: Record<string, string> = {}, namespace = 'default') =>
    registry.create(maps, namespace, { metadata: { name, labels }, data: { v: '1' } }, context);
  const change = (name: string, v: string) =>
    registry.patch(maps, { namespace: 'default', name }, { type: 'merge', body: { data: { v } } }, context);
  const remove = (name: string) => registry.delete(maps, { namespace: 'default', name }, {}, context);
  const list = (options: ListOptions = {}) =>
    registry.list(maps, { namespace: 'default', ...options }, context);
  const names = async (options: ListOptions = {}) =>
    (await list(options)).items.map(({ object }) => `${object.metadata.name}=${object.data?.['v']}`);
  const refused = async (options: ListOptions): Promise<ApiError> => {
    try {
      await list(options);
    } catch (error) {
      if (error instanceof ApiError) return error;
      throw error;
    }
    throw new Error('the list was answered');
  };
  return { registry, store, rowOf, add, change, remove, list, names, refused };
}

t.test('get: the stored bytes with their version; 404 names the object', async (t) => {
  const { registry, rowOf, add } = await setUp();
  const made = await add('a');
  const got = await registry.get(rowOf('configmaps'), { namespace: 'default', name: 'a' }, context);
  t.equal(got.bytes, made.bytes, 'one buffer for every reader');
  t.match(JSON.parse(got.bytes.toString()), {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'a', namespace: 'default', resourceVersion: made.object.metadata.resourceVersion },
  });
  await t.rejects(registry.get(rowOf('configmaps'), { namespace: 'default', name: 'b' }, context), {
    reason: 'NotFound',
    code: 404,
    message: 'configmaps "b" not found',
    details: { name: 'b', kind: 'configmaps' },
  });
  await t.rejects(registry.get(rowOf('deployments'), { namespace: 'default', name: 'b' }, context), {
    message: 'deployments.apps "b" not found',
  });
});

t.test('list: which state each resourceVersion answers', async (t) => {
  const { add, change, remove, list, names, refused, store } = await setUp();
  await add('a');
  const early = (await list()).resourceVersion;
  await add('b');
  await change('a', '2');
  await remove('b');

  t.same(await names(), ['a=2'], 'unset: the newest');
  t.same(await names({ resourceVersion: '0' }), ['a=2'], '0: any');
  t.same(await names({ resourceVersion: early }), ['a=2'], 'not older than');
  t.same(await names({ resourceVersion: early, resourceVersionMatch: 'NotOlderThan' }), ['a=2']);
  t.same(await names({ resourceVersion: early, resourceVersionMatch: 'Exact' }), ['a=1'], 'exactly then');
  t.same(await names({ resourceVersion: early, limit: 10 }), ['a=1'], 'limited with a version: exactly then');
  t.equal(
    (await list({ resourceVersion: early, resourceVersionMatch: 'Exact' })).resourceVersion,
    early,
    'the list says of which state it is',
  );

  const future = await refused({ resourceVersion: '9999' });
  t.match(future, {
    reason: 'Timeout',
    code: 504,
    message: /^Too large resource version: 9999, current: \d+$/,
  });
  t.match(future.details, { causes: [{ reason: 'ResourceVersionTooLarge' }], retryAfterSeconds: 1 });

  await store.compact(store.revision() - 1);
  t.match(await refused({ resourceVersion: early, resourceVersionMatch: 'Exact' }), {
    reason: 'Expired',
    code: 410,
    message: 'The resourceVersion for the provided list is too old.',
  });
  t.same(await names({ resourceVersion: early }), ['a=2'], 'not older than is still fine');
});

t.test('list: options that make no sense', async (t) => {
  const { refused } = await setUp();
  const cases: [ListOptions & Record<string, unknown>, Reason, RegExp][] = [
    [{ resourceVersion: 'x' }, 'Invalid', /resourceVersion: Invalid value: "x"/],
    [
      { resourceVersionMatch: 'Exact' },
      'Invalid',
      /resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden unless resourceVersion is provided/,
    ],
    [
      { resourceVersion: '0', resourceVersionMatch: 'Exact' },
      'Invalid',
      /resourceVersionMatch "exact" is forbidden for resourceVersion "0"/,
    ],
    [
      { resourceVersion: '1', resourceVersionMatch: 'Newest' as 'Exact' },
      'Invalid',
      /resourceVersionMatch: Unsupported value: "Newest": supported values: "Exact", "NotOlderThan", ""/,
    ],
    [{ continue: 'garbage' }, 'BadRequest', /continue key is not valid/],
    [{ labelSelector: 'a in (' }, 'BadRequest', /./],
    [
      { fieldSelector: 'data.v=1' },
      'BadRequest',
      /"data\.v" is not a known field selector: only "metadata\.name"/,
    ],
  ];
  for (const [options, reason, message] of cases) {
    t.match(await refused(options), { reason, message }, JSON.stringify(options));
  }
});

t.test('list in pages: one consistent state while writers go on', async (t) => {
  const { add, change, remove, list, refused, store } = await setUp();
  for (const name of ['a', 'b', 'c', 'd', 'e']) await add(name);
  const first = await list({ limit: 2 });
  t.equal(first.items.length, 2);
  t.equal(first.remainingItemCount, 3);

  await change('d', '2');
  await remove('e');
  await add('bb');
  const second = await list({ limit: 2, continue: first.continue ?? '' });
  const third = await list({ limit: 2, continue: second.continue ?? '' });
  const seen = [first, second, third].flatMap(({ items }) =>
    items.map(({ object }) => `${object.metadata.name}=${object.data?.['v']}`),
  );
  t.same(seen, ['a=1', 'b=1', 'c=1', 'd=1', 'e=1'], 'the state of the first page');
  t.same([second.resourceVersion, third.resourceVersion], [first.resourceVersion, first.resourceVersion]);
  t.equal(third.continue, undefined);
  t.match(await refused({ continue: first.continue ?? '', resourceVersion: '1' }), {
    reason: 'BadRequest',
    message: 'specifying resource version is not allowed when using continue',
  });
  t.match(
    await refused({ continue: first.continue ?? '', namespace: 'other' }),
    { reason: 'BadRequest' },
    'a token does not open another namespace',
  );

  await store.compact(store.revision());
  const gone = await refused({ limit: 2, continue: first.continue ?? '' });
  t.match(gone, {
    reason: 'Expired',
    code: 410,
    message: /^The provided continue parameter is too old to display/,
  });
  const fresh = gone.toStatus().metadata['continue'] as string;
  const rest = await list({ limit: 10, continue: fresh });
  t.same(
    rest.items.map(({ object }) => object.metadata.name),
    ['bb', 'c', 'd'],
    'the token of the answer goes on in the present',
  );
});

t.test('list: label and field selectors, with and without a limit', async (t) => {
  const { registry, rowOf, add, list, names } = await setUp();
  await registry.create(rowOf('namespaces'), undefined, { metadata: { name: 'other' } }, context);
  await add('a', { app: 'web', tier: 'x' });
  await add('b', { app: 'web' });
  await add('c', { app: 'db' });
  await add('a', { app: 'web' }, 'other');
  const cases: [ListOptions, string[]][] = [
    [{ labelSelector: 'app=web' }, ['a=1', 'b=1']],
    [{ labelSelector: 'app!=web' }, ['c=1']],
    [{ labelSelector: 'app in (db,web),!tier' }, ['b=1', 'c=1']],
    [{ labelSelector: 'tier' }, ['a=1']],
    [{ fieldSelector: 'metadata.name=a' }, ['a=1']],
    [{ fieldSelector: 'metadata.name=a', labelSelector: 'app=db' }, []],
    [{ fieldSelector: 'metadata.name!=a' }, ['b=1', 'c=1']],
    [{ fieldSelector: 'metadata.name=nope' }, []],
    [{ namespace: undefined, fieldSelector: 'metadata.name=a' }, ['a=1', 'a=1']],
    [{ namespace: undefined, fieldSelector: 'metadata.namespace=other' }, ['a=1']],
    [{ namespace: 'nowhere' }, []],
  ];
  for (const [options, expected] of cases) {
    t.same(await names(options), expected, JSON.stringify(options));
  }
  const first = await list({ labelSelector: 'app=web', limit: 1 });
  t.equal(first.remainingItemCount, undefined, 'unknown with a selector');
  const second = await list({ labelSelector: 'app=web', limit: 1, continue: first.continue ?? '' });
  t.same(
    [...first.items, ...second.items].map(({ object }) => object.metadata.name),
    ['a', 'b'],
  );
});

t.test('list: the fields that kinds offer', async (t) => {
  const { registry, rowOf } = await setUp();
  const pods = rowOf('pods') as unknown as Resource<Pod>;
  for (const name of ['one', 'two']) {
    const spec = { containers: [{ name: 'c', image: 'i' }] };
    await registry.create(pods, 'default', { metadata: { name }, spec }, context);
  }
  const node = {
    apiVersion: 'v1',
    kind: 'Binding',
    metadata: { name: 'one' },
    target: { kind: 'Node', name: 'n1' },
  };
  await registry.post(pods, { namespace: 'default', name: 'one' }, 'binding', node, context);
  const found = async (fieldSelector: string) =>
    (await registry.list(pods, { fieldSelector }, context)).items.map(({ object }) => object.metadata.name);
  t.same(await found('spec.nodeName=n1'), ['one']);
  t.same(await found('spec.nodeName='), ['two'], 'the scheduler looks for this');
  t.same(await found('status.phase=Pending'), ['one', 'two']);
  t.same(await found('status.phase!=Pending'), []);
  t.same(await found('spec.nodeName=n1,status.phase=Running'), []);
  await t.rejects(found('spec.hostname=x'), {
    reason: 'BadRequest',
    message: /field label not supported: spec\.hostname/,
  });
});
