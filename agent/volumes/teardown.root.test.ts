/** The end of a pod's volumes: all mounts go, nobody else's files do. In a mount namespace of its own. */
import { spawnSync } from 'node:child_process';
import { closeSync, existsSync, openSync, readFileSync } from 'node:fs';
import { mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { run, runChecked } from '../../src/host/exec.js';
import { until } from '../testing/namespace.js';
import { createMounter } from './mounts.js';
import { createNfs } from './nfs.js';
import { removeOwnFiles } from './removal.js';
import { createHarness, insideMountNamespace, podWith } from './testing/harness.js';

/** A file system whose server never answers: whoever looks at it waits for ever. */
function mountHanging(t: Test, path: string): void {
  const server = openSync('/dev/fuse', 'r+');
  t.teardown(() => closeSync(server));
  const options = 'fd=3,rootmode=40000,user_id=0,group_id=0';
  const args = ['mount', '-i', '-t', 'fuse', '-o', options, 'hanging', path];
  const result = spawnSync('env', args, { stdio: ['ignore', 'inherit', 'inherit', server] });
  if (result.status !== 0) throw new Error('cannot mount a file system that hangs');
}

const mountsBelow = async (path: string): Promise<string[]> =>
  (await readFile('/proc/self/mountinfo', 'utf8')).split('\n').filter((line) => line.includes(path));

if (await insideMountNamespace(t, import.meta.url)) {
  t.test('a share whose server is gone goes with the pod', { timeout: 120_000 }, async (t) => {
    const h = await createHarness(t);
    const share = join(h.podsDirectory, 'u1/volumes/share');
    await mkdir(share, { recursive: true });
    mountHanging(t, share);
    await t.rejects(createMounter(run, 300).requireAnswer(share), /does not answer/);
    t.ok(await h.mounter.isMounted(share));
    await h.volumes.tearDown('u1');
    t.same(await mountsBelow(h.scratch), []);
    t.same(await readdir(join(h.podsDirectory, 'u1')), []);
  });

  t.test('NFS: through the helper of mount; one that hangs is ended with its children', async (t) => {
    const h = await createHarness(t);
    const [shared, upper, work] = ['shared', 'upper', 'work'].map((name) => join(h.scratch, name));
    for (const path of [shared, upper, work]) await mkdir(path ?? '');
    // Other programs of this namespace see this /usr/sbin; nobody else does.
    const options = `lowerdir=/usr/sbin,upperdir=${upper},workdir=${work}`;
    await runChecked('mount', ['-t', 'overlay', '-o', options, 'overlay', '/usr/sbin']);
    t.teardown(async () => void (await runChecked('umount', ['--lazy', '/usr/sbin'])));
    const helper = (script: string) =>
      writeFile('/usr/sbin/mount.nfs', `#!/bin/sh\n${script}\n`, { mode: 0o755 });
    await helper(`echo "$@" > ${h.scratch}/asked; exec mount --bind ${shared} "$2"`);
    const nfs = createNfs({ mounter: h.mounter, timeoutMs: 60_000 });
    const impatient = createNfs({ mounter: h.mounter, timeoutMs: 4000 });
    const path = join(h.podsDirectory, 'u1/volumes/share');
    const signal = new AbortController().signal;
    const request = { pod: podWith({ volumes: [] }), name: 'share', path, readOnly: true, signal };
    const share = { server: 'nas', path: '/export', mountOptions: ['soft'] };
    t.match(await nfs(share, request), { hostPath: path, readOnly: true, isRemote: true });
    t.match(await readFile(join(h.scratch, 'asked'), 'utf8'), `nas:/export ${path} -o ro,soft`);
    await writeFile(join(shared ?? '', 'precious'), 'data');
    t.equal(await readFile(join(path, 'precious'), 'utf8'), 'data');
    await nfs(share, request);
    t.equal((await mountsBelow(path)).length, 1, 'mounted once');
    await h.volumes.tearDown('u1');
    t.equal(await readFile(join(shared ?? '', 'precious'), 'utf8'), 'data');
    await helper(`echo $$ > ${h.scratch}/pid; sleep 600; mount --bind ${shared} "$2"`);
    await t.rejects(impatient(share, request), { message: 'nas:/export did not answer within 4 s' });
    const pid = (await readFile(join(h.scratch, 'pid'), 'utf8')).trim();
    // Nobody may have taken notice of its end yet.
    const hasEnded = (): boolean =>
      !existsSync(`/proc/${pid}`) || readFileSync(`/proc/${pid}/stat`, 'utf8').includes(') Z ');
    await t.resolves(until(hasEnded), 'no helper is left to mount it later');
    await h.volumes.tearDown('u1');
  });

  t.test('what a container mounted into its volume is unmounted, and stays', async (t) => {
    const h = await createHarness(t);
    const host = join(h.scratch, 'host');
    await mkdir(join(host, 'deep'), { recursive: true });
    await writeFile(join(host, 'deep/precious'), 'data');
    const pod = podWith({ volumes: [{ name: 'd', emptyDir: {} }] });
    await h.prepare(pod);
    const inside = join(h.path(pod, 'd'), 'a b/mounted');
    await mkdir(inside, { recursive: true });
    await runChecked('mount', ['--bind', host, inside]);
    await runChecked('mount', ['--bind', join(host, 'deep'), join(inside, 'deep')]);
    await runChecked('mount', ['-t', 'tmpfs', 'tmpfs', join(inside, 'deep')]);
    await symlink(host, join(h.path(pod, 'd'), 'link'));
    // A new process knows nothing of the pod but its directory.
    await h.restart();
    await h.volumes.tearDown('u1');
    t.same(await mountsBelow(h.scratch), []);
    t.same(await readdir(join(h.podsDirectory, 'u1')), []);
    t.equal(await readFile(join(host, 'deep/precious'), 'utf8'), 'data');
  });

  t.test('what cannot be unmounted is not removed', async (t) => {
    const host = async (file: string, args: readonly string[]) =>
      file === 'umount' ? { code: 32, stdout: '', stderr: 'target is busy' } : run(file, args);
    const h = await createHarness(t, { exec: host });
    const outside = join(h.scratch, 'host');
    const inside = join(h.podsDirectory, 'u1/volumes/d/x');
    for (const path of [outside, inside]) await mkdir(path, { recursive: true });
    await writeFile(join(outside, 'precious'), 'data');
    await runChecked('mount', ['--bind', outside, inside]);
    await t.rejects(h.volumes.tearDown('u1'), /target is busy/);
    t.equal(await readFile(join(outside, 'precious'), 'utf8'), 'data');
    await runChecked('umount', [inside]);
    await runChecked('mount', ['-t', 'tmpfs', 'tmpfs', inside]);
    await writeFile(join(inside, 'precious'), 'data');
    await t.rejects(removeOwnFiles(join(h.podsDirectory, 'u1')), /is on another file system/);
    t.equal(await readFile(join(inside, 'precious'), 'utf8'), 'data');
  });
}
