/** What the contract does not say but users see: pulls, long lines, terminals, shared namespaces, adoption. */
import { randomUUID } from 'node:crypto';
import { mkdir, mkdtemp, readFile, readlink, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import t from 'tap';
import { run, runChecked } from '../../src/host/exec.js';
import { silentLogger } from '../../src/host/log.js';
import { until } from '../testing/namespace.js';
import { containerSpec, refused, sandboxSpec, sink } from './contract.js';
import { DockerRuntime } from './docker.js';
import { docker, removeLeftovers, testImage, testSocket } from './docker-testing.js';
import { createTestRegistry } from './registry-testing.js';
import type { ContainerSpec, LogLine, SandboxSpec } from './runtime.js';
import { sandboxArchive } from './sandbox-image.js';

const unique = `t${randomUUID().slice(0, 8)}`;
const create = (): DockerRuntime =>
  new DockerRuntime({
    socketPath: testSocket,
    node: unique,
    log: silentLogger,
    oomScoreFloor: 0,
  });
const runtime = create();
const subject = { runtime, image: await testImage(), commands: {} as never, unique };
await runtime.ensureSandboxImage();
t.teardown(async () => {
  await removeLeftovers(unique);
  runtime.close();
});

const { signal } = new AbortController();

interface Pod {
  sandbox: string;
  id: string;
}

async function startPod(
  name: string,
  command: readonly string[],
  extra: { container?: Partial<ContainerSpec>; sandbox?: Partial<SandboxSpec> } = {},
): Promise<Pod> {
  const sandbox = await runtime.createSandbox({ ...sandboxSpec(unique, name), ...extra.sandbox });
  await runtime.startSandbox(sandbox);
  const id = await runtime.createContainer(sandbox, {
    ...containerSpec(subject, name, command),
    ...extra.container,
  });
  await runtime.startContainer(id);
  return { sandbox, id };
}

async function output(id: string, command: readonly string[]): Promise<string> {
  const out = sink();
  await runtime.exec(id, { command, tty: false, stdout: out.stream }, signal);
  return out.text();
}

async function allLines(id: string): Promise<LogLine[]> {
  const lines: LogLine[] = [];
  for await (const line of runtime.logs(id, { follow: true, timestamps: true, signal })) lines.push(line);
  return lines;
}

t.test('pulls: by tag, by digest, with a login, and why not', async (t) => {
  const registry = await createTestRegistry(sandboxArchive('amd64'), 'me:secret');
  const { host, digest } = registry;
  const auth = { username: 'me', password: 'secret', serverAddress: host };
  t.teardown(async () => {
    await docker('rmi', '-f', `${host}/app:1`, `${host}/app@${digest}`);
    await registry.close();
  });
  const id = await runtime.pullImage(`${host}/app:1`, auth, signal);
  const image = await runtime.inspectImage(`${host}/app:1`);
  t.match(image, { id, repoTags: [`${host}/app:1`], repoDigests: [`${host}/app@${digest}`], user: '1234' });
  t.equal(await runtime.pullImage(`${host}/app@${digest}`, auth, signal), id);
  t.equal((await runtime.inspectImage(`${host}/app:1@${digest}`))?.id, id);
  await refused(t, runtime.pullImage(`${host}/app:2`, auth, signal), 'imageNotFound', /manifest unknown/);
  await refused(
    t,
    runtime.pullImage(`${host}/app:1`, undefined, signal),
    'failed',
    /no basic auth credentials|unauthorized/,
  );
  await refused(t, runtime.pullImage('127.0.0.1:1/app:1', undefined, signal), 'failed', /connection refused/);
  const stop = new AbortController();
  stop.abort(new Error('pod deleted'));
  await t.rejects(runtime.pullImage(`${host}/app:1`, auth, stop.signal), { message: 'pod deleted' });
  await runtime.removeImage(id);
  t.equal(await runtime.inspectImage(`${host}/app:1`), undefined);
});

t.test('a long line comes in parts, a terminal has lines', async (t) => {
  const long = await startPod('long', ['sh', '-c', 'head -c 40000 /dev/zero | tr "\\0" x; echo; echo end']);
  const lines = await allLines(long.id);
  t.strictSame(
    lines.map(({ partial }) => partial ?? false),
    [true, true, false, false],
  );
  t.equal(Buffer.concat(lines.slice(0, 3).map(({ text }) => text)).toString(), 'x'.repeat(40_000));
  t.match(lines[3]?.time, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z$/);
  const terminal = await startPod('tty', ['sh', '-c', 'echo one; echo two >&2'], {
    container: { tty: true },
  });
  t.strictSame(
    (await allLines(terminal.id)).map(({ stream, text }) => `${stream} ${text}`),
    ['stdout one\r', 'stdout two\r'],
  );
  await runtime.removeSandbox(long.sandbox);
  await runtime.removeSandbox(terminal.sandbox);
});

t.test('attaching reads and writes a container with stdin', async (t) => {
  const { sandbox, id } = await startPod('attach', ['cat'], { container: { stdin: true, stdinOnce: true } });
  const out = sink();
  const stdin = new PassThrough();
  const attached = runtime.attach(id, { tty: false, stdin, stdout: out.stream }, signal);
  stdin.end('through the container\n');
  await attached;
  t.equal(out.text(), 'through the container\n');
  await runtime.removeSandbox(sandbox);
});

t.test('attaching to a container that has ended says so instead of waiting', async (t) => {
  const { sandbox, id } = await startPod('attach-late', ['true']);
  for (let state = await runtime.inspectContainer(id); state?.state !== 'exited'; )
    state = await runtime.inspectContainer(id);
  const attached = runtime.attach(id, { tty: false, stdout: sink().stream }, signal);
  await t.rejects(attached, { kind: 'conflict', message: /is not running/ });
  await runtime.removeSandbox(sandbox);
});

t.test('the sandbox is process 1 of a shared pid namespace and buries the orphans', async (t) => {
  const { sandbox, id } = await startPod('share', ['sleep', '1000'], {
    sandbox: { pid: 'pod', hostname: 'shared' },
  });
  await output(id, ['sh', '-c', '(sleep 0.01 &)']);
  // Under a second agent process too, which knows the sandbox only from Docker.
  const restarted = create();
  t.teardown(() => restarted.close());
  const second = { ...containerSpec(subject, 'share', ['sleep', '1001']), name: `k8s_second_${unique}` };
  const other = await restarted.createContainer(sandbox, second);
  await restarted.startContainer(other);
  t.match(await output(other, ['ps']), /1 65535 .*\/sandbox[\s\S]*sleep 1000[\s\S]*sleep 1001/);
  t.equal((await output(id, ['hostname'])).trim(), 'shared');
  const pid = (await runtime.inspectSandbox(sandbox))?.pid ?? 0;
  const zombies = async (): Promise<string> =>
    (await run('ps', ['--ppid', `${pid}`, '-o', 'stat='])).stdout.trim();
  for (let tries = 0; tries < 300 && (await zombies()) !== ''; tries += 1) await new Promise(setImmediate);
  t.equal(await zombies(), '', 'no zombie and no orphan left');
  t.equal((await restarted.listContainers({ podUid: `${unique}-share` })).length, 2);
  await restarted.removeSandbox(sandbox);
  t.strictSame(await runtime.listContainers(), []);
});

t.test(
  'limits, security and log rotation reach the container; the sandbox is tiny and quick to stop',
  async (t) => {
    const security = {
      user: '1000:2000',
      supplementalGroups: [3000],
      readOnlyRootFilesystem: true,
      dropCapabilities: ['ALL'],
      addCapabilities: ['NET_BIND_SERVICE'],
      noNewPrivileges: true,
    };
    const mounts = [{ hostPath: '/etc', containerPath: '/host/etc', readOnly: true }];
    const resources = { oomScoreAdj: -997, pidsLimit: 50 };
    const { sandbox, id } = await startPod('secure', ['sleep', '1000'], {
      container: { security, mounts, resources },
    });
    t.match(await output(id, ['id']), /uid=1000 gid=2000 groups=2000,3000/);
    t.match(await output(id, ['cat', '/proc/1/status']), /CapBnd:\s+0000000000000400[\s\S]*NoNewPrivs:\s+1/);
    t.match(await output(id, ['cat', '/host/etc/passwd']), /^root:/);
    const sh = { command: ['sh', '-c', 'echo x > /x || echo x > /host/etc/x'], tty: false };
    t.not(await runtime.exec(id, sh, signal), 0);
    t.equal((await output(id, ['cat', '/proc/1/oom_score_adj'])).trim(), '0', 'as low as this host allows');
    const state = await runtime.inspectContainer(id);
    t.match(state?.logPath, /-json\.log$/);

    const { pid = 0 } = (await runtime.inspectSandbox(sandbox)) ?? {};
    const memory = Number(/VmRSS:\s+(\d+) kB/.exec(await readFile(`/proc/${pid}/status`, 'utf8'))?.[1]);
    t.ok(memory < 1000, `${memory} kB`);
    await runtime.removeContainer(id);
    const before = performance.now();
    await runtime.stopSandbox(sandbox, 30_000);
    t.ok(performance.now() - before < 25_000, 'the grace period is not waited for');
    await runtime.removeSandbox(sandbox);
  },
);

t.test('two removals at the same time', async (t) => {
  const { sandbox, id } = await startPod('twice', ['sleep', '1000']);
  await Promise.all([
    runtime.removeSandbox(sandbox),
    runtime.removeContainer(id),
    runtime.removeSandbox(sandbox),
  ]);
  t.equal(await runtime.inspectContainer(id), undefined);
  t.equal(await runtime.inspectSandbox(sandbox), undefined);
});

t.test('host network', async (t) => {
  const { sandbox, id } = await startPod('hostnet', ['sleep', '1000'], {
    sandbox: { network: 'host', hostname: '' },
  });
  t.equal((await runtime.inspectSandbox(sandbox))?.networkNamespace, '');
  const namespace = await readlink('/proc/self/ns/net');
  t.equal((await output(id, ['sh', '-c', 'readlink /proc/1/ns/net'])).trim(), namespace);
  await runtime.removeSandbox(sandbox);
});

const { features, version } = await runtime.version();

t.test(`features of ${version}, as it says`, async (t) => {
  const [major = 0] = version.split('.').map(Number.parseFloat);
  t.equal(features.imageVolumes, major >= 28);
  t.equal(features.recursiveReadOnly, major >= 25);
  t.ok(features.runtimeHandlers.includes('runc'));
  t.ok(features.seccomp);
});

t.test('read-only is for the mount itself, or for all that is mounted below it', async (t) => {
  const top = await mkdtemp(join(tmpdir(), 'wherry-ro-'));
  await mkdir(join(top, 'below'));
  await runChecked('mount', ['-t', 'tmpfs', 'tmpfs', join(top, 'below')]);
  t.teardown(async () => {
    await runChecked('umount', [join(top, 'below')]);
    await rm(top, { recursive: true });
  });
  const mounts = [
    { hostPath: top, containerPath: '/plain', readOnly: true },
    { hostPath: join(top, 'made'), containerPath: '/made', readOnly: true },
    ...(features.recursiveReadOnly
      ? [{ hostPath: top, containerPath: '/deep', readOnly: true, recursiveReadOnly: true }]
      : []),
  ];
  const { sandbox, id } = await startPod('ro', ['sleep', '1000'], { container: { mounts } });
  t.teardown(() => runtime.removeSandbox(sandbox));
  const write = (path: string): Promise<number> =>
    runtime.exec(id, { command: ['sh', '-c', `echo x > ${path}/x`], tty: false }, signal);
  t.not(await write('/plain'), 0);
  t.equal(await write('/plain/below'), 0, 'what is mounted below stays as it is');
  t.not(await write('/made'), 0, 'a missing host path is made');
  if (features.recursiveReadOnly) t.not(await write('/deep/below'), 0);
});

t.test('an image, and a directory of it, as a volume', { skip: !features.imageVolumes }, async (t) => {
  const image = (await runtime.inspectImage(subject.image))?.id ?? '';
  const mounts = [
    { hostPath: '', containerPath: '/whole', readOnly: true, image },
    { hostPath: '', containerPath: '/part', readOnly: true, image, imageSubPath: 'bin' },
  ];
  const { sandbox, id } = await startPod('imagevolume', ['sleep', '1000'], { container: { mounts } });
  t.teardown(() => runtime.removeSandbox(sandbox));
  const run = (command: string): Promise<number> =>
    runtime.exec(id, { command: ['sh', '-c', command], tty: false }, signal);
  t.equal(await run('cat /whole/bin/busybox > /dev/null'), 0);
  t.equal(await run('cat /part/busybox > /dev/null'), 0);
  t.not(await run('echo x > /whole/x'), 0, 'read-only');
});

t.test('seccomp: a profile of this host, none, and one that is not there', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'wherry-seccomp-'));
  t.teardown(() => rm(directory, { recursive: true }));
  const profile = join(directory, 'no-mkdir.json');
  const rule = { names: ['mkdir', 'mkdirat'], action: 'SCMP_ACT_ERRNO' };
  await writeFile(profile, JSON.stringify({ defaultAction: 'SCMP_ACT_ALLOW', syscalls: [rule] }, null, 2));
  const mode = async (name: string, security: ContainerSpec['security']): Promise<string> => {
    const { sandbox, id } = await startPod(name, ['sleep', '1000'], { container: { security } });
    const status = await output(id, ['cat', '/proc/1/status']);
    const made = await runtime.exec(id, { command: ['busybox', 'mkdir', '/tmp'], tty: false }, signal);
    await runtime.removeSandbox(sandbox);
    return `${/^Seccomp:\s+(\d)/m.exec(status)?.[1]} ${made === 0 ? 'made' : 'refused'}`;
  };
  t.equal(await mode('seccomp1', { seccomp: { type: 'Localhost', profile } }), '2 refused');
  t.equal(await mode('seccomp2', { seccomp: { type: 'Unconfined' } }), '0 made');
  t.equal(await mode('seccomp3', { seccomp: { type: 'RuntimeDefault' } }), '2 made');
  const missing = { seccomp: { type: 'Localhost', profile: '/no/such.json' } } as const;
  const sandbox = await runtime.createSandbox(sandboxSpec(unique, 'seccomp4'));
  t.teardown(() => runtime.removeSandbox(sandbox));
  const spec = { ...containerSpec(subject, 'seccomp4', ['true']), security: missing };
  await refused(t, runtime.createContainer(sandbox, spec), 'invalid', /no\/such\.json/);
});

t.test('an open /proc, devices, a named runtime', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'wherry-device-'));
  t.teardown(() => rm(directory, { recursive: true }));
  // No driver has this number: who may open it hears of that, who may not hears nothing.
  await runChecked('mknod', [join(directory, 'device'), 'c', '1', '10']);
  const masked = await startPod('masked', ['sleep', '1000']);
  const open = await startPod('open', ['sleep', '1000'], {
    sandbox: { runtimeHandler: 'runc' },
    container: {
      security: { unmaskedProc: true },
      devices: [{ hostPath: join(directory, 'device'), containerPath: '/dev/nothing', permissions: 'r' }],
    },
  });
  const mounted = (id: string): Promise<string> => output(id, ['cat', '/proc/self/mounts']);
  t.match(await mounted(masked.id), / \/proc\/sys /);
  t.notMatch(await mounted(open.id), / \/proc\/sys /);
  t.match(await output(open.id, ['sh', '-c', 'cat /dev/nothing 2>&1']), /No such device/);
  t.match(await output(open.id, ['sh', '-c', '(echo x > /dev/nothing) 2>&1']), /not permitted/);
  await runtime.removeSandbox(masked.sandbox);
  await runtime.removeSandbox(open.sandbox);
  const spec = { ...sandboxSpec(unique, 'nohandler'), runtimeHandler: 'nosuch' };
  await refused(t, runtime.createSandbox(spec), 'invalid', /nosuch/);
});

const mib = 1024 * 1024;

t.test('limits of a container that runs go up and down', async (t) => {
  const resources = {
    cpuShares: 100,
    cpuQuota: 20_000,
    memoryBytes: 64 * mib,
    memoryReservationBytes: 32 * mib,
  };
  const { sandbox, id } = await startPod('resize', ['sleep', '1000'], { container: { resources } });
  t.teardown(() => runtime.removeSandbox(sandbox));
  const limits = async (): Promise<object> => {
    const { stdout } = await docker('inspect', '--format', '{{json .HostConfig}}', id);
    const { Memory, MemorySwap, CpuQuota, CpuShares } = JSON.parse(stdout);
    return { memory: Memory / mib, swap: MemorySwap / mib, quota: CpuQuota, shares: CpuShares };
  };
  await runtime.updateContainer(id, { memoryBytes: 256 * mib, cpuQuota: 50_000 });
  t.strictSame(await limits(), { memory: 256, swap: 256, quota: 50_000, shares: 100 }, 'up; the rest stays');
  t.equal(await kernelLimit(id), 256 * mib);
  await runtime.updateContainer(id, { memoryBytes: 48 * mib, cpuShares: 2, oomScoreAdj: 5 });
  t.strictSame(await limits(), { memory: 48, swap: 48, quota: 50_000, shares: 2 }, 'down');
  t.equal(await kernelLimit(id), 48 * mib);
  await runtime.updateContainer(id, { cpuQuota: -1 });
  t.match(await limits(), { quota: -1 }, 'no quota any more');
  await refused(t, runtime.updateContainer(id, { memoryBytes: 1 }), 'invalid');
  await runtime.updateContainer('0'.repeat(64), { cpuShares: 5 });
});

/** What the kernel enforces on the container, in bytes. */
async function kernelLimit(id: string): Promise<number> {
  const { pid = 0 } = (await runtime.inspectContainer(id)) ?? {};
  const lines = (await readFile(`/proc/${pid}/cgroup`, 'utf8')).split('\n');
  const memory = lines.find((line) => line.split(':')[1] === 'memory');
  const file = memory
    ? `/sys/fs/cgroup/memory${memory.split(':')[2]}/memory.limit_in_bytes`
    : `/sys/fs/cgroup${lines.find((line) => line.startsWith('0:'))?.split(':')[2]}/memory.max`;
  return Number(await readFile(file, 'utf8'));
}

t.test('what a container wrote, and where images are', async (t) => {
  const command = ['sh', '-c', 'head -c 3000000 /dev/zero > /x; sleep 1000'];
  const { sandbox, id } = await startPod('layer', command);
  t.teardown(() => runtime.removeSandbox(sandbox));
  const quiet = await startPod('nolayer', ['sleep', '1000']);
  t.teardown(() => runtime.removeSandbox(quiet.sandbox));
  await until(async () => ((await runtime.writableLayerBytes()).get(id) ?? 0) >= 3_000_000);
  const bytes = await runtime.writableLayerBytes();
  t.ok((bytes.get(id) ?? 0) >= 3_000_000, `${bytes.get(id)}`);
  t.ok((bytes.get(quiet.id) ?? 0) < 100_000);
  t.notOk(bytes.has(sandbox), 'sandboxes are not asked for');
  t.match(await runtime.imageDirectory(), /^\//);
});

t.test('SIGKILL comes when the grace is over, not before, not two seconds later', async (t) => {
  const { sandbox, id } = await startPod('grace', ['sh', '-c', 'trap "" TERM; while :; do sleep 0.1; done']);
  t.teardown(() => runtime.removeSandbox(sandbox));
  const begunMs = Date.now();
  await runtime.stopContainer(id, 2400);
  const ended = await runtime.inspectContainer(id);
  t.match(ended, { state: 'exited', exitCode: 137 });
  const took = Number(ended?.finishedAt) - begunMs;
  t.ok(took >= 2400 && took < 4400, `${took} ms, by the clock of Docker`);
});
