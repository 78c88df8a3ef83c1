/** Views of another version, admission and answered kinds, over the memory store. */
import t from 'tap';
import { ApiError } from '../../src/api/errors.js';
import type { ConfigMap, KubeObject } from '../../src/api/types.js';
import { createFakeClock } from '../../src/testing/clock.js';
import type { Resource } from '../resources/resource.js';
import { row, viewRow } from '../resources/rows/row.js';
import { createResources } from '../resources/table.js';
import type { Admission, AdmissionRequest } from './admission.js';
import { contextOf, createTestRegistry } from './testing.js';

const clock = createFakeClock();

/** ConfigMaps once more, with every value in capitals: a conversion that shows. */
function capitals(): readonly Resource[] {
  const rows = createResources();
  const of = rows.find(({ type }) => type.resource === 'configmaps');
  if (!of) throw new Error('no configmaps');
  const mapped = (object: KubeObject, change: (text: string) => string): KubeObject => {
    const { data = {}, ...rest } = object as ConfigMap;
    const entries = Object.entries(data).map(([key, value]) => [key, change(value)]);
    return { ...rest, data: Object.fromEntries(entries) } as KubeObject;
  };
  const type = { ...of.type, resource: 'capitals' };
  const view = viewRow(of, {
    type,
    toStored: (object) => mapped(object, (text) => text.toLowerCase()),
    fromStored: (object) => mapped(object, (text) => text.toUpperCase()),
    fieldLabels: { title: 'metadata.name' },
  });
  return [...rows, view];
}

const configMap = (data: Record<string, string>): KubeObject =>
  ({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'a' }, data }) as KubeObject;

t.test('a view converts on every way in and out and stores the other version', async (t) => {
  const { registry, rowOf } = await createTestRegistry({ clock, resources: capitals() });
  const [view, stored] = [rowOf('capitals'), rowOf('configmaps')];
  const ref = { namespace: 'default', name: 'a' };
  const dataOf = ({ object }: { object: KubeObject }): unknown => (object as ConfigMap).data;

  const created = await registry.create(view, 'default', configMap({ k: 'HI' }), contextOf());
  t.same(dataOf(created), { k: 'HI' });
  t.same(JSON.parse(created.bytes.toString()).data, { k: 'HI' });
  t.same(dataOf(await registry.get(stored, ref, contextOf())), { k: 'hi' });

  const merge = { type: 'merge' as const, body: { data: { more: 'YES' } } };
  t.same(dataOf(await registry.patch(view, ref, merge, contextOf())), { k: 'HI', more: 'YES' });
  const tested = { type: 'json' as const, body: [{ op: 'test', path: '/data/k', value: 'HI' }] };
  await registry.patch(view, ref, tested, contextOf());
  t.same(dataOf(await registry.get(stored, ref, contextOf())), { k: 'hi', more: 'yes' });

  const options = { namespace: 'default', fieldSelector: 'title=a' };
  const { items, resourceVersion } = await registry.list(view, options, contextOf());
  t.same(items.map(dataOf), [{ k: 'HI', more: 'YES' }]);

  const stop = new AbortController();
  const events = registry.watch(view, { resourceVersion }, contextOf({ signal: stop.signal }));
  const next = events[Symbol.asyncIterator]().next();
  t.same(dataOf(await registry.update(view, ref, configMap({ k: 'NEW' }), contextOf())), { k: 'NEW' });
  const [event] = (await next).value ?? [];
  t.equal(event?.type, 'MODIFIED');
  t.same(event?.type === 'MODIFIED' && dataOf(event.item), { k: 'NEW' });
  stop.abort();
  t.same(dataOf(await registry.delete(view, ref, {}, contextOf())), { k: 'NEW' });
});

t.test('admission sees writes in order, may change and refuse them', async (t) => {
  const seen: string[] = [];
  const admission: Admission = {
    concerns: (resource) => resource.type.resource === 'configmaps',
    mutate: ({ operation, object }: AdmissionRequest) => {
      seen.push(`mutate ${operation}`);
      if (!object || operation !== 'CREATE') return Promise.resolve(object);
      const { metadata } = object;
      return Promise.resolve({ ...object, metadata: { ...metadata, labels: { seen: 'yes' } } });
    },
    validate: ({ operation, object, oldObject, name }) => {
      seen.push(`validate ${operation} ${name} ${oldObject ? 'old' : ''}`);
      const refused = (object as ConfigMap | undefined)?.data?.['k'] === 'no';
      return refused ? Promise.reject(new ApiError('Forbidden', 'not this')) : Promise.resolve();
    },
  };
  const { registry, rowOf } = await createTestRegistry({ clock, admission });
  const maps = rowOf('configmaps');
  const { object } = await registry.create(maps, 'default', configMap({ k: 'yes' }), contextOf());
  t.same(object.metadata.labels, { seen: 'yes' });
  const ref = { namespace: 'default', name: 'a' };
  await t.rejects(registry.update(maps, ref, configMap({ k: 'no' }), contextOf()), { message: 'not this' });
  t.same(((await registry.get(maps, ref, contextOf())).object as ConfigMap).data, { k: 'yes' });
  await registry.delete(maps, ref, {}, contextOf());
  t.same(seen, [
    'mutate CREATE',
    'validate CREATE a ',
    'mutate UPDATE',
    'validate UPDATE a old',
    'mutate DELETE',
    'validate DELETE a old',
  ]);
});

t.test('an answered kind has the verbs it says and stores nothing', async (t) => {
  const type = {
    group: 'authorization.k8s.io',
    version: 'v1',
    resource: 'selfsubjectaccessreviews',
    kind: 'SelfSubjectAccessReview',
    namespaced: false,
  };
  const create = (object: KubeObject): Promise<KubeObject> =>
    Promise.resolve({ ...object, status: { allowed: true } } as KubeObject);
  const virtuals = new Map([['selfsubjectaccessreviews.authorization.k8s.io', { create }]]);
  const resources = [
    ...createResources().filter((r) => r.type.resource !== type.resource),
    row({ type, verbs: ['create'] }),
  ];
  const { registry, rowOf, store } = await createTestRegistry({ clock, resources, virtuals });
  const before = store.revision();
  const reviews = rowOf('selfsubjectaccessreviews');
  const spec = { nonResourceAttributes: { path: '/', verb: 'get' } };
  const answer = await registry.create(reviews, undefined, { spec }, contextOf());
  t.match(JSON.parse(answer.bytes.toString()), {
    kind: 'SelfSubjectAccessReview',
    apiVersion: 'authorization.k8s.io/v1',
    status: { allowed: true },
  });
  t.equal(store.revision(), before);
  await t.rejects(registry.list(reviews, {}, contextOf()), { message: /does not allow this method/ });
});

t.test('what must not be updated blindly, and what an update may create', async (t) => {
  const resources = createResources().map((found) =>
    found.type.resource === 'configmaps'
      ? { ...found, strategy: { allowUnconditionalUpdate: false as const } }
      : found.type.resource === 'secrets'
        ? { ...found, strategy: { allowCreateOnUpdate: true as const } }
        : found,
  );
  const { registry, rowOf } = await createTestRegistry({ clock, resources });
  const ref = { namespace: 'default', name: 'a' };
  await registry.create(rowOf('configmaps'), 'default', configMap({}), contextOf());
  const message = /metadata.resourceVersion: Invalid value: 0x0: must be specified for an update/;
  await t.rejects(registry.update(rowOf('configmaps'), ref, configMap({}), contextOf()), { message });
  const secret = { metadata: { name: 'a' } };
  t.equal((await registry.update(rowOf('secrets'), ref, secret, contextOf())).created, true);
  t.equal((await registry.update(rowOf('secrets'), ref, secret, contextOf())).created, false);
});
