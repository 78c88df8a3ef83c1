/** What `kubectl top` reads: from the agents' summaries to tables, over the registry. */
import t from 'tap';
import { nodes, pods } from '../../src/api/kinds.js';
import { silentLogger } from '../../src/host/log.js';
import { createFakeClock } from '../../src/testing/clock.js';
import { parseRequest } from '../http/request.js';
import { createRegistryClient } from '../registry/client.js';
import { contextOf, createTestRegistry } from '../registry/testing.js';
import type { Virtual } from '../registry/virtual.js';
import { metricsPage } from './page.js';
import { RequestStats } from './requests.js';
import { durationText, type Summary } from './summary.js';
import { usageMetrics } from './usage.js';

const clock = createFakeClock('2026-03-01T12:00:00.000Z');
const virtuals = new Map<string, Virtual>();
const { registry } = await createTestRegistry({ clock, virtuals });
const client = createRegistryClient(registry, { name: 'test', groups: ['system:masters'] });
const rowOf = (resource: string) => {
  const row = registry.resources.at('metrics.k8s.io', 'v1beta1', resource);
  if (!row) throw new Error(`no row ${resource}`);
  return row;
};

const time = '2026-03-01T12:00:00.123Z';
const used = (usageNanoCores: number, workingSetBytes: number) => ({
  cpu: { time, usageNanoCores },
  memory: { workingSetBytes },
});
const summaries = new Map<string, Summary>();
let questions = 0;
for (const [name, virtual] of usageMetrics({
  client,
  clock,
  log: silentLogger,
  async fetchSummary(node) {
    questions += 1;
    const summary = summaries.get(node.metadata.name ?? '');
    if (!summary) throw new Error('no answer');
    return summary;
  },
}))
  virtuals.set(name, virtual);

const spec = (nodeName?: string) => ({
  containers: [{ name: 'main', image: 'x' }],
  ...(nodeName && { nodeName }),
});
const uidOf = async (name: string, nodeName?: string): Promise<string> => {
  const labels = { app: name };
  const pod = { metadata: { namespace: 'default', name, labels }, spec: spec(nodeName) };
  return (await client.create(pods, pod)).metadata.uid ?? '';
};

for (const name of ['n1', 'dead']) await client.create(nodes, { metadata: { name, labels: { zone: name } } });
const [web, fresh] = [await uidOf('web', 'n1'), await uidOf('fresh', 'n1')];
await uidOf('lost', 'dead');
await uidOf('waiting');
summaries.set('n1', {
  window: 15.25,
  node: used(1_500_000_000, 512 * 1024 * 1024),
  pods: [
    {
      ...used(3_000_000, 4096),
      podRef: { uid: web },
      containers: [
        { name: 'main', startTime: '2026-03-01T11:00:00Z', ...used(2_000_000, 3 * 1024 * 1024) },
        { name: 'side', startTime: '2026-03-01T11:59:56Z', ...used(0, 100) },
      ],
    },
    { ...used(1, 1), podRef: { uid: fresh }, containers: [{ name: 'main', cpu: { time }, memory: {} }] },
  ],
});

t.test('nodes', async (t) => {
  const { items } = await registry.list(rowOf('nodes'), {}, contextOf());
  t.strictSame(
    items.map(({ bytes }) => JSON.parse(bytes.toString())),
    [
      {
        kind: 'NodeMetrics',
        apiVersion: 'metrics.k8s.io/v1beta1',
        metadata: { name: 'n1', creationTimestamp: '2026-03-01T12:00:00Z', labels: { zone: 'n1' } },
        timestamp: '2026-03-01T12:00:00Z',
        window: '15.25s',
        usage: { cpu: '1500m', memory: '512Mi' },
      },
    ],
    'a node whose agent does not answer is left out',
  );
  const [item] = items;
  t.strictSame(item && rowOf('nodes').printer.cells(item.object, clock.now()), [
    'n1',
    '1500m',
    '512Mi',
    '15.25s',
  ]);
  const one = await registry.get(rowOf('nodes'), { name: 'n1' }, contextOf());
  t.match(one.object, { metadata: { name: 'n1' } });
  await t.rejects(registry.get(rowOf('nodes'), { name: 'dead' }, contextOf()), {
    message: 'nodes.metrics.k8s.io "dead" not found',
  });
  await t.rejects(registry.get(rowOf('nodes'), { name: 'none' }, contextOf()), /nodes "none" not found/);
});

t.test('pods: only those that are measured whole; selectors; one question per node', async (t) => {
  await clock.advance(5000);
  questions = 0;
  const list = async (options: object): Promise<object[]> =>
    (await registry.list(rowOf('pods'), options, contextOf())).items.map(({ object }) => object);
  const all = await list({});
  t.match(all, [
    {
      metadata: { name: 'web', namespace: 'default', labels: { app: 'web' } },
      window: '4s',
      containers: [
        { name: 'main', usage: { cpu: '2m', memory: '3Mi' } },
        { name: 'side', usage: { cpu: '0', memory: '100' } },
      ],
    },
  ]);
  t.equal(all.length, 1);
  t.equal((await list({ labelSelector: 'app=web' })).length, 1);
  t.equal((await list({ labelSelector: 'app=other' })).length, 0);
  t.equal((await list({ fieldSelector: 'metadata.name=web' })).length, 1);
  t.equal((await list({ namespace: 'kube-system' })).length, 0);
  t.equal(questions, 2, 'within a moment an answer is shared');
  await t.rejects(registry.get(rowOf('pods'), { namespace: 'default', name: 'fresh' }, contextOf()), {
    message: 'pods.metrics.k8s.io "fresh" not found',
  });
  await clock.advance(2000);
  await list({});
  t.equal(questions, 4);
  await t.rejects(registry.create(rowOf('pods'), 'default', {}, contextOf()), /not allow/);
});

t.test('a node that went silent is not asked', async (t) => {
  await clock.advance(2000);
  questions = 0;
  const dead = await client.get(nodes, { name: 'dead' });
  const condition = { type: 'Ready', status: 'Unknown', reason: 'NodeStatusUnknown' };
  const status = { ...dead.status, conditions: [condition] };
  await client.update(nodes, { ...dead, status }, { subresource: 'status' });
  t.equal((await registry.list(rowOf('nodes'), {}, contextOf())).items.length, 1);
  t.equal(questions, 1);
});

t.test('durations', async (t) => {
  t.strictSame([0, 0.5, 1.0205, 60, 75.5].map(durationText), ['0s', '0.5s', '1.021s', '1m0s', '1m15.5s']);
});

t.test('requests are counted under labels of the resource table only', async (t) => {
  const stats = new RequestStats(registry.resources);
  const ask = (method: string, url: string, code: number, ms: number): void => {
    const info = parseRequest(method, url);
    stats.begin(info);
    stats.end(info, code, ms);
  };
  ask('GET', '/api/v1/namespaces/default/pods/web', 200, 1);
  ask('GET', '/api/v1/namespaces/default/pods/other', 200, 30);
  ask('GET', '/api/v1/namespaces/default/pods/none', 404, 2);
  ask('GET', '/api/v1/pods', 200, 1);
  ask('POST', '/apis/apps/v1/namespaces/default/deployments', 201, 90_000);
  ask('GET', '/healthz', 200, 1);
  for (let n = 0; n < 50; n += 1) ask('GET', `/api/v1/made-up-${n}`, 404, 1);
  ask('GET', '/api/v1/nodes/made-up/up', 404, 1);
  ask('BREW', '/coffee', 405, 1);
  const watch = parseRequest('GET', '/api/v1/pods?watch=1');
  stats.begin(watch);
  t.strictSame(stats.underWay, { readOnly: 0, mutating: 0, longRunning: 1 });
  stats.end(watch, 200, 60_000);
  const text = stats.text();
  const pod =
    'group="",version="v1",resource="pods",subresource="",scope="resource",component="apiserver",dry_run=""';
  const lines = text.split('\n');
  for (const line of [
    `apiserver_request_total{verb="GET",${pod},code="200"} 2`,
    `apiserver_request_total{verb="GET",${pod},code="404"} 1`,
    `apiserver_request_duration_seconds_bucket{verb="GET",${pod},le="0.005"} 2`,
    `apiserver_request_duration_seconds_bucket{verb="GET",${pod},le="0.05"} 3`,
    `apiserver_request_duration_seconds_bucket{verb="GET",${pod},le="+Inf"} 3`,
    `apiserver_request_duration_seconds_count{verb="GET",${pod}} 3`,
    `apiserver_request_total{verb="LIST",${pod.replace('scope="resource"', 'scope="cluster"')},code="200"} 1`,
  ])
    t.ok(lines.includes(line), line);
  t.match(text, /total\{verb="WATCH",.*code="200"\} 1/);
  t.notMatch(text, /seconds_count\{verb="WATCH"/);
  t.match(text, /bucket\{verb="POST",.*le="60"\} 0\n.*bucket\{verb="POST",.*le="\+Inf"\} 1/);
  t.match(text, /total\{verb="LIST",group="",version="",resource="",.*code="404"\} 50/);
  t.match(text, /total\{verb="OTHER",.*code="405"\} 1/);
  t.notMatch(text, /made-up/);
});

t.test('the page', async (t) => {
  const page = metricsPage({
    requests: new RequestStats(registry.resources),
    revision: () => 42,
    countObjects: async () => new Map([['pods', 3]]),
    queues: () => ({
      deployment: { reconciles: 7, failures: 1, terminal: 0, depth: 2, delayed: 3, active: 1 },
    }),
  });
  const { contentType, body } = await page();
  t.equal(contentType, 'text/plain; version=0.0.4; charset=utf-8');
  for (const line of ['apiserver_storage_objects{resource="pods"} 3', 'wherry_store_revision 42'])
    t.ok(body.split('\n').includes(line), line);
  for (const line of ['workqueue_depth{name="deployment"} 2', 'workqueue_adds_total{name="deployment"} 7'])
    t.ok(body.split('\n').includes(line), line);
  t.match(body, /^process_cpu_seconds_total [\d.]+$/m);
  t.match(body, /^apiserver_current_inflight_requests\{request_kind="mutating"\} 0$/m);
});
