/** What is seen of the host and of pods, and what is freed when they are over. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import type { Pod } from '../../src/api/types.js';
import { silentLogger } from '../../src/host/log.js';
import { pod as makePod } from '../../src/testing/builders.js';
import { type ContainerState, labels } from '../runtime/runtime.js';
import type { NodeSample } from '../server/stats.js';
import { type Usage, usageOfMachine } from '../server/stats-usage.js';
import { createClearing } from './clearing.js';
import { createMeasure } from './measure.js';
import { createObserve } from './observe.js';

const mi = 1024 ** 2;
const { signal } = new AbortController();

const usage = (fields: Partial<Usage>): Usage => ({
  ...usageOfMachine({ stat: '', meminfo: '', vmstat: '' }),
  memoryLimitBytes: undefined,
  ...fields,
});

async function temporary(t: Test): Promise<string> {
  const root = await mkdtemp(join(tmpdir(), 'wherry-measure-'));
  t.teardown(() => rm(root, { recursive: true, force: true }));
  return root;
}

t.test('memory is capacity without the working set of the root cgroup', async (t) => {
  const directory = await temporary(t);
  const machine = usage({ memoryLimitBytes: 1000 * mi, workingSetBytes: 300 * mi });
  const see = async (cgroups: Record<string, Usage>) => {
    const observe = createObserve({
      dataDirectory: directory,
      imageDirectory: async () => directory,
      cgroup: async (name) => cgroups[name],
      podsCgroup: 'kubepods',
      machine: async () => machine,
      processes: async () => ({ limit: 1000, used: 400 }),
    });
    const { observations, hasImageFs } = await observe();
    t.equal(hasImageFs, false);
    t.same(observations.get('pid.available'), { available: 600, capacity: 1000 });
    t.same(observations.get('nodefs.available')?.capacity, observations.get('imagefs.available')?.capacity);
    return observations;
  };
  const capacity = 1000 * mi;
  const v1 = await see({
    '': usage({ memoryBytes: 500 * mi, workingSetBytes: 200 * mi, memoryLimitBytes: undefined }),
    kubepods: usage({ memoryBytes: 1, workingSetBytes: 650 * mi, memoryLimitBytes: 700 * mi }),
  });
  t.same(v1.get('memory.available'), { available: 800 * mi, capacity });
  t.same(v1.get('allocatableMemory.available'), { available: 50 * mi, capacity: 700 * mi });
  const v2 = await see({ '': usage({ memoryBytes: 0, workingSetBytes: 0 }) });
  t.same(v2.get('memory.available'), { available: 700 * mi, capacity }, 'the root of v2 has no numbers');
  t.equal(v2.get('allocatableMemory.available'), undefined);
  const unlimited = await see({ kubepods: usage({ workingSetBytes: 1, memoryLimitBytes: undefined }) });
  t.equal(unlimited.get('allocatableMemory.available'), undefined);
});

const container = (name: string, attempt: number, fields: Partial<ContainerState>): ContainerState => ({
  id: `${name}${attempt}`,
  sandboxId: 's',
  name,
  labels: { [labels.containerName]: name, [labels.attempt]: String(attempt), [labels.podUid]: 'u' },
  image: '',
  imageId: '',
  state: 'running',
  createdAt: new Date(0),
  startedAt: new Date(0),
  finishedAt: undefined,
  exitCode: undefined,
  oomKilled: false,
  error: '',
  pid: 0,
  logPath: undefined,
  ...fields,
});

const noSample: NodeSample = {
  ...{ at: new Date(0), windowMs: 0, usage: usage({}), cpuRate: 0, pods: [], interfaces: [] },
  fs: { capacityBytes: 0, availableBytes: 0, usedBytes: 0, inodes: 0, inodesFree: 0 },
};

t.test("a pod's disk: layers and logs of the newest attempts, volumes of its own", async (t) => {
  const root = await temporary(t);
  const log = join(root, 'app-json.log');
  for (const name of [log, `${log}.1`, join(root, 'other.log')]) await writeFile(name, Buffer.alloc(mi));
  const volumes = join(root, 'pods', 'u', 'volumes');
  for (const name of ['data', 'host', 'secret']) {
    await mkdir(join(volumes, name), { recursive: true });
    await writeFile(join(volumes, name, 'file'), Buffer.alloc(2 * mi));
  }
  const pod = makePod('web', {
    meta: { uid: 'u' },
    spec: {
      volumes: [
        { name: 'data', emptyDir: {} },
        { name: 'host', hostPath: { path: '/' } },
        { name: 'secret', secret: { secretName: 's' } },
        { name: 'ram', emptyDir: { medium: 'Memory' } },
        { name: 'missing', emptyDir: {} },
      ],
    },
  });
  const measure = createMeasure({
    runtime: {
      listContainers: async () => [
        container('app', 0, { state: 'exited' }),
        container('app', 1, { logPath: log }),
        container('side', 0, { logPath: join(root, 'none', 'gone.log') }),
      ],
      writableLayerBytes: async () =>
        new Map([
          ['app0', 500 * mi],
          ['app1', 3 * mi],
        ]),
    },
    stats: { sample: async () => noSample },
    podsDirectory: join(root, 'pods'),
  });
  const use = (await measure.disk([pod], signal)).get('u');
  t.same(
    use?.containers.map(({ name, layerBytes, logs }) => [
      name,
      layerBytes,
      logs.inodes,
      logs.bytes >= 2 * mi,
    ]),
    [
      ['app', 3 * mi, 2, true],
      ['side', 0, 0, false],
    ],
  );
  t.same([...(use?.volumes.keys() ?? [])], ['data', 'missing']);
  t.ok((use?.volumes.get('data')?.bytes ?? 0) >= 2 * mi);
  t.same(use?.volumes.get('missing'), { bytes: 0, inodes: 0 });
  t.same(await measure.memory(), new Map());
});

t.test('clearing up: what ended gives back its containers, then images', async (t) => {
  const done: string[] = [];
  const states: Record<string, ContainerState[]> = {
    over: [container('app', 0, { state: 'exited' }), container('new', 0, { state: 'created' })],
    ending: [container('app', 0, { state: 'running' }), container('side', 0, { state: 'exited' })],
    running: [container('app', 0, { state: 'exited' })],
    later: [container('last', 0, { state: 'exited' })],
  };
  const podOf = (uid: string, phase: string): Pod => makePod(uid, { meta: { uid }, status: { phase } });
  const clearUp = createClearing({
    runtime: {
      listContainers: async (filter) => states[filter?.podUid ?? ''] ?? [],
      removeContainer: async (id) => {
        done.push(`container ${id}`);
        throw new Error('this one fails');
      },
    },
    images: { deleteUnused: async () => void done.push('images') },
    pods: () => [
      podOf('over', 'Succeeded'),
      podOf('ending', 'Failed'),
      podOf('running', 'Running'),
      podOf('later', 'Failed'),
    ],
    log: silentLogger,
  });
  await clearUp(signal);
  t.same(done, ['container app0', 'container last0', 'images'], 'a failure keeps nothing else');
  await t.rejects(clearUp(AbortSignal.abort(new Error('stop'))), { message: 'stop' });
});
