import t from 'tap';
import { createFakeClock } from '../../../src/testing/clock.js';
import { causesOf, contextOf, createTestRegistry } from '../testing.js';

const { registry, rowOf } = await createTestRegistry({ clock: createFakeClock() });
const pods = rowOf('pods');
const annotations = { 'kubernetes.io/config.mirror': 'abc' };
const owner = { apiVersion: 'v1', kind: 'Node', name: 'n1', uid: 'u', controller: true };
const spec = { nodeName: 'n1', containers: [{ name: 'a', image: 'b' }] };
const metadata = { name: 'web-n1', annotations, ownerReferences: [owner] };
const admin = contextOf();
const create = (object: object) => registry.create(pods, 'default', object, admin);

t.test('a mirror is bound, names nothing of the API and stays one', async (t) => {
  const refused = async (object: object, message: RegExp): Promise<void> => {
    await t.rejects(create(object), { reason: 'Forbidden', message });
  };
  await refused(
    { metadata, spec: { ...spec, serviceAccountName: 'x' } },
    /may not reference service accounts/,
  );
  const volumes = [{ name: 's', secret: { secretName: 'x' } }];
  await refused({ metadata, spec: { ...spec, volumes } }, /may not reference secrets/);
  t.same(await causesOf(create({ metadata, spec: { containers: spec.containers } })), [
    'metadata.annotations[kubernetes.io/config.mirror]: Invalid value: "abc": must set spec.nodeName if mirror pod annotation is set',
  ]);

  const { object } = await create({ metadata, spec });
  t.match(object, { metadata: { annotations }, spec: { nodeName: 'n1' } });
  t.notHas(object, { spec: { serviceAccountName: 'default' } });
  const plain = { ...object, metadata: { ...object.metadata, annotations: {} } };
  const ref = { namespace: 'default', name: 'web-n1' };
  t.match(await causesOf(registry.update(pods, ref, plain, admin)), [/may not remove or update mirror pod/]);
});
