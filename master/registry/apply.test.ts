import t from 'tap';
import { ApiError } from '../../src/api/errors.js';
import { configMaps } from '../../src/api/kinds.js';
import type { Patch } from '../../src/client/client.js';
import { createFakeClock } from '../../src/testing/clock.js';
import { createRegistryClient } from './client.js';
import { managedOf } from './codec.js';
import type { Stored } from './registry.js';
import { contextOf, createTestRegistry } from './testing.js';

const ref = { namespace: 'default', name: 'a' };

interface Owner {
  manager: string;
  operation: string;
  apiVersion: string;
  time?: string;
  subresource?: string;
  fieldsV1: object;
}

const owners = ({ bytes }: Pick<Stored, 'bytes'>): Owner[] => JSON.parse(managedOf(bytes) ?? '[]');

async function setUp(resource: string) {
  const clock = createFakeClock();
  const { registry, rowOf } = await createTestRegistry({ clock });
  const row = rowOf(resource);
  const as = (fieldManager: string, more: object = {}) => contextOf({ fieldManager, ...more });
  return {
    registry,
    row,
    clock,
    get: () => registry.get(row, ref, contextOf()),
    create: (body: object, manager: string) => registry.create(row, 'default', body, as(manager)),
    update: (body: object, manager: string, subresource?: string) =>
      registry.update(row, ref, body, as(manager), subresource),
    patch: (change: Patch, manager: string, subresource?: string) =>
      registry.patch(row, ref, change, as(manager), subresource),
    apply: (
      body: object,
      manager: string,
      how: { force?: boolean; dryRun?: boolean; subresource?: string } = {},
    ) =>
      registry.patch(
        row,
        ref,
        { type: 'apply', body, force: how.force ?? false },
        as(manager, { dryRun: how.dryRun ?? false }),
        how.subresource,
      ),
  };
}

const map = (data: object, metadata: object = {}): object => ({
  ...{ apiVersion: 'v1', kind: 'ConfigMap' },
  ...{ metadata: { name: 'a', ...metadata }, data },
});

const deployment = (spec: object = {}, container: object = {}): object => ({
  ...{ apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'a' } },
  spec: {
    selector: { matchLabels: { app: 'a' } },
    template: {
      metadata: { labels: { app: 'a' } },
      spec: { containers: [{ name: 'c', image: 'i', ...container }] },
    },
    ...spec,
  },
});

t.test('create: the creator owns what it sent and what was defaulted', async (t) => {
  const { create, get } = await setUp('deployments');
  t.same(owners(await create(deployment({ replicas: 2 }), 'me')), [
    {
      ...{ manager: 'me', operation: 'Update', apiVersion: 'apps/v1', time: '2026-01-01T00:00:00Z' },
      fieldsType: 'FieldsV1',
      fieldsV1: {
        'f:spec': {
          ...{
            'f:progressDeadlineSeconds': {},
            'f:replicas': {},
            'f:revisionHistoryLimit': {},
            'f:selector': {},
          },
          'f:strategy': {
            'f:rollingUpdate': { '.': {}, 'f:maxSurge': {}, 'f:maxUnavailable': {} },
            'f:type': {},
          },
          'f:template': {
            'f:metadata': { 'f:labels': { '.': {}, 'f:app': {} } },
            'f:spec': {
              'f:containers': {
                'k:{"name":"c"}': {
                  ...{ '.': {}, 'f:image': {}, 'f:imagePullPolicy': {}, 'f:name': {}, 'f:resources': {} },
                  ...{ 'f:terminationMessagePath': {}, 'f:terminationMessagePolicy': {} },
                },
              },
              ...{ 'f:dnsPolicy': {}, 'f:restartPolicy': {}, 'f:schedulerName': {} },
              ...{ 'f:securityContext': {}, 'f:terminationGracePeriodSeconds': {} },
            },
          },
        },
      },
    },
  ]);
  t.notOk('managedFields' in (await get()).object.metadata, 'objects in memory do not carry them');
});

t.test('update: whoever changes a field owns it; who has nothing left goes', async (t) => {
  const { create, update, patch, clock } = await setUp('configmaps');
  await create(map({ a: '1', b: '1' }), 'one');
  await clock.advance(5000);
  const changed = await patch({ type: 'merge', body: { data: { a: '2' } } }, 'two');
  t.match(owners(changed), [
    { manager: 'one', time: '2026-01-01T00:00:00Z', fieldsV1: { 'f:data': { '.': {}, 'f:b': {} } } },
    { manager: 'two', time: '2026-01-01T00:00:05Z', fieldsV1: { 'f:data': { 'f:a': {} } } },
  ]);
  const same = await patch({ type: 'merge', body: { data: { a: '2' } } }, 'three');
  t.equal(same.object.metadata.resourceVersion, changed.object.metadata.resourceVersion, 'nothing changed');
  const all = owners(await update(map({ c: '1' }), 'three'));
  t.same(
    all.map(({ manager, fieldsV1 }) => [manager, fieldsV1]),
    [
      ['one', { 'f:data': {} }],
      ['three', { 'f:data': { 'f:c': {} } }],
    ],
  );
});

t.test('subresources: status and scale are entries of their own', async (t) => {
  const { create, patch, apply } = await setUp('deployments');
  await create(deployment({ replicas: 1 }), 'me');
  const status = { status: { replicas: 1 }, spec: { replicas: 7 } };
  await patch({ type: 'merge', body: status }, 'controller', 'status');
  await patch({ type: 'merge', body: { spec: { replicas: 4 } } }, 'scaler', 'scale');
  const named = (all: Owner[]): unknown =>
    all
      .filter(({ subresource }) => subresource !== undefined)
      .map(({ manager, operation, subresource, fieldsV1 }) => [manager, operation, subresource, fieldsV1]);
  const after = await patch({ type: 'merge', body: {} }, 'me');
  t.same(named(owners(after)), [
    ['controller', 'Update', 'status', { 'f:status': { 'f:replicas': {} } }],
    ['scaler', 'Update', 'scale', { 'f:spec': { 'f:replicas': {} } }],
  ]);
  const refused = deployment({ replicas: 2 });
  await t.rejects(apply(refused, 'me'), {
    code: 409,
    message:
      'Apply failed with 1 conflict: conflict with "scaler" with subresource "scale" using apps/v1: .spec.replicas',
  });
  const body = { apiVersion: 'apps/v1', kind: 'Deployment', metadata: {}, status: { readyReplicas: 1 } };
  const applied = await apply(body, 'prober', { subresource: 'status' });
  t.match(named(owners(applied)), [['prober', 'Apply', 'status', { 'f:status': { 'f:readyReplicas': {} } }]]);
  const scale = { apiVersion: 'autoscaling/v1', kind: 'Scale', metadata: {}, spec: { replicas: 9 } };
  await t.rejects(apply(scale, 'other', { subresource: 'scale' }), { code: 409 });
  t.match((await apply(scale, 'other', { subresource: 'scale', force: true })).object, {
    kind: 'Scale',
    spec: { replicas: 9 },
  });
});

t.test('apply: creates, changes, shares, gives up', async (t) => {
  const { apply, get } = await setUp('configmaps');
  const first = await apply(map({ a: '1', b: '1' }), 'one');
  t.ok(first.created);
  t.match(owners(first), [
    { manager: 'one', operation: 'Apply', fieldsV1: { 'f:data': { 'f:a': {}, 'f:b': {} } } },
  ]);
  const again = await apply(map({ a: '1', b: '1' }), 'one');
  t.notOk(again.created);
  t.equal(again.object.metadata.resourceVersion, first.object.metadata.resourceVersion, 'idempotent');
  await apply(map({ a: '1' }), 'two');
  t.match(owners(await get()).length, 2, 'shared while equal');
  await apply(map({}), 'one');
  t.match((await get()).object, { data: { a: '1', b: undefined } }, 'what two owns stays, the rest goes');
  await apply(map({}), 'two');
  t.notOk('data' in (await get()).object && Object.keys((await get()).object).includes('a'));
});

t.test('apply: conflicts name their owner and field; force takes them over', async (t) => {
  const { apply, create } = await setUp('deployments');
  await create(deployment({ replicas: 1 }), 'kube');
  await t.rejects(apply(deployment({ replicas: 2 }, { image: 'j' }), 'me'), {
    code: 409,
    reason: 'Conflict',
    message:
      'Apply failed with 2 conflicts: conflicts with "kube" using apps/v1:\n- .spec.replicas\n- .spec.template.spec.containers[name="c"].image',
    details: {
      causes: [
        {
          reason: 'FieldManagerConflict',
          message: 'conflict with "kube" using apps/v1',
          field: '.spec.replicas',
        },
        {
          reason: 'FieldManagerConflict',
          message: 'conflict with "kube" using apps/v1',
          field: '.spec.template.spec.containers[name="c"].image',
        },
      ],
    },
  });
  const dry = await apply(deployment({ replicas: 2 }), 'me', { force: true, dryRun: true });
  t.match(dry.object, { spec: { replicas: 2 } });
  const forced = await apply(deployment({ replicas: 2 }), 'me', { force: true });
  t.match(forced.object, { spec: { replicas: 2 }, metadata: { generation: 2 } });
  const [mine, theirs] = owners(forced) as [Owner, Owner];
  t.match(mine, { manager: 'me', operation: 'Apply', fieldsV1: { 'f:spec': { 'f:replicas': {} } } });
  t.notMatch(theirs.fieldsV1, { 'f:spec': { 'f:replicas': {} } });
});

t.test('apply: what is refused', async (t) => {
  const { apply, create } = await setUp('deployments');
  const refuses = async (body: unknown, code: number, message: string | RegExp) =>
    t.rejects(apply(body as object, 'me'), { code, message }, String(message));
  const list = { containers: [{ name: 'c' }, { name: 'c' }] };
  const template = (spec: object) => deployment({ template: { spec } });
  await refuses([], 400, /error decoding YAML/);
  await refuses({ ...deployment(), apiVersion: 'v1' }, 400, 'invalid object type: /v1, Kind=Deployment');
  await refuses(
    { ...deployment(), metadata: { managedFields: [] } },
    400,
    'metadata.managedFields must be nil',
  );
  const nameless = { toString: 1, valueOf: 2 };
  await refuses({ ...deployment(), kind: nameless }, 400, /invalid object type/);
  await refuses({ ...deployment(), metadata: { namespace: nameless } }, 400, /namespace: expected string/);
  await refuses(deployment({ foo: 1 }), 400, /\.spec\.foo: field not declared in schema/);
  await refuses(
    deployment({ replicas: '1' }),
    400,
    /\.spec\.replicas: expected numeric \(int or float\), got string/,
  );
  await refuses(
    template(list),
    400,
    /\.spec\.template\.spec\.containers: duplicate entries for key \[name="c"\]/,
  );
  await refuses(template({ containers: [{}] }), 400, /omits all key fields \["name"\]/);
  await refuses({ ...deployment(), metadata: { name: 'b' } }, 400, /does not match the name on the URL/);
  await refuses({ ...deployment(), metadata: { uid: 'x' } }, 409, /uid mismatch/);
  await refuses({ ...deployment(), metadata: { resourceVersion: '1' } }, 409, /has been modified/);
  await refuses(deployment({ selector: null }), 422, /spec.selector: Required value/);
  await create(deployment(), 'me');
  await refuses({ ...deployment(), metadata: { uid: 'x' } }, 409, /Precondition failed: UID/);
  await refuses({ ...deployment(), metadata: { resourceVersion: '1' } }, 409, /has been modified/);
});

t.test('owners that are sent along: kept, set, forgotten', async (t) => {
  const { create, update, patch, apply, get } = await setUp('configmaps');
  await create(map({ a: '1' }), 'one');
  const list = (manager: string, fields: object): object[] => [
    { manager, operation: 'Apply', apiVersion: 'v1', fieldsType: 'FieldsV1', fieldsV1: fields },
  ];
  await update(map({ a: '1' }, { managedFields: list('me', { 'f:data': { 'f:a': {} } }) }), 'two');
  t.match(owners(await get()), [{ manager: 'me', operation: 'Apply' }], 'as sent');
  await update(map({ a: '1' }), 'two');
  t.equal(owners(await get()).length, 1, 'absent: as they were');
  await update(map({ a: '2' }, { managedFields: [{ manager: 'x', operation: 'Eat' }] }), 'two');
  t.match(owners(await get()), [{ manager: 'two', operation: 'Update' }], 'unreadable: as they were');
  const cleared = [{ op: 'replace', path: '/metadata/managedFields', value: [{}] }];
  t.same(owners(await patch({ type: 'json', body: cleared }, 'two')), [], 'forgotten');
  t.same(
    owners(await patch({ type: 'merge', body: { data: { a: '3' } } }, 'two')),
    [],
    'and not tracked again',
  );
  const applied = await apply(map({ b: '1' }), 'me');
  t.match(owners(applied), [
    { manager: 'me', operation: 'Apply', fieldsV1: { 'f:data': { 'f:b': {} } } },
    { manager: 'before-first-apply', operation: 'Update', fieldsV1: { 'f:data': { '.': {}, 'f:a': {} } } },
  ]);
  t.same(owners(await update(map({ a: '1' }, { managedFields: [] }), 'two')), [], '[] forgets, too');
});

t.test('from client-side to server-side apply: kubectl takes over what it applied before', async (t) => {
  const { create, apply } = await setUp('configmaps');
  const key = 'kubectl.kubernetes.io/last-applied-configuration';
  const annotations = { [key]: JSON.stringify(map({ a: '1' })) };
  await create(map({ a: '1' }, { annotations }), 'kubectl-client-side-apply');
  await t.rejects(apply(map({ a: '2' }), 'other'), { code: 409 });
  const upgraded = await apply(map({ a: '2' }), 'kubectl');
  const text = upgraded.object.metadata.annotations?.[key] ?? '{}';
  t.match(JSON.parse(text), { data: { a: '2' } }, 'the annotation follows');
});

t.test('at most ten updating owners', async (t) => {
  const { create, patch, clock } = await setUp('configmaps');
  let last = await create(map({ a: '1' }), 'm0');
  for (let i = 1; i < 14; i++) {
    await clock.advance(1000);
    last = await patch({ type: 'merge', body: { data: { [`k${i}`]: '1' } } }, `m${i}`);
  }
  const all = owners(last);
  t.equal(all.length, 10);
  t.match(all[0], {
    manager: 'ancient-changes',
    fieldsV1: { 'f:data': { 'f:a': {}, 'f:k1': {}, 'f:k4': {} } },
  });
});

t.test('views of other versions: owners of both versions lose what the other changes', async (t) => {
  const { registry, rowOf } = await createTestRegistry({ clock: createFakeClock() });
  const old =
    registry.resources.at('policy', 'v1beta1', 'poddisruptionbudgets') ?? rowOf('poddisruptionbudgets');
  const body = (version: string, minAvailable: number): object => ({
    ...{ apiVersion: `policy/${version}`, kind: 'PodDisruptionBudget', metadata: { name: 'a' } },
    spec: { minAvailable, selector: { matchLabels: { a: 'b' } } },
  });
  const change = (version: string, min: number): Patch => ({
    type: 'apply',
    body: body(version, min),
    force: true,
  });
  await registry.patch(
    rowOf('poddisruptionbudgets'),
    ref,
    change('v1', 1),
    contextOf({ fieldManager: 'new' }),
  );
  const result = await registry.patch(old, ref, change('v1beta1', 2), contextOf({ fieldManager: 'old' }));
  t.same(
    owners(result).map(({ manager, apiVersion }) => [manager, apiVersion]),
    [
      ['new', 'policy/v1'],
      ['old', 'policy/v1beta1'],
    ],
  );
  t.notMatch(owners(result)[0]?.fieldsV1, { 'f:spec': { 'f:minAvailable': {} } });
});

t.test('controllers that write back what they read lose no owner', async (t) => {
  const { registry, row, apply } = await setUp('configmaps');
  await apply(map({ a: '1' }), 'me');
  const client = createRegistryClient(registry, { name: 'system:wherry-master', groups: [] });
  const read = await client.get(configMaps, ref);
  await client.update(configMaps, { ...read, data: { ...read.data, b: '2' } });
  t.match(owners(await registry.get(row, ref, contextOf())), [
    { manager: 'me', operation: 'Apply' },
    { manager: 'wherry-master', operation: 'Update', fieldsV1: { 'f:data': { 'f:b': {} } } },
  ]);
});

t.test('who may patch but not create, does not create by applying', async (t) => {
  const { registry, row, apply } = await setUp('configmaps');
  const forbidden = new ApiError('Forbidden', 'no');
  const mayCreate = (): Promise<never> => Promise.reject(forbidden);
  const change: Patch = { type: 'apply', body: map({ a: '1' }) };
  await t.rejects(registry.patch(row, ref, change, contextOf({ mayCreate })), { code: 403 });
  await apply(map({ a: '1' }), 'somebody');
  await t.resolves(registry.patch(row, ref, change, contextOf({ mayCreate })), 'what is there is patched');
});

t.test('an apply that changes nothing leaves the stored object alone', async (t) => {
  const { registry, rowOf } = await createTestRegistry({ clock: createFakeClock() });
  const pods = rowOf('pods');
  const spec = { containers: [{ name: 'app', image: 'nginx' }], serviceAccountName: 'a' };
  await registry.create(pods, 'default', { metadata: { name: 'p' }, spec }, contextOf());
  const ref = { namespace: 'default', name: 'p' };
  const body = { apiVersion: 'v1', kind: 'Pod', spec: { containers: [{ name: 'app', image: 'nginx' }] } };
  const apply = () => registry.patch(pods, ref, { type: 'apply', body }, contextOf());
  await apply();
  const before = (await registry.get(pods, ref, contextOf())).object.metadata.resourceVersion;
  await apply();
  t.equal((await registry.get(pods, ref, contextOf())).object.metadata.resourceVersion, before);
});
