import { mkdir, mkdtemp, readdir, readFile, readlink, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { configMaps, secrets } from '../../src/api/kinds.js';
import type { Container, Volume, VolumeMount } from '../../src/api/types.js';
import { systemClock } from '../../src/host/clock.js';
import { runChecked } from '../../src/host/exec.js';
import { silentLogger } from '../../src/host/log.js';
import { pod as build } from '../../src/testing/builders.js';
import { createFakeClient } from '../../src/testing/fakeclient.js';
import { ensureHostPath } from './hostpath.js';
import { createMounter } from './mounts.js';
import { createReferencedObjects } from './objects.js';
import { createPayloadReader } from './sources.js';
import { openSubPath } from './subpath.js';
import { createVolumes } from './volumes.js';

const never = new AbortController().signal;

async function setUp(t: Test, volumes: Volume[], mounts: VolumeMount[] = []) {
  const root = await mkdtemp(join(tmpdir(), 'wherry-volumes-'));
  const client = createFakeClient();
  const changed: string[] = [];
  const objects = createReferencedObjects({
    client,
    clock: systemClock,
    log: silentLogger,
    onChange: (uid) => void changed.push(uid),
  });
  const tokens = { tokenFor: async () => 'token', release: () => undefined };
  const facts = { hostIPs: [], nodeName: 'n', allocatable: () => ({}) };
  const mounter = createMounter(runChecked);
  const subject = createVolumes({
    podsDirectory: root,
    readPayload: createPayloadReader({ objects, tokens, facts }),
    mounter,
    clock: systemClock,
    release: (uid) => objects.release(uid),
  });
  const spec: Container = { name: 'c', image: 'i', volumeMounts: mounts };
  const pod = build('web', {
    meta: { uid: 'u1', labels: { app: 'web' } },
    spec: { volumes, containers: [spec] },
  });
  t.teardown(async () => {
    await objects.stop();
    await mounter.removeTree(root);
  });
  const path = (name: string): string => join(root, 'u1', 'volumes', name);
  return { root, client, changed, subject, pod, spec, path, mounter };
}

t.test('a configMap is shown, and a change of it all at once', async (t) => {
  const h = await setUp(t, [
    { name: 'v', configMap: { name: 'cfg', items: [{ key: 'a', path: 'dir/a', mode: 0o400 }] } },
  ]);
  await t.rejects(h.subject.prepare(h.pod, never), {
    name: 'VolumeError',
    volume: 'v',
    message: 'configmap "cfg" not found',
  });
  const object = await h.client.create(configMaps, {
    metadata: { name: 'cfg', namespace: 'default' },
    data: { a: '1', b: '2' },
  });
  while (h.changed.length === 0) await new Promise((resolve) => setImmediate(resolve));
  await h.subject.prepare(h.pod, never);
  t.equal(await readFile(join(h.path('v'), 'dir/a'), 'utf8'), '1');
  t.equal((await stat(join(h.path('v'), 'dir/a'))).mode & 0o777, 0o400);
  t.equal(await readlink(join(h.path('v'), 'dir')), '..data/dir');
  const version = await readlink(join(h.path('v'), '..data'));
  await h.subject.prepare(h.pod, never);
  t.equal(await readlink(join(h.path('v'), '..data')), version, 'nothing is written twice');
  h.changed.length = 0;
  await h.client.update(configMaps, { ...object, data: { a: 'new' } });
  while (h.changed.length === 0) await new Promise((resolve) => setImmediate(resolve));
  await h.subject.prepare(h.pod, never);
  t.equal(await readFile(join(h.path('v'), 'dir/a'), 'utf8'), 'new');
  t.equal((await readdir(h.path('v'))).length, 3, 'the old version is gone');
});

t.test('a secret is on a tmpfs, an emptyDir of memory has its size, and all goes with the pod', async (t) => {
  const h = await setUp(t, [
    { name: 's', secret: { secretName: 'sec', defaultMode: 0o400 } },
    { name: 'm', emptyDir: { medium: 'Memory', sizeLimit: '1Mi' } },
    { name: 'd', emptyDir: {} },
    { name: 'w', downwardAPI: { items: [{ path: 'labels', fieldRef: { fieldPath: 'metadata.labels' } }] } },
  ]);
  const data = { pw: Buffer.from('x').toString('base64') };
  await h.client.create(secrets, { metadata: { name: 'sec', namespace: 'default' }, data });
  await h.subject.prepare(h.pod, never);
  await h.subject.prepare(h.pod, never);
  t.equal(await readFile(join(h.path('s'), 'pw'), 'utf8'), 'x');
  t.ok(await h.mounter.isMounted(h.path('s')));
  await t.rejects(writeFile(join(h.path('m'), 'big'), Buffer.alloc(2 * 1024 * 1024)), { code: 'ENOSPC' });
  t.equal((await stat(h.path('d'))).mode & 0o777, 0o777);
  t.equal(await readFile(join(h.path('w'), 'labels'), 'utf8'), 'app="web"');
  await h.subject.tearDown('u1');
  await h.subject.tearDown('u1');
  t.notOk((await readFile('/proc/self/mountinfo', 'utf8')).includes(h.root));
  t.same(await readdir(join(h.root, 'u1')), []);
});

t.test('a sub-path is bound, and never leads out of its volume', async (t) => {
  const mounts = [{ name: 'd', mountPath: '/data', subPath: 'a/b' }];
  const h = await setUp(t, [{ name: 'd', emptyDir: {} }], mounts);
  await h.subject.prepare(h.pod, never);
  const [mount] = await h.subject.mountsOf(h.pod, h.spec, new Map());
  await writeFile(join(mount?.hostPath ?? '', 'file'), 'seen');
  t.equal(await readFile(join(h.path('d'), 'a/b/file'), 'utf8'), 'seen');
  await symlink('/etc', join(h.path('d'), 'evil'));
  await symlink('a', join(h.path('d'), 'inside'));
  await t.rejects(openSubPath(h.path('d'), 'evil'), /leads out of the volume/);
  await t.rejects(openSubPath(h.path('d'), 'evil/new'), /symbolic link|leads out/);
  await t.rejects(openSubPath(h.path('d'), '../x'), /must be a relative path/);
  await (await openSubPath(h.path('d'), 'inside/b')).close();
  const bad = { ...h.pod, spec: { containers: [], volumes: [{ name: '../up', emptyDir: {} }] } };
  await t.rejects(h.subject.prepare(bad, never), /not a safe name/);
});

t.test('hostPath checks what is there', async (t) => {
  const root = await mkdtemp(join(tmpdir(), 'wherry-hostpath-'));
  t.teardown(() => rm(root, { recursive: true }));
  const path = join(root, 'x');
  await t.rejects(ensureHostPath({ path, type: 'Directory' }), {
    message: `hostPath type check failed: ${path} is not a directory`,
  });
  await ensureHostPath({ path, type: 'FileOrCreate' });
  await t.rejects(ensureHostPath({ path, type: 'DirectoryOrCreate' }), /is not a directory/);
  await t.rejects(ensureHostPath({ path, type: 'Socket' }), /is not a socket file/);
  await ensureHostPath({ path: '/dev/null', type: 'CharDevice' });
  await mkdir(join(root, 'd'));
  await ensureHostPath({ path: join(root, 'd'), type: '' });
  await t.rejects(ensureHostPath({ path: '/a/../b' }), /must be absolute/);
});
