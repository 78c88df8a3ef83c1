/** What the agent says of itself: calls to the runtime, starts of pods, its configuration. */
import { Registry } from 'prom-client';
import t from 'tap';
import type { Pod } from '../../src/api/types.js';
import type { Change, Source } from '../../src/client/cache.js';
import { createFakeClock } from '../../src/testing/clock.js';
import { parseAgentOptions } from '../options.js';
import { FakeRuntime } from '../runtime/fake.js';
import { RuntimeError } from '../runtime/runtime.js';
import { configzPage } from './configz.js';
import { RuntimeOperations } from './operations.js';
import { registerPodCounts, registerPodStarts } from './podmetrics.js';

t.test('calls to the runtime are counted, timed, and what they were', async (t) => {
  const fake = new FakeRuntime();
  const operations = new RuntimeOperations();
  const runtime = operations.observe(fake);
  t.equal(runtime.networkedBy, fake.networkedBy);
  t.equal(runtime.listContainers, runtime.listContainers, 'one function for all calls');
  await runtime.version();
  await runtime.listContainers();
  fake.failNext('listContainers', new RuntimeError('failed', 'no'));
  await t.rejects(runtime.listContainers(), { message: 'no' });
  t.equal(await runtime.imageDirectory(), await fake.imageDirectory(), 'what is not counted works too');
  const registry = new Registry();
  operations.register(registry);
  const text = await registry.metrics();
  t.match(text, /^kubelet_runtime_operations_total\{operation_type="list_containers"\} 2$/m);
  t.match(text, /^kubelet_runtime_operations_errors_total\{operation_type="list_containers"\} 1$/m);
  t.match(text, /^kubelet_runtime_operations_duration_seconds_count\{operation_type="version"\} 1$/m);
  t.match(text, /^kubelet_started_containers_total 0$/m);
});

t.test('how long pods take to run; those that were here before do not count', async (t) => {
  const clock = createFakeClock();
  const registry = new Registry();
  let tell: (change: Change<Pod>) => void = () => undefined;
  let isSubscribed = true;
  const source: Pick<Source<Pod>, 'onChange'> = {
    onChange(handler) {
      tell = handler;
      return () => {
        isSubscribed = false;
      };
    },
  };
  const stop = new AbortController();
  registerPodStarts(registry, { source: source as Source<Pod>, clock, signal: stop.signal });
  const pod = (uid: string, phase?: string, statuses: object[] = []): Pod =>
    ({ metadata: { uid }, status: { phase, containerStatuses: statuses } }) as Pod;
  const see = (old: Pod | undefined, current: Pod | undefined): void => tell({ key: 'k', old, current });
  see(undefined, pod('new', 'Pending'));
  see(undefined, pod('early', 'Pending', [{ name: 'c', state: { waiting: {} } }]));
  see(undefined, pod('old', 'Running'));
  see(undefined, pod('deleted', 'Pending'));
  see(pod('deleted', 'Pending'), undefined);
  await clock.advance(2500);
  see(pod('new', 'Pending'), pod('new', 'Running'));
  see(pod('new', 'Running'), pod('new', 'Running'));
  see(pod('early', 'Pending'), pod('early', 'Running'));
  const text = await registry.metrics();
  t.match(text, /^kubelet_pod_start_duration_seconds_count 1$/m);
  t.match(text, /^kubelet_pod_start_duration_seconds_sum 2\.5$/m);
  stop.abort();
  t.equal(isSubscribed, false);

  const mirror = {
    ...pod('m', 'Running'),
    metadata: { annotations: { 'kubernetes.io/config.mirror': 'h' } },
  };
  const counts = new Registry();
  registerPodCounts(counts, () => [pod('a', 'Running', [{ state: { running: {} } }]), mirror]);
  const page = await counts.metrics();
  t.match(page, /^kubelet_desired_pods\{static="true"\} 1$/m);
  t.match(page, /^kubelet_running_containers\{container_state="running"\} 1$/m);
});

t.test('/configz', async (t) => {
  const options = parseAgentOptions({
    nodeName: 'n',
    token: 'geheim',
    maxPods: '42',
    serializeImagePulls: 'true',
  });
  const { body } = await configzPage(options, 'systemd')(new URLSearchParams());
  t.match(JSON.parse(String(body)), {
    kubeletconfig: {
      maxPods: 42,
      cgroupDriver: 'systemd',
      serializeImagePulls: true,
      port: 10250,
      streamingConnectionIdleTimeout: '14400s',
    },
  });
  t.notMatch(String(body), /geheim/);
});
