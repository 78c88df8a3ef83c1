import t from 'tap';
import { createFakeClock } from '../../../src/testing/clock.js';
import { causesOf, contextOf, createTestRegistry } from '../testing.js';

const { registry, rowOf } = await createTestRegistry({ clock: createFakeClock() });
const pods = rowOf('pods');
const agent = contextOf({ user: { name: 'system:node:n1', groups: ['system:nodes'] } });
const annotations = { 'kubernetes.io/config.mirror': 'abc' };
const owner = { apiVersion: 'v1', kind: 'Node', name: 'n1', uid: 'u', controller: true };
const spec = { nodeName: 'n1', containers: [{ name: 'a', image: 'b' }] };
const metadata = { name: 'web-n1', annotations, ownerReferences: [owner] };
const create = (object: object, context = agent) => registry.create(pods, 'default', object, context);

t.test('a node makes mirrors of its own pods, and nothing else', async (t) => {
  const refused = async (object: object, message: RegExp, context = agent): Promise<void> => {
    await t.rejects(create(object, context), { reason: 'Forbidden', message });
  };
  await refused({ metadata: { name: 'x' }, spec }, /node "n1" can only create mirror pods/);
  await refused({ metadata, spec: { ...spec, nodeName: 'n2' } }, /spec.nodeName set to itself/);
  await refused({ metadata: { ...metadata, ownerReferences: [] }, spec }, /an owner reference set to itself/);
  const other = { ...owner, name: 'n2' };
  await refused({ metadata: { ...metadata, ownerReferences: [other] }, spec }, /an owner reference set/);
  await refused(
    { metadata, spec: { ...spec, serviceAccountName: 'x' } },
    /may not reference service accounts/,
  );
  const volumes = [{ name: 's', secret: { secretName: 'x' } }];
  await refused({ metadata, spec: { ...spec, volumes } }, /may not reference secrets/);
  const admin = contextOf();
  await refused({ metadata, spec: { ...spec, volumes } }, /may not reference secrets/, admin);
  t.same(await causesOf(create({ metadata, spec: { containers: spec.containers } }, admin)), [
    'metadata.annotations[kubernetes.io/config.mirror]: Invalid value: "abc": must set spec.nodeName if mirror pod annotation is set',
  ]);

  const { object } = await create({ metadata, spec });
  t.match(object, { metadata: { annotations }, spec: { nodeName: 'n1' } });
  t.notHas(object, { spec: { serviceAccountName: 'default' } });
  const plain = { ...object, metadata: { ...object.metadata, annotations: {} } };
  const ref = { namespace: 'default', name: 'web-n1' };
  t.match(await causesOf(registry.update(pods, ref, plain, admin)), [/may not remove or update mirror pod/]);
});
