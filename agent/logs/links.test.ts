/** The links collectors of logs look for: made, moved on, removed, and nothing of anybody else's touched. */
import { access, lstat, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { silentLogger } from '../../src/host/log.js';
import { pod as makePod } from '../../src/testing/builders.js';
import { type ContainerState, labels } from '../runtime/runtime.js';
import { createLogLinks, removeLogLinks } from './links.js';

async function world(t: Test) {
  const root = await mkdtemp(join(tmpdir(), 'wherry-links-'));
  t.teardown(() => rm(root, { recursive: true }));
  const directory = join(root, 'log');
  const tree = async (): Promise<string[]> =>
    (await readdir(directory, { recursive: true, withFileTypes: true }))
      .filter((entry) => !entry.isDirectory())
      .map((entry) => join(entry.parentPath, entry.name).slice(directory.length + 1))
      .sort();
  /** A container with a log somewhere else, as Docker keeps it. */
  const container = async (name: string, attempt: number, id: string): Promise<ContainerState> => {
    const logPath = join(root, `${id}-json.log`);
    await writeFile(logPath, `log of ${id}`);
    return state(name, attempt, id, logPath);
  };
  const make = () => createLogLinks({ directory, log: silentLogger });
  return { root, directory, tree, container, make };
}

const state = (name: string, attempt: number, id: string, logPath: string | undefined): ContainerState => ({
  id,
  name,
  sandboxId: '',
  labels: { [labels.containerName]: name, [labels.attempt]: String(attempt) },
  image: '',
  imageId: '',
  state: 'running',
  createdAt: new Date(0),
  startedAt: undefined,
  finishedAt: undefined,
  exitCode: undefined,
  oomKilled: false,
  error: '',
  pid: 0,
  logPath,
});

const web = makePod('web', { meta: { namespace: 'shop', uid: 'u-1' } });

t.test('links come, follow the attempts and go', async (t) => {
  const { directory, tree, container, make } = await world(t);
  const links = make();
  const first = await container('app', 0, 'id0');
  await links.sync(web, [first, state('side', 0, 'none', undefined)]);
  t.same(await tree(), ['containers/web_shop_app-id0.log', 'pods/shop_web_u-1/app/0.log']);
  t.equal(await readFile(join(directory, 'containers/web_shop_app-id0.log'), 'utf8'), 'log of id0');
  const second = await container('app', 1, 'id1');
  await links.sync(web, [first, second]);
  t.equal((await tree()).length, 4);
  await make().sync(web, [second]);
  t.equal((await tree()).length, 4, 'another life of the agent makes nothing twice');
  await links.sync(web, [second]);
  t.same(await tree(), ['containers/web_shop_app-id1.log', 'pods/shop_web_u-1/app/1.log']);
  await make().remove('u-1');
  t.same(await tree(), []);
  await t.rejects(access(join(directory, 'pods/shop_web_u-1')));
  await links.remove('u-1');
});

t.test('a runtime that writes there itself', async (t) => {
  const { directory, tree, make } = await world(t);
  const own = join(directory, 'pods/shop_web_u-1/app/0.log');
  await mkdir(join(own, '..'), { recursive: true });
  await writeFile(own, 'cri');
  const links = make();
  await links.sync(web, [state('app', 0, 'id0', own)]);
  t.ok((await lstat(own)).isFile());
  t.equal(await readFile(join(directory, 'containers/web_shop_app-id0.log'), 'utf8'), 'cri');
  await links.remove('u-1');
  t.same(await tree(), []);
});

t.test("what leads nowhere is swept, what is somebody else's stays", async (t) => {
  const { root, directory, tree, container, make } = await world(t);
  const links = make();
  const gone = await container('app', 0, 'id0');
  await links.sync(web, [gone]);
  await rm(gone.logPath ?? '');
  await mkdir(join(directory, 'pods/x_y_u-2/c'), { recursive: true });
  await mkdir(join(directory, 'pods/x_y_u-3/c'), { recursive: true });
  await writeFile(join(directory, 'pods/x_y_u-2/c/0.log'), '');
  await symlink(root, join(directory, 'containers/other.log'));
  await links.sweep();
  t.same(await tree(), ['containers/other.log', 'pods/x_y_u-2/c/0.log']);
  await access(join(directory, 'pods/x_y_u-3/c'));
});

t.test('an agent that is taken off the host leaves nothing of its own', async (t) => {
  const { root, directory, container, make } = await world(t);
  await make().sync(web, [await container('app', 0, 'id0')]);
  const podsDirectory = join(root, 'agent-pods');
  await mkdir(join(podsDirectory, 'u-1'), { recursive: true });
  await mkdir(join(directory, 'pods/x_y_u-2/c'), { recursive: true });
  await removeLogLinks({ directory, podsDirectory, log: silentLogger });
  t.same(await readdir(directory), ['pods'], "with somebody else's in it");
  await rm(join(directory, 'pods/x_y_u-2'), { recursive: true });
  await removeLogLinks({ directory, podsDirectory, log: silentLogger });
  t.same(await readdir(directory), []);
});

t.test('names that would be too long are cut', async (t) => {
  const { directory, container, make } = await world(t);
  const long = makePod('p'.repeat(230), { meta: { namespace: 'n', uid: 'u-9' } });
  await make().sync(long, [await container('app', 0, 'i'.repeat(64))]);
  t.same(
    (await readdir(join(directory, 'containers'))).map((name) => name.length),
    [255],
  );
});

t.test('a directory that cannot be written harms nothing', async (t) => {
  const { root, container } = await world(t);
  await writeFile(join(root, 'file'), '');
  const links = createLogLinks({ directory: join(root, 'file'), log: silentLogger });
  await links.sync(web, [await container('app', 0, 'id0')]);
  await links.remove('u-1');
  await links.sweep();
});
