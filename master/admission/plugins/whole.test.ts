import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import * as kinds from '../../../src/api/kinds.js';
import type { PersistentVolumeClaim, Pod, PodSpec } from '../../../src/api/types.js';
import { loadKubeconfig } from '../../../src/client/kubeconfig.js';
import { createRestClient } from '../../../src/client/rest.js';
import { systemClock } from '../../../src/host/clock.js';
import { silentLogger } from '../../../src/host/log.js';
import { createMaster } from '../../main.js';
import { testOptions } from '../../testing.js';

const directory = await mkdtemp(join(tmpdir(), 'wherry-plugins-'));
const options = await testOptions(directory, {
  advertiseAddress: '10.0.0.1',
  defaultEvictionTimeout: '77s',
});
const master = createMaster(options, { clock: systemClock, log: silentLogger });
await master.start(new AbortController().signal);
const client = createRestClient({
  ...(await loadKubeconfig(options.adminKubeconfig)),
  server: master.url(),
});
t.teardown(async () => {
  await client.close();
  await master.stop();
  await rm(directory, { recursive: true });
});

const podIn = (namespace: string, name: string, spec: Partial<PodSpec> = {}): Pod => ({
  metadata: { namespace, name },
  spec: { containers: [{ name: 'app', image: 'nginx' }], ...spec },
});
const claim = (name: string): PersistentVolumeClaim => ({
  metadata: { namespace: 'default', name },
  spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } },
});

t.test('a pod right after its namespace', async (t) => {
  for (let round = 0; round < 20; round += 1) {
    const namespace = `new-${round}`;
    await client.create(kinds.namespaces, { metadata: { name: namespace } });
    const { spec } = await client.create(kinds.pods, podIn(namespace, 'web'));
    t.equal(spec?.serviceAccountName, 'default');
  }
});

t.test('what a plain pod gets', async (t) => {
  const { spec } = await client.create(kinds.pods, podIn('default', 'plain'));
  const seconds = { operator: 'Exists', effect: 'NoExecute', tolerationSeconds: 77 };
  t.match(spec, {
    serviceAccountName: 'default',
    serviceAccount: 'default',
    priority: 0,
    preemptionPolicy: 'PreemptLowerPriority',
    enableServiceLinks: true,
    tolerations: [
      { key: 'node.kubernetes.io/not-ready', ...seconds },
      { key: 'node.kubernetes.io/unreachable', ...seconds },
    ],
    volumes: [{ name: /^kube-api-access-/, projected: { defaultMode: 420 } }],
    containers: [{ volumeMounts: [{ mountPath: '/var/run/secrets/kubernetes.io/serviceaccount' }] }],
  });
  const tried = await client.create(kinds.pods, podIn('default', 'tried'), { dryRun: true });
  t.match(tried.spec?.volumes, [{ name: /^kube-api-access-/ }]);
});

t.test('what is refused, in the words of kubectl users', async (t) => {
  const cases: [Pod, string, string?][] = [
    [
      podIn('default', 'a', { serviceAccountName: 'nobody' }),
      'pods "a" is forbidden: error looking up service account default/nobody: serviceaccount "nobody" not found',
    ],
    [
      podIn('default', 'a', { priorityClassName: 'nope' }),
      'pods "a" is forbidden: no PriorityClass with name nope was found',
    ],
    [
      podIn('default', 'a', { runtimeClassName: 'nope' }),
      'pods "a" is forbidden: pod rejected: RuntimeClass "nope" not found',
    ],
    [podIn('missing', 'a'), 'namespaces "missing" not found', 'NotFound'],
  ];
  for (const [pod, message, reason = 'Forbidden'] of cases)
    await t.rejects(client.create(kinds.pods, pod), { reason, message });
  for (const name of ['default', 'kube-system', 'kube-public'])
    await t.rejects(client.delete(kinds.namespaces, { name }), {
      reason: 'Forbidden',
      message: `namespaces "${name}" is forbidden: this namespace may not be deleted`,
    });
});

t.test('priority of the system', async (t) => {
  const critical = podIn('kube-system', 'critical', { priorityClassName: 'system-node-critical' });
  t.match((await client.create(kinds.pods, critical)).spec, { priority: 2_000_001_000 });
});

t.test('a claim in use stays Terminating until its pod is gone', async (t) => {
  const { metadata } = await client.create(kinds.persistentVolumeClaims, claim('data'));
  t.strictSame(metadata.finalizers, ['kubernetes.io/pvc-protection']);
  const volumes = [{ name: 'v', persistentVolumeClaim: { claimName: 'data' } }];
  await client.create(kinds.pods, podIn('default', 'user', { volumes, nodeName: 'far' }));
  await client.delete(kinds.persistentVolumeClaims, { namespace: 'default', name: 'data' });
  const leaving = await client.get(kinds.persistentVolumeClaims, { namespace: 'default', name: 'data' });
  t.ok(leaving.metadata.deletionTimestamp);

  const gone = (async () => {
    const from = { namespace: 'default', resourceVersion: leaving.metadata.resourceVersion ?? '' };
    for await (const { type } of client.watch(kinds.persistentVolumeClaims, from))
      if (type === 'DELETED') return true;
    return false;
  })();
  await client.delete(kinds.pods, { namespace: 'default', name: 'user' }, { gracePeriodSeconds: 0 });
  t.ok(await gone);
});
