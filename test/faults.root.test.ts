/**
 * kill -9 of master, agent or both under a stream of creates: what was answered 2xx is there afterwards, nothing that runs
 * is restarted or duplicated, and the cluster converges.
 */
import t from 'tap';
import { configMaps, pods } from '../src/api/kinds.js';
import { isConditionTrue } from '../src/api/meta.js';
import type { Pod } from '../src/api/types.js';
import { systemClock } from '../src/host/clock.js';
import { runChecked } from '../src/host/exec.js';
import { type Cluster, type Role, startCluster } from './cluster.js';
import { eventually } from './wait.js';

const rounds: readonly Role[][] = [
  ['agent'],
  ['master'],
  ['master', 'agent'],
  ['agent'],
  ['master'],
  ['agent', 'master'],
];
const podCount = 12;

const podOf = (name: string): Pod => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace: 'default' },
  spec: {
    terminationGracePeriodSeconds: 0,
    containers: [
      { name: 'main', image: 'busybox', imagePullPolicy: 'IfNotPresent', command: ['sleep', '100000'] },
    ],
  },
});

/** Creates ConfigMaps one after the other in four lanes; keeps the names of those that were answered with success. */
function startWriting(cluster: Cluster): { stop(): Promise<string[]> } {
  const acknowledged: string[] = [];
  let isRunning = true;
  const lane = async (number: number): Promise<void> => {
    for (let count = 0; isRunning; count++) {
      const name = `lane-${number}-${count}`;
      try {
        await cluster.client.create(configMaps, {
          apiVersion: 'v1',
          kind: 'ConfigMap',
          metadata: { name, namespace: 'default' },
          data: { name },
        });
        acknowledged.push(name);
      } catch (error) {
        if (!(error instanceof Error)) throw error;
        await systemClock.sleep(20, new AbortController().signal);
      }
    }
  };
  const lanes = Promise.all([1, 2, 3, 4].map(lane));
  return {
    stop: async () => {
      isRunning = false;
      await lanes;
      return acknowledged;
    },
  };
}

/** `pod/container` -> container ids, of everything Docker has of this cluster, running or not. */
async function containersOf(cluster: Cluster): Promise<Map<string, string[]>> {
  const { stdout } = await runChecked('docker', [
    ...['ps', '--all', '--no-trunc', '--filter', `label=io.wherry.node=${cluster.nodeName}`],
    ...['--format', '{{.Label "io.kubernetes.pod.name"}}/{{.Label "io.kubernetes.container.name"}} {{.ID}}'],
  ]);
  const found = new Map<string, string[]>();
  for (const line of stdout.split('\n').filter(Boolean)) {
    const [key = '', id = ''] = line.split(' ');
    found.set(key, [...(found.get(key) ?? []), id]);
  }
  return found;
}

async function allReady(cluster: Cluster, count: number): Promise<boolean> {
  const { items } = await cluster.client.list(pods, { namespace: 'default' });
  return items.length === count && items.every((pod) => isConditionTrue(pod.status?.conditions, 'Ready'));
}

t.test('kill -9 under a stream of creates', { timeout: 600_000 }, async (t) => {
  const cluster = await startCluster({ name: 'faults' });
  t.teardown(() => cluster.stop());
  const steady = ['steady-0', 'steady-1', 'steady-2'];
  for (const name of steady) await cluster.client.create(pods, podOf(name));
  await eventually('steady pods', 60, () => allReady(cluster, steady.length));
  const before = await containersOf(cluster);

  const writing = startWriting(cluster);
  const created: string[] = [];
  for (const [round, victims] of rounds.entries()) {
    for (let index = 0; index < podCount / rounds.length; index++) {
      const name = `round-${round}-${index}`;
      await eventually('a pod is accepted', 120, async () => {
        await cluster.client.create(pods, podOf(name)).catch((error: unknown) => {
          if (!String(error).includes('already exists')) throw error;
        });
        return true;
      });
      created.push(name);
    }
    await systemClock.sleep(37 * (round + 1), new AbortController().signal);
    for (const victim of victims) await cluster.kill(victim);
    for (const victim of victims) cluster.start(victim);
  }
  await eventually('every pod is ready', 240, () => allReady(cluster, steady.length + created.length));
  const acknowledged = await writing.stop();

  const { items } = await cluster.client.list(configMaps, { namespace: 'default' });
  const stored = new Set(items.map((item) => item.metadata.name));
  t.same(
    acknowledged.filter((name) => !stored.has(name)),
    [],
    `all of ${acknowledged.length} acknowledged creates are there`,
  );

  const after = await containersOf(cluster);
  for (const [key, ids] of before) t.same(after.get(key), ids, `${key} was not touched`);
  await eventually('one container each', 60, async () => {
    const found = await containersOf(cluster);
    const wrong = created.filter((name) => found.get(`${name}/main`)?.length !== 1);
    if (wrong.length > 0) throw new Error(wrong.join(' '));
    return true;
  });
  const restarts = await cluster.kubectl(
    'get',
    'pods',
    '-o',
    'jsonpath={.items[*].status.containerStatuses[*].restartCount}',
  );
  t.match(restarts, /^0( 0)*$/, 'no restart is counted');

  await cluster.kubectl('delete', 'pods', '--all', '--wait=true');
  await eventually('no container is left', 90, async () => (await containersOf(cluster)).size === 0);
});
