/**
 * The agent starts while the container runtime is down: it does not fail, its Node says what it waits for, and when the
 * runtime is back the pods of before are its pods.
 */
import t from 'tap';
import { nodes, pods } from '../../src/api/kinds.js';
import { findCondition } from '../../src/api/meta.js';
import type { NodeCondition } from '../../src/api/types.js';
import { type Cluster, startCluster } from '../cluster.js';
import { eventually } from '../wait.js';
import { startOwnDocker } from './dockerd.js';
import { allReady, sleeper } from './steps.js';

async function ready(cluster: Cluster): Promise<NodeCondition | undefined> {
  const node = await cluster.client.get(nodes, { name: cluster.nodeName });
  return findCondition(node.status?.conditions, 'Ready');
}

t.test('the runtime is down when the agent starts', { timeout: 600_000 }, async (t) => {
  const daemon = await startOwnDocker(300);
  t.teardown(() => daemon.close());
  const cluster = await startCluster({
    name: 'rtstart',
    agent: { 'runtime-endpoint': `unix://${daemon.socket}`, 'data-dir': daemon.dataDir },
  });
  t.teardown(() => cluster.stop());
  await cluster.client.create(pods, sleeper('before'));
  await eventually('the pod', 120, () => allReady(cluster, 1));

  await cluster.kill('agent');
  await daemon.kill();
  cluster.start('agent');
  await eventually('NotReady, with the reason', 120, async () => {
    const condition = await ready(cluster);
    return condition?.status === 'False' && /container runtime is down/.test(condition.message ?? '');
  });
  await cluster.client.create(pods, sleeper('meanwhile', { tolerations: [{ operator: 'Exists' }] }));
  await daemon.start();
  await eventually('Ready', 120, async () => (await ready(cluster))?.status === 'True');
  await eventually('both pods', 120, () => allReady(cluster, 2));
  await eventually('each of them once', 120, async () => {
    const running = await daemon.docker('ps', '--format', '{{.Label "io.kubernetes.pod.name"}}');
    const found = running.split('\n').filter(Boolean).sort();
    if (found.join(' ') !== 'before before meanwhile meanwhile') throw new Error(found.join(' '));
    return true;
  });
  t.pass('nothing is lost, nothing is doubled');
});
