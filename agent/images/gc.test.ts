/** Which images go, when and in which order. */
import t from 'tap';
import { silentLogger } from '../../src/host/log.js';
import { createFakeClock } from '../../src/testing/clock.js';
import { FakeRuntime } from '../runtime/fake.js';
import type { ContainerState, ImageState } from '../runtime/runtime.js';
import { RuntimeError } from '../runtime/runtime.js';
import { bytesToFree, createImageGc, type ImageGcPolicy } from './gc.js';

const policy: ImageGcPolicy = { highPercent: 85, lowPercent: 80, minAgeMs: 120_000, maxAgeMs: 0 };
const { signal } = new AbortController();
const minutes = 60_000;

t.test('how much is too much', async (t) => {
  const free = (availableBytes: number) => bytesToFree(policy, { availableBytes, capacityBytes: 1000 });
  t.equal(free(160), 0, '84 %');
  t.equal(free(150), 50, '85 %: down to 80 %');
  t.equal(free(0), 200);
  t.equal(free(2000), 0);
});

async function world(given: Partial<ImageGcPolicy> = {}) {
  const clock = createFakeClock();
  const runtime = new FakeRuntime(clock);
  const events: string[] = [];
  const state = {
    disk: { availableBytes: 500, capacityBytes: 1000 },
    references: [] as string[],
    containers: [] as Pick<ContainerState, 'image' | 'imageId'>[],
  };
  const gc = createImageGc({
    runtime: {
      listContainers: async () => state.containers as ContainerState[],
      listImages: () => runtime.listImages(),
      removeImage: (id) => runtime.removeImage(id),
      ensureSandboxImage: () => runtime.ensureSandboxImage(),
    },
    policy: { ...policy, ...given },
    disk: async () => state.disk,
    references: () => state.references,
    node: () => ({ metadata: { name: 'node-1' } }),
    recorder: {
      event: (_object, type, reason, message) => void events.push(`${type} ${reason}: ${message}`),
    },
    clock,
    log: silentLogger,
  });
  const start = async () => {
    await gc.start(signal);
    await clock.advance(1);
  };
  t.teardown(() => gc.stop());
  const names = async () => (await runtime.listImages()).map(({ repoTags }) => repoTags[0]).sort();
  return { clock, runtime, state, events, gc, start, names };
}

t.test('nothing goes while there is room', async (t) => {
  const { clock, runtime, start, names } = await world();
  runtime.images.add('old:1');
  await start();
  await clock.advance(60 * minutes);
  t.same(await names(), ['old:1']);
});

t.test('unused for longest goes first, and no more than needed', async (t) => {
  const { clock, runtime, state, start, names, events } = await world();
  const images = ['a:1', 'b:1', 'c:1', 'd:1'].map((name) => ({
    name,
    id: runtime.images.add(name, { sizeBytes: 60 }),
  }));
  runtime.images.add('wherry/sandbox:1', { sizeBytes: 60 });
  runtime.images.add('volume:1', { sizeBytes: 60 });
  state.references = ['volume:1'];
  const useOnly = (...used: string[]): void => {
    state.containers = images
      .filter(({ name }) => used.includes(name))
      .map(({ name, id }) => ({ image: name, imageId: id }));
  };
  useOnly('a:1', 'b:1', 'c:1');
  await start();
  useOnly('a:1', 'c:1');
  await clock.advance(5 * minutes);
  useOnly('a:1');
  await clock.advance(5 * minutes);
  state.disk = { availableBytes: 100, capacityBytes: 1000 };
  await clock.advance(5 * minutes);
  t.same(
    await names(),
    ['a:1', 'c:1', 'volume:1', 'wherry/sandbox:1'],
    'd was never used, b not for longest',
  );
  t.same(events, []);
  state.disk = { availableBytes: 0, capacityBytes: 1000 };
  await clock.advance(5 * minutes);
  const text =
    'Failed to garbage collect required amount of images. Attempted to free 200 bytes, but only found 60 bytes eligible to free.';
  t.same(await names(), ['a:1', 'volume:1', 'wherry/sandbox:1']);
  t.same(events, [`Warning FreeDiskSpaceFailed: ${text}`]);
  await clock.advance(5 * minutes);
  t.match(events[2], /Warning ImageGCFailed: Failed to garbage collect/, 'told when it happens again');
});

t.test('what was just pulled stays', async (t) => {
  const { clock, runtime, gc, start, names } = await world();
  runtime.images.add('old:1');
  await start();
  runtime.images.add('new:1');
  await gc.deleteUnused(signal);
  t.same(await names(), ['new:1'], 'what was there before the agent is old');
  await clock.advance(2 * minutes);
  await gc.deleteUnused(signal);
  t.same(await names(), []);
});

t.test('a maximum age', async (t) => {
  const { clock, runtime, state, start, names } = await world({ maxAgeMs: 30 * minutes });
  const id = runtime.images.add('used:1');
  runtime.images.add('idle:1');
  state.containers = [{ image: 'used:1', imageId: id }];
  await start();
  runtime.images.add('later:1');
  await clock.advance(20 * minutes);
  state.containers = [];
  await clock.advance(10 * minutes);
  t.same(await names(), ['idle:1', 'later:1', 'used:1'], 'nobody knows how long they were idle before');
  await clock.advance(10 * minutes);
  t.same(await names(), ['used:1']);
  await clock.advance(20 * minutes);
  t.same(await names(), []);
});

t.test('one that cannot be removed is no obstacle; several names go one by one', async (t) => {
  const removed: string[] = [];
  const image = (id: string, ...repoTags: string[]): ImageState => ({
    ...{ id, repoTags, repoDigests: [], sizeBytes: 1 },
  });
  const gc = createImageGc({
    runtime: {
      listContainers: async () => [],
      listImages: async () => [image('1', 'a:1'), image('2', 'b:1', 'b:2'), image('3'), image('4')],
      removeImage: async (id) => {
        if (id === '1') throw new RuntimeError('failed', 'broken');
        if (id === '4') throw new RuntimeError('conflict', 'in use by somebody else');
        removed.push(id);
      },
      ensureSandboxImage: async () => void removed.push('and the sandbox image is there'),
    },
    policy,
    disk: async () => ({ availableBytes: 1, capacityBytes: 1 }),
    references: () => [],
    node: () => undefined,
    recorder: { event: () => undefined },
    clock: createFakeClock(),
    log: silentLogger,
  });
  await t.rejects(gc.deleteUnused(signal), { message: /with errors in image deletion: [^;]*broken$/ });
  t.same(removed, ['b:1', 'b:2', '3', 'and the sandbox image is there']);
});
