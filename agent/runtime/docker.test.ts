/** The pure parts of the Docker runtime: frames, errors, translations, the sandbox program; and the event queue. */
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import type { ContainerInspectInfo } from 'dockerode';
import fc from 'fast-check';
import t from 'tap';
import { silentLogger } from '../../src/host/log.js';
import { createFakeClock } from '../../src/testing/clock.js';
import { containerSpec, sandboxSpec } from './contract.js';
import { DockerRuntime } from './docker.js';
import { DeadlineExceeded, toRuntimeError, unless } from './docker-errors.js';
import { featuresOf } from './docker-features.js';
import { readFrames } from './docker-frames.js';
import { mountsOf } from './docker-mounts.js';
import { loadProfile } from './docker-security.js';
import {
  containerBody,
  containerState,
  listFilters,
  sandboxBody,
  sandboxState,
  sharingOf,
} from './docker-spec.js';
import { agreeOnApi } from './docker-version.js';
import { EventQueue } from './event-queue.js';
import { FakeRuntime } from './fake.js';
import type { Mount, RuntimeEvent, SecuritySpec } from './runtime.js';
import { sandboxArchive, sandboxProgram } from './sandbox-image.js';

const frame = (type: 1 | 2, text: string): Buffer => {
  const head = Buffer.from([type, 0, 0, 0, 0, 0, 0, 0]);
  head.writeUInt32BE(Buffer.byteLength(text), 4);
  return Buffer.concat([head, Buffer.from(text)]);
};

async function frames(chunks: readonly Buffer[]): Promise<string[]> {
  const found: string[] = [];
  for await (const { stream, data } of readFrames(Readable.from(chunks))) found.push(`${stream} ${data}`);
  return found;
}

t.test('frames are the same wherever the bytes were cut', async (t) => {
  const texts = fc.array(fc.tuple(fc.constantFrom(1 as const, 2 as const), fc.string()), { maxLength: 8 });
  await fc.assert(
    fc.asyncProperty(texts, fc.array(fc.nat(20)), async (list, cuts) => {
      const bytes = Buffer.concat(list.map(([type, text]) => frame(type, text)));
      const chunks: Buffer[] = [];
      let at = 0;
      for (const cut of [...cuts, bytes.length]) {
        chunks.push(bytes.subarray(at, at + cut));
        at += cut;
      }
      const wanted = list.map(([type, text]) => `${type === 1 ? 'stdout' : 'stderr'} ${text}`);
      const found = await frames(chunks.filter(({ length }) => length > 0));
      return JSON.stringify(found) === JSON.stringify(wanted);
    }),
  );
  t.strictSame(await frames([frame(1, 'whole'), frame(2, 'cut').subarray(0, 9)]), ['stdout whole']);
});

const httpError = (statusCode: number, message: string): Error =>
  Object.assign(new Error(`(HTTP code ${statusCode}) unexpected - ${message} `), {
    statusCode,
    json: { message },
  });

t.test('what answers of Docker mean', async (t) => {
  const cases: [unknown, string, string][] = [
    [httpError(404, 'No such container: x'), 'notFound', 'No such container: x'],
    [httpError(404, 'No such image: x:1'), 'imageNotFound', 'No such image: x:1'],
    [httpError(409, 'name in use'), 'conflict', 'name in use'],
    [httpError(400, 'Minimum memory limit allowed is 6MB'), 'invalid', 'Minimum memory limit allowed is 6MB'],
    [
      httpError(404, 'exec: "x": executable file not found in $PATH'),
      'invalid',
      'exec: "x": executable file not found in $PATH',
    ],
    [httpError(500, 'no space left on device'), 'failed', 'no space left on device'],
    [
      httpError(500, 'manifest for a:1 not found: manifest unknown'),
      'imageNotFound',
      'manifest for a:1 not found: manifest unknown',
    ],
    [httpError(503, 'busy'), 'unavailable', 'busy'],
    [
      Object.assign(new Error('connect ENOENT /x'), { code: 'ENOENT' }),
      'unavailable',
      'Docker: connect ENOENT /x',
    ],
    [new Error('socket hang up'), 'unavailable', 'Docker: socket hang up'],
    [new DeadlineExceeded('no answer within 10 s'), 'unavailable', 'Docker: no answer within 10 s'],
    [new Error('odd'), 'failed', 'Docker: odd'],
    [
      Object.assign(new Error('(HTTP code 500) server error - plain words '), { statusCode: 500 }),
      'failed',
      'plain words',
    ],
  ];
  for (const [error, kind, message] of cases) t.match(toRuntimeError(error), { kind, message, cause: error });
  t.equal(await unless([304], Promise.reject(httpError(304, ''))), undefined);
  await t.rejects(unless([304], Promise.reject(httpError(404, 'x'))), /HTTP code 404/);
});

const subject = { runtime: new FakeRuntime(), image: 'busy:1', commands: {} as never, unique: 'u' };

const bare = { oomFloor: 0, seccomp: undefined };
const old = agreeOnApi({ Version: '20.10.24', ApiVersion: '1.41', MinAPIVersion: '1.12' });
const current = agreeOnApi({ Version: '28.5.2', ApiVersion: '1.51', MinAPIVersion: '1.24' });
const shared = { pid: 'container', ipc: 'pod', runtimeHandler: undefined } as const;

t.test('the version of the API: the newest that both know', async (t) => {
  t.strictSame(old, { text: '1.41', recursiveReadOnly: false, imageMounts: false });
  t.strictSame(current, { text: '1.51', recursiveReadOnly: true, imageMounts: true });
  t.equal(agreeOnApi({ Version: '29', ApiVersion: '1.52', MinAPIVersion: '1.44' }).text, '1.51');
  t.equal(agreeOnApi({ Version: 'x', ApiVersion: '1.44' }).text, '1.44');
  t.throws(() => agreeOnApi({ Version: '19.03.15', ApiVersion: '1.40', MinAPIVersion: '1.12' }), {
    kind: 'invalid',
    message: 'Docker 19.03.15 is too old: its API is 1.40, needed is 1.41 (Docker 20.10)',
  });
  t.throws(() => agreeOnApi({ Version: '40', ApiVersion: '2.0', MinAPIVersion: '1.60' }), {
    kind: 'invalid',
    message: 'Docker 40 is too new: it takes API 1.60 at least, known here is 1.51',
  });
});

t.test('what a daemon can', async (t) => {
  const info = {
    CgroupDriver: 'cgroupfs',
    DockerRootDir: '/var/lib/docker',
    KernelVersion: '6.1.0-18-amd64',
    SecurityOptions: ['name=seccomp,profile=default', 'name=cgroupns'],
    Runtimes: { runc: {}, gvisor: {} },
  };
  t.strictSame(featuresOf(info, current), {
    imageVolumes: true,
    recursiveReadOnly: true,
    userNamespaces: false,
    strictSupplementalGroups: false,
    runtimeHandlers: ['runc', 'gvisor'],
    seccomp: true,
    appArmor: false,
  });
  t.match(featuresOf({ ...info, KernelVersion: '5.10.0' }, current), { recursiveReadOnly: false });
  const bareInfo = { ...info, SecurityOptions: null, Runtimes: null };
  t.match(featuresOf(bareInfo, old), { imageVolumes: false, seccomp: false, runtimeHandlers: [] });
});

t.test('mounts: read-only is not recursive unless asked, on every version', async (t) => {
  const mounts: Mount[] = [
    { hostPath: '/a', containerPath: '/ro', readOnly: true },
    { hostPath: '/b', containerPath: '/rw', readOnly: false },
    { hostPath: '/c', containerPath: '/all', readOnly: true, recursiveReadOnly: true, propagation: 'rslave' },
    { hostPath: '', containerPath: '/image', readOnly: true, image: 'app:1', imageSubPath: 'etc' },
  ];
  t.strictSame(mountsOf(mounts.slice(0, 2), old), { Binds: ['/a:/ro:ro', '/b:/rw:rw'] });
  t.strictSame(mountsOf(mounts, current), {
    Binds: ['/b:/rw:rw'],
    Mounts: [
      {
        Type: 'bind',
        Source: '/a',
        Target: '/ro',
        ReadOnly: true,
        BindOptions: { CreateMountpoint: true, ReadOnlyNonRecursive: true },
      },
      {
        Type: 'bind',
        Source: '/c',
        Target: '/all',
        ReadOnly: true,
        BindOptions: { Propagation: 'rslave', CreateMountpoint: true, ReadOnlyForceRecursive: true },
      },
      {
        Type: 'image',
        Source: 'app:1',
        Target: '/image',
        ReadOnly: true,
        ImageOptions: { Subpath: 'etc' },
      },
    ],
  });
});

t.test('mounts: an image twice has two names', async (t) => {
  const id = `sha256:${'a'.repeat(64)}`;
  const mount = { hostPath: '', readOnly: true, image: id };
  const twice = [
    { ...mount, containerPath: '/a' },
    { ...mount, containerPath: '/b' },
  ];
  t.match(mountsOf(twice, current).Mounts, [{ Source: id }, { Source: id.slice(0, -1) }]);
});

t.test('security: profiles, labels and an open /proc', async (t) => {
  const spec = containerSpec(subject, 'web', ['sh']);
  const withSecurity = (security: SecuritySpec, seccomp?: string) =>
    containerBody('S', { ...spec, security }, { ...bare, seccomp, sharing: shared, api: old }).HostConfig;
  t.strictSame(withSecurity({ appArmor: { type: 'Unconfined' } }, 'unconfined')?.SecurityOpt, [
    'seccomp=unconfined',
    'apparmor=unconfined',
  ]);
  const all: SecuritySpec = {
    noNewPrivileges: true,
    appArmor: { type: 'Localhost', profile: 'k8s-deny' },
    seLinuxLabels: ['type:spc_t'],
    unmaskedProc: true,
  };
  t.match(withSecurity(all), {
    SecurityOpt: ['no-new-privileges', 'apparmor=k8s-deny', 'label=type:spc_t'],
    MaskedPaths: [],
    ReadonlyPaths: [],
  });
  const plain = withSecurity({ seccomp: { type: 'RuntimeDefault' }, appArmor: { type: 'RuntimeDefault' } });
  t.notOk('SecurityOpt' in (plain ?? {}) || 'MaskedPaths' in (plain ?? {}), 'Docker’s own are not named');
  await t.rejects(loadProfile({ type: 'Localhost', profile: '/no/such' }), {
    kind: 'invalid',
    message: /cannot load seccomp profile "\/no\/such": ENOENT/,
  });
});

t.test('sandboxes: what Docker is asked for', async (t) => {
  const pod = sandboxBody(
    { ...sandboxSpec('u', 'web'), cgroupParent: '/kubepods/podx', sysctls: { 'net.core.somaxconn': '9' } },
    bare,
  );
  t.match(pod, {
    Hostname: 'web',
    HostConfig: {
      NetworkMode: 'none',
      IpcMode: 'shareable',
      CgroupParent: '/kubepods/podx',
      Sysctls: { 'net.core.somaxconn': '9' },
      OomScoreAdj: 0,
      RestartPolicy: { Name: 'no' },
    },
  });
  const host = sandboxBody(
    {
      ...sandboxSpec('u', 'web'),
      network: 'host',
      pid: 'host',
      ipc: 'host',
      runtimeHandler: 'gvisor',
      security: { privileged: true, seLinuxLabels: ['level:s0'] },
    },
    { oomFloor: -1000, seccomp: '{}' },
  );
  t.match(host.HostConfig, {
    Runtime: 'gvisor',
    SecurityOpt: ['no-new-privileges', 'seccomp={}', 'label=level:s0'],
  });
  t.notOk('Privileged' in (host.HostConfig ?? {}), 'the sandbox itself never is');
  t.match(host.HostConfig, { NetworkMode: 'host', PidMode: 'host', IpcMode: 'host', OomScoreAdj: -998 });
  t.notOk('Hostname' in host || 'Sysctls' in (host.HostConfig ?? {}));
  const sysctls = { 'kernel.shm_rmid_forced': '1' };
  const ofIpc = sandboxBody(
    { ...sandboxSpec('u', 'web'), network: 'host', sysctls },
    { oomFloor: 0, seccomp: undefined },
  );
  t.same(ofIpc.HostConfig?.Sysctls, sysctls, 'of a namespace that it still has');
});

t.test('containers: what Docker is asked for', async (t) => {
  const spec = containerSpec(subject, 'web', ['sh']);
  const body = containerBody(
    'S',
    {
      ...spec,
      args: ['-c', 'true'],
      mounts: [
        { hostPath: '/a', containerPath: '/b', readOnly: true },
        { hostPath: '/c', containerPath: '/d', readOnly: false, propagation: 'rshared' },
      ],
      resources: {
        cpuShares: 2,
        cpuQuota: 5000,
        memoryBytes: 7,
        memoryReservationBytes: 5,
        oomScoreAdj: -997,
      },
      devices: [{ hostPath: '/dev/fuse', containerPath: '/dev/x', permissions: 'rw' }],
    },
    { ...bare, api: old, sharing: { pid: 'pod', ipc: 'pod', runtimeHandler: 'gvisor' } },
  );
  t.match(body, {
    Entrypoint: ['sh'],
    Cmd: ['-c', 'true'],
    Env: ['COLOUR=blue'],
    Labels: { 'io.wherry.sandbox-id': 'S' },
    HostConfig: {
      NetworkMode: 'container:S',
      IpcMode: 'container:S',
      PidMode: 'container:S',
      Binds: ['/a:/b:ro', '/c:/d:rw,rshared'],
      LogConfig: { Type: 'json-file', Config: { 'max-size': '10m', 'max-file': '5' } },
      CpuShares: 2,
      CpuQuota: 5000,
      CpuPeriod: 100_000,
      Memory: 7,
      MemorySwap: 7,
      MemoryReservation: 5,
      OomScoreAdj: 0,
      Runtime: 'gvisor',
      Devices: [{ PathOnHost: '/dev/fuse', PathInContainer: '/dev/x', CgroupPermissions: 'rw' }],
    },
  });
  const { command: _, ...withoutCommand } = spec;
  const plain = containerBody('S', withoutCommand, {
    ...bare,
    api: old,
    sharing: { ...shared, ipc: 'host' },
  });
  t.notOk('Entrypoint' in plain || 'Cmd' in plain, 'the image decides');
  t.equal(plain.HostConfig?.IpcMode, 'host');
  t.notOk('PidMode' in (plain.HostConfig ?? {}));
  t.strictSame(
    containerBody('S', spec, { ...bare, api: old, sharing: shared }).Cmd,
    [],
    'a command drops the image’s arguments',
  );
  t.strictSame(listFilters('sandbox', 'n1', 'u1').label, [
    'io.wherry.type=sandbox',
    'io.wherry.node=n1',
    'io.kubernetes.pod.uid=u1',
  ]);
});

const never = '0001-01-01T00:00:00Z';
const inspected = (state: object): ContainerInspectInfo =>
  ({
    Id: 'i',
    Name: '/n',
    Created: '2026-01-01T00:00:00.5Z',
    Image: 'sha256:1',
    LogPath: '',
    Config: { Labels: { 'io.wherry.pid-sharing': 'pod' }, Image: 'busy:1' },
    HostConfig: { NetworkMode: 'none', IpcMode: 'shareable' },
    State: {
      Status: 'created',
      Running: false,
      ExitCode: 0,
      Error: '',
      Pid: 0,
      StartedAt: never,
      FinishedAt: never,
      OOMKilled: false,
      ...state,
    },
  }) as unknown as ContainerInspectInfo;

t.test('states: what Docker answers', async (t) => {
  t.match(containerState(inspected({})), {
    state: 'created',
    name: 'n',
    startedAt: undefined,
    exitCode: undefined,
    logPath: undefined,
  });
  const failed = inspected({ ExitCode: 127, Error: 'no such file' });
  t.match(containerState(failed), {
    state: 'exited',
    exitCode: 127,
    error: 'no such file',
    finishedAt: new Date('2026-01-01T00:00:00.5Z'),
  });
  const short = { Status: 'exited', StartedAt: '2026-01-01T00:00:02Z', FinishedAt: '2026-01-01T00:00:01Z' };
  t.match(containerState(inspected(short)), {
    state: 'exited',
    exitCode: 0,
    finishedAt: new Date('2026-01-01T00:00:02Z'),
  });
  const running = inspected({ Status: 'running', Running: true, Pid: 7 });
  t.match(sandboxState(running), { state: 'running', pid: 7, networkNamespace: '/proc/7/ns/net' });
  t.strictSame(sharingOf(running), { pid: 'pod', ipc: 'pod', runtimeHandler: undefined });
});

t.test('the sandbox program is a small static ELF in a tar', async (t) => {
  for (const [architecture, machine] of [
    ['amd64', 62],
    ['arm64', 183],
  ] as const) {
    const program = sandboxProgram(architecture);
    t.ok(program.length < 300 && program.subarray(0, 4).equals(Buffer.from('\x7fELF', 'latin1')));
    t.equal(program.readUInt16LE(18), machine);
    t.equal(Number(program.readBigUInt64LE(24)), 0x400000 + 120, 'starts at its first instruction');
    t.equal(Number(program.readBigUInt64LE(96)), program.length);
    const archive = sandboxArchive(architecture);
    t.equal(archive.length % 512, 0);
    t.equal(archive.toString('latin1', 0, 7), 'sandbox');
    t.equal(Number.parseInt(archive.toString('latin1', 124, 135), 8), program.length);
    t.ok(archive.subarray(512, 512 + program.length).equals(program));
  }
});

t.test('events wait once per pod; a resync says it all', async (t) => {
  const queue = new EventQueue();
  const push = (...uids: string[]): void =>
    uids.forEach((podUid) => void queue.push({ type: 'pod', podUid }));
  const stop = new AbortController();
  const events = queue.drain(stop.signal);
  const take = async (): Promise<RuntimeEvent | undefined> => (await events.next()).value ?? undefined;
  push('a', 'b', 'a');
  t.strictSame(
    [await take(), await take()],
    [
      { type: 'pod', podUid: 'a' },
      { type: 'pod', podUid: 'b' },
    ],
  );
  push('a');
  queue.push({ type: 'resync' });
  push('c');
  t.strictSame(await take(), { type: 'resync' });
  const waiting = take();
  push('d');
  t.strictSame(await waiting, { type: 'pod', podUid: 'd' });
  const last = events.next();
  stop.abort();
  t.equal((await last).done, true);
});

t.test('a Docker that looks up a registry is as alive as before', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'wherry-docker-'));
  t.teardown(() => rm(directory, { recursive: true, force: true }));
  const asked: string[] = [];
  let answers = new Set(['/version']);
  const said: Record<string, object> = {
    '/version': { Version: '20.10.24', ApiVersion: '1.41', MinAPIVersion: '1.12', Os: 'linux' },
    '/info': {
      CgroupDriver: 'systemd',
      DockerRootDir: '/docker',
      Runtimes: { runc: {} },
      SecurityOptions: [],
    },
  };
  const server = createServer(({ url = '' }, response) => {
    const path = url.replace(/^\/v[\d.]+/, '').replace(/\?$/, '');
    asked.push(path);
    if (answers.has(path)) response.end(JSON.stringify(said[path]));
  });
  const socketPath = join(directory, 'docker.sock');
  await new Promise<void>((resolve) => server.listen(socketPath, resolve));
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  const clock = createFakeClock();
  const docker = new DockerRuntime({ socketPath, clock, node: 'n', log: silentLogger });
  t.teardown(() => docker.close());
  /** Time passes when the daemon has the question that it leaves open. */
  const silent = async (path: string, answer: Promise<unknown>): Promise<unknown> => {
    const caught = answer.catch((error: unknown) => error);
    for (const before = asked.length; asked.indexOf(path, before) < 0; )
      await new Promise((resolve) => setImmediate(resolve));
    await clock.advance(4_000);
    return caught;
  };

  t.match(await silent('/info', docker.version()), { kind: 'unavailable' }, 'nothing is known of it yet');
  answers = new Set(['/version', '/info']);
  const known = await docker.version();
  t.match(known, { version: '20.10.24', cgroupDriver: 'systemd' });
  answers = new Set(['/version']);
  t.same(await silent('/info', docker.version()), known);
  t.equal(await silent('/info', docker.imageDirectory()), '/docker');
  answers = new Set();
  t.match(await silent('/version', docker.version()), { kind: 'unavailable' }, 'a daemon that hangs');
});
