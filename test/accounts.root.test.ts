/** Every pod on real Docker finds the token of its account and gets as far with it as its roles; claims in use stay. */
import t from 'tap';
import { pods } from '../src/api/kinds.js';
import { loadKubeconfig } from '../src/client/kubeconfig.js';
import { createRestClient } from '../src/client/rest.js';
import { startCluster } from './cluster.js';
import { eventually } from './wait.js';

const at = '/var/run/secrets/kubernetes.io/serviceaccount';
const sleeper = (volumes: object[] = []): string =>
  JSON.stringify({
    spec: {
      volumes,
      terminationGracePeriodSeconds: 1,
      containers: [
        {
          name: 'web',
          image: 'busybox',
          imagePullPolicy: 'IfNotPresent',
          command: ['sleep', '10000'],
          ...(volumes.length > 0 && { volumeMounts: [{ name: 'v', mountPath: '/v' }] }),
        },
      ],
    },
  });

t.test('accounts of pods', { timeout: 600_000 }, async (t) => {
  const cluster = await startCluster({ name: 'accounts' });
  t.teardown(() => cluster.stop());
  const { kubectl, tryKubectl } = cluster;
  const start = async (name: string, volumes?: object[]): Promise<void> => {
    await kubectl('run', name, '--image=busybox', `--overrides=${sleeper(volumes)}`);
    await kubectl('wait', '--for=condition=Ready', `pod/${name}`, '--timeout=60s');
  };

  await t.test('a pod that asks for nothing has its token', async (t) => {
    await start('web');
    const read = (file: string): Promise<string> => kubectl('exec', 'web', '--', 'cat', `${at}/${file}`);
    t.equal(await read('namespace'), 'default');
    const { ca } = await loadKubeconfig(cluster.kubeconfig);
    t.equal(await read('ca.crt'), ca);
    const written = await tryKubectl(['exec', 'web', '--', 'touch', `${at}/mine`]);
    t.match(written.stderr, /Read-only file system/);

    const client = createRestClient({
      ca: await read('ca.crt'),
      token: await read('token'),
      server: `https://${cluster.nodeIp}:6443`,
    });
    t.teardown(() => client.close());
    const list = () => client.list(pods, { namespace: 'default' });
    await t.rejects(list(), {
      reason: 'Forbidden',
      message:
        'pods is forbidden: User "system:serviceaccount:default:default" cannot list resource "pods" in API group "" in the namespace "default"',
    });
    await kubectl('create', 'role', 'reader', '--verb=list', '--resource=pods');
    await kubectl('create', 'rolebinding', 'reader', '--role=reader', '--serviceaccount=default:default');
    await eventually('the role counts', 30, async () => (await list()).items.length === 1);

    const described = await kubectl('describe', 'pod', 'web');
    t.match(described, /Service Account:\s+default/);
    t.match(
      described,
      /\/var\/run\/secrets\/kubernetes\.io\/serviceaccount from kube-api-access-\w{5} \(ro\)/,
    );
    t.match(described, /TokenExpirationSeconds:\s+3607/);

    await kubectl('delete', 'pod', 'web');
    await eventually('the token of a deleted pod is refused', 30, async () => {
      const error = await list().catch((reason: unknown) => reason);
      return error instanceof Error && 'reason' in error && error.reason === 'Unauthorized';
    });
  });

  await t.test('a claim in use is Terminating until its pod is gone', async (t) => {
    const volume = {
      apiVersion: 'v1',
      kind: 'PersistentVolume',
      metadata: { name: 'disk' },
      spec: {
        capacity: { storage: '1Gi' },
        accessModes: ['ReadWriteOnce'],
        hostPath: { path: `${cluster.dir}/disk`, type: 'DirectoryOrCreate' },
      },
    };
    const claim = {
      apiVersion: 'v1',
      kind: 'PersistentVolumeClaim',
      metadata: { name: 'data' },
      spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } },
    };
    for (const object of [volume, claim])
      t.equal((await tryKubectl(['apply', '-f', '-'], JSON.stringify(object))).code, 0);
    await start('user', [{ name: 'v', persistentVolumeClaim: { claimName: 'data' } }]);
    await kubectl('delete', 'pvc', 'data', '--wait=false');
    t.match(await kubectl('get', 'pvc', 'data'), /data\s+Terminating\s+disk/);
    t.match(await kubectl('describe', 'pvc', 'data'), /Finalizers:\s+\[kubernetes\.io\/pvc-protection\]/);
    await kubectl('delete', 'pod', 'user');
    await kubectl('wait', '--for=delete', 'pvc/data', '--timeout=60s');
    await eventually('the volume is released', 60, async () =>
      (await kubectl('get', 'pv', 'disk')).includes('Released'),
    );
    await kubectl('delete', 'pv', 'disk', '--timeout=60s');
  });
});
