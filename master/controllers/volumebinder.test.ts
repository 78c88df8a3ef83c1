import t, { type Test } from 'tap';
import {
  events,
  persistentVolumeClaims,
  persistentVolumes,
  pods,
  storageClasses,
} from '../../src/api/kinds.js';
import type { PersistentVolume, PersistentVolumeClaim } from '../../src/api/types.js';
import { silentLogger } from '../../src/host/log.js';
import { createFakeClock } from '../../src/testing/clock.js';
import { createRegistryClient } from '../registry/client.js';
import { createTestRegistry } from '../registry/testing.js';
import { servedTypes } from '../resources/followed.js';
import { createControllers } from './index.js';
import { chooseVolume, phaseOfVolume } from './volumeplan.js';

const volume = (name: string, storage: string, spec: object = {}): PersistentVolume =>
  ({
    metadata: { name },
    spec: {
      capacity: { storage },
      accessModes: ['ReadWriteOnce'],
      hostPath: { path: `/srv/${name}` },
      ...spec,
    },
  }) as PersistentVolume;

const claim = (name: string, storage: string, spec: object = {}): PersistentVolumeClaim =>
  ({
    metadata: { namespace: 'default', name, uid: `uid-${name}` },
    spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage } }, ...spec },
  }) as PersistentVolumeClaim;

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
  const turn = async (): Promise<void> => {
    for (let i = 0; i < 20; i++) await clock.advance(20);
  };
  return { client, turn };
}

void t.test('which volume a claim gets', (t) => {
  const forClaim = { namespace: 'default', name: 'c' };
  const cases: [string, PersistentVolumeClaim, PersistentVolume[], string | undefined, string?][] = [
    [
      'the smallest that is large enough',
      claim('c', '5Gi'),
      [volume('a', '20Gi'), volume('b', '10Gi'), volume('d', '1Gi')],
      'b',
    ],
    ['none is large enough', claim('c', '5Gi'), [volume('a', '4Gi')], undefined],
    [
      'another access mode',
      claim('c', '1Gi', { accessModes: ['ReadWriteMany'] }),
      [volume('a', '4Gi')],
      undefined,
    ],
    ['another class', claim('c', '1Gi'), [volume('a', '4Gi', { storageClassName: 'fast' })], undefined],
    ['the class', claim('c', '1Gi'), [volume('a', '4Gi', { storageClassName: 'fast' })], 'a', 'fast'],
    ['another mode', claim('c', '1Gi', { volumeMode: 'Block' }), [volume('a', '4Gi')], undefined],
    [
      'a selector',
      claim('c', '1Gi', { selector: { matchLabels: { a: 'b' } } }),
      [volume('a', '4Gi')],
      undefined,
    ],
    [
      'taken',
      claim('c', '1Gi'),
      [volume('a', '4Gi', { claimRef: { ...forClaim, uid: 'other' } })],
      undefined,
    ],
    ['kept for it', claim('c', '1Gi'), [volume('a', '2Gi'), volume('z', '9Gi', { claimRef: forClaim })], 'z'],
  ];
  for (const [why, one, volumes, wanted, className = ''] of cases)
    t.equal(chooseVolume(one, volumes, className)?.metadata.name, wanted, why);
  t.end();
});

void t.test('the phase of a volume', (t) => {
  const taken = { namespace: 'default', name: 'c', uid: 'uid-c' };
  const phase = (spec: object, found?: PersistentVolumeClaim): string =>
    phaseOfVolume(volume('a', '1Gi', spec), found).phase;
  t.equal(phase({}), 'Available');
  t.equal(phase({ claimRef: taken }, claim('c', '1Gi')), 'Bound');
  t.equal(phase({ claimRef: { ...taken, uid: undefined } }), 'Available');
  t.equal(phase({ claimRef: taken }), 'Released');
  t.equal(phase({ claimRef: { ...taken, uid: 'older' } }, claim('c', '1Gi')), 'Released');
  t.equal(phase({ claimRef: taken, persistentVolumeReclaimPolicy: 'Delete' }), 'Failed');
  t.end();
});

void t.test('binds, waits for a consumer, loses and releases', async (t) => {
  const { client, turn } = await open(t);
  const refTo = (name: string) => ({ namespace: 'default', name });
  const phaseOfClaim = async (name: string) =>
    (await client.get(persistentVolumeClaims, refTo(name))).status?.phase;
  const phaseOf = async (name: string) => (await client.get(persistentVolumes, { name })).status?.phase;

  await client.create(persistentVolumes, volume('a', '10Gi'));
  await turn();
  t.equal(await phaseOf('a'), 'Available');
  await client.create(persistentVolumeClaims, claim('one', '5Gi'));
  await client.create(persistentVolumeClaims, claim('two', '5Gi'));
  await turn();
  t.equal(await phaseOfClaim('one'), 'Bound');
  t.equal(await phaseOf('a'), 'Bound');
  const bound = await client.get(persistentVolumeClaims, refTo('one'));
  t.match(bound, { spec: { volumeName: 'a' }, status: { capacity: { storage: '10Gi' } } });
  t.equal(await phaseOfClaim('two'), 'Pending');
  const reasons = (await client.list(events)).items.map(
    ({ involvedObject, reason }) => `${involvedObject.name} ${reason}`,
  );
  t.ok(reasons.includes('two FailedBinding'), reasons.join());

  await client.delete(persistentVolumeClaims, refTo('one'));
  await turn();
  t.equal(await phaseOf('a'), 'Released');
  t.equal(await phaseOfClaim('two'), 'Pending', 'a released volume is nobody else’s');

  await client.create(storageClasses, {
    metadata: { name: 'late' },
    provisioner: 'kubernetes.io/no-provisioner',
    volumeBindingMode: 'WaitForFirstConsumer',
  });
  await client.create(persistentVolumes, volume('b', '1Gi', { storageClassName: 'late' }));
  await client.create(persistentVolumeClaims, claim('three', '1Gi', { storageClassName: 'late' }));
  await turn();
  t.equal(await phaseOfClaim('three'), 'Pending');
  await client.create(pods, {
    metadata: { namespace: 'default', name: 'user' },
    spec: {
      containers: [{ name: 'a', image: 'b' }],
      volumes: [{ name: 'v', persistentVolumeClaim: { claimName: 'three' } }],
    },
  });
  await turn();
  t.equal(await phaseOfClaim('three'), 'Bound');
  await client.delete(persistentVolumes, { name: 'b' });
  await turn();
  t.equal(await phaseOf('b'), 'Bound', 'protected');
  const byForce = { type: 'merge' as const, body: { metadata: { finalizers: null } } };
  await client.patch(persistentVolumes, { name: 'b' }, byForce);
  await turn();
  t.equal(await phaseOfClaim('three'), 'Lost');
});

void t.test(
  'the claim of an ephemeral volume is made for its pod, binds and is never taken over',
  async (t) => {
    const { client, turn } = await open(t);
    const template = {
      metadata: { labels: { app: 'x' }, annotations: { note: 'y' } },
      spec: {
        accessModes: ['ReadWriteOnce'],
        resources: { requests: { storage: '1Gi' } },
        storageClassName: '',
      },
    };
    const user = (name: string) =>
      client.create(pods, {
        metadata: { namespace: 'default', name },
        spec: {
          containers: [{ name: 'a', image: 'b' }],
          volumes: [{ name: 'v', ephemeral: { volumeClaimTemplate: template } }],
        },
      });
    await client.create(persistentVolumes, volume('a', '1Gi'));
    const pod = await user('web');
    await turn();
    const ref = { namespace: 'default', name: 'web-v' };
    const made = await client.get(persistentVolumeClaims, ref);
    t.match(made, {
      metadata: {
        labels: { app: 'x' },
        annotations: { note: 'y' },
        ownerReferences: [{ kind: 'Pod', name: 'web', uid: pod.metadata.uid, controller: true }],
      },
      status: { phase: 'Bound' },
    });
    await client.create(persistentVolumeClaims, claim('other-v', '1Gi'));
    await user('other');
    await turn();
    const told = (await client.list(events, { namespace: 'default' })).items.map(({ message }) => message);
    t.match(told.join(), /ephemeral volume v: PVC default\/other-v \(uid: .*\) was not created for the pod/);
    // Once the other is gone, the pod gets its own.
    await client.delete(persistentVolumeClaims, { namespace: 'default', name: 'other-v' });
    await turn();
    const other = await client.get(persistentVolumeClaims, { namespace: 'default', name: 'other-v' });
    t.equal(other.metadata.ownerReferences?.[0]?.name, 'other');
  },
);
