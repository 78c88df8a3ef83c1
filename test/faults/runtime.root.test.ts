/**
 * The container runtime dies, freezes for a minute, and runs out of disk: the node says so, nothing is lost, nothing is
 * doubled, and everything goes on by itself afterwards.
 */
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { nodes, pods } from '../../src/api/kinds.js';
import { findCondition } from '../../src/api/meta.js';
import type { NodeCondition } from '../../src/api/types.js';
import { type Cluster, startCluster } from '../cluster.js';
import { eventually } from '../wait.js';
import { startOwnDocker } from './dockerd.js';
import { holdingsOf, isEmpty } from './leftovers.js';
import { allReady, listPods, pause, restartsOf, sleeper } from './steps.js';

const frozenMs = 60_000;
const names = ['one', 'two', 'three'];

async function condition(cluster: Cluster, type: string): Promise<NodeCondition | undefined> {
  const node = await cluster.client.get(nodes, { name: cluster.nodeName });
  return findCondition(node.status?.conditions, type);
}

async function containerIds(cluster: Cluster): Promise<(string | undefined)[]> {
  return (await listPods(cluster)).map(({ status }) => status?.containerStatuses?.[0]?.containerID).sort();
}

/** Writes until the disk refuses, and throws what it says. */
function fill(path: string): never {
  const chunk = Buffer.alloc(1024 * 1024);
  for (;;) writeFileSync(path, chunk, { flag: 'a' });
}

t.test('the runtime', { timeout: 1_100_000 }, async (t) => {
  const daemon = await startOwnDocker(600);
  t.teardown(() => daemon.close());
  const cluster = await startCluster({
    name: 'rtfaults',
    agent: {
      'runtime-endpoint': `unix://${daemon.socket}`,
      'data-dir': daemon.dataDir,
      'eviction-pressure-transition-period': '5s',
    },
  });
  t.teardown(() => cluster.stop());
  const oneEach = async (all: readonly string[]): Promise<void> => {
    await eventually('one running container each', 120, async () => {
      const running = await daemon.docker(
        'ps',
        '--format',
        '{{.Label "io.kubernetes.pod.name"}}/{{.Label "io.kubernetes.container.name"}}',
      );
      const found = running.split('\n').filter(Boolean).sort();
      const expected = all.flatMap((name) => [`${name}/`, `${name}/main`]).sort();
      if (JSON.stringify(found) !== JSON.stringify(expected)) throw new Error(found.join(' '));
      return true;
    });
  };
  for (const name of names) await cluster.client.create(pods, sleeper(name));
  await eventually('the pods', 60, () => allReady(cluster, names.length));

  await t.test('frozen for a minute', { timeout: 600_000 }, async (t) => {
    const before = await containerIds(cluster);
    await daemon.freeze();
    const begun = Date.now();
    await eventually('NotReady, with the reason', 120, async () => {
      const ready = await condition(cluster, 'Ready');
      return ready?.status === 'False' && /container runtime is down/.test(ready.message ?? '');
    });
    await cluster.client.create(pods, sleeper('meanwhile', { tolerations: [{ operator: 'Exists' }] }));
    await cluster.client.delete(pods, { namespace: 'default', name: 'three' });
    await pause(Math.max(frozenMs - (Date.now() - begun), 0));
    daemon.thaw();
    await eventually('Ready again', 120, async () => (await condition(cluster, 'Ready'))?.status === 'True');
    await eventually('what was asked meanwhile', 120, () => allReady(cluster, names.length));
    const kept = (await listPods(cluster)).filter(({ metadata }) => metadata.name !== 'meanwhile');
    t.same(kept.map(({ metadata }) => metadata.name).sort(), ['one', 'two']);
    t.ok(
      kept.every(({ status }) => before.includes(status?.containerStatuses?.[0]?.containerID)),
      'the others are the containers they were',
    );
    t.same(kept.map(restartsOf), [0, 0]);
    await oneEach(['one', 'two', 'meanwhile']);
  });

  await t.test('killed and started again', { timeout: 600_000 }, async (t) => {
    await daemon.kill();
    await eventually('NotReady, with the reason', 120, async () => {
      const ready = await condition(cluster, 'Ready');
      return ready?.status === 'False' && /container runtime is down/.test(ready.message ?? '');
    });
    await daemon.start();
    await eventually('Ready again', 120, async () => (await condition(cluster, 'Ready'))?.status === 'True');
    await eventually('all pods are ready again', 240, () => allReady(cluster, 3));
    await oneEach(['one', 'two', 'meanwhile']);
    t.pass('all pods run once');
  });

  await t.test('the disk is full', { timeout: 600_000 }, async (t) => {
    // A node short of disk removes the images that no container needs: this one keeps the pods' image for later.
    await daemon.docker('create', 'busybox', 'true');
    const ballast = join(daemon.dataDir, '..', 'ballast');
    t.throws(() => fill(ballast), { code: 'ENOSPC' }, 'no byte is left');
    await eventually(
      'DiskPressure',
      120,
      async () => (await condition(cluster, 'DiskPressure'))?.status === 'True',
    );
    await cluster.client.create(pods, sleeper('during', { tolerations: [{ operator: 'Exists' }] }));
    await pause(10_000);
    rmSync(ballast);
    await eventually(
      'no pressure any more',
      120,
      async () => (await condition(cluster, 'DiskPressure'))?.status === 'False',
    );
    await Promise.all(
      (await listPods(cluster)).map(({ metadata }) =>
        cluster.client.delete(pods, { namespace: 'default', name: metadata.name ?? '' }),
      ),
    );
    await eventually('nothing is left', 180, async () => {
      const left = await holdingsOf(cluster, daemon.socket, daemon.dataDir);
      if (!isEmpty(left)) throw new Error(JSON.stringify(left));
      return true;
    });
    await cluster.client.create(pods, sleeper('after'));
    await eventually('a new pod runs', 120, () => allReady(cluster, 1));
    t.pass('the node works as before');
  });
});
