/** One node, real Docker: the life of pods beyond start and stop, as a user of kubectl sees it. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { stringify } from 'yaml';
import type { Container, Pod, PodSpec } from '../src/api/types.js';
import { run } from '../src/host/exec.js';
import { type Cluster, startCluster } from './cluster.js';
import { eventually } from './wait.js';

const image = { image: 'busybox', imagePullPolicy: 'IfNotPresent' } as const;
const shell = (name: string, script: string, more: Partial<Container> = {}): Container => ({
  ...image,
  name,
  command: ['sh', '-c', script],
  ...more,
});

const manifest = (name: string, spec: PodSpec): string =>
  stringify({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name },
    spec: { terminationGracePeriodSeconds: 3, ...spec },
  });

async function apply(cluster: Cluster, name: string, spec: PodSpec): Promise<void> {
  const result = await cluster.tryKubectl(['apply', '-f', '-'], manifest(name, spec));
  if (result.code !== 0) throw new Error(result.stderr);
}

const get = async (cluster: Cluster, name: string): Promise<Pod> =>
  JSON.parse(await cluster.kubectl('get', 'pod', name, '-o', 'json')) as Pod;

const containers = async (part: string): Promise<string[]> => {
  const found = await run('docker', ['ps', '-q', '--no-trunc', '--filter', `name=${part}`], {});
  return found.stdout.split('\n').filter(Boolean);
};

t.test('the life of pods', { timeout: 500_000 }, async (t) => {
  const manifests = mkdtempSync(join(tmpdir(), 'wherry-manifests-'));
  mkdirSync(manifests, { recursive: true });
  const cluster = await startCluster({ name: 'life', agent: { 'pod-manifest-path': manifests } });
  t.teardown(async () => {
    await cluster.stop();
    rmSync(manifests, { recursive: true, force: true });
  });
  const phase = async (name: string): Promise<string | undefined> => (await get(cluster, name)).status?.phase;

  await t.test('a static pod runs, is mirrored, and outlives mirror, agent and master', async (t) => {
    const file = join(manifests, 'still.yaml');
    const mirror = `still-${cluster.nodeName}`;
    const main = shell('main', 'trap "exit 0" TERM; while :; do sleep 0.1; done');
    writeFileSync(file, manifest('still', { containers: [main] }));
    await eventually('mirrored', 60, async () => (await phase(mirror)) === 'Running');
    const { metadata } = await get(cluster, mirror);
    t.match(metadata.annotations, { 'kubernetes.io/config.source': 'file' });
    t.match(metadata.ownerReferences, [{ kind: 'Node', name: cluster.nodeName }]);
    const ids = await containers('wherry_main_still');
    t.equal(ids.length, 1);
    await cluster.kubectl('delete', 'pod', mirror, '--wait=false');
    await eventually('mirrored anew', 90, async () => {
      const now = await get(cluster, mirror);
      return now.metadata.uid !== metadata.uid && now.status?.phase === 'Running';
    });
    t.same(await containers('wherry_main_still'), ids);

    await cluster.kill('master');
    await cluster.kill('agent');
    await run('docker', ['kill', ids[0] ?? ''], {});
    cluster.start('agent');
    await eventually('restarted without a master', 90, async () => {
      const now = await containers('wherry_main_still');
      return now.length === 1 && now[0] !== ids[0];
    });
    cluster.start('master');
    await eventually('told', 90, async () => {
      const [status] = (await get(cluster, mirror)).status?.containerStatuses ?? [];
      return status?.restartCount === 1 && status.ready;
    });
    rmSync(file);
    await eventually('ended', 90, async () => (await containers('wherry_main_still')).length === 0);
    await eventually('gone', 90, async () => (await cluster.tryKubectl(['get', 'pod', mirror])).code !== 0);
  });

  await t.test('sidecars start first, end last and fail no pod', async (t) => {
    const log = '/log/order';
    const mount = { volumeMounts: [{ name: 'log', mountPath: '/log' }] };
    const side = (name: string): Container =>
      shell(
        name,
        `trap "echo ${name}-down >>${log}; exit 1" TERM; echo ${name}-up >>${log}; while :; do sleep 0.1; done`,
        {
          ...mount,
          restartPolicy: 'Always',
          lifecycle: {
            postStart: {
              exec: { command: ['sh', '-c', `until grep ${name}-up ${log}; do sleep 0.1; done`] },
            },
          },
        },
      );
    await apply(cluster, 'order', {
      restartPolicy: 'Never',
      terminationGracePeriodSeconds: 60,
      volumes: [{ name: 'log', hostPath: { path: manifests } }],
      initContainers: [side('a'), side('b')],
      containers: [shell('main', `sleep 1; echo main >>${log}; exit 0`, mount)],
    });
    await eventually('over', 60, async () => (await phase('order')) === 'Succeeded');
    const { stdout } = await run('cat', [join(manifests, 'order')], {});
    t.same(stdout.trim().split('\n'), ['a-up', 'b-up', 'main', 'b-down', 'a-down']);
    rmSync(join(manifests, 'order'));
  });

  await t.test('rules on exit codes restart what the policy would not', async (t) => {
    const volume = { volumeMounts: [{ name: 'v', mountPath: '/v' }] };
    const script = 'if [ -e /v/once ]; then exit 0; fi; touch /v/once; exit 42';
    const restartPolicyRules = [{ action: 'Restart', exitCodes: { operator: 'In', values: [42] } }];
    await apply(cluster, 'ruled', {
      restartPolicy: 'Never',
      volumes: [{ name: 'v', emptyDir: {} }],
      containers: [shell('main', script, { ...volume, restartPolicy: 'Never', restartPolicyRules })],
    });
    await eventually('over', 60, async () => (await phase('ruled')) === 'Succeeded');
    t.match((await get(cluster, 'ruled')).status?.containerStatuses, [{ restartCount: 1 }]);
  });

  await t.test('cpu and memory change while a container runs', async (t) => {
    const resources = { requests: { cpu: '100m', memory: '32Mi' }, limits: { cpu: '200m', memory: '64Mi' } };
    await apply(cluster, 'resized', { containers: [shell('main', 'exec sleep 1000', { resources })] });
    await cluster.kubectl('wait', '--for=condition=Ready', 'pod/resized', '--timeout=60s');
    const [id = ''] = await containers('wherry_main_resized');
    const wanted = { requests: { cpu: '150m', memory: '48Mi' }, limits: { cpu: '300m', memory: '96Mi' } };
    const patch = JSON.stringify({ spec: { containers: [{ name: 'main', resources: wanted }] } });
    await cluster.kubectl('patch', 'pod', 'resized', '--subresource', 'resize', '-p', patch);
    await eventually('resized', 90, async () => {
      const { containerStatuses = [], conditions = [] } = (await get(cluster, 'resized')).status ?? {};
      return (
        containerStatuses[0]?.resources?.limits?.['memory'] === '96Mi' &&
        !conditions.some(({ type }) => type.startsWith('PodResize'))
      );
    });
    const format = '{{.HostConfig.Memory}} {{.HostConfig.CpuQuota}} {{.HostConfig.CpuShares}}';
    const { stdout } = await run('docker', ['inspect', '-f', format, id], {});
    t.equal(stdout.trim(), `${96 * 2 ** 20} 30000 153`);
    const pod = await get(cluster, 'resized');
    t.match(pod.status?.containerStatuses, [{ restartCount: 0, allocatedResources: { cpu: '150m' } }]);
    const tooMuch = patch.replace('150m', '900').replace('300m', '900');
    await cluster.kubectl('patch', 'pod', 'resized', '--subresource', 'resize', '-p', tooMuch);
    await eventually('infeasible', 90, async () => {
      const { status } = await get(cluster, 'resized');
      return status?.conditions?.some(({ reason }) => reason === 'Infeasible') ?? false;
    });
  });

  await t.test('a deadline ends a pod', async (t) => {
    await apply(cluster, 'late', {
      activeDeadlineSeconds: 3,
      terminationGracePeriodSeconds: 1,
      containers: [shell('main', 'exec sleep 1000')],
    });
    await eventually('failed', 60, async () => (await phase('late')) === 'Failed');
    t.match((await get(cluster, 'late')).status, { reason: 'DeadlineExceeded' });
    await eventually('ended', 60, async () => {
      const [status] = (await get(cluster, 'late')).status?.containerStatuses ?? [];
      return status?.state?.terminated !== undefined;
    });
  });
});
