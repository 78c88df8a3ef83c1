/** Volumes behind claims: what they have to be bound to, what each kind is to a container, whose files they become. */
import { chmod, chown, mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { persistentVolumeClaims, persistentVolumes } from '../../src/api/kinds.js';
import type {
  PersistentVolumeClaim,
  PersistentVolumeSpec,
  PodSecurityContext,
  Volume,
} from '../../src/api/types.js';
import { type Exec, run, runChecked } from '../../src/host/exec.js';
import { createHarness, type Harness, podWith } from './testing/harness.js';

const claimed = (claimName: string, more: { readOnly?: boolean } = {}): Volume => ({
  name: 'v',
  persistentVolumeClaim: { claimName, ...more },
});

/** A claim `name` bound to a volume `pv-<name>`. */
async function bind(
  h: Harness,
  name: string,
  spec: PersistentVolumeSpec,
  metadata: PersistentVolumeClaim['metadata'] = {},
): Promise<PersistentVolumeClaim> {
  const claim = await h.client.create(persistentVolumeClaims, {
    metadata: { ...metadata, name, namespace: 'default' },
    spec: { volumeName: `pv-${name}` },
    status: { phase: 'Bound' },
  });
  const claimRef = { namespace: 'default', name, uid: claim.metadata.uid };
  await h.client.create(persistentVolumes, { metadata: { name: `pv-${name}` }, spec: { claimRef, ...spec } });
  return claim;
}

const here = (hostname: string) => ({
  required: {
    nodeSelectorTerms: [
      { matchExpressions: [{ key: 'kubernetes.io/hostname', operator: 'In', values: [hostname] }] },
    ],
  },
});

t.test('a claim has to be there, bound, and for this pod; the pod goes on when it is', async (t) => {
  const h = await createHarness(t);
  const pod = podWith({ volumes: [claimed('data')] });
  const prefix = 'error processing PVC default/data: ';
  await t.rejects(h.prepare(pod), {
    name: 'VolumeError',
    volume: 'v',
    message: `${prefix}failed to fetch PVC from API server: persistentvolumeclaims "data" not found`,
  });
  const path = join(h.scratch, 'disk');
  await mkdir(path);
  const claim = await h.client.create(persistentVolumeClaims, {
    metadata: { name: 'data', namespace: 'default' },
    spec: {},
  });
  await h.untilChanged();
  await t.rejects(h.prepare(pod), { message: `${prefix}PVC is not bound` });
  const claimRef = { namespace: 'default', name: 'data', uid: 'somebody else' };
  const volume = await h.client.create(persistentVolumes, {
    metadata: { name: 'pv' },
    spec: { local: { path }, claimRef },
  });
  await h.client.update(persistentVolumeClaims, {
    ...claim,
    spec: { volumeName: 'pv' },
    status: { phase: 'Bound' },
  });
  await h.untilChanged();
  await t.rejects(h.prepare(pod), /pv\.Spec\.ClaimRef\.UID somebody else does not point to claim\.UID/);
  const mine = { ...claimRef, uid: claim.metadata.uid };
  await h.client.update(persistentVolumes, { ...volume, spec: { local: { path }, claimRef: mine } });
  await h.prepare(pod);
  t.match(await h.mountsOf(pod), [{ hostPath: path, containerPath: '/v', readOnly: false }]);
  const ephemeral = podWith({ uid: 'u2', volumes: [{ name: 'v', ephemeral: {} }] });
  const owner = { apiVersion: 'v1', kind: 'Pod', name: 'web', uid: 'u3', controller: true };
  await bind(h, 'web-v', { local: { path } }, { ownerReferences: [owner] });
  await t.rejects(h.prepare(ephemeral), /was not created for pod default\/web \(pod is not owner\)/);
  await h.prepare(podWith({ uid: 'u3', volumes: [{ name: 'v', ephemeral: {} }] }));
});

t.test('local: a directory, on its own nodes only', async (t) => {
  const h = await createHarness(t);
  const path = join(h.scratch, 'disk');
  await mkdir(path);
  await writeFile(join(path, 'kept'), 'data');
  await bind(h, 'here', { local: { path }, nodeAffinity: here('node-1') });
  await bind(h, 'there', { local: { path }, nodeAffinity: here('node-2') });
  await bind(h, 'gone', { local: { path: join(h.scratch, 'none') } });
  await bind(h, 'file', { local: { path: join(path, 'kept') } });
  await bind(h, 'up', { local: { path: `${path}/../x` } });
  const prepare = (name: string, more = {}) => {
    const pod = podWith({ uid: name, volumes: [claimed(name, more)] });
    return h.prepare(pod).then(() => h.mountsOf(pod));
  };
  t.match(await prepare('here', { readOnly: true }), [{ hostPath: path, readOnly: true }]);
  await bind(h, 'strict', { local: { path }, mountOptions: ['ro', 'noexec'] });
  const [strict] = await prepare('strict');
  t.equal(await readFile(join(strict?.hostPath ?? '', 'kept'), 'utf8'), 'data');
  await t.rejects(writeFile(join(strict?.hostPath ?? '', 'x'), ''), { code: 'EROFS' });
  await h.volumes.tearDown('strict');
  await bind(h, 'host', { hostPath: { path }, mountOptions: ['ro'] });
  await t.rejects(prepare('host'), /may not specify mount options/);
  await t.rejects(prepare('there'), {
    message: 'NodeAffinity check failed for volume "pv-there" : no matching NodeSelectorTerms',
  });
  await t.rejects(prepare('gone'), { message: `path "${join(h.scratch, 'none')}" does not exist` });
  await t.rejects(prepare('file'), /only directory and block device are supported/);
  await t.rejects(prepare('up'), /must be absolute and not contain '\.\.'/);
  await h.volumes.tearDown('here');
  t.equal(await readFile(join(path, 'kept'), 'utf8'), 'data', 'the disk outlives the pod');
});

t.test('fsGroup and when it changes a disk', async (t) => {
  const h = await createHarness(t);
  const path = join(h.scratch, 'disk');
  const file = join(path, 'd/f');
  await mkdir(join(path, 'd'), { recursive: true });
  await writeFile(file, '', { mode: 0o600 });
  await bind(h, 'c', { local: { path } });
  const attributes = async (of: string): Promise<string> => {
    const { gid, mode } = await stat(of);
    return `${gid} ${(mode & 0o7777).toString(8)}`;
  };
  const use = async (uid: string, security: PodSecurityContext, more = {}): Promise<void> => {
    await h.prepare(podWith({ uid, volumes: [claimed('c', more)], spec: { securityContext: security } }));
  };
  await use('ro', { fsGroup: 1 }, { readOnly: true });
  t.equal(await attributes(file), '0 600', 'not through a read-only claim');
  await h.volumes.tearDown('ro');
  await use('a', { fsGroup: 2000 });
  t.equal(await attributes(path), '2000 2775');
  t.equal(await attributes(file), '2000 660');
  await chown(file, 0, 0);
  await h.restart();
  await use('a', { fsGroup: 2000 });
  t.equal(await attributes(file), '0 660', 'once for a pod, whatever became of the agent');
  await use('b', { fsGroup: 3000 });
  t.equal(await attributes(path), '2000 2775', 'another pod uses it');
  await h.volumes.tearDown('a');
  await h.volumes.tearDown('b');
  await use('c', { fsGroup: 2000, fsGroupChangePolicy: 'OnRootMismatch' });
  t.equal(await attributes(file), '0 660', 'the root is right: nothing is looked at');
  await h.volumes.tearDown('c');
  await chmod(path, 0o755);
  await use('d', { fsGroup: 2000, fsGroupChangePolicy: 'OnRootMismatch' });
  t.equal(await attributes(file), '2000 660');
});

t.test('local: a block device is formatted once, mounted for each pod, or handed over', async (t) => {
  const h = await createHarness(t);
  const disk = join(h.scratch, 'disk.img');
  await runChecked('truncate', ['-s', '16M', disk]);
  const device = (await runChecked('losetup', ['--find', '--show', disk])).stdout.trim();
  t.teardown(async () => void (await runChecked('losetup', ['--detach', device])));
  await bind(h, 'fs', { local: { path: device } });
  await bind(h, 'raw', { local: { path: device }, volumeMode: 'Block' });
  await bind(h, 'dir', { local: { path: h.scratch }, volumeMode: 'Block' });
  const pod = (uid: string, more = {}) => podWith({ uid, volumes: [claimed('fs', more)] });
  await t.rejects(h.prepare(pod('ro', { readOnly: true })), /cannot mount unformatted disk/);
  const writer = pod('w');
  await h.prepare(writer);
  const [mount] = await h.mountsOf(writer);
  t.equal(mount?.hostPath, h.path(writer, 'v'));
  await writeFile(join(mount?.hostPath ?? '', 'data'), 'kept');
  const reader = pod('r', { readOnly: true });
  await h.prepare(reader);
  t.equal(await readFile(join(h.path(reader, 'v'), 'data'), 'utf8'), 'kept');
  await t.rejects(writeFile(join(h.path(reader, 'v'), 'x'), ''), { code: 'EROFS' });
  await writeFile(join(h.path(writer, 'v'), 'x'), '', {});
  await h.volumes.tearDown('w');
  await h.volumes.tearDown('r');
  t.notOk((await readFile('/proc/self/mountinfo', 'utf8')).includes(h.podsDirectory));
  await h.prepare(pod('again'));
  t.ok((await readdir(h.path(pod('again'), 'v'))).includes('data'), 'it is not formatted again');
  await h.volumes.tearDown('again');

  const raw = podWith({
    uid: 'raw',
    volumes: [claimed('raw', { readOnly: true })],
    container: { volumeMounts: [], volumeDevices: [{ name: 'v', devicePath: '/dev/disk' }] },
  });
  await h.prepare(raw);
  t.same(await h.devicesOf(raw), [{ hostPath: device, containerPath: '/dev/disk', permissions: 'r' }]);
  const mixed = podWith({ uid: 'm1', volumes: [claimed('raw')] });
  await t.rejects(h.prepare(mixed), {
    message: 'volume v has volumeMode Block, but is specified in volumeMounts',
  });
  const devices = { volumeMounts: [], volumeDevices: [{ name: 'v', devicePath: 'dev' }] };
  await t.rejects(h.prepare(podWith({ uid: 'm2', volumes: [claimed('fs')], container: devices })), {
    message: 'volume v has volumeMode Filesystem, but is specified in volumeDevices',
  });
  await t.rejects(
    h.prepare(podWith({ uid: 'm3', volumes: [claimed('dir')], container: devices })),
    /no block device/,
  );
  await t.rejects(
    h.devicesOf(podWith({ uid: 'raw', volumes: [], container: devices })),
    /must be an absolute path/,
  );
  // A partition table and nothing else.
  const table = Buffer.alloc(2 * 1024 * 1024);
  table.writeUInt8(0x83, 446 + 4);
  table.writeUInt32LE(2048, 446 + 8);
  table.writeUInt32LE(20_480, 446 + 12);
  table.writeUInt16BE(0x55aa, 510);
  await writeFile(device, table, { flag: 'r+' });
  await t.rejects(h.prepare(pod('parted')), /something else on it: it is not used/);
});

t.test('NFS: what is mounted how; and what this node cannot', async (t) => {
  const calls: string[] = [];
  const exec: Exec = async (file, args, options) => {
    if (!args.includes('nfs')) return run(file, args, options);
    calls.push([file, ...args].join(' '));
    return { code: 32, stdout: '', stderr: 'mount.nfs: Connection refused' };
  };
  const h = await createHarness(t, { exec });
  h.helpers = join(h.scratch, 'sbin');
  await h.restart();
  const nfs = { server: '192.0.2.1', path: '/export' };
  await bind(h, 'share', { nfs, mountOptions: ['nfsvers=4.2', 'hard'] });
  const pod = podWith({ volumes: [claimed('share', { readOnly: true })] });
  await t.rejects(h.prepare(pod), /this node does not have: install the package nfs-common/);
  await mkdir(h.helpers);
  await writeFile(join(h.helpers, 'mount.nfs'), '', { mode: 0o755 });
  await t.rejects(h.prepare(pod), /mount\.nfs: Connection refused/);
  await t.rejects(
    h.prepare(podWith({ volumes: [{ name: 'v', nfs: { ...nfs, server: 'fd00::1' } }] })),
    /refused/,
  );
  const path = h.path(pod, 'v');
  t.same(calls, [
    `timeout --kill-after=5 30 mount -t nfs -o ro,nfsvers=4.2,hard -- 192.0.2.1:/export ${path}`,
    `timeout --kill-after=5 30 mount -t nfs -- [fd00::1]:/export ${path}`,
  ]);
  await bind(h, 'csi', { csi: { driver: 'd.example', volumeHandle: 'x' } });
  await bind(h, 'iscsi', { iscsi: { targetPortal: 'p', iqn: 'q', lun: 0 } });
  const refused: [Volume, string][] = [
    [
      claimed('csi'),
      'persistent volume "pv-csi": volume type csi (driver d.example) is not supported by this node',
    ],
    [claimed('iscsi'), 'persistent volume "pv-iscsi": volume type iscsi is not supported by this node'],
    [{ name: 'v', csi: { driver: 'd' } }, 'volume type csi (driver d) is not supported by this node'],
    [{ name: 'v', rbd: { monitors: [], image: 'i' } }, 'volume type rbd is not supported by this node'],
    [{ name: 'v', gitRepo: { repository: 'r' } }, 'volume type gitRepo is not supported by this node'],
  ];
  for (const [volume, message] of refused) {
    await t.rejects(h.prepare(podWith({ uid: 'u9', volumes: [volume] })), { message });
  }
});
