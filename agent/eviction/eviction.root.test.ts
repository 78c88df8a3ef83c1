/**
 * The disk of a node that really runs full, and limits of storage that are really exceeded: pods on this machine's
 * Docker, their volumes on a small file system of their own. Images stay: the test answers for removals itself.
 */
import { access, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { pods as podType } from '../../src/api/kinds.js';
import type { Pod, PodSpec, PodStatus } from '../../src/api/types.js';
import { createInformer } from '../../src/client/informer.js';
import { type Clock, systemClock } from '../../src/host/clock.js';
import { runChecked } from '../../src/host/exec.js';
import { silentLogger } from '../../src/host/log.js';
import { pod as build } from '../../src/testing/builders.js';
import { createLogLinks } from '../logs/links.js';
import { createHarness } from '../pods/testing/harness.js';
import { DockerRuntime } from '../runtime/docker.js';
import { removeLeftovers, testImage } from '../runtime/docker-testing.js';
import { UsageReader } from '../server/stats-usage.js';
import { createMounter, parseMountInfo } from '../volumes/mounts.js';
import { reclaimFlags } from './flags.js';
import { createReclaim } from './parts.js';

/** Minutes of waiting take seconds. */
const fast: Clock = { ...systemClock, after: (ms, run) => systemClock.after(ms / 10, run) };

class TestRuntime extends DockerRuntime {
  readonly removedImages: string[] = [];
  directory = '';

  override async removeImage(id: string): Promise<void> {
    this.removedImages.push(id);
  }

  override async imageDirectory(): Promise<string> {
    return this.directory;
  }
}

async function world(t: Test, flags: Record<string, string> = {}) {
  const node = `eviction-test-${process.pid}`;
  const root = await mkdtemp(join(tmpdir(), 'wherry-eviction-'));
  const disk = join(root, 'disk');
  await mkdir(disk);
  await runChecked('mount', ['-t', 'tmpfs', '-o', 'size=64m', 'tmpfs', disk]);
  const runtime = new TestRuntime({
    socketPath: '/var/run/docker.sock',
    node,
    log: silentLogger,
    oomScoreFloor: 0,
  });
  runtime.directory = disk;
  const image = await testImage();
  const h = await createHarness(t, { runtime });
  const abort = new AbortController();
  const source = createInformer({ client: h.client, type: podType, clock: systemClock, log: silentLogger });
  const podsDirectory = join(disk, 'pods');
  const mounter = createMounter(runChecked);
  let changes = 0;
  const { eviction, admit } = createReclaim({
    ...reclaimFlags({ evictionPressureTransitionPeriod: '1s', ...flags }),
    runtime,
    features: { appArmor: false, strictSupplementalGroups: false },
    pods: () => source.list(),
    end: (uid, end) => h.pods().end(uid, end),
    hasLeft: (uid) => h.pods().hasLeft(uid),
    node: () => ({ metadata: { name: node } }),
    onChange: () => {
      changes += 1;
    },
    stats: { sample: () => Promise.reject(new Error('memory is not short')) },
    reader: await UsageReader.create(),
    podsCgroup: 'none',
    isAllocatableEnforced: true,
    allowedSysctls: [],
    dataDirectory: disk,
    podsDirectory,
    recorder: { event: (_object, _type, reason, message) => void h.events.push(`${reason}: ${message}`) },
    clock: fast,
    log: silentLogger,
  });
  h.options = {
    nodeName: node,
    exec: runChecked,
    podsDirectory,
    admit,
    logLinks: createLogLinks({ directory: join(root, 'log'), log: silentLogger }),
    cgroups: {
      parentOf: () => '',
      ensurePod: async () => undefined,
      removePod: async () => undefined,
      listPods: async () => [],
      resourcesOf: () => ({}),
    },
  };
  await source.start(abort.signal);
  await h.start();
  await eviction.start(abort.signal);
  t.teardown(async () => {
    abort.abort(new Error('over'));
    await eviction.stop();
    await h.stop();
    await removeLeftovers(node);
    runtime.close();
    await mounter.removeTree(disk);
    await rm(root, { recursive: true, force: true });
  });

  const status = async (name: string): Promise<PodStatus> => (await h.pod(name))?.status ?? {};
  const start = async (name: string, script: string, spec: Partial<PodSpec> = {}): Promise<Pod> => {
    const [container] = spec.containers ?? [];
    const app = {
      ...{ name: 'app', image, command: ['sh', '-c', `${script}; exec sleep 600`] },
      ...{ volumeMounts: [{ name: 'data', mountPath: '/data' }] },
      ...container,
    };
    return h.create(
      build(name, {
        node,
        spec: {
          volumes: [{ name: 'data', emptyDir: {} }],
          terminationGracePeriodSeconds: 1,
          ...spec,
          containers: [app],
        },
      }),
    );
  };
  const runs = (name: string): Promise<void> =>
    h.until(`${name} runs`, async () => (await status(name)).phase === 'Running');
  const isEvicted = async (name: string): Promise<boolean> => {
    const { phase, reason } = await status(name);
    return phase === 'Failed' && reason === 'Evicted';
  };
  return {
    h,
    root,
    disk,
    podsDirectory,
    eviction,
    runtime,
    status,
    start,
    runs,
    isEvicted,
    changes: () => changes,
  };
}

t.test('a full disk: pressure, the greediest pod goes, the node recovers', async (t) => {
  const { h, root, podsDirectory, eviction, status, start, runs, isEvicted, changes, runtime } =
    await world(t);
  await start('calm', 'dd if=/dev/zero of=/data/a bs=1M count=2');
  const greedy = await start(
    'greedy',
    'while [ ! -e /data/go ]; do sleep 1; done; dd if=/dev/zero of=/data/a bs=1M count=60',
  );
  await runs('calm');
  await runs('greedy');
  t.same([...eviction.pressures()], []);
  await h.until(
    'links',
    async () => (await readdir(join(root, 'log/containers')).catch(() => [])).length === 2,
  );

  const volume = join(podsDirectory, greedy.metadata.uid ?? '', 'volumes', 'data');
  await writeFile(join(volume, 'go'), '');
  await h.until('pressure', () => eviction.pressures().has('DiskPressure'));
  await start('late', 'true');
  await h.until('greedy is evicted', () => isEvicted('greedy'));
  const { message, conditions } = await status('greedy');
  t.match(
    message,
    /^The node was low on resource: ephemeral-storage\. Threshold quantity: \d+\S*, available: \d+\S*\. Container app was using \d+Ki, request is 0, has larger consumption of ephemeral-storage\. $/,
  );
  t.match(
    conditions?.find(({ type }) => type === 'DisruptionTarget'),
    { status: 'True', reason: 'TerminationByKubelet', message },
  );
  t.ok(h.events.includes('EvictionThresholdMet: Attempting to reclaim ephemeral-storage'));
  t.ok(h.events.includes(`Evicted: ${message}`));
  await h.until('its files are gone', () =>
    access(volume).then(
      () => false,
      () => true,
    ),
  );
  await h.until('no pressure', () => eviction.pressures().size === 0);
  t.equal((await status('calm')).phase, 'Running', 'the others run on');
  t.match(await status('late'), {
    phase: 'Failed',
    reason: 'Evicted',
    message: 'Pod was rejected: The node had condition: [DiskPressure]. ',
  });
  t.equal(changes(), 2);
  t.ok(runtime.removedImages.length > 0, 'images were tried first');
  await start('after', 'true');
  await runs('after');
  for (const name of ['calm', 'greedy', 'late', 'after']) await h.remove(name, 0);
  await h.until('all gone', async () => (await readdir(podsDirectory)).length === 0);
  for (const directory of ['log/containers', 'log/pods'])
    await h.until(`${directory} is empty`, async () => (await readdir(join(root, directory))).length === 0);
});

t.test('whoever writes more than its limit goes', async (t) => {
  const { h, status, start, runs, isEvicted, eviction } = await world(t);
  const limits = { resources: { limits: { 'ephemeral-storage': '1Mi' } } };
  const write = 'dd if=/dev/zero of=/data/a bs=1M count=4';
  await start('within', write, { volumes: [{ name: 'data', emptyDir: { sizeLimit: '8Mi' } }] });
  await start('volume', write, { volumes: [{ name: 'data', emptyDir: { sizeLimit: '1Mi' } }] });
  await start('layer', 'dd if=/dev/zero of=/fill bs=1M count=4', {
    containers: [{ name: 'app', ...limits }],
  });
  await start('logs', 'dd if=/dev/zero bs=1M count=4 | cat', { containers: [{ name: 'app', ...limits }] });
  await runs('within');
  for (const name of ['volume', 'layer', 'logs']) await h.until(`${name} is evicted`, () => isEvicted(name));
  t.equal((await status('volume')).message, 'Usage of EmptyDir volume "data" exceeds the limit "1Mi". ');
  const ofPod = 'Pod ephemeral local storage usage exceeds the total limit of containers 1Mi. ';
  t.equal((await status('layer')).message, ofPod);
  t.equal((await status('logs')).message, ofPod);
  t.equal((await status('within')).phase, 'Running');
  t.same([...eviction.pressures()], []);
});

t.test('what a pod keeps in memory goes when it is over', async (t) => {
  const { h, podsDirectory, status, start, runs } = await world(t);
  const wait = 'while [ ! -e /data/go ]; do sleep 1; done; exit 0';
  const { metadata } = await start('keeper', wait, {
    restartPolicy: 'Never',
    volumes: [{ name: 'data', emptyDir: { medium: 'Memory' } }],
    containers: [
      {
        name: 'app',
        volumeMounts: [
          { name: 'data', mountPath: '/data' },
          { name: 'data', mountPath: '/part', subPath: 'part' },
        ],
      },
    ],
  });
  const directory = join(podsDirectory, metadata.uid ?? '');
  const mounts = async (): Promise<string[]> =>
    parseMountInfo(await readFile('/proc/self/mountinfo', 'utf8'))
      .filter((path) => path.startsWith(directory))
      .map((path) => path.slice(directory.length));
  await runs('keeper');
  t.same(await mounts(), ['/volumes/data', '/subpaths/app/1']);
  await writeFile(join(directory, 'volumes/data/go'), '');
  await h.until('its memory is free', async () => (await mounts()).length === 0);
  t.equal((await status('keeper')).phase, 'Succeeded');
});
