import t from 'tap';
import type { KubeObject, Namespace, Pod } from '../../src/api/types.js';
import type { DeleteOptions } from '../../src/client/client.js';
import { silentLogger } from '../../src/host/log.js';
import { createFakeClock } from '../../src/testing/clock.js';
import { createResources } from '../resources/table.js';
import { createRegistry } from './generic.js';
import { contextOf, createTestRegistry } from './testing.js';

const context = contextOf();
const ref = (name: string) => ({ namespace: 'default', name });
const containers = [{ name: 'main', image: 'nginx' }];

async function setUp() {
  const clock = createFakeClock();
  const { registry, store, rowOf } = await createTestRegistry({ clock });
  const maps = rowOf('configmaps');
  const pods = rowOf('pods');
  const add = (name: string, metadata: object = {}) =>
    registry.create(maps, 'default', { metadata: { name, ...metadata } }, context);
  const remove = (name: string, options: DeleteOptions = {}) =>
    registry.delete(maps, ref(name), options, context);
  const finalizers = (name: string, list: string[]) =>
    registry.patch(maps, ref(name), { type: 'merge', body: { metadata: { finalizers: list } } }, context);
  const addPod = async (name: string, node?: string, spec: object = {}): Promise<void> => {
    await registry.create(pods, 'default', { metadata: { name }, spec: { containers, ...spec } }, context);
    const body = { metadata: { name }, target: { kind: 'Node', name: node } };
    if (node) await registry.post(pods, ref(name), 'binding', body, context);
  };
  const removePod = (name: string, options: DeleteOptions = {}) =>
    registry.delete(pods, ref(name), options, context);
  return { clock, registry, store, rowOf, maps, pods, add, remove, finalizers, addPod, removePod };
}

t.test('delete: at once where nothing holds it', async (t) => {
  const { add, remove, registry, maps } = await setUp();
  const { object } = await add('a');
  const { gone, object: last } = await remove('a');
  t.ok(gone);
  t.equal(last.metadata.uid, object.metadata.uid);
  await t.rejects(remove('a'), { code: 404, message: 'configmaps "a" not found' });
  await t.rejects(registry.get(maps, ref('a'), context), { code: 404 });
});

t.test('delete: preconditions and policies', async (t) => {
  const { add, remove, finalizers } = await setUp();
  const { object } = await add('a');
  const { uid = '', resourceVersion = '' } = object.metadata;
  await t.rejects(remove('a', { preconditions: { uid: 'other' } }), {
    code: 409,
    message: `Operation cannot be fulfilled on configmaps "a": Precondition failed: UID in precondition: other, UID in object meta: ${uid}`,
  });
  await t.rejects(remove('a', { preconditions: { resourceVersion: '1' } }), {
    code: 409,
    message: /ResourceVersion in precondition: 1/,
  });
  await t.rejects(remove('a', { propagationPolicy: 'Nonsense' as 'Orphan' }), {
    code: 422,
    message: /propagationPolicy: Unsupported value: "Nonsense"/,
  });
  t.match(await remove('a', { preconditions: { uid, resourceVersion } }), { gone: true });

  const cases: [DeleteOptions['propagationPolicy'], string[]][] = [
    ['Foreground', ['foregroundDeletion']],
    ['Orphan', ['orphan']],
  ];
  for (const [propagationPolicy = 'Background', expected] of cases) {
    await add('b');
    const { gone, object: waiting } = await remove('b', { propagationPolicy });
    t.notOk(gone, propagationPolicy);
    t.same(waiting.metadata.finalizers, expected);
    t.equal(waiting.metadata.deletionTimestamp, '2026-01-01T00:00:00Z');
    await finalizers('b', []);
    await t.rejects(remove('b'), { code: 404 }, 'gone with its last finalizer');
  }
  await add('c');
  t.match(await remove('c', { propagationPolicy: 'Background' }), { gone: true });
});

t.test('delete: finalizers keep an object until the last is taken away', async (t) => {
  const { add, remove, finalizers, registry, maps } = await setUp();
  await add('a', { finalizers: ['example.com/one', 'example.com/two'] });
  t.match(await remove('a'), { gone: false });
  const { object: first } = await registry.get(maps, ref('a'), context);
  t.match(await remove('a'), { gone: false }, 'again is fine');
  const { object: second } = await registry.get(maps, ref('a'), context);
  t.equal(second.metadata.resourceVersion, first.metadata.resourceVersion, 'and writes nothing');
  await t.rejects(finalizers('a', ['example.com/one', 'example.com/two', 'example.com/three']), {
    code: 422,
    message:
      /metadata\.finalizers: Forbidden: no new finalizers can be added if the object is being deleted, found new finalizers \[\]string\{"example\.com\/three"\}/,
  });
  await finalizers('a', ['example.com/two']);
  await registry.get(maps, ref('a'), context);
  const { object } = await finalizers('a', []);
  t.same(object.metadata.finalizers ?? [], []);
  await t.rejects(registry.get(maps, ref('a'), context), { code: 404 });
});

t.test('pods: grace periods', async (t) => {
  const { addPod, removePod, registry, pods, clock } = await setUp();
  const graceOf = ({ metadata }: KubeObject) => [
    metadata.deletionGracePeriodSeconds,
    metadata.deletionTimestamp,
  ];
  await addPod('waiting');
  t.match(await removePod('waiting'), { gone: true }, 'a pod without a node goes at once');

  await addPod('a', 'n1');
  const { gone, object } = await removePod('a');
  t.notOk(gone);
  t.same(graceOf(object), [30, '2026-01-01T00:00:30Z']);
  t.equal(object.metadata.generation, 2, 'the binding did not count, the deletion does');
  await clock.advance(5_000);
  t.same(
    graceOf((await removePod('a')).object),
    [30, '2026-01-01T00:00:30Z'],
    'asking again changes nothing',
  );
  t.same(
    graceOf((await removePod('a', { gracePeriodSeconds: 60 })).object),
    [30, '2026-01-01T00:00:30Z'],
    'never longer',
  );
  t.same(
    graceOf((await removePod('a', { gracePeriodSeconds: 10 })).object),
    [10, '2026-01-01T00:00:10Z'],
    'shorter',
  );
  t.match(
    await removePod('a', { gracePeriodSeconds: 0 }),
    { gone: true },
    'the agent is done, or somebody forces it',
  );

  await addPod('b', 'n1', { terminationGracePeriodSeconds: 5 });
  t.same(graceOf((await removePod('b')).object)[0], 5);
  await addPod('c', 'n1');
  t.same(graceOf((await removePod('c', { gracePeriodSeconds: -1 })).object)[0], 1);
  await addPod('d', 'n1');
  await registry.patch(
    pods,
    ref('d'),
    { type: 'merge', body: { status: { phase: 'Succeeded' } } },
    context,
    'status',
  );
  t.match(await removePod('d'), { gone: true }, 'one that has ended goes at once');

  const body = { metadata: { name: 'c' }, target: { kind: 'Node', name: 'n2' } };
  await t.rejects(registry.post(pods, ref('c'), 'binding', body, context), {
    code: 409,
    message: /pod c is being deleted, cannot be assigned to a host/,
  });
});

t.test('pods: a finalizer outlives the grace period', async (t) => {
  const { addPod, removePod, registry, pods } = await setUp();
  await addPod('a', 'n1');
  const finalizers = (list: string[]) =>
    registry.patch(pods, ref('a'), { type: 'merge', body: { metadata: { finalizers: list } } }, context);
  await finalizers(['example.com/hold']);
  await removePod('a');
  t.match(await removePod('a', { gracePeriodSeconds: 0 }), { gone: false });
  t.equal((await registry.get(pods, ref('a'), context)).object.metadata.deletionGracePeriodSeconds, 0);
  await finalizers([]);
  await t.rejects(registry.get(pods, ref('a'), context), { code: 404 });

  await addPod('b', 'n1');
  await removePod('b');
  await registry.patch(
    pods,
    ref('b'),
    { type: 'merge', body: { metadata: { labels: { a: 'b' } } } },
    context,
  );
  await registry.get(pods, ref('b'), context);
  t.pass('a write does not end a grace period that still runs');
});

t.test('namespaces: terminating until the controller finalizes', async (t) => {
  const { registry, rowOf } = await setUp();
  const row = rowOf('namespaces');
  const one = { name: 'team' };
  const { object } = await registry.create(row, undefined, { metadata: one }, context);
  t.match(object, { spec: { finalizers: ['kubernetes'] }, status: { phase: 'Active' } });
  const { gone, object: going } = await registry.delete(row, one, {}, context);
  t.notOk(gone);
  t.match(going, { status: { phase: 'Terminating' }, metadata: { deletionTimestamp: /./ } });
  await t.rejects(registry.create(rowOf('configmaps'), 'team', { metadata: { name: 'x' } }, context), {
    code: 403,
    message:
      'configmaps "x" is forbidden: unable to create new content in namespace team because it is being terminated',
    details: { causes: [{ reason: 'NamespaceTerminating', field: 'metadata.namespace' }] },
  });
  const kept = await registry.update(row, one, { metadata: one, spec: { finalizers: [] } }, context);
  t.match(
    (kept.object as Namespace).spec,
    { finalizers: ['kubernetes'] },
    'a plain update does not finalize',
  );
  await registry.update(
    row,
    one,
    { ...going, metadata: one, spec: { finalizers: [] } } as Namespace,
    context,
    'finalize',
  );
  await t.rejects(registry.get(row, one, context), { code: 404 });

  await t.rejects(registry.delete(row, { name: 'default' }, {}, context), {
    code: 403,
    message: 'namespaces "default" is forbidden: this namespace may not be deleted',
  });
});

t.test('deleteCollection: what the selectors select', async (t) => {
  const { add, addPod, registry, maps, pods } = await setUp();
  for (const name of ['a', 'b', 'c']) await add(name, { labels: { app: name === 'c' ? 'db' : 'web' } });
  const selected = { namespace: 'default', labelSelector: 'app=web' };
  await registry.deleteCollection(maps, selected, {}, contextOf({ dryRun: true }));
  const { items } = await registry.deleteCollection(maps, selected, {}, context);
  t.same(
    items.map(({ object }) => object.metadata.name),
    ['a', 'b'],
  );
  t.same(
    (await registry.list(maps, {}, context)).items.map(({ object }) => object.metadata.name),
    ['c'],
  );
  await addPod('on-node', 'n1');
  await addPod('waiting');
  await registry.deleteCollection(pods, { namespace: 'default' }, {}, context);
  const left = (await registry.list(pods, {}, context)).items.map(({ object }) => object as Pod);
  t.match(left, [{ metadata: { name: 'on-node', deletionGracePeriodSeconds: 30 } }]);
  t.equal(left.length, 1);
});

t.test('delete meets writers: everybody gets a true answer', async (t) => {
  const { add, remove, registry, maps } = await setUp();
  await add('a');
  const touches = Array.from({ length: 5 }, (_, index) =>
    registry.patch(maps, ref('a'), { type: 'merge', body: { data: { [`k${index}`]: 'v' } } }, context),
  );
  const answers = await Promise.allSettled([...touches, remove('a'), remove('a')]);
  const removed = answers.slice(-2).filter(({ status }) => status === 'fulfilled');
  t.equal(removed.length, 1, 'one delete wins, the other finds nothing');
  await t.rejects(registry.get(maps, ref('a'), context), { code: 404 });
});

t.test('events end after an hour without a write, also across a restart', async (t) => {
  const { clock, registry, store, rowOf } = await setUp();
  const row = rowOf('events');
  const event = (name: string) => ({
    metadata: { name },
    involvedObject: { kind: 'Pod', namespace: 'default', name: 'p' },
    reason: 'Tested',
    type: 'Normal',
  });
  const left = async () =>
    (await registry.list(row, {}, context)).items.map(({ object }) => object.metadata.name);
  const minutes = (count: number): Promise<void> => clock.advance(count * 60_000);
  await registry.create(row, 'default', event('a'), context);
  await registry.create(row, 'default', event('b'), context);
  await minutes(40);
  await registry.patch(row, ref('b'), { type: 'merge', body: { count: 2 } }, context);
  t.same(await left(), ['a', 'b']);
  await minutes(21);
  t.same(await left(), ['b'], 'every write renews the hour');
  await registry.stop();

  const restarted = createRegistry({
    store,
    clock,
    log: silentLogger,
    resources: createResources(),
    newUid: () => 'uid',
  });
  await restarted.start(new AbortController().signal);
  await minutes(61);
  t.same(await left(), []);
  await restarted.stop();
  t.equal(clock.pending, 0);
});
