/** Volumes of pods on real Docker, as a user of kubectl sees them: disks that outlive pods, files that follow objects. */
import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { stringify } from 'yaml';
import type { PersistentVolumeSpec, Pod, PodSpec } from '../src/api/types.js';
import { type Cluster, startCluster } from './cluster.js';
import { eventually } from './wait.js';

const image = { image: 'busybox', imagePullPolicy: 'IfNotPresent' } as const;

async function apply(cluster: Cluster, ...objects: object[]): Promise<void> {
  const result = await cluster.tryKubectl(
    ['apply', '-f', '-'],
    objects.map((one) => stringify(one)).join('---\n'),
  );
  if (result.code !== 0) throw new Error(result.stderr);
}

const pod = (name: string, script: string, spec: Partial<PodSpec>, container: object = {}): Pod => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name },
  spec: {
    terminationGracePeriodSeconds: 1,
    containers: [{ ...image, name: 'main', command: ['sh', '-c', script], ...container }],
    ...spec,
  },
});

/** A volume and a claim that fits only it. */
const disk = (name: string, spec: PersistentVolumeSpec): object[] => [
  {
    apiVersion: 'v1',
    kind: 'PersistentVolume',
    metadata: { name },
    spec: { capacity: { storage: '1Gi' }, accessModes: ['ReadWriteOnce'], storageClassName: name, ...spec },
  },
  {
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: { name, namespace: 'default' },
    spec: {
      accessModes: ['ReadWriteOnce'],
      storageClassName: name,
      resources: { requests: { storage: '1Gi' } },
    },
  },
];

const claimed = (claimName: string, mount: object = {}) => ({
  spec: { volumes: [{ name: 'v', persistentVolumeClaim: { claimName } }] },
  container: { volumeMounts: [{ name: 'v', mountPath: '/v', ...mount }] },
});

t.test('volumes', { timeout: 600_000 }, async (t) => {
  const cluster = await startCluster({ name: 'volumes' });
  t.teardown(() => cluster.stop());
  const { kubectl } = cluster;
  const ready = (name: string) => kubectl('wait', '--for=condition=Ready', `pod/${name}`, '--timeout=60s');
  const gone = (name: string) => kubectl('delete', 'pod', name, '--wait', '--timeout=60s');
  const events = (name: string) =>
    kubectl(
      'get',
      'events',
      '--field-selector',
      `involvedObject.name=${name}`,
      '-o',
      'jsonpath={.items[*].message}',
    );
  const mounts = (): string[] =>
    readFileSync('/proc/self/mountinfo', 'utf8')
      .split('\n')
      .filter((line) => line.includes(join(cluster.dir, 'agent/pods')));

  await t.test('what one pod wrote to a claim, another reads', { timeout: 120_000 }, async (t) => {
    const nodeAffinity = {
      required: {
        nodeSelectorTerms: [
          {
            matchExpressions: [{ key: 'kubernetes.io/hostname', operator: 'In', values: [cluster.nodeName] }],
          },
        ],
      },
    };
    const kinds: Record<string, (path: string) => PersistentVolumeSpec> = {
      local: (path) => ({ local: { path }, nodeAffinity }),
      hostpath: (path) => ({ hostPath: { path, type: 'Directory' } }),
    };
    for (const [kind, specOf] of Object.entries(kinds)) {
      const path = join(cluster.dir, `disk-${kind}`);
      mkdirSync(path);
      const { spec, container } = claimed(kind);
      await apply(
        cluster,
        ...disk(kind, specOf(path)),
        pod(`${kind}-w`, 'echo from the first > /v/file; sleep 1000', spec, container),
      );
      await ready(`${kind}-w`);
      const file = join(path, 'file');
      await eventually('the file', 60, () => readFileSync(file, 'utf8') === 'from the first\n');
      await gone(`${kind}-w`);
      t.same(readdirSync(path), ['file'], 'the disk is as the pod left it');
      await apply(cluster, pod(`${kind}-r`, 'cat /v/file; sleep 1000', spec, container));
      await ready(`${kind}-r`);
      await eventually(
        'its words',
        60,
        async () => (await kubectl('logs', `${kind}-r`)) === 'from the first\n',
      );
      await gone(`${kind}-r`);
    }
    t.same(mounts(), []);
  });

  await t.test('a pod waits for its claim, and says what for', { timeout: 120_000 }, async () => {
    const { spec, container } = claimed('late');
    await apply(cluster, pod('waits', 'sleep 1000', { ...spec, nodeName: cluster.nodeName }, container));
    await eventually('FailedMount', 60, async () =>
      (await events('waits')).includes('persistentvolumeclaims "late" not found'),
    );
    await apply(cluster, ...disk('late', { hostPath: { path: join(cluster.dir, 'late') } }));
    await ready('waits');
    await gone('waits');
    const hostPath = { path: join(cluster.dir, 'nothing'), type: 'Directory' };
    const volumes = [{ name: 'v', hostPath }];
    await apply(cluster, pod('typed', 'true', { volumes }, container));
    await eventually('FailedMount', 60, async () =>
      (await events('typed')).includes(`hostPath type check failed: ${hostPath.path} is not a directory`),
    );
    await gone('typed');
  });

  await t.test('a link in a volume leads nowhere as a sub-path', { timeout: 120_000 }, async (t) => {
    const path = join(cluster.dir, 'shared');
    mkdirSync(path);
    await apply(cluster, ...disk('shared', { hostPath: { path } }));
    const evil = claimed('shared');
    await apply(
      cluster,
      pod('evil', 'ln -s /etc /v/link; mkdir /v/ok; sleep 1000', evil.spec, evil.container),
    );
    await ready('evil');
    await eventually('the link', 60, () => readdirSync(path).sort().join() === 'link,ok');
    const sub = claimed('shared', { subPath: 'link' });
    await apply(cluster, pod('victim', 'ls /v', sub.spec, sub.container));
    const reason = '{.status.containerStatuses[0].state.waiting.reason}';
    await eventually('CreateContainerConfigError', 60, async () =>
      (await kubectl('get', 'pod', 'victim', '-o', `jsonpath=${reason}`)).includes(
        'CreateContainerConfigError',
      ),
    );
    await eventually('its event', 60, async () =>
      (await events('victim')).includes('failed to prepare subPath for volumeMount "v" of container "main"'),
    );
    const good = claimed('shared', { subPath: 'ok/new' });
    await apply(cluster, pod('good', 'echo x > /v/file; sleep 1000', good.spec, good.container));
    await ready('good');
    await eventually('its file', 60, () => readFileSync(join(path, 'ok/new/file'), 'utf8') === 'x\n');
    await kubectl('delete', 'pod', 'evil', 'victim', 'good', '--timeout=60s');
    t.same(mounts(), []);
    t.equal(readFileSync(join(path, 'ok/new/file'), 'utf8'), 'x\n', 'and nothing of it goes with the pod');
  });

  await t.test(
    'files follow their objects, also after the agent was killed',
    { timeout: 120_000 },
    async (t) => {
      await kubectl('create', 'configmap', 'live', '--from-literal=key=one');
      await apply(
        cluster,
        pod(
          'follows',
          'sleep 1000',
          {
            securityContext: { fsGroup: 2000, runAsUser: 1000 },
            volumes: [
              { name: 'c', configMap: { name: 'live' } },
              { name: 'd', emptyDir: {} },
              { name: 'm', emptyDir: { medium: 'Memory', sizeLimit: '1Mi' } },
            ],
          },
          {
            volumeMounts: [
              { name: 'c', mountPath: '/c' },
              { name: 'd', mountPath: '/d' },
              { name: 'm', mountPath: '/m' },
            ],
          },
        ),
      );
      await ready('follows');
      const run = (script: string) => kubectl('exec', 'follows', '--', 'sh', '-c', script);
      t.equal(await run('cat /c/key; echo x > /d/f; echo y > /m/f; stat -c %g /d/f'), 'one2000\n');
      await t.rejects(run('dd if=/dev/zero of=/m/big bs=1M count=2'));
      const change = (value: string) =>
        kubectl('patch', 'configmap', 'live', '--type=merge', '-p', JSON.stringify({ data: { key: value } }));
      await change('two');
      await eventually('two', 60, async () => (await run('cat /c/key')) === 'two');
      await cluster.kill('agent');
      await change('three');
      cluster.start('agent');
      await eventually(
        'three',
        60,
        async () => (await cluster.tryKubectl(['exec', 'follows', '--', 'cat', '/c/key'])).stdout === 'three',
      );
      t.equal(await run('cat /d/f /m/f'), 'x\ny\n', 'what the pod wrote is still there');
      await gone('follows');
      t.same(mounts(), []);
    },
  );

  await t.test('what has ended keeps no volume', { timeout: 120_000 }, async (t) => {
    const volumes = [
      { name: 'd', emptyDir: {} },
      { name: 'm', emptyDir: { medium: 'Memory' } },
    ];
    const volumeMounts = volumes.map(({ name }) => ({ name, mountPath: `/${name}` }));
    const spec = { volumes, restartPolicy: 'Never' };
    await apply(cluster, pod('job', 'echo done > /d/f; cat /d/f', spec, { volumeMounts }));
    await kubectl('wait', '--for=jsonpath={.status.phase}=Succeeded', 'pod/job', '--timeout=60s');
    const uid = await kubectl('get', 'pod', 'job', '-o', 'jsonpath={.metadata.uid}');
    const left = join(cluster.dir, 'agent/pods', uid, 'volumes');
    await eventually('no volumes', 60, async () => !existsSync(left) && mounts().length === 0);
    t.equal(await kubectl('logs', 'job'), 'done\n');
    await gone('job');
  });

  await t.test('an ephemeral volume comes and goes with its pod', { timeout: 120_000 }, async (t) => {
    const [volume] = disk('eph', { hostPath: { path: join(cluster.dir, 'eph') } });
    const template = {
      accessModes: ['ReadWriteOnce'],
      storageClassName: 'eph',
      resources: { requests: { storage: '1Gi' } },
    };
    const volumes = [{ name: 'v', ephemeral: { volumeClaimTemplate: { spec: template } } }];
    const volumeMounts = [{ name: 'v', mountPath: '/v' }];
    await apply(
      cluster,
      volume ?? {},
      pod('brief', 'echo x > /v/f; sleep 1000', { volumes }, { volumeMounts }),
    );
    await ready('brief');
    t.match(await kubectl('get', 'pvc', 'brief-v'), /Bound/);
    await eventually('its file', 60, () => readdirSync(join(cluster.dir, 'eph')).join() === 'f');
    await gone('brief');
    await eventually(
      'no claim',
      60,
      async () => (await cluster.tryKubectl(['get', 'pvc', 'brief-v'])).code !== 0,
    );
  });
});
