/**
 * The pods component on a runtime, a clock and an API that live in memory, for tests. `restart` is a new agent process
 * on the same runtime and API; nothing sleeps: `until` lets promises and files settle until something is true.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Test } from 'tap';
import { pods as podType } from '../../../src/api/kinds.js';
import { applyPatch, patchTypes } from '../../../src/api/patch/patch.js';
import type { Pod } from '../../../src/api/types.js';
import { createInformer, type Informer } from '../../../src/client/informer.js';
import { systemClock } from '../../../src/host/clock.js';
import { silentLogger } from '../../../src/host/log.js';
import { createFakeClock, type FakeClock } from '../../../src/testing/clock.js';
import { createFakeClient, type FakeClient } from '../../../src/testing/fakeclient.js';
import type { PodNetwork } from '../../network/network.js';
import { FakeRuntime } from '../../runtime/fake.js';
import type { Runtime } from '../../runtime/runtime.js';
import type { PodsOptions } from '../assembly.js';
import { createPods, type Pods, uidIndexers } from '../pods.js';

/** Of real time, on a very busy machine; what is awaited takes milliseconds, with a real runtime seconds. */
const patienceMs = 120_000;

export interface Harness {
  clock: FakeClock;
  client: FakeClient;
  runtime: FakeRuntime;
  /** `Reason: message` of every event so far. */
  events: string[];
  /** Sandboxes that have their network. */
  networks: Set<string>;
  directory: string;
  start(): Promise<void>;
  stop(): Promise<void>;
  /** A new process of the agent: memory is lost, the world stays. */
  restart(): Promise<void>;
  /** The component of the present life. */
  pods(): Pods;
  create(pod: Pod): Promise<Pod>;
  pod(name?: string): Promise<Pod | undefined>;
  remove(name: string, gracePeriodSeconds?: number): Promise<void>;
  /** Waits, without time passing, until `isTrue`; fails the test when it stays false. */
  until(what: string, isTrue: () => boolean | Promise<boolean>): Promise<void>;
  options: Partial<PodsOptions>;
}

/** The fake knows no strategic merge patch: applied here with the real code, it gets the outcome as a JSON patch. */
function withStrategicPatch(client: FakeClient): FakeClient {
  const original = client.patch.bind(client);
  const patch: FakeClient['patch'] = async (type, ref, how, options) => {
    if (how.type !== 'strategic') return original(type, ref, how, options);
    const current = await client.get(type, ref);
    const gvk = { group: type.group, version: type.version, kind: type.kind };
    const media = patchTypes.strategic;
    const { status } = applyPatch({ type: media, gvk, current, patch: how.body });
    const body = [{ op: 'add', path: '/status', value: status }];
    return original(type, ref, { type: 'json', body }, options);
  };
  return Object.assign(client, { patch });
}

export interface HarnessOptions {
  /** Instead of the fake one; time is then real. */
  runtime?: Runtime;
}

export async function createHarness(t: Test, given: HarnessOptions = {}): Promise<Harness> {
  const clock = createFakeClock();
  const client = withStrategicPatch(createFakeClient({ clock }));
  const runtime = new FakeRuntime(clock);
  const directory = await mkdtemp(join(tmpdir(), 'wherry-pods-'));
  const events: string[] = [];
  const networks = new Set<string>();
  let life: { pods: Pods; source: Informer<Pod>; abort: AbortController } | undefined;

  const network: PodNetwork = {
    name: 'network',
    start: async () => undefined,
    stop: async () => undefined,
    healthy: () => ({ ok: true, reason: '' }),
    setUp: async ({ id }) => {
      networks.add(id);
      return { ips: [`10.244.0.${2 + [...networks].indexOf(id)}`] };
    },
    tearDown: async ({ id }) => void networks.delete(id),
    collectGarbage: async () => undefined,
  };

  const harness: Harness = {
    clock,
    client,
    runtime,
    events,
    networks,
    directory,
    options: {},
    async start() {
      const real = given.runtime && { runtime: given.runtime, clock: systemClock };
      const source = createInformer({
        client,
        type: podType,
        indexers: uidIndexers,
        clock,
        log: silentLogger,
      });
      const abort = new AbortController();
      const pods = createPods({
        client,
        source,
        services: () => [],
        runtime,
        network,
        cgroups: {
          parentOf: (pod) => `/kubepods/pod${pod.metadata.uid}`,
          ensurePod: async () => undefined,
          removePod: async () => undefined,
          listPods: async () => [],
          resourcesOf: () => ({}),
        },
        images: {
          forget: () => undefined,
          ensure: async (_pod, { image = '' }) => {
            const found = await (given.runtime ?? runtime).inspectImage(image);
            return found
              ? { result: 'present', imageId: found.id, message: '', user: '' }
              : { result: 'failed', reason: 'ErrImagePull', message: 'no such image', retryAfterMs: 10_000 };
          },
        },
        recorder: { event: (_object, _type, reason, message) => void events.push(`${reason}: ${message}`) },
        exec: async () => ({ code: 0, stdout: '', stderr: '' }),
        clock,
        log: silentLogger,
        nodeName: 'node-1',
        node: { runtimeName: 'docker', hostIPs: ['192.0.2.1'], qosClassOf: () => 'BestEffort' },
        allocatable: () => ({}),
        podsDirectory: join(directory, 'pods'),
        ...real,
        ...harness.options,
      });
      life = { pods, source, abort };
      await source.start(abort.signal);
      await pods.start(abort.signal);
    },
    async stop() {
      if (!life) return;
      const { pods, source, abort } = life;
      life = undefined;
      abort.abort(new Error('killed'));
      await pods.stop();
      await source.stop();
    },
    async restart() {
      await harness.stop();
      await harness.start();
    },
    pods() {
      if (!life) throw new Error('the agent does not run');
      return life.pods;
    },
    create: (pod) => client.create(podType, pod),
    pod: async (name = 'web') => {
      const { items } = await client.list(podType, { namespace: 'default' });
      return items.find(({ metadata }) => metadata.name === name);
    },
    remove: (name, gracePeriodSeconds) =>
      client.delete(
        podType,
        { namespace: 'default', name },
        gracePeriodSeconds === undefined ? {} : { gracePeriodSeconds },
      ),
    async until(what, isTrue) {
      for (const end = performance.now() + patienceMs; performance.now() < end; ) {
        if (await isTrue()) return;
        await new Promise((resolve) => setImmediate(resolve));
        await clock.advance(1);
      }
      t.fail(`never: ${what}`);
    },
  };
  t.teardown(async () => {
    await harness.stop();
    await rm(directory, { recursive: true, force: true });
  });
  runtime.images.add('app:1');
  return harness;
}
