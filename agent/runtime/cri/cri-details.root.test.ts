/**
 * What the contract does not say but users see, on containerd: pulls, logs and their rotation, limits, security, shared
 * namespaces, stop signals, commands that are cut off; a containerd that is killed, and one that hangs.
 */
import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, readFile, readlink, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import t from 'tap';
import { systemClock } from '../../../src/host/clock.js';
import { silentLogger } from '../../../src/host/log.js';
import { until } from '../../testing/namespace.js';
import { containerSpec, refused, sandboxSpec, sink } from '../contract.js';
import { createTestRegistry } from '../registry-testing.js';
import type { ContainerSpec, LogLine, SandboxSpec } from '../runtime.js';
import { sandboxArchive } from '../sandbox-image.js';
import { CriRuntime } from './cri.js';
import { createLogRotation } from './rotation.js';
import { startContainerd, testImage } from './testing.js';

const unique = `t${randomUUID().slice(0, 8)}`;
const { WHERRY_CONTAINERD: binaries } = process.env;
const containerd = await startContainerd({ bridge: 'wherrycri1', ...(binaries && { binaries }) });
const create = (node = unique): CriRuntime =>
  new CriRuntime({
    socketPath: containerd.socketPath,
    node,
    log: silentLogger,
    oomScoreFloor: 0,
    logRoot: containerd.logRoot,
  });
const runtime = create();
const subject = { runtime, image: await testImage(containerd.socketPath), commands: {} as never, unique };
await runtime.ensureSandboxImage();
t.teardown(async () => {
  await runtime.close();
  await containerd.destroy();
});

const { signal } = new AbortController();
const shell = (script: string): readonly string[] => ['sh', '-c', script];

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
  const spec = { ...containerSpec(subject, name, command), ...extra.container };
  const id = await runtime.createContainer(sandbox, spec);
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
  t.teardown(() => registry.close());
  const { host, digest } = registry;
  const auth = { username: 'me', password: 'secret', serverAddress: host };
  const id = await runtime.pullImage(`${host}/app:1`, auth, signal);
  const image = await runtime.inspectImage(`${host}/app:1`);
  t.match(image, { id, repoTags: [`${host}/app:1`], repoDigests: [`${host}/app@${digest}`], user: '1234' });
  t.equal(await runtime.pullImage(`${host}/app@${digest}`, auth, signal), id);
  await refused(t, runtime.pullImage(`${host}/app:2`, auth, signal), 'imageNotFound', /not found/);
  await t.rejects(runtime.pullImage(`${host}/app:1`, undefined, signal), { message: /401|authoriz/i });
  await refused(t, runtime.pullImage('127.0.0.1:1/app:1', undefined, signal), 'failed', /connection refused/);
  const stop = new AbortController();
  stop.abort(new Error('pod deleted'));
  await t.rejects(runtime.pullImage(`${host}/app:1`, auth, stop.signal), { message: 'pod deleted' });
  await runtime.removeImage(id);
  t.equal(await runtime.inspectImage(`${host}/app:1`), undefined);
  t.notOk((await runtime.listImages()).some(({ repoTags }) => repoTags.some((tag) => tag.includes('pause'))));
  t.ok(existsSync(await runtime.imageDirectory()));
});

t.test('a long line comes in parts, a terminal has lines', async (t) => {
  const long = await startPod('long', shell('head -c 40000 /dev/zero | tr "\\0" x; echo; echo end'));
  const lines = await allLines(long.id);
  t.strictSame(
    lines.map(({ partial }) => partial ?? false),
    [true, true, false, false],
  );
  t.equal(Buffer.concat(lines.slice(0, 3).map(({ text }) => text)).toString(), 'x'.repeat(40_000));
  t.match(lines[3]?.time, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+/);
  const terminal = await startPod('tty', shell('echo one; echo two >&2'), { container: { tty: true } });
  t.strictSame(
    (await allLines(terminal.id)).map(({ stream, text }) => `${stream} ${text}`),
    ['stdout one', 'stdout two'],
    'containerd takes the carriage returns away',
  );
  await runtime.removeSandbox(long.sandbox);
  await runtime.removeSandbox(terminal.sandbox);
  t.strictSame(await readdir(containerd.logRoot), [], 'logs go with the pod');
});

t.test('a log is rotated while it is written and followed', async (t) => {
  const { sandbox, id } = await startPod(
    'rotate',
    shell('i=0; while [ ! -e /stop ]; do echo line $i; i=$((i+1)); sleep 0.01; done'),
  );
  const following = allLines(id);
  const { logPath = '' } = (await runtime.inspectContainer(id)) ?? {};
  await until(async () => (await stat(logPath)).size > 2000);
  const rotation = createLogRotation({
    owner: runtime.logOwner,
    clock: systemClock,
    log: silentLogger,
    maxBytes: 1000,
  });
  await rotation.start(signal);
  const files = async (): Promise<string[]> => readdir(join(logPath, '..'));
  await until(async () => (await files()).length === 2);
  await rotation.stop();
  await until(async () => (await stat(logPath)).size > 500);
  await output(id, shell('echo > /stop'));
  const lines = await following;
  t.ok(lines.length > 20);
  t.strictSame(
    lines.map(({ text }) => text.toString()),
    lines.map((_, n) => `line ${n}`),
    'not one is lost, none comes twice',
  );
  t.equal((await files()).length, 2);
  t.equal((await allLines(id)).length, lines.length, 'both files are the log');
  await runtime.removeSandbox(sandbox);
});

t.test('attaching reads and writes a container with stdin; a terminal has a size', async (t) => {
  const { sandbox, id } = await startPod('attach', ['cat'], { container: { stdin: true, stdinOnce: true } });
  const out = sink();
  const stdin = new PassThrough();
  const attached = runtime.attach(id, { tty: false, stdin, stdout: out.stream }, signal);
  stdin.end('through the container\n');
  await attached;
  t.equal(out.text(), 'through the container\n');
  await runtime.removeSandbox(sandbox);

  const pod = await startPod('size', ['sleep', '1000']);
  const terminal = sink();
  async function* sizes(): AsyncGenerator<{ width: number; height: number }> {
    yield { width: 91, height: 17 };
  }
  const command = shell('while [ "$(stty size)" != "17 91" ]; do sleep 0.05; done; stty size');
  const streams = { tty: true, stdin: new PassThrough(), stdout: terminal.stream, resize: sizes() };
  t.equal(await runtime.exec(pod.id, { command, ...streams }, signal), 0);
  t.match(terminal.text(), /17 91/);
  await runtime.removeSandbox(pod.sandbox);
});

t.test('an abort kills the command and what it has started, and no other', async (t) => {
  const { sandbox, id } = await startPod('abort', ['sleep', '1000']);
  const stop = new AbortController();
  const [begun, alike] = [sink(), sink()];
  const endless = (mark: string): readonly string[] => shell(`trap "" TERM; echo begun; sleep ${mark}; true`);
  const other = runtime.exec(id, { command: endless('7001'), tty: false, stdout: alike.stream }, signal);
  const cut = runtime.exec(id, { command: endless('7002'), tty: false, stdout: begun.stream }, stop.signal);
  await until(() => begun.text() !== '' && alike.text() !== '');
  stop.abort(new Error('probe timed out'));
  await t.rejects(cut, { message: 'probe timed out' });
  const processes = (): Promise<string> => output(id, ['ps', '-o', 'args']);
  await until(async () => !/sleep 7002/.test(await processes()));
  await until(async () => /sleep 7001/.test(await processes()));
  await runtime.removeSandbox(sandbox);
  t.not(await other.catch(() => 1), 0);
});

t.test('a stop signal of its own, within the grace period', async (t) => {
  const script = 'trap "exit 5" USR1; trap "exit 6" TERM; echo up; while :; do sleep 0.05; done';
  const own = await startPod('own', shell(script), { container: { stopSignal: 'SIGUSR1' } });
  const deaf = await startPod(
    'deaf',
    shell('trap "" USR1; trap "exit 6" TERM; echo up; while :; do sleep 0.05; done'),
    {
      container: { stopSignal: 'SIGUSR1' },
    },
  );
  // By then they listen to signals.
  for (const { id } of [own, deaf])
    for await (const _ of runtime.logs(id, { follow: true, timestamps: false, signal })) break;
  await runtime.stopContainer(own.id, 10_000);
  t.match(await runtime.inspectContainer(own.id), { state: 'exited', exitCode: 5 });
  const begunMs = Date.now();
  await runtime.stopContainer(deaf.id, 1500);
  const ended = await runtime.inspectContainer(deaf.id);
  t.match(ended, { state: 'exited', exitCode: 137 });
  const took = Number(ended?.finishedAt) - begunMs;
  t.ok(took >= 1500 && took < 3500, `${took} ms, by the clock of containerd`);
  await runtime.removeSandbox(own.sandbox);
  await runtime.removeSandbox(deaf.sandbox);
});

t.test('shared pid namespace; a second agent process finds all, another node nothing', async (t) => {
  const { sandbox, id } = await startPod('share', ['sleep', '1000'], {
    sandbox: { pid: 'pod', hostname: 'shared', sysctls: { 'net.ipv4.ip_local_port_range': '2000 3000' } },
  });
  const restarted = create();
  const foreign = create('another-node');
  t.teardown(async () => {
    await restarted.close();
    await foreign.close();
  });
  const wanted = containerSpec(subject, 'share', ['sleep', '1001']);
  const labels = { ...wanted.labels, 'io.kubernetes.container.name': 'second' };
  const other = await restarted.createContainer(sandbox, { ...wanted, name: `k8s_second_${unique}`, labels });
  await restarted.startContainer(other);
  t.match(await output(other, ['ps']), /1 65535 .*\/sandbox[\s\S]*sleep 1000[\s\S]*sleep 1001/);
  t.equal((await output(id, ['hostname'])).trim(), 'shared');
  t.match(await output(id, ['cat', '/proc/sys/net/ipv4/ip_local_port_range']), /2000\s+3000/);
  t.equal((await restarted.listContainers({ podUid: `${unique}-share` })).length, 2);
  t.strictSame(await foreign.listSandboxes(), []);
  t.equal(await foreign.inspectContainer(id), undefined);
  await restarted.removeSandbox(sandbox);
  t.strictSame(await runtime.listContainers(), []);
});

t.test('debugging: the processes of another container, privileged', async (t) => {
  const { sandbox, id } = await startPod('target', ['sleep', '1234']);
  const wanted = containerSpec(subject, 'target', ['sleep', '900']);
  const labels = { ...wanted.labels, 'io.kubernetes.container.name': 'debug' };
  const spec = { ...wanted, name: 'debug', labels, pidOf: id, security: { privileged: true } };
  const debug = await runtime.createContainer(sandbox, spec);
  await runtime.startContainer(debug);
  t.match(await output(debug, ['ps']), /sleep 1234[\s\S]*sleep 900/);
  t.match(await output(debug, ['cat', '/proc/self/status']), /CapBnd:\s+0{4,7}1[0-9a-f]{6,}/);
  await runtime.removeSandbox(sandbox);
});

t.test('limits and security reach the container, and limits can be changed', async (t) => {
  const security = {
    user: '1000:2000',
    supplementalGroups: [3000],
    readOnlyRootFilesystem: true,
    dropCapabilities: ['ALL'],
    addCapabilities: ['NET_BIND_SERVICE'],
    noNewPrivileges: true,
  };
  const mounts = [{ hostPath: '/etc', containerPath: '/host/etc', readOnly: true }];
  const resources = { oomScoreAdj: -997, memoryBytes: 64 * 1024 * 1024, cpuQuota: 25_000, cpuShares: 512 };
  const devices = [{ hostPath: '/dev/null', containerPath: '/dev/mine', permissions: 'rw' }];
  const { sandbox, id } = await startPod('secure', ['sleep', '1000'], {
    container: { security, mounts, resources, devices, cgroupParent: '' },
  });
  t.match(await output(id, ['id']), /uid=1000 gid=2000 groups=2000,3000/);
  t.match(
    await output(id, ['cat', '/proc/1/status']),
    /CapBnd:\s+0000000000000400[\s\S]*NoNewPrivs:\s+1[\s\S]*Seccomp:\s+2/,
  );
  t.match(await output(id, ['cat', '/host/etc/passwd']), /^root:/);
  t.not(
    await runtime.exec(id, { command: shell('echo x > /x || echo x > /host/etc/x'), tty: false }, signal),
    0,
  );
  t.equal(await runtime.exec(id, { command: shell('echo x > /dev/mine'), tty: false }, signal), 0);
  t.not(await runtime.exec(id, { command: shell('echo 1 > /proc/sysrq-trigger'), tty: false }, signal), 0);
  t.equal((await output(id, ['cat', '/proc/1/oom_score_adj'])).trim(), '0', 'as low as this host allows');

  const { pid = 0 } = (await runtime.inspectContainer(id)) ?? {};
  const limit = async (): Promise<string[]> => {
    const groups = await readFile(`/proc/${pid}/cgroup`, 'utf8');
    const path = (controller: string): string =>
      new RegExp(`^\\d+:(?:\\w+,)*${controller}(?:,\\w+)*:(.*)$`, 'm').exec(groups)?.[1] ?? '';
    const read = async (file: string): Promise<string> =>
      (await readFile(file, 'utf8').catch(() => '')).trim();
    const unified = `/sys/fs/cgroup${/^0::(.*)$/m.exec(groups)?.[1] ?? ''}`;
    return existsSync('/sys/fs/cgroup/cgroup.controllers')
      ? [await read(`${unified}/memory.max`), (await read(`${unified}/cpu.max`)).split(' ')[0] ?? '']
      : [
          await read(`/sys/fs/cgroup/memory${path('memory')}/memory.limit_in_bytes`),
          await read(`/sys/fs/cgroup/cpu${path('cpu')}/cpu.cfs_quota_us`),
        ];
  };
  t.strictSame(await limit(), [String(64 * 1024 * 1024), '25000']);
  await runtime.updateContainer(id, { memoryBytes: 128 * 1024 * 1024, cpuQuota: 50_000 });
  t.strictSame(await limit(), [String(128 * 1024 * 1024), '50000']);
  await runtime.updateContainer('0'.repeat(64), { cpuShares: 2 });
  t.ok((await runtime.stats(id))?.memoryWorkingSetBytes);
  await runtime.removeSandbox(sandbox);
});

t.test('a group without a user, all of /proc, seccomp profiles, host network', async (t) => {
  const group = await startPod('group', ['sleep', '1000'], { container: { security: { user: ':2000' } } });
  t.match(await output(group.id, ['id']), /uid=0(\(root\))? gid=2000/);
  await runtime.removeSandbox(group.sandbox);

  const directory = await mkdtemp(join(tmpdir(), 'wherry-seccomp-'));
  t.teardown(() => rm(directory, { recursive: true }));
  const profile = join(directory, 'no-mkdir.json');
  const rule = { names: ['mkdir', 'mkdirat'], action: 'SCMP_ACT_ERRNO' };
  await writeFile(profile, JSON.stringify({ defaultAction: 'SCMP_ACT_ALLOW', syscalls: [rule] }));
  const mine = await startPod('profile', ['sleep', '1000'], {
    container: { security: { seccomp: { type: 'Localhost', profile }, unmaskedProc: true } },
  });
  t.not(await runtime.exec(mine.id, { command: ['mkdir', '/x'], tty: false }, signal), 0);
  t.notMatch(await output(mine.id, ['cat', '/proc/mounts']), /\/proc\/(kcore|sys|keys)/);
  await runtime.removeSandbox(mine.sandbox);

  const host = await startPod('hostnet', ['sleep', '1000'], { sandbox: { network: 'host', hostname: '' } });
  t.equal((await runtime.inspectSandbox(host.sandbox))?.networkNamespace, '');
  const namespace = await readlink('/proc/self/ns/net');
  t.equal((await output(host.id, ['readlink', '/proc/1/ns/net'])).trim(), namespace);
  await runtime.removeSandbox(host.sandbox);
});

t.test('two removals at the same time; what a container wrote', async (t) => {
  const { sandbox, id } = await startPod(
    'twice',
    shell('head -c 3000000 /dev/zero > /big; echo done; sleep 1000'),
  );
  for await (const _ of runtime.logs(id, { follow: true, timestamps: false, signal })) break;
  let bytes = 0;
  for (let tries = 0; tries < 600 && bytes < 3_000_000; tries += 1) {
    bytes = (await runtime.writableLayerBytes()).get(id) ?? 0;
    if (bytes < 3_000_000) await systemClock.sleep(100, signal);
  }
  t.ok(bytes >= 3_000_000, `${bytes} bytes`);
  await Promise.all([
    runtime.removeSandbox(sandbox),
    runtime.removeContainer(id),
    runtime.removeSandbox(sandbox),
  ]);
  t.equal(await runtime.inspectContainer(id), undefined);
  t.equal(await runtime.inspectSandbox(sandbox), undefined);
});

t.test(
  'killed, then hanging: every call says unavailable, readers of events wait, nothing is lost',
  async (t) => {
    const { sandbox, id } = await startPod('survivor', ['sleep', '1000']);
    const stop = new AbortController();
    const events = runtime.events(stop.signal)[Symbol.asyncIterator]();
    t.strictSame((await events.next()).value, { type: 'resync' });
    await containerd.kill();
    for (const call of [
      () => runtime.version(),
      () => runtime.listContainers(),
      () => runtime.stopSandbox(sandbox),
      () => runtime.createContainer(sandbox, containerSpec(subject, 'survivor', ['true'])),
      () => runtime.exec(id, { command: ['true'], tty: false }, signal),
      () => runtime.pullImage('wherry.invalid/x:1', undefined, signal),
    ]) {
      await refused(t, call(), 'unavailable');
    }
    await containerd.start();
    let event = await events.next();
    // What was heard of pods before may still wait.
    while (event.value?.type === 'pod') event = await events.next();
    t.strictSame(event.value, { type: 'resync' });
    t.match(await runtime.inspectContainer(id), { state: 'running' });
    t.equal((await output(id, ['echo', 'here'])).trim(), 'here');
    await containerd.pause();
    const begun = performance.now();
    await refused(t, runtime.version(), 'unavailable', /deadline/i);
    t.ok(performance.now() - begun < 60_000);
    containerd.resume();
    for (let tries = 0; tries < 300; tries += 1) {
      const isBack = await runtime.version().then(
        () => true,
        () => false,
      );
      if (isBack) break;
      await systemClock.sleep(100, signal);
    }
    t.match(await runtime.inspectContainer(id), { state: 'running' });
    stop.abort();
    await runtime.removeSandbox(sandbox);
  },
);

t.test('a creation that was cut off leaves nothing that a list does not show', async (t) => {
  const doomed = create();
  const spec = sandboxSpec(unique, 'cut');
  const creating = doomed.createSandbox(spec).catch(() => undefined);
  await systemClock.sleep(30, signal);
  await doomed.close();
  await creating;
  // The runtime goes on, or tidies up; then the name is free, or its owner is there to be adopted.
  let id: string | undefined;
  for (let tries = 0; tries < 600 && id === undefined; tries += 1) {
    id = await runtime.createSandbox(spec).catch(async () => (await runtime.listSandboxes())[0]?.id);
    if (id === undefined) await systemClock.sleep(50, signal);
  }
  t.ok(id);
  for (const { id } of await runtime.listSandboxes()) await runtime.removeSandbox(id);
  const addresses = async (): Promise<string[]> =>
    (await readdir(join(containerd.directory, 'ipam', 'wherry'))).filter((name) => /^[\d.]+$/.test(name));
  await until(async () => (await addresses()).length === 0);
});
