/** Default classes of claims and Ingresses, growing claims, finalizers of storage objects, the taint of new nodes. */
import t, { type Test } from 'tap';
import type { ResourceType } from '../../../src/api/kinds.js';
import * as kinds from '../../../src/api/kinds.js';
import type {
  IngressClass,
  KubeObject,
  PersistentVolumeClaim,
  StorageClass,
} from '../../../src/api/types.js';
import type { Admission } from '../../registry/admission.js';
import type { PluginDeps } from '../plugin.js';
import { createDefaultIngressClass } from './defaultingressclass.js';
import { createDefaultStorageClass } from './defaultstorageclass.js';
import { createPersistentVolumeClaimResize } from './persistentvolumeclaimresize.js';
import { createStorageObjectInUseProtection } from './storageobjectinuseprotection.js';
import { createTaintNodesByCondition } from './taintnodesbycondition.js';
import { createPluginBed, type PluginBed, settle } from './testing.js';

async function bed(t: Test, ...plugins: ((deps: PluginDeps) => Admission)[]): Promise<PluginBed> {
  const made = await createPluginBed(plugins);
  t.teardown(() => made.close());
  return made;
}

const storageClass = (name: string, more: Partial<StorageClass> = {}): StorageClass => ({
  metadata: { name, annotations: { 'storageclass.kubernetes.io/is-default-class': 'true' } },
  provisioner: 'kubernetes.io/no-provisioner',
  ...more,
});
const ingressClass = (name: string): IngressClass => ({
  metadata: { name, annotations: { 'ingressclass.kubernetes.io/is-default-class': 'true' } },
  spec: { controller: 'example.com/c' },
});
const claim = (name: string, spec: object = {}, annotations = {}): PersistentVolumeClaim => ({
  metadata: { namespace: 'default', name, annotations },
  spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } }, ...spec },
});

t.test('claims get the newest default class', async (t) => {
  const { client, clock } = await bed(t, createDefaultStorageClass);
  let names = 0;
  const classOf = async (spec = {}, annotations = {}): Promise<string | undefined> => {
    const one = claim(`c${names++}`, spec, annotations);
    return (await client.create(kinds.persistentVolumeClaims, one)).spec?.storageClassName;
  };
  t.equal(await classOf(), undefined, 'there is none');
  await client.create(kinds.storageClasses, storageClass('old'));
  await client.create(kinds.storageClasses, storageClass('alike'));
  await settle(() => false);
  t.equal(await classOf(), 'alike', 'equally old: by name');
  await clock.advance(5000);
  await client.create(kinds.storageClasses, storageClass('new'));
  await settle(() => false);
  t.equal(await classOf(), 'new');
  t.equal(await classOf({ storageClassName: '' }), '', 'no class is a choice');
  t.equal(await classOf({ storageClassName: 'mine' }), 'mine');
  t.equal(await classOf({}, { 'volume.beta.kubernetes.io/storage-class': 'older' }), undefined);
});

t.test('Ingresses get the default class', async (t) => {
  const { client } = await bed(t, createDefaultIngressClass);
  await client.create(kinds.ingressClasses, ingressClass('nginx'));
  await settle(() => false);
  const classOf = async (name: string, ingressClassName?: string, annotations = {}) => {
    const spec = { defaultBackend: { service: { name: 's', port: { number: 80 } } } };
    const one = {
      metadata: { namespace: 'default', name, annotations },
      spec: ingressClassName ? { ...spec, ingressClassName } : spec,
    };
    return (await client.create(kinds.ingresses, one)).spec?.ingressClassName;
  };
  t.equal(await classOf('a'), 'nginx');
  t.equal(await classOf('b', 'other'), 'other');
  t.equal(await classOf('c', undefined, { 'kubernetes.io/ingress.class': 'old' }), undefined);
});

t.test('claims grow where their class lets them', async (t) => {
  const { client } = await bed(t, createPersistentVolumeClaimResize);
  await client.create(kinds.storageClasses, storageClass('fixed'));
  await client.create(kinds.storageClasses, storageClass('elastic', { allowVolumeExpansion: true }));
  for (const name of ['fixed', 'elastic', 'unbound']) {
    const storageClassName = name === 'unbound' ? 'elastic' : name;
    await client.create(kinds.persistentVolumeClaims, claim(name, { storageClassName, volumeName: name }));
    if (name === 'unbound') continue;
    const body = { status: { phase: 'Bound', capacity: { storage: '1Gi' } } };
    const ref = { namespace: 'default', name };
    await client.patch(kinds.persistentVolumeClaims, ref, { type: 'merge', body }, { subresource: 'status' });
  }
  const grow = (name: string, storage: string) =>
    client.patch(
      kinds.persistentVolumeClaims,
      { namespace: 'default', name },
      { type: 'merge', body: { spec: { resources: { requests: { storage } } } } },
    );
  t.match((await grow('elastic', '2Gi')).spec?.resources, { requests: { storage: '2Gi' } });
  await t.rejects(grow('fixed', '2Gi'), {
    message:
      'persistentvolumeclaims "fixed" is forbidden: only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc must support resize',
  });
  t.ok(await grow('fixed', '1024Mi'), 'the same size in other words');
});

t.test('storage objects begin with a finalizer', async (t) => {
  const { client } = await bed(t, createStorageObjectInUseProtection);
  const made = async <T extends KubeObject>(type: ResourceType<T>, object: T): Promise<unknown> =>
    (await client.create(type, object)).metadata.finalizers;
  t.strictSame(await made(kinds.persistentVolumeClaims, claim('a')), ['kubernetes.io/pvc-protection']);
  const own = { ...claim('b'), metadata: { ...claim('b').metadata, finalizers: ['example.com/mine'] } };
  t.strictSame(await made(kinds.persistentVolumeClaims, own), [
    'example.com/mine',
    'kubernetes.io/pvc-protection',
  ]);
  const volume = {
    metadata: { name: 'v' },
    spec: { capacity: { storage: '1Gi' }, accessModes: ['ReadWriteOnce'], hostPath: { path: '/srv/v' } },
  };
  t.strictSame(await made(kinds.persistentVolumes, volume), ['kubernetes.io/pv-protection']);
  const attributes = { metadata: { name: 'fast' }, driverName: 'example.com', parameters: { iops: '100' } };
  t.strictSame(await made(kinds.volumeAttributesClasses, attributes), ['kubernetes.io/vac-protection']);
  const map = { metadata: { namespace: 'default', name: 'm' } };
  t.strictSame(await made(kinds.configMaps, map), undefined);
});

t.test('a new node is not ready', async (t) => {
  const { client } = await bed(t, createTaintNodesByCondition);
  const taint = { key: 'node.kubernetes.io/not-ready', effect: 'NoSchedule' };
  const mine = { key: 'mine', effect: 'NoExecute' };
  const taintsOf = async (name: string, taints: object[]): Promise<unknown> =>
    (await client.create(kinds.nodes, { metadata: { name }, spec: { taints } as never })).spec?.taints;
  t.strictSame(await taintsOf('a', [mine]), [mine, taint]);
  t.strictSame(await taintsOf('b', [taint]), [taint]);
});
