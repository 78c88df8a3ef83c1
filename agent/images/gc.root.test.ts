/** The garbage collection on this machine's Docker, which may look at a few images of this test only. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { systemClock } from '../../src/host/clock.js';
import { runChecked } from '../../src/host/exec.js';
import { silentLogger } from '../../src/host/log.js';
import { DockerRuntime } from '../runtime/docker.js';
import { removeLeftovers } from '../runtime/docker-testing.js';
import { labels } from '../runtime/runtime.js';
import { createImageGc } from './gc.js';

t.test('unused images go with all their names, used ones stay', async (t) => {
  const node = `gc-test-${process.pid}`;
  const runtime = new DockerRuntime({
    socketPath: '/var/run/docker.sock',
    node,
    log: silentLogger,
    oomScoreFloor: 0,
  });
  const root = await mkdtemp(join(tmpdir(), 'wherry-gc-'));
  const name = (tag: string): string => `wherry-gc-test-${process.pid}:${tag}`;
  const docker = async (...args: string[]): Promise<string> =>
    (await runChecked('docker', args)).stdout.trim();
  const make = async (tag: string): Promise<string> => {
    await writeFile(join(root, 'file'), tag.repeat(1000));
    await runChecked('tar', ['-C', root, '-cf', join(root, 'image.tar'), 'file']);
    return docker('import', join(root, 'image.tar'), name(tag));
  };
  const own = { unused: await make('unused'), ours: await make('ours'), theirs: await make('theirs') };
  await docker('tag', own.unused, name('second'));
  t.teardown(async () => {
    await removeLeftovers(node);
    for (const tag of ['ours', 'theirs']) await docker('rmi', '-f', name(tag));
    await rm(root, { recursive: true });
    runtime.close();
  });
  const label = (key: string, value: string): string[] => ['--label', `${key}=${value}`];
  const owned = [...label(labels.node, node), ...label(labels.type, 'container')];
  await docker('create', ...owned, own.ours, '/none');
  const foreign = await docker('create', own.theirs, '/none');
  t.teardown(() => docker('rm', foreign));

  const ids = new Set<string>(Object.values(own));
  const gc = createImageGc({
    runtime: {
      listContainers: () => runtime.listContainers(),
      listImages: async () => (await runtime.listImages()).filter(({ id }) => ids.has(id)),
      removeImage: (id) => runtime.removeImage(id),
      ensureSandboxImage: () => runtime.ensureSandboxImage(),
    },
    policy: { highPercent: 85, lowPercent: 80, minAgeMs: 0, maxAgeMs: 0 },
    disk: async () => ({ availableBytes: 1, capacityBytes: 1 }),
    references: () => [],
    node: () => undefined,
    recorder: { event: () => undefined },
    clock: systemClock,
    log: silentLogger,
  });
  await gc.deleteUnused(new AbortController().signal);
  const left = (await runtime.listImages()).filter(({ id }) => ids.has(id)).map(({ id }) => id);
  t.same(new Set(left), new Set([own.ours, own.theirs]), "somebody else's container keeps its image too");
});
