/** A pod that tries to get out of its volumes: by names, links, `..`, keys, and by being faster than we are. */
import { lstat, mkdir, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { configMaps, secrets } from '../../src/api/kinds.js';
import type { Volume } from '../../src/api/types.js';
import { runChecked } from '../../src/host/exec.js';
import { openSubPath } from './subpath.js';
import { createHarness, podWith } from './testing/harness.js';

t.test('names that are no names', async (t) => {
  const h = await createHarness(t);
  for (const name of ['../up', '..', '.', '', 'a/b', '/etc', '.hidden', 'a..b', 'a\0b', 'x'.repeat(300)]) {
    const pod = podWith({ volumes: [{ name, emptyDir: {} }] });
    await t.rejects(h.prepare(pod), /not a safe name/, JSON.stringify(name));
    const container = podWith({
      uid: 'u2',
      volumes: [{ name: 'v', emptyDir: {} }],
      container: { name, volumeMounts: [{ name: 'v', mountPath: '/v', subPath: 'x' }] },
    });
    await h.prepare(container);
    await t.rejects(h.mountsOf(container), /not a safe name/);
    const { metadata, ...rest } = podWith({ volumes: [{ name: 'v', emptyDir: {} }] });
    await t.rejects(h.prepare({ ...rest, metadata: { ...metadata, uid: name } }), /not a safe name/);
    await t.rejects(h.volumes.tearDown(name), /not a safe name/);
  }
  t.same((await readdir(h.podsDirectory)).sort(), ['u1', 'u2']);
  t.same(await readdir(h.scratch), ['pods']);
});

t.test('sub-paths that lead out', async (t) => {
  const h = await createHarness(t);
  await mkdir(join(h.scratch, 'host'));
  await writeFile(join(h.scratch, 'host/secret'), 'of the host');
  const volumes: Volume[] = [{ name: 'd', emptyDir: {} }];
  const withSubPath = (mount: object) =>
    podWith({ volumes, mounts: [{ name: 'd', mountPath: '/data', ...mount }] });
  await h.prepare(withSubPath({}));
  const root = h.path(withSubPath({}), 'd');
  await mkdir(join(root, 'real/deep'), { recursive: true });
  await symlink(join(h.scratch, 'host'), join(root, 'absolute'));
  await symlink('../../../../host', join(root, 'relative'));
  await symlink('/proc/self/root', join(root, 'magic'));
  await symlink('absolute', join(root, 'chain'));
  await symlink('/nowhere', join(root, 'dangling'));
  await symlink('loop', join(root, 'loop'));
  await symlink('../..', join(root, 'real/deep/up'));
  await symlink('../../..', join(root, 'real/deep/out'));
  const bad = {
    outside: ['absolute', 'relative', 'chain', 'magic', 'magic/etc', 'real/deep/out', 'real/deep/out/x'],
    through: ['absolute/secret', 'absolute/new', 'chain/new/dir', 'relative/secret', 'real/deep/up/../..'],
    broken: ['dangling', 'dangling/new', 'loop', 'loop/x'],
    spelled: ['..', '../x', 'real/../../x', '/etc', '//etc', 'real/deep/../../..'],
  };
  for (const subPath of Object.values(bad).flat()) {
    await t.rejects(h.mountsOf(withSubPath({ subPath })), { name: 'ConfigError' }, subPath);
  }
  await t.rejects(h.mountsOf(withSubPath({ subPathExpr: '$(P)' }), { P: '../..' }), { name: 'ConfigError' });
  await t.rejects(h.mountsOf(withSubPath({ subPathExpr: '$(P)/x' }), { P: '/etc' }), { name: 'ConfigError' });
  const told = await h.mountsOf(withSubPath({ subPath: 'absolute' })).catch((error: Error) => error.message);
  t.equal(told, 'failed to prepare subPath for volumeMount "d" of container "c"', 'nothing about the host');
  t.same(await readdir(join(h.scratch, 'host')), ['secret'], 'nothing was made outside');
  t.notOk((await readFile('/proc/self/mountinfo', 'utf8')).includes(h.scratch), 'nothing was bound');
  // What stays inside is no attack.
  await (await openSubPath(root, 'real/deep/up/real/deep')).close();
  await (await openSubPath(root, 'real/deep/up/new')).close();
  t.ok((await lstat(join(root, 'new'))).isDirectory());
});

t.test('a fifo, a device or a socket as sub-path holds nobody up', async (t) => {
  const h = await createHarness(t);
  const volumes: Volume[] = [{ name: 'd', emptyDir: {} }];
  const pod = podWith({ volumes, mounts: [{ name: 'd', mountPath: '/data', subPath: 'fifo' }] });
  await h.prepare(pod);
  await runChecked('mkfifo', [join(h.path(pod, 'd'), 'fifo')]);
  const [mount] = await h.mountsOf(pod);
  t.ok((await lstat(mount?.hostPath ?? '')).isFIFO());
  await t.rejects(openSubPath(h.path(pod, 'd'), 'fifo/x'), { code: 'ENOTDIR' });
});

t.test('a directory that is swapped for a link again and again', { timeout: 60_000 }, async (t) => {
  const h = await createHarness(t);
  const root = join(h.scratch, 'volume');
  const outside = join(h.scratch, 'host');
  await mkdir(join(root, 'a/b'), { recursive: true });
  await mkdir(join(outside, 'b'), { recursive: true });
  const inodes = new Set<number>();
  for (const path of ['', 'b']) inodes.add((await lstat(join(outside, path))).ino);
  const end = new AbortController();
  /** Either of us may be in the other's way: what fails is tried again. */
  const swap = async (): Promise<void> => {
    const quietly = (work: Promise<unknown>) => work.catch(() => undefined);
    while (!end.signal.aborted) {
      await quietly(rm(join(root, 'a'), { recursive: true, force: true }));
      await quietly(symlink(outside, join(root, 'a')));
      await quietly(rm(join(root, 'a'), { force: true }));
      await quietly(mkdir(join(root, 'a/b'), { recursive: true }));
    }
  };
  const swapping = swap();
  const counts = { opened: 0, refused: 0 };
  for (let i = 0; i < 1500; i += 1) {
    const subPath = ['a/b', 'a', 'a/new', 'a/b/c'][i % 4] ?? '';
    try {
      const handle = await openSubPath(root, subPath);
      const { ino } = await handle.stat();
      await handle.close();
      if (inodes.has(ino)) t.fail(`${subPath} led out`);
      counts.opened += 1;
    } catch {
      counts.refused += 1;
    }
  }
  end.abort();
  await swapping;
  t.ok(counts.refused > 0 && counts.opened > 0, JSON.stringify(counts));
  t.same(await readdir(outside), ['b'], 'nothing was made outside');
  t.same(await readdir(join(outside, 'b')), []);
});

t.test('paths of items and odd keys', async (t) => {
  const h = await createHarness(t);
  const bad = ['../x', '..', '/etc/x', 'a/../../x', '..data', '..data/x', './..data', '.', '', 'a/', 'a\0b'];
  bad.push('x'.repeat(256));
  await h.client.create(configMaps, { metadata: { name: 'good', namespace: 'default' }, data: { k: '1' } });
  h.client.post = async () => ({ status: { token: 'token' } }) as never;
  for (const [index, path] of bad.entries()) {
    const data = { [path]: '1' };
    await h.client.create(configMaps, { metadata: { name: `c${index}`, namespace: 'default' }, data });
    await h.client.create(secrets, { metadata: { name: `c${index}`, namespace: 'default' }, data });
    const items = [{ key: 'k', path }];
    const fieldRef = { fieldPath: 'metadata.name' };
    const sources: Omit<Volume, 'name'>[] = [
      { configMap: { name: 'good', items } },
      { configMap: { name: `c${index}` } },
      { secret: { secretName: `c${index}` } },
      { downwardAPI: { items: [{ path, fieldRef }] } },
      { projected: { sources: [{ configMap: { name: 'good', items } }] } },
      { projected: { sources: [{ downwardAPI: { items: [{ path, fieldRef }] } }] } },
      { projected: { sources: [{ serviceAccountToken: { path } }] } },
    ];
    for (const [kind, source] of sources.entries()) {
      const pod = podWith({ uid: `u-${index}-${kind}`, volumes: [{ name: 'v', ...source }] });
      await t.rejects(h.prepare(pod), /invalid path/, `${JSON.stringify(path)} ${Object.keys(source)}`);
    }
  }
  const clash = { a: 'file', b: '1' };
  await h.client.create(configMaps, { metadata: { name: 'clash', namespace: 'default' }, data: clash });
  const items = [
    { key: 'a', path: 'x' },
    { key: 'b', path: 'x/y' },
  ];
  const pod = podWith({ volumes: [{ name: 'v', configMap: { name: 'clash', items } }] });
  await t.rejects(h.prepare(pod), { name: 'VolumeError' }, 'a file and a directory of one name');
  t.same(await readdir(h.scratch), ['pods']);
});

t.test('hostPath and its types', async (t) => {
  const h = await createHarness(t);
  for (const path of ['relative', '../up', '/a/../b', '/..', '']) {
    const pod = podWith({ volumes: [{ name: 'v', hostPath: { path } }] });
    await t.rejects(h.prepare(pod), /must be absolute and not contain '\.\.'/, path);
  }
  const odd = podWith({ volumes: [{ name: 'v', hostPath: { path: h.scratch, type: 'Anything' } }] });
  await t.rejects(h.prepare(odd), /Anything is an invalid volume type/);
  // A link is what it leads to: a type is no way around what the link hides.
  await symlink('/etc/passwd', join(h.scratch, 'link'));
  const link = { path: join(h.scratch, 'link'), type: 'Directory' };
  await t.rejects(h.prepare(podWith({ volumes: [{ name: 'v', hostPath: link }] })), /is not a directory/);
});
