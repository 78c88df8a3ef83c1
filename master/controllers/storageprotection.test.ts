/** Claims, volumes and classes that are being deleted: who keeps them, and when they go. */
import t, { type Test } from 'tap';
import { isReason } from '../../src/api/errors.js';
import type { ResourceType } from '../../src/api/kinds.js';
import * as kinds from '../../src/api/kinds.js';
import type { ObjectRef } from '../../src/api/meta.js';
import type { PersistentVolume, PersistentVolumeClaim, Pod } from '../../src/api/types.js';
import { silentLogger } from '../../src/host/log.js';
import { createFakeClock } from '../../src/testing/clock.js';
import { createRegistryClient } from '../registry/client.js';
import { createTestRegistry } from '../registry/testing.js';
import { servedTypes } from '../resources/followed.js';
import { createControllers } from './index.js';

async function open(t: Test) {
  const clock = createFakeClock();
  const { registry } = await createTestRegistry({ clock });
  const client = createRegistryClient(registry, { name: 'system:masters', groups: ['system:masters'] });
  const controllers = createControllers({
    ...{ client, clock, log: silentLogger },
    options: { clusterCidr: '10.244.0.0/16', caPem: () => 'PEM', types: servedTypes(registry.resources) },
  });
  await controllers.start(new AbortController().signal);
  t.teardown(async () => {
    await controllers.stop();
    await registry.stop();
  });
  return {
    client,
    turn: async (): Promise<void> => {
      for (let i = 0; i < 20; i++) await clock.advance(20);
    },
    /** `gone`, `leaving` or `there`. */
    async stateOf(type: ResourceType, ref: ObjectRef): Promise<string> {
      try {
        const { metadata } = await client.get(type, ref);
        return metadata.deletionTimestamp ? 'leaving' : 'there';
      } catch (error) {
        if (isReason(error, 'NotFound')) return 'gone';
        throw error;
      }
    },
  };
}

const ref = (name: string): ObjectRef => ({ namespace: 'default', name });
const claim = (name: string, spec: object = {}): PersistentVolumeClaim => ({
  metadata: ref(name),
  spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } }, ...spec },
});
const volume = (name: string): PersistentVolume => ({
  metadata: { name },
  spec: { capacity: { storage: '1Gi' }, accessModes: ['ReadWriteOnce'], hostPath: { path: '/srv/v' } },
});
const podWith = (name: string, claimName: string, nodeName?: string): Pod => ({
  metadata: ref(name),
  spec: {
    containers: [{ name: 'a', image: 'b' }],
    volumes: [{ name: 'v', persistentVolumeClaim: { claimName } }],
    ...(nodeName && { nodeName }),
  },
});

void t.test('a claim stays for the pods that use it, its volume for the claim', async (t) => {
  const { client, turn, stateOf } = await open(t);
  await client.create(kinds.persistentVolumes, volume('v'));
  await client.create(kinds.persistentVolumeClaims, claim('data'));
  await client.create(kinds.pods, podWith('user', 'data', 'n1'));
  await client.create(kinds.pods, podWith('waiting', 'data'));
  await turn();
  const data = await client.get(kinds.persistentVolumeClaims, ref('data'));
  t.strictSame(data.metadata.finalizers, ['kubernetes.io/pvc-protection'], 'given to those from before');
  t.equal(data.status?.phase, 'Bound');

  await client.delete(kinds.persistentVolumes, { name: 'v' });
  await client.delete(kinds.persistentVolumeClaims, ref('data'));
  await turn();
  t.equal(await stateOf(kinds.persistentVolumeClaims, ref('data')), 'leaving');
  t.equal(await stateOf(kinds.persistentVolumes, { name: 'v' }), 'leaving');

  const status = { status: { phase: 'Succeeded' } };
  await client.patch(kinds.pods, ref('user'), { type: 'merge', body: status }, { subresource: 'status' });
  await turn();
  t.equal(
    await stateOf(kinds.persistentVolumeClaims, ref('data')),
    'leaving',
    'a pod that ended has it still',
  );

  await client.delete(kinds.pods, ref('user'));
  await turn();
  t.equal(
    await stateOf(kinds.persistentVolumeClaims, ref('data')),
    'gone',
    'a pod without a node does not count',
  );
  t.equal(await stateOf(kinds.persistentVolumes, { name: 'v' }), 'gone');
});

void t.test('nothing waits for what nobody uses', async (t) => {
  const { client, turn, stateOf } = await open(t);
  await client.create(kinds.persistentVolumes, volume('v'));
  await client.create(kinds.persistentVolumeClaims, claim('data', { storageClassName: 'other' }));
  await turn();
  await client.delete(kinds.persistentVolumeClaims, ref('data'));
  await client.delete(kinds.persistentVolumes, { name: 'v' });
  await turn();
  t.equal(await stateOf(kinds.persistentVolumeClaims, ref('data')), 'gone');
  t.equal(await stateOf(kinds.persistentVolumes, { name: 'v' }), 'gone');
});

void t.test('the claim of an ephemeral volume goes with its pod, also in the foreground', async (t) => {
  const { client, turn, stateOf } = await open(t);
  await client.create(kinds.pods, {
    metadata: ref('web'),
    spec: {
      nodeName: 'n1',
      terminationGracePeriodSeconds: 0,
      containers: [{ name: 'a', image: 'b' }],
      volumes: [{ name: 'v', ephemeral: { volumeClaimTemplate: { spec: claim('x').spec ?? {} } } }],
    },
  });
  await turn();
  await client.delete(kinds.persistentVolumeClaims, ref('web-v'));
  await turn();
  t.equal(await stateOf(kinds.persistentVolumeClaims, ref('web-v')), 'leaving');
  const options = { gracePeriodSeconds: 0, propagationPolicy: 'Foreground' as const };
  await client.delete(kinds.pods, ref('web'), options);
  await turn();
  t.equal(await stateOf(kinds.pods, ref('web')), 'gone');
  t.equal(await stateOf(kinds.persistentVolumeClaims, ref('web-v')), 'gone');
});

void t.test('a class of volume attributes stays for its claims', async (t) => {
  const { client, turn, stateOf } = await open(t);
  const name = 'fast';
  await client.create(kinds.volumeAttributesClasses, {
    metadata: { name },
    driverName: 'example.com',
    parameters: { iops: '100' },
  });
  await client.create(kinds.persistentVolumeClaims, claim('data', { volumeAttributesClassName: name }));
  await turn();
  await client.delete(kinds.volumeAttributesClasses, { name });
  await turn();
  t.equal(await stateOf(kinds.volumeAttributesClasses, { name }), 'leaving');
  await client.delete(kinds.persistentVolumeClaims, ref('data'));
  await turn();
  t.equal(await stateOf(kinds.volumeAttributesClasses, { name }), 'gone');
});

void t.test('a namespace with claims and their pods ends', async (t) => {
  const { client, turn, stateOf } = await open(t);
  const namespace = 'shop';
  await client.create(kinds.namespaces, { metadata: { name: namespace } });
  await client.create(kinds.persistentVolumeClaims, {
    ...claim('data'),
    metadata: { namespace, name: 'data' },
  });
  await client.create(kinds.pods, {
    ...podWith('user', 'data', 'n1'),
    metadata: { namespace, name: 'user' },
  });
  await turn();
  await client.delete(kinds.namespaces, { name: namespace });
  await turn();
  t.equal(await stateOf(kinds.persistentVolumeClaims, { namespace, name: 'data' }), 'leaving');
  await client.delete(kinds.pods, { namespace, name: 'user' }, { gracePeriodSeconds: 0 });
  for (let i = 0; i < 40; i++) await turn();
  t.equal(await stateOf(kinds.namespaces, { name: namespace }), 'gone');
});

void t.test('a default class that comes later is for claims that wait', async (t) => {
  const { client, turn } = await open(t);
  const classOf = async (name: string): Promise<string | undefined> =>
    (await client.get(kinds.persistentVolumeClaims, ref(name))).spec?.storageClassName;
  await client.create(kinds.persistentVolumes, volume('v'));
  await client.create(kinds.persistentVolumeClaims, claim('bound'));
  await turn();
  await client.create(kinds.persistentVolumeClaims, claim('waiting'));
  await client.create(kinds.persistentVolumeClaims, claim('none', { storageClassName: '' }));
  await turn();
  await client.create(kinds.storageClasses, {
    metadata: { name: 'usual', annotations: { 'storageclass.kubernetes.io/is-default-class': 'true' } },
    provisioner: 'kubernetes.io/no-provisioner',
  });
  await turn();
  t.equal(await classOf('waiting'), 'usual');
  t.equal(await classOf('none'), '');
  t.equal(await classOf('bound'), undefined, 'it has its volume');
});
