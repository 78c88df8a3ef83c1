/** What has to do with a node, over a registry: known at once, looked up where it is not known yet. */
import t from 'tap';
import {
  namespaces,
  persistentVolumeClaims,
  persistentVolumes,
  pods,
  volumeAttachments,
} from '../../src/api/kinds.js';
import type { PersistentVolumeSpec, Pod, PodSpec } from '../../src/api/types.js';
import { silentLogger } from '../../src/host/log.js';
import { createFakeClock } from '../../src/testing/clock.js';
import { createRegistryClient } from '../registry/client.js';
import { createTestRegistry } from '../registry/testing.js';
import { createNodeGraph, type NodeGraph } from './nodegraph.js';
import { referencesOf, secretsOfPersistentVolume } from './podreferences.js';

const clock = createFakeClock();
const { registry } = await createTestRegistry({ clock });
const client = createRegistryClient(registry, { name: 'test', groups: ['system:masters'] });
const namespace = 'default';
const containers = [{ name: 'a', image: 'b' }];
await client.create(namespaces, { metadata: { name: 'other' } });

const makePod = (name: string, spec: Partial<PodSpec>, annotations = {}): Promise<Pod> =>
  client.create(pods, {
    metadata: { namespace, name, annotations },
    spec: { containers, serviceAccountName: 'robot', ...spec },
  });

/** Everything the graph is asked in these tests, as `node kind name`. */
const ask = async (graph: NodeGraph, line: string): Promise<boolean> => {
  const [node = '', kind = '', at = ''] = line.split(' ');
  const [first = '', second = ''] = at.split('/');
  const ref = second ? { namespace: first, name: second } : { namespace, name: first };
  if (kind === 'pods') return graph.hasPod(node, ref);
  if (kind === 'persistentvolumes') return graph.usesVolume(node, ref.name);
  if (kind === 'volumeattachments') return graph.hasAttachment(node, ref.name);
  return graph.uses(node, kind as 'secrets', ref);
};

t.test('by pods and by their volumes', async (t) => {
  await makePod('web', {
    nodeName: 'n1',
    volumes: [
      { name: 's', secret: { secretName: 's' } },
      { name: 'data', persistentVolumeClaim: { claimName: 'data' } },
      { name: 'e', ephemeral: { volumeClaimTemplate: { spec: {} } } },
    ],
  });
  const asMirror = { 'kubernetes.io/config.mirror': 'x' };
  await makePod('mirror', { nodeName: 'n1', serviceAccountName: '' }, asMirror);
  const modes = { accessModes: ['ReadWriteOnce'] };
  const storage = { storage: '1Gi' };
  const volumeOf = (name: string, claim: string, secret: string, secretNamespace: string) =>
    client.create(persistentVolumes, {
      metadata: { name },
      spec: {
        ...modes,
        capacity: storage,
        claimRef: { namespace, name: claim },
        csi: {
          driver: 'd',
          volumeHandle: 'h',
          nodePublishSecretRef: { namespace: secretNamespace, name: secret },
          controllerPublishSecretRef: { namespace: 'other', name: 'controller' },
        },
      },
    });
  await volumeOf('pv', 'data', 'disk', 'other');
  await volumeOf('pv2', 'unused', 'disk2', 'other');
  await volumeOf('pv3', 'data', 'disk3', 'other');
  await client.create(persistentVolumeClaims, {
    metadata: { namespace, name: 'data' },
    spec: { ...modes, resources: { requests: storage }, volumeName: 'pv', storageClassName: '' },
  });
  await client.create(volumeAttachments, {
    metadata: { name: 'va' },
    spec: { attacher: 'd', nodeName: 'n1', source: { persistentVolumeName: 'pv' } },
  });
  const yes = [
    ...['n1 pods web', 'n1 pods mirror', 'n1 secrets s', 'n1 serviceaccounts robot'],
    ...['n1 persistentvolumeclaims data', 'n1 persistentvolumeclaims web-e'],
    ...['n1 persistentvolumes pv', 'n1 secrets other/disk', 'n1 volumeattachments va'],
  ];
  const no = [
    ...yes.map((line) => line.replace('n1', 'n2')),
    ...['n1 pods gone', 'n1 secrets other/s', 'n1 configmaps s', 'n1 persistentvolumes pv2'],
    ...['n1 persistentvolumes pv3', 'n1 persistentvolumes none', 'n1 secrets other/disk2'],
    ...[
      'n1 secrets other/disk3',
      'n1 secrets other/controller',
      'n1 secrets disk',
      'n1 volumeattachments vb',
    ],
  ];
  const check = async (graph: NodeGraph, when: string): Promise<void> => {
    for (const line of yes) t.equal(await ask(graph, line), true, `${line} ${when}`);
    for (const line of no) t.equal(await ask(graph, line), false, `${line} ${when}`);
  };
  const graph = createNodeGraph({ client, clock, log: silentLogger });
  await check(graph, 'before it has seen anything');
  t.ok(graph.uses('n1', 'secrets', { namespace, name: 's' }) instanceof Promise);
  await graph.start(new AbortController().signal);
  while (graph.uses('n1', 'secrets', { namespace, name: 's' }) instanceof Promise)
    await new Promise((resolve) => setImmediate(resolve));
  await check(graph, 'in step');
  t.equal(graph.uses('n1', 'secrets', { namespace, name: 's' }), true, 'at once');

  // Right after a pod is bound its node asks.
  await makePod('next', { volumes: [{ name: 's', secret: { secretName: 'next' } }] });
  t.equal(await ask(graph, 'n1 secrets next'), false, 'bound nowhere');
  const asked = client
    .post(pods, { namespace, name: 'next' }, 'binding', { target: { name: 'n1' } })
    .then(() => ask(graph, 'n1 secrets next'));
  t.equal(await asked, true);
  await client.delete(pods, { namespace, name: 'web' }, { gracePeriodSeconds: 0 });
  while ((await ask(graph, 'n1 secrets s')) || (await ask(graph, 'n1 secrets other/disk')))
    await new Promise((resolve) => setImmediate(resolve));
  t.pass('a pod that is gone gives nothing');
  await graph.stop();
});

t.test('every way to name a Secret or a ConfigMap', async (t) => {
  const named = (spec: object): string[] =>
    referencesOf({ metadata: { name: 'p' }, spec: { containers: [], ...spec } }).map(
      ({ kind, name }) => `${kind} ${name}`,
    );
  const volume = (source: object) => named({ volumes: [{ name: 'v', ...source }] });
  const ref = { secretRef: { name: 's' } };
  for (const kind of ['cephfs', 'cinder', 'flexVolume', 'iscsi', 'rbd', 'scaleIO', 'storageos'])
    t.same(volume({ [kind]: ref }), ['secrets s'], kind);
  t.same(volume({ azureFile: { secretName: 's' } }), ['secrets s']);
  t.same(volume({ csi: { nodePublishSecretRef: { name: 's' } } }), ['secrets s']);
  t.same(volume({ projected: { sources: [{ secret: { name: 's' } }, { configMap: { name: 'c' } }] } }), [
    'secrets s',
    'configmaps c',
  ]);
  const from = [{ name: 'E', valueFrom: { secretKeyRef: { name: 's' }, configMapKeyRef: { name: 'c' } } }];
  for (const kind of ['containers', 'initContainers', 'ephemeralContainers'])
    t.same(named({ [kind]: [{ env: from, envFrom: [{ configMapRef: { name: 'd' } }, ref] }] }), [
      ...['secrets s', 'configmaps c', 'configmaps d', 'secrets s'],
    ]);
  t.same(named({ imagePullSecrets: [{ name: 's' }, {}] }), ['secrets s']);

  const ofVolume = (spec: object): string[] =>
    secretsOfPersistentVolume({
      metadata: {},
      spec: { claimRef: { namespace: 'n' }, ...spec } as PersistentVolumeSpec,
    }).map(({ namespace: where, name }) => `${where}/${name}`);
  for (const kind of ['cephfs', 'cinder', 'flexVolume', 'iscsi', 'rbd', 'scaleIO', 'storageos']) {
    t.same(ofVolume({ [kind]: { secretRef: { namespace: 'm', name: 's' } } }), ['m/s'], kind);
    t.same(ofVolume({ [kind]: ref }), ['n/s'], kind);
  }
  t.same(ofVolume({ azureFile: { secretName: 's', secretNamespace: 'm' } }), ['m/s']);
  t.same(ofVolume({ azureFile: { secretName: 's' } }), ['n/s']);
  t.same(ofVolume({ csi: { nodeStageSecretRef: { namespace: 'm', name: 's' } } }), ['m/s']);
});
