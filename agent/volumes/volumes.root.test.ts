/** What each kind of volume looks like to a container, over restarts, changes and the end of the pod. */
import {
  mkdir,
  open,
  readdir,
  readFile,
  readlink,
  rm,
  stat,
  statfs,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import t from 'tap';
import { configMaps, secrets } from '../../src/api/kinds.js';
import { runChecked } from '../../src/host/exec.js';
import { createHarness, podWith } from './testing/harness.js';

/** What statfs(2) calls it. */
const tmpfs = 0x01021994;
const base64 = (text: string): string => Buffer.from(text).toString('base64');
const modeOf = async (path: string): Promise<string> => ((await stat(path)).mode & 0o7777).toString(8);

t.test('a configMap is shown, and a change of it all at once', async (t) => {
  const h = await createHarness(t);
  const pod = podWith({
    volumes: [{ name: 'v', configMap: { name: 'cfg', items: [{ key: 'a', path: 'dir/a', mode: 0o400 }] } }],
  });
  const path = h.path(pod, 'v');
  await t.rejects(h.prepare(pod), {
    name: 'VolumeError',
    volume: 'v',
    message: 'configmap "cfg" not found',
  });
  const object = await h.client.create(configMaps, {
    metadata: { name: 'cfg', namespace: 'default' },
    data: { a: '1', b: '2' },
  });
  await h.untilChanged();
  await h.prepare(pod);
  t.equal(await readFile(join(path, 'dir/a'), 'utf8'), '1');
  t.equal(await modeOf(join(path, 'dir/a')), '400');
  t.equal(await readlink(join(path, 'dir')), '..data/dir');
  const version = await readlink(join(path, '..data'));
  await h.prepare(pod);
  t.equal(await readlink(join(path, '..data')), version, 'nothing is written twice');
  t.same(h.changed, [], 'what was there at first is no change');
  await h.client.update(configMaps, { ...object, data: { a: 'new' } });
  await h.untilChanged();
  await h.prepare(pod);
  t.equal(await readFile(join(path, 'dir/a'), 'utf8'), 'new');
  t.equal((await readdir(path)).length, 3, 'the old version is gone');
});

t.test('keys, binary data, optional parts and modes', async (t) => {
  const h = await createHarness(t);
  const bytes = Buffer.from([0, 255, 1]);
  const meta = { name: 'cfg', namespace: 'default' };
  await h.client.create(configMaps, {
    metadata: meta,
    data: { plain: 'text' },
    binaryData: { raw: bytes.toString('base64') },
    immutable: true,
  });
  await h.client.create(secrets, { metadata: meta, data: { pw: base64('x') } });
  const missing = [{ key: 'nothing', path: 'n' }];
  const pod = podWith({
    volumes: [
      { name: 'all', configMap: { name: 'cfg', defaultMode: 0o600 } },
      { name: 'gone', configMap: { name: 'no', optional: true } },
      { name: 'part', secret: { secretName: 'cfg', items: missing, optional: true } },
      {
        name: 'mixed',
        projected: {
          defaultMode: 0o440,
          sources: [
            { configMap: { name: 'cfg', items: [{ key: 'plain', path: 'a/b//c' }] } },
            { secret: { name: 'cfg', items: [{ key: 'pw', path: 'a/b/pw', mode: 0o400 }] } },
            { downwardAPI: { items: [{ path: 'name', fieldRef: { fieldPath: 'metadata.name' } }] } },
            { secret: { name: 'none', optional: true } },
          ],
        },
      },
    ],
  });
  await h.prepare(pod);
  t.same(
    (await readdir(h.path(pod, 'all'))).filter((name) => !name.startsWith('..')),
    ['plain', 'raw'],
  );
  t.same(await readFile(join(h.path(pod, 'all'), 'raw')), bytes);
  t.equal(await modeOf(join(h.path(pod, 'all'), 'plain')), '600');
  t.same(
    (await readdir(h.path(pod, 'gone'))).filter((name) => !name.startsWith('..')),
    [],
  );
  t.same(
    (await readdir(h.memory(pod, 'part'))).filter((name) => !name.startsWith('..')),
    [],
  );
  t.equal(await readFile(join(h.memory(pod, 'mixed'), 'a/b/c'), 'utf8'), 'text');
  t.equal(await modeOf(join(h.memory(pod, 'mixed'), 'a/b/c')), '440');
  t.equal(await modeOf(join(h.memory(pod, 'mixed'), 'a/b/pw')), '400');
  t.equal(await readFile(join(h.memory(pod, 'mixed'), 'name'), 'utf8'), 'web');

  const strict = podWith({ volumes: [{ name: 'v', configMap: { name: 'cfg', items: missing } }] });
  await t.rejects(h.prepare(strict), {
    message: 'configmap references non-existent configmap key: nothing',
  });
  for (const source of [{ clusterTrustBundle: { path: 'x' } }, { podCertificate: {} }]) {
    const refused = podWith({ uid: 'u2', volumes: [{ name: 'v', projected: { sources: [source] } }] });
    const [type] = Object.keys(source);
    await t.rejects(h.prepare(refused), {
      message: `projected source ${type} is not supported by this node`,
    });
  }
});

t.test('fsGroup may read all files, and tokens belong to the one user of the pod', async (t) => {
  const h = await createHarness(t);
  h.client.post = async () => ({ status: { token: 'token' } }) as never;
  await h.client.create(secrets, {
    metadata: { name: 's', namespace: 'default' },
    data: { 'd.k': base64('x') },
  });
  const token = { serviceAccountToken: { path: 'token' } };
  const volumes = [
    { name: 's', secret: { secretName: 's', defaultMode: 0o400 } },
    { name: 't', projected: { sources: [token] } },
    { name: 'd', emptyDir: {} },
    { name: 'm', emptyDir: { medium: 'Memory' } },
  ];
  const grouped = podWith({ volumes, spec: { securityContext: { fsGroup: 2000, runAsUser: 1000 } } });
  await h.prepare(grouped);
  const secret = await stat(join(h.memory(grouped, 's'), 'd.k'));
  t.same([secret.uid, secret.gid, secret.mode & 0o777], [0, 2000, 0o440]);
  const own = await stat(join(h.memory(grouped, 't'), 'token'));
  t.same([own.uid, own.gid, own.mode & 0o777], [1000, 2000, 0o640]);
  const directory = await stat(h.path(grouped, 'd'));
  t.same([directory.gid, directory.mode & 0o7777], [2000, 0o2777]);
  const memory = await stat(h.path(grouped, 'm'));
  t.same([memory.gid, memory.mode & 0o7777], [2000, 0o3777]);

  const open = podWith({ uid: 'u2', volumes: volumes.slice(1, 2) });
  await h.prepare(open);
  t.equal(await modeOf(join(h.memory(open, 't'), 'token')), '644', 'the image alone knows its user');
});

t.test('a secret is on a tmpfs, an emptyDir of memory has its size, and all goes with the pod', async (t) => {
  const h = await createHarness(t);
  h.allocatable = { memory: '2Mi' };
  const pod = podWith({
    volumes: [
      { name: 's', secret: { secretName: 'sec', defaultMode: 0o400 } },
      { name: 'm', emptyDir: { medium: 'Memory', sizeLimit: '1Mi' } },
      { name: 'n', emptyDir: { medium: 'Memory' } },
      { name: 'd', emptyDir: {} },
      { name: 'w', downwardAPI: { items: [{ path: 'labels', fieldRef: { fieldPath: 'metadata.labels' } }] } },
    ],
  });
  const data = { pw: base64('x') };
  await h.client.create(secrets, { metadata: { name: 'sec', namespace: 'default' }, data });
  await h.prepare(pod);
  await h.prepare(pod);
  const path = (name: string): string => h.path(pod, name);
  t.equal(await readFile(join(h.memory(pod, 's'), 'pw'), 'utf8'), 'x');
  t.equal((await statfs(h.memory(pod, 's'))).type, tmpfs);
  await t.rejects(writeFile(join(path('m'), 'big'), Buffer.alloc(1.5 * 1024 * 1024)), { code: 'ENOSPC' });
  await t.rejects(writeFile(join(path('n'), 'big'), Buffer.alloc(3 * 1024 * 1024)), { code: 'ENOSPC' });
  t.equal(await modeOf(path('d')), '777');
  t.equal(await readFile(join(path('w'), 'labels'), 'utf8'), 'app="web"');
  await rm(join(path('m'), 'big'));
  await writeFile(join(path('d'), 'kept'), 'data');
  await writeFile(join(path('m'), 'kept'), 'data');
  await h.restart();
  await h.prepare(pod);
  for (const name of ['d', 'm']) t.equal(await readFile(join(path(name), 'kept'), 'utf8'), 'data');
  const points = (await readFile('/proc/self/mountinfo', 'utf8')).split('\n');
  t.equal(points.filter((line) => line.includes(h.scratch)).length, 3, 'nothing is mounted twice');
  await h.volumes.tearDown('u1');
  await h.volumes.tearDown('u1');
  t.notOk((await readFile('/proc/self/mountinfo', 'utf8')).includes(h.podsDirectory));
  t.same(await readdir(join(h.podsDirectory, 'u1')), []);
  t.same(await readdir(join(h.scratch, 'memory')), []);
});

t.test('containers that start together ask together, and what nobody uses is not made', async (t) => {
  const h = await createHarness(t);
  await h.client.create(configMaps, { metadata: { name: 'c', namespace: 'default' }, data: { a: '1' } });
  const volumes = [
    { name: 'v', configMap: { name: 'c' } },
    { name: 'unused', secret: { secretName: 'not-there' } },
  ];
  const pod = podWith({ volumes, mounts: [{ name: 'v', mountPath: '/v' }] });
  await Promise.all(Array.from({ length: 20 }, (_, i) => h.prepare(i % 2 ? pod : { ...pod })));
  t.same((await readdir(h.path(pod, 'v'))).length, 3);
  t.same(await readdir(join(h.podsDirectory, 'u1', 'volumes')), ['v']);
});

t.test('the files come back whole after a crash at any point of their change', async (t) => {
  const h = await createHarness(t);
  const meta = { name: 'c', namespace: 'default' };
  let object = await h.client.create(configMaps, { metadata: meta, data: { a: '1', b: '1' } });
  const pod = podWith({ volumes: [{ name: 'v', configMap: { name: 'c' } }] });
  await h.prepare(pod);
  const path = h.path(pod, 'v');
  const crashes: (() => Promise<unknown>)[] = [
    // A half-written version, never linked.
    () => mkdir(join(path, '..2026_01_01_00_00_00.aaaaaa')),
    // The new link, not yet in its place.
    () => symlink('..nothing', join(path, '..data_tmp')),
    // The switch was done, the old names are still there.
    () => symlink('..data/old', join(path, 'old')),
    // The switch was done, the new names are not there yet.
    () => rm(join(path, 'a')),
    // Power was lost before the content was on disk.
    () => writeFile(join(path, '..data/a'), ''),
    // The version itself is gone.
    async () => rm(join(path, await readlink(join(path, '..data'))), { recursive: true }),
  ];
  for (const [index, crash] of crashes.entries()) {
    await crash();
    await h.restart();
    object = await h.client.update(configMaps, { ...object, data: { a: String(index), b: '2' } });
    await h.prepare(pod);
    t.equal(await readFile(join(path, 'a'), 'utf8'), String(index));
    t.equal(await readFile(join(path, 'b'), 'utf8'), '2');
    t.equal((await readdir(path)).length, 4, 'nothing else is left');
  }
});

t.test('a mount inside of a read-only volume finds its place there', async (t) => {
  const h = await createHarness(t);
  await h.client.create(configMaps, { metadata: { name: 'c', namespace: 'default' }, data: { a: '1' } });
  const pod = podWith({
    volumes: [
      { name: 'v', configMap: { name: 'c' } },
      { name: 'd', emptyDir: {} },
    ],
    mounts: [
      { name: 'v', mountPath: '/etc/v' },
      { name: 'd', mountPath: '/etc/v/data/deep' },
    ],
  });
  await h.prepare(pod);
  await h.prepare(pod);
  t.ok((await stat(join(h.path(pod, 'v'), 'data/deep'))).isDirectory());
  t.equal(await readFile(join(h.path(pod, 'v'), 'a'), 'utf8'), '1');
});

t.test('hostPath: every type, with the words of kubelet', async (t) => {
  const h = await createHarness(t);
  const at = (name: string): string => join(h.scratch, name);
  const tryType = (path: string, type: string, uid: string) =>
    h.prepare(podWith({ uid, volumes: [{ name: 'v', hostPath: { path, type } }] }));
  await mkdir(at('directory'));
  await writeFile(at('file'), '');
  const server = createServer().listen(at('socket'));
  t.teardown(() => server.close());
  await runChecked('mknod', [at('char'), 'c', '1', '3']);
  await runChecked('mknod', [at('block'), 'b', '7', '255']);
  const kinds: Record<string, [fits: string, what: string]> = {
    Directory: ['directory', 'directory'],
    File: ['file', 'file'],
    Socket: ['socket', 'socket file'],
    CharDevice: ['char', 'character device'],
    BlockDevice: ['block', 'block device'],
  };
  for (const [type, [fits, what]] of Object.entries(kinds)) {
    await tryType(at(fits), type, `${type}-fits`);
    for (const name of ['directory', 'file', 'socket', 'char', 'block', 'missing']) {
      if (name === fits) continue;
      const message = `hostPath type check failed: ${at(name)} is not a ${what}`;
      await t.rejects(tryType(at(name), type, `${type}-${name}`), { message });
    }
  }
  await tryType(at('made/deep'), 'DirectoryOrCreate', 'm1');
  t.equal(await modeOf(at('made/deep')), '755');
  await tryType(at('made/file'), 'FileOrCreate', 'm2');
  t.equal(await modeOf(at('made/file')), '644');
  await t.rejects(tryType(at('not/there'), 'FileOrCreate', 'm3'), /ENOENT/);
  await t.rejects(tryType(at('file'), 'DirectoryOrCreate', 'm4'), /is not a directory/);
  await t.rejects(tryType(at('directory'), 'FileOrCreate', 'm5'), /is not a file/);
  await tryType(at('any'), '', 'm6');
  const pod = podWith({
    uid: 'm7',
    volumes: [{ name: 'v', hostPath: { path: at('directory') } }],
    spec: { securityContext: { fsGroup: 2000 } },
  });
  await h.prepare(pod);
  t.equal((await stat(at('directory'))).gid, 0, 'fsGroup is not for what belongs to the host');
  t.same(await h.mountsOf(pod), [
    { hostPath: at('directory'), containerPath: '/v', readOnly: false, propagation: 'private' },
  ]);
});

t.test('a sub-path: made as its volume is, of any kind, anew for each start', async (t) => {
  const h = await createHarness(t);
  await h.client.create(configMaps, { metadata: { name: 'c', namespace: 'default' }, data: { key: 'one' } });
  const pod = podWith({
    volumes: [
      { name: 'd', emptyDir: {} },
      { name: 'c', configMap: { name: 'c' } },
    ],
    mounts: [
      { name: 'd', mountPath: '/data', subPath: 'a/b' },
      { name: 'c', mountPath: '/etc/key', subPath: 'key' },
      { name: 'd', mountPath: '/expr', subPathExpr: 'pods/$(POD)', readOnly: true },
    ],
    spec: { securityContext: { fsGroup: 2000 } },
  });
  await h.prepare(pod);
  const [data, key, expr] = await h.mountsOf(pod, { POD: 'web-0' });
  await writeFile(join(data?.hostPath ?? '', 'file'), 'seen');
  t.equal(await readFile(join(h.path(pod, 'd'), 'a/b/file'), 'utf8'), 'seen');
  const made = await stat(join(h.path(pod, 'd'), 'a/b'));
  t.same([made.gid, made.mode & 0o7777], [2000, 0o2777]);
  t.equal(await readFile(key?.hostPath ?? '', 'utf8'), 'one');
  t.match(key, { readOnly: true });
  t.match(expr, { readOnly: true, containerPath: '/expr' });
  t.ok((await stat(join(h.path(pod, 'd'), 'pods/web-0'))).isDirectory());
  await t.rejects(h.mountsOf(pod), { message: 'missing value for POD' });
  // What was a directory is a file at the next start.
  await rm(join(h.path(pod, 'd'), 'a/b'), { recursive: true });
  await writeFile(join(h.path(pod, 'd'), 'a/b'), 'a file');
  const [again] = await h.mountsOf(pod, { POD: 'web-0' });
  t.equal(await readFile(again?.hostPath ?? '', 'utf8'), 'a file');
  await h.volumes.tearDown('u1');
  t.notOk((await readFile('/proc/self/mountinfo', 'utf8')).includes(h.scratch));
});

t.test('propagation, read-only through and through, and images, as far as the runtime can', async (t) => {
  const h = await createHarness(t);
  const deep = { readOnly: true, recursiveReadOnly: 'Enabled' };
  const one = (mount: object, privileged = false) => {
    const mounts = [{ name: 'd', mountPath: 'd', ...mount }];
    const container = { volumeMounts: mounts, securityContext: { privileged } };
    return podWith({ volumes: [{ name: 'd', emptyDir: {} }], container });
  };
  const mountsOf = async (pod: ReturnType<typeof one>) => {
    await h.prepare(pod);
    return h.mountsOf(pod);
  };
  t.match(await mountsOf(one({ mountPropagation: 'HostToContainer' })), [
    { propagation: 'rslave', containerPath: '/d' },
  ]);
  t.match(await mountsOf(one({ mountPropagation: 'Bidirectional' }, true)), [{ propagation: 'rshared' }]);
  await t.rejects(mountsOf(one({ mountPropagation: 'Bidirectional' })), /only to privileged containers/);
  await t.rejects(mountsOf(one(deep)), /not supported by the runtime/);
  t.notMatch(await mountsOf(one({ ...deep, recursiveReadOnly: 'IfPossible' })), [
    { recursiveReadOnly: true },
  ]);
  await t.rejects(mountsOf(one({ ...deep, readOnly: false })), /it is not read-only/);
  const image = podWith({
    uid: 'u2',
    volumes: [{ name: 'i', image: { reference: 'app:1' } }],
    mounts: [{ name: 'i', mountPath: '/i', subPath: 'a/b' }],
  });
  await t.rejects(h.prepare(image), /image is not supported by the container runtime/);
  h.features = { ...h.features, recursiveReadOnly: true, imageVolumes: true };
  t.match(await mountsOf(one(deep)), [{ recursiveReadOnly: true, readOnly: true }]);
  h.image = { result: 'failed', reason: 'ErrImagePull', message: 'no such image', retryAfterMs: 1 };
  await t.rejects(h.prepare(image), { message: 'ErrImagePull: no such image' });
  h.image = { result: 'present', imageId: 'sha256:1', message: '', user: '' };
  t.match(await mountsOf(image), [{ image: 'sha256:1', imageSubPath: 'a/b', readOnly: true, hostPath: '' }]);
});

t.test('huge pages are mounted where the machine has them', async (t) => {
  const h = await createHarness(t);
  const resources = { limits: { 'hugepages-2Mi': '4Mi' } };
  const pod = podWith({
    volumes: [{ name: 'h', emptyDir: { medium: 'HugePages-2Mi' } }],
    container: { resources },
    spec: { securityContext: { fsGroup: 2000 } },
  });
  await h.prepare(pod);
  await h.prepare(pod);
  const lines = (await readFile('/proc/self/mountinfo', 'utf8')).split('\n');
  t.match(
    lines.filter((line) => line.includes(h.scratch)),
    [/ hugetlbfs .*pagesize=2M/],
  );
  await (await open(join(h.path(pod, 'h'), 'f'), 'w')).close();
  const { gid, mode } = await stat(h.path(pod, 'h'));
  t.same([gid, mode & 0o7777], [2000, 0o2775]);
});
