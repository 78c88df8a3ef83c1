/** One node, real Docker: what the agent's flags and the API's objects make of pods, as a user of kubectl sees it. */
import t from 'tap';
import { stringify } from 'yaml';
import type { PodSpec } from '../src/api/types.js';
import { type Cluster, startCluster } from './cluster.js';
import { eventually } from './wait.js';

const container = {
  name: 'main',
  image: 'busybox',
  imagePullPolicy: 'IfNotPresent',
  command: ['sleep', '1000'],
} as const;

async function apply(cluster: Cluster, ...objects: readonly object[]): Promise<void> {
  const result = await cluster.tryKubectl(
    ['apply', '-f', '-'],
    objects.map((one) => stringify(one)).join('---\n'),
  );
  if (result.code !== 0) throw new Error(result.stderr);
}

const pod = (name: string, spec: Partial<PodSpec>): object => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name },
  spec: { terminationGracePeriodSeconds: 0, containers: [container], ...spec },
});

const runtimeClass = (name: string, handler: string): object => ({
  apiVersion: 'node.k8s.io/v1',
  kind: 'RuntimeClass',
  metadata: { name },
  handler,
});

t.test('flags of the node and objects of the API in pods', { timeout: 600_000 }, async (t) => {
  const cluster = await startCluster({
    name: 'podspec',
    agent: {
      'cluster-dns': '10.96.0.10,10.96.0.11',
      'cluster-domain': 'test.local',
      'allowed-unsafe-sysctls': 'kernel.msg*',
      'seccomp-default': 'true',
    },
  });
  t.teardown(() => cluster.stop());
  const ready = (name: string): Promise<string> =>
    cluster.kubectl('wait', '--for=condition=Ready', `pod/${name}`, '--timeout=60s');
  const inside = (name: string, ...command: string[]): Promise<string> =>
    cluster.kubectl('exec', name, '--', ...command);

  await t.test(
    'DNS of the cluster, sysctls, seccomp by default, a RuntimeClass',
    { timeout: 120_000 },
    async (t) => {
      await apply(
        cluster,
        runtimeClass('known', 'runc'),
        pod('web', {
          runtimeClassName: 'known',
          hostname: 'h',
          subdomain: 'sub',
          securityContext: {
            sysctls: [
              { name: 'net.ipv4.ip_unprivileged_port_start', value: '0' },
              { name: 'kernel.msgmax', value: '12345' },
            ],
          },
        }),
      );
      await ready('web');
      const resolver = await inside('web', 'cat', '/etc/resolv.conf');
      t.match(resolver, /^search default\.svc\.test\.local svc\.test\.local test\.local\b/);
      t.match(resolver, /\nnameserver 10\.96\.0\.10\nnameserver 10\.96\.0\.11\noptions ndots:5\n/);
      t.match(await inside('web', 'cat', '/etc/hosts'), /\th\.sub\.default\.svc\.test\.local\th\n/);
      t.equal(await inside('web', 'cat', '/proc/sys/kernel/msgmax'), '12345\n');
      t.match(await inside('web', 'cat', '/proc/self/status'), /^Seccomp:\t2$/m);
    },
  );

  await t.test('what this node does not do is told', { timeout: 120_000 }, async (t) => {
    await apply(
      cluster,
      runtimeClass('strange', 'no-such-runtime'),
      pod('unsafe', { securityContext: { sysctls: [{ name: 'net.core.somaxconn', value: '9' }] } }),
      pod('strange', { runtimeClassName: 'strange' }),
      pod('lost', { hostUsers: false }),
    );
    const described = (name: string): Promise<string> => cluster.kubectl('describe', 'pod', name);
    await eventually('the end of the one with a sysctl', 60, async () =>
      /Reason:\s+SysctlForbidden/.test(await described('unsafe')),
    );
    t.match(
      await described('unsafe'),
      /Status:\s+Failed[\s\S]*forbidden sysctl: "net\.core\.somaxconn" not allowlisted/,
    );
    await eventually('the event of the one with a strange class', 60, async () =>
      /FailedCreatePodSandBox.*no runtime for "no-such-runtime" is configured/.test(
        await described('strange'),
      ),
    );
    await eventually('the reason of the one with its own users', 60, async () =>
      (await described('lost')).includes('not supported by this node: spec.hostUsers'),
    );
    await cluster.kubectl('delete', 'pod', '--all', '--grace-period=0', '--force', '--timeout=60s');
  });
});
