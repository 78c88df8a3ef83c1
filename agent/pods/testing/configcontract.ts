/**
 * Pods that use very many fields of their spec at once, looked at from inside their containers: what every real runtime
 * has to make of them. Called by the root tests of `agent/pods`, one for each runtime.
 */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import type { Test } from 'tap';
import { configMaps, runtimeClasses } from '../../../src/api/kinds.js';
import type { Container, PodSpec } from '../../../src/api/types.js';
import { runChecked } from '../../../src/host/exec.js';
import { pod as build } from '../../../src/testing/builders.js';
import type { Runtime } from '../../runtime/runtime.js';
import { containerNameOf } from '../names.js';
import type { PodConfig } from '../nodeconfig.js';
import { createHarness, type Harness } from './harness.js';

/** A runtime for a node of this name, with an image of busybox; `close` removes what was made with it. */
export type OpenRuntime = (
  node: string,
) => Promise<{ runtime: Runtime; image: string; close(): Promise<void> }>;

interface World extends Harness {
  image: string;
  /** Output of a shell command in a running container, without the last newline. */
  inside(container: string, command: string): Promise<string>;
  isEmpty(): Promise<boolean>;
}

async function createWorld(
  t: Test,
  open: OpenRuntime,
  name: string,
  config: Partial<PodConfig> = {},
): Promise<World> {
  const node = `${name}-test-${process.pid}`;
  const { runtime, image, close } = await open(node);
  const h = await createHarness(t, { runtime });
  t.teardown(async () => {
    await h.stop();
    await close();
  });
  h.options = {
    nodeName: node,
    exec: runChecked,
    allocatable: () => ({ cpu: '4', memory: '8Gi' }),
    config,
    cgroups: {
      parentOf: () => '',
      ensurePod: async () => undefined,
      removePod: async () => undefined,
      listPods: async () => [],
      resourcesOf: () => ({}),
    },
  };
  await h.start();
  const inside = async (container: string, command: string): Promise<string> => {
    const found = (await runtime.listContainers()).find((state) => containerNameOf(state) === container);
    const output = new PassThrough();
    const chunks: Buffer[] = [];
    output.on('data', (chunk: Buffer) => chunks.push(chunk));
    const spec = { command: ['sh', '-c', command], tty: false, stdout: output, stderr: output };
    await runtime.exec(found?.id ?? '', spec, AbortSignal.timeout(90_000));
    return Buffer.concat(chunks).toString().replace(/\n$/, '');
  };
  const isEmpty = async (): Promise<boolean> =>
    (await runtime.listContainers()).length + (await runtime.listSandboxes()).length === 0;
  return Object.assign(h, { image, inside, isEmpty });
}

const statusLine = (status: string, name: string): string =>
  new RegExp(`^${name}:\\s*(.*?)\\s*$`, 'm').exec(status)?.[1] ?? '';

const runs = (h: Harness, names: readonly string[]) => async (): Promise<boolean> => {
  const statuses = (await h.pod())?.status?.containerStatuses ?? [];
  return names.every((name) => statuses.some((status) => status.name === name && status.ready));
};

export async function configContract(t: Test, open: OpenRuntime): Promise<void> {
  await t.test('a pod that uses many fields at once', { timeout: 300_000 }, async (t) => {
    const seccompDirectory = await mkdtemp(join(tmpdir(), 'wherry-seccomp-'));
    t.teardown(() => rm(seccompDirectory, { recursive: true, force: true }));
    await mkdir(join(seccompDirectory, 'profiles'));
    const noMkdir = { names: ['mkdir', 'mkdirat'], action: 'SCMP_ACT_ERRNO' };
    await writeFile(
      join(seccompDirectory, 'profiles/no-mkdir.json'),
      JSON.stringify({ defaultAction: 'SCMP_ACT_ALLOW', syscalls: [noMkdir] }),
    );
    const h = await createWorld(t, open, 'config', {
      seccompDirectory,
      allowedUnsafeSysctls: ['kernel.msg*'],
    });
    h.client.seed(configMaps, {
      metadata: { namespace: 'default', name: 'settings' },
      data: { color: 'green' },
    });
    const run = { image: h.image, command: ['sh', '-c', 'exec sleep 600'] };
    const data = { name: 'data', mountPath: '/data' };
    const main: Container = {
      ...run,
      name: 'main',
      command: ['sh', '-c', 'exec sleep "$@"', '$(COLOR)', '$(TIME)'],
      workingDir: '/made/by/the/runtime',
      env: [
        { name: 'TIME', value: '600' },
        { name: 'COLOR', valueFrom: { configMapKeyRef: { name: 'settings', key: 'color' } } },
        { name: 'IP', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } },
        { name: 'CPU', valueFrom: { resourceFieldRef: { resource: 'limits.cpu', divisor: '1m' } } },
        { name: 'WRITTEN', valueFrom: { fileKeyRef: { volumeName: 'data', path: 'vars.env', key: 'NAME' } } },
        { name: 'BOTH', value: '$(COLOR)-$(WRITTEN) $$(COLOR)' },
      ],
      envFrom: [{ prefix: 'CFG_', configMapRef: { name: 'settings' } }],
      volumeMounts: [{ ...data, readOnly: true }],
      terminationMessagePath: '/dev/last-words',
      stdin: true,
      securityContext: {
        runAsNonRoot: true,
        readOnlyRootFilesystem: true,
        allowPrivilegeEscalation: false,
        capabilities: { drop: ['ALL'] },
        seccompProfile: { type: 'RuntimeDefault' },
      },
    };
    const spec: PodSpec = {
      hostname: 'h',
      subdomain: 'sub',
      setHostnameAsFQDN: true,
      hostAliases: [{ ip: '192.0.2.77', hostnames: ['alias', 'alias.test'] }],
      dnsPolicy: 'None',
      dnsConfig: {
        nameservers: ['192.0.2.53'],
        searches: ['one.test', 'two.test'],
        options: [{ name: 'ndots', value: '3' }, { name: 'rotate' }],
      },
      enableServiceLinks: false,
      shareProcessNamespace: true,
      terminationGracePeriodSeconds: 0,
      securityContext: {
        runAsUser: 1000,
        runAsGroup: 3000,
        supplementalGroups: [4000],
        fsGroup: 2000,
        sysctls: [
          { name: 'net.ipv4.ip_unprivileged_port_start', value: '81' },
          { name: 'net/ipv4/tcp_syncookies', value: '0' },
          { name: 'kernel.shm_rmid_forced', value: '1' },
          { name: 'kernel.msgmax', value: '12345' },
        ],
      },
      volumes: [{ name: 'data', emptyDir: {} }],
      initContainers: [
        {
          ...run,
          name: 'writer',
          command: ['sh', '-c', `echo "NAME='from a file'" > /data/vars.env`],
          volumeMounts: [data],
        },
      ],
      containers: [
        main,
        {
          ...run,
          name: 'loose',
          volumeMounts: [data],
          securityContext: {
            runAsUser: 0,
            runAsGroup: 0,
            procMount: 'Unmasked',
            capabilities: { add: ['NET_ADMIN'], drop: ['CHOWN'] },
          },
        },
        {
          ...run,
          name: 'profiled',
          volumeMounts: [data],
          securityContext: {
            seccompProfile: { type: 'Localhost', localhostProfile: 'profiles/no-mkdir.json' },
          },
        },
      ],
    };
    await h.create(build('web', { spec }));
    await h.until('all run', runs(h, ['main', 'loose', 'profiled']));

    const status = await h.inside('main', 'cat /proc/self/status');
    t.equal(statusLine(status, 'Uid'), '1000\t1000\t1000\t1000');
    t.equal(statusLine(status, 'Gid'), '3000\t3000\t3000\t3000');
    const groups = statusLine(status, 'Groups').split(' ');
    t.ok(
      ['2000', '4000'].every((group) => groups.includes(group)),
      `fsGroup and supplementalGroups: ${groups}`,
    );
    t.equal(statusLine(status, 'CapBnd'), '0000000000000000');
    t.equal(statusLine(status, 'CapEff'), '0000000000000000');
    t.equal(statusLine(status, 'NoNewPrivs'), '1');
    t.equal(statusLine(status, 'Seccomp'), '2', 'the profile of the runtime');

    const loose = await h.inside('loose', 'cat /proc/self/status');
    t.equal(statusLine(loose, 'Uid').split('\t')[0], '0', 'the container overrides the pod');
    t.equal(statusLine(loose, 'Seccomp'), '0', 'no profile without one');
    t.equal(statusLine(loose, 'NoNewPrivs'), '0');
    const bounding = BigInt(`0x${statusLine(loose, 'CapBnd')}`);
    t.equal((bounding >> 12n) & 1n, 1n, 'NET_ADMIN');
    t.equal(bounding & 1n, 0n, 'CHOWN');
    const procMounts =
      'cat /proc/self/mountinfo | while read a b c d e f; do case $e in /proc/*) echo $e;; esac; done';
    t.equal(await h.inside('loose', procMounts), '', 'procMount: Unmasked');
    t.match(await h.inside('main', procMounts), /\/proc\/keys/);

    t.equal(await h.inside('main', 'hostname'), 'h.sub.default.svc.cluster.local');
    const hosts = await h.inside('main', 'cat /etc/hosts');
    t.match(hosts, /^10\.244\.0\.\d+\th\.sub\.default\.svc\.cluster\.local\th$/m);
    t.match(hosts, /^192\.0\.2\.77\talias\talias\.test$/m);
    t.equal(
      await h.inside('main', 'cat /etc/resolv.conf'),
      'search one.test two.test\nnameserver 192.0.2.53\noptions ndots:3 rotate',
    );
    const sysctls = [
      'net/ipv4/ip_unprivileged_port_start',
      'net/ipv4/tcp_syncookies',
      'kernel/shm_rmid_forced',
      'kernel/msgmax',
    ];
    t.equal(
      await h.inside('main', sysctls.map((name) => `cat /proc/sys/${name}`).join(';')),
      '81\n0\n1\n12345',
    );

    const env = await h.inside('main', 'env');
    t.match(env, /^COLOR=green$/m);
    t.match(env, /^CFG_color=green$/m);
    t.match(env, /^IP=10\.244\.0\.\d+$/m);
    t.match(env, /^CPU=4000$/m);
    t.match(env, /^WRITTEN=from a file$/m);
    t.match(env, /^BOTH=green-from a file \$\(COLOR\)$/m);
    t.equal(await h.inside('main', 'pwd'), '/made/by/the/runtime');
    t.match(await h.inside('main', 'ps'), /sleep 600/, 'command and args are expanded');
    t.match(await h.inside('main', 'ps'), /1 65535 .*/, 'process 1 is that of the sandbox');
    t.match(
      await h.inside('main', 'echo x > /file; echo x > /data/file'),
      /Read-only file system[\s\S]*Read-only file system/,
    );
    t.equal(await h.inside('main', 'echo bye > /dev/last-words; cat /dev/last-words'), 'bye');
    t.equal(
      await h.inside('profiled', 'echo x > /data/own; busybox stat -c %g:%a /data /data/own'),
      '2000:2777\n2000:644',
      'files in the volume belong to fsGroup',
    );
    t.match(await h.inside('profiled', 'busybox mkdir /data/x'), /Operation not permitted/);
    t.equal(await h.inside('loose', 'busybox mkdir /data/y && echo made'), 'made');
    await h.remove('web', 0);
    await h.until('gone', h.isEmpty);
  });

  await t.test('a pod in the namespaces of the host', { timeout: 300_000 }, async (t) => {
    const h = await createWorld(t, open, 'hostconfig');
    const container: Container = { name: 'c', image: h.image, command: ['sh', '-c', 'exec sleep 600'] };
    const host = { hostNetwork: true, hostPID: true, hostIPC: true };
    const spec = {
      ...host,
      containers: [container],
      hostAliases: [{ ip: '192.0.2.77', hostnames: ['alias'] }],
    };
    await h.create(build('web', { spec: { ...spec, terminationGracePeriodSeconds: 0 } }));
    await h.until('it runs', runs(h, ['c']));
    const namespaces = ['net', 'pid', 'ipc', 'mnt'];
    const own = await Promise.all(
      namespaces.map(async (name) => (await runChecked('readlink', [`/proc/self/ns/${name}`])).stdout.trim()),
    );
    const seen = await h.inside(
      'c',
      namespaces.map((name) => `busybox readlink /proc/self/ns/${name}`).join(';'),
    );
    const pairs = seen.split('\n').map((text, index) => [text === own[index], namespaces[index]]);
    t.same(pairs, [
      [true, 'net'],
      [true, 'pid'],
      [true, 'ipc'],
      [false, 'mnt'],
    ]);
    t.match(await h.inside('c', 'cat /etc/hosts'), /\(host network\)\.[\s\S]*192\.0\.2\.77\talias/);
    t.equal(
      h.events.some((event) => event.startsWith('MissingClusterDNS')),
      false,
      'it has the DNS of the host anyway',
    );
  });

  await t.test('a privileged container', { timeout: 300_000 }, async (t) => {
    const h = await createWorld(t, open, 'privconfig');
    const container: Container = {
      name: 'c',
      image: h.image,
      command: ['sh', '-c', 'exec sleep 600'],
      securityContext: { privileged: true },
    };
    await h.create(build('web', { spec: { containers: [container], terminationGracePeriodSeconds: 0 } }));
    const refusal = (): string | undefined =>
      h.events.find((event) => /operation not permitted/i.test(event));
    await h.until('it runs, or may not', async () => refusal() !== undefined || (await runs(h, ['c'])()));
    const why = refusal();
    if (why !== undefined) {
      t.comment(`this machine allows no privileged containers: ${why}`);
      return;
    }
    const bounding = statusLine(await h.inside('c', 'cat /proc/self/status'), 'CapBnd');
    t.ok(BigInt(`0x${bounding}`) >= 0x3fffffffffn, `all capabilities: ${bounding}`);
    t.match(await h.inside('c', 'busybox ls /dev'), /^(kmsg|mem|loop0|vda|sda)$/m, 'the devices of the host');
  });

  await t.test('a RuntimeClass', { timeout: 300_000 }, async (t) => {
    const h = await createWorld(t, open, 'classconfig');
    h.client.seed(runtimeClasses, { metadata: { name: 'known' }, handler: 'runc' });
    h.client.seed(runtimeClasses, { metadata: { name: 'strange' }, handler: 'no-such-runtime' });
    const container: Container = { name: 'c', image: h.image, command: ['sh', '-c', 'exec sleep 600'] };
    const spec = { containers: [container], terminationGracePeriodSeconds: 0 };
    await h.create(build('web', { spec: { ...spec, runtimeClassName: 'known' } }));
    await h.until('it runs', runs(h, ['c']));
    t.match(
      h.events.filter((event) => event.startsWith('MissingClusterDNS')),
      [/pod: "web_default\(.*\)"\. kubelet does not have ClusterDNS IP configured/],
    );
    await h.create(build('other', { spec: { ...spec, runtimeClassName: 'strange' } }));
    await h.until('it is refused', async () =>
      h.events.some((event) => /FailedCreatePodSandBox.*no runtime for "no-such-runtime"/.test(event)),
    );
  });

  await t.test(
    'what the host cannot enforce keeps the pod waiting, and says so',
    { timeout: 300_000 },
    async (t) => {
      const h = await createWorld(t, open, 'refusedconfig');
      const container: Container = {
        name: 'c',
        image: h.image,
        securityContext: { seccompProfile: { type: 'Localhost', localhostProfile: '../../../etc/passwd' } },
      };
      const spec = {
        containers: [container],
        securityContext: { sysctls: [{ name: 'kernel.msgmax', value: '1' }] },
      };
      await h.create(build('web', { spec: { ...spec, terminationGracePeriodSeconds: 0 } }));
      await h.until('the sandbox is refused', async () =>
        h.events.some(
          (event) =>
            event.includes('FailedCreatePodSandBox') && event.includes('"kernel.msgmax" not allowlisted'),
        ),
      );
      await h.until('the container says why', async () => {
        const [status] = (await h.pod())?.status?.containerStatuses ?? [];
        const { reason, message } = status?.state?.waiting ?? {};
        return (
          reason === 'CreateContainerConfigError' &&
          message?.includes('spec.containers{c}.securityContext.seccompProfile.localhostProfile') === true
        );
      });
    },
  );
}
