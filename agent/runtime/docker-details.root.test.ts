/** What the contract does not say but users see: pulls, long lines, terminals, shared namespaces, adoption. */
import { randomUUID } from 'node:crypto';
import { readFile, readlink } from 'node:fs/promises';
import { PassThrough } from 'node:stream';
import t from 'tap';
import { run } from '../../src/host/exec.js';
import { silentLogger } from '../../src/host/log.js';
import { containerSpec, refused, sandboxSpec, sink } from './contract.js';
import { DockerRuntime } from './docker.js';
import { removeLeftovers, testImage } from './docker-testing.js';
import { createTestRegistry } from './registry-testing.js';
import type { ContainerSpec, LogLine, SandboxSpec } from './runtime.js';
import { sandboxArchive } from './sandbox-image.js';

const unique = `t${randomUUID().slice(0, 8)}`;
const create = (): DockerRuntime =>
  new DockerRuntime({
    socketPath: '/var/run/docker.sock',
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
    await run('docker', ['rmi', '-f', `${host}/app:1`, `${host}/app@${digest}`]);
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
    t.ok(performance.now() - before < 1000, 'the grace period is not waited for');
    await runtime.removeSandbox(sandbox);
  },
);

t.test('host network', async (t) => {
  const { sandbox, id } = await startPod('hostnet', ['sleep', '1000'], {
    sandbox: { network: 'host', hostname: '' },
  });
  t.equal((await runtime.inspectSandbox(sandbox))?.networkNamespace, '');
  const namespace = await readlink('/proc/self/ns/net');
  t.equal((await output(id, ['sh', '-c', 'readlink /proc/1/ns/net'])).trim(), namespace);
  await runtime.removeSandbox(sandbox);
});
