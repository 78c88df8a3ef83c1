/**
 * The master is gone for five minutes: pods run on, what fails is restarted, probes go on; when it is back the status
 * catches up and nobody is evicted.
 */
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { nodes, pods } from '../../src/api/kinds.js';
import { isConditionTrue } from '../../src/api/meta.js';
import type { Pod } from '../../src/api/types.js';
import { runChecked } from '../../src/host/exec.js';
import { startCluster } from '../cluster.js';
import { eventually } from '../wait.js';
import { isReady, listPods, pause, restartsOf, sleeper } from './steps.js';

const awayMs = 5 * 60_000;

t.test('five minutes without a master', { timeout: 900_000 }, async (t) => {
  const cluster = await startCluster({ name: 'away' });
  t.teardown(() => cluster.stop());
  const flags = join(cluster.dir, 'flags');
  await runChecked('mkdir', [flags]);
  const main = { name: 'main', image: 'busybox', imagePullPolicy: 'IfNotPresent' };
  const flagsVolume = {
    volumes: [{ name: 'flags', hostPath: { path: flags } }],
    containers: [],
  };
  const volumeMounts = [{ name: 'flags', mountPath: '/flags' }];
  const probe = (file: string) => ({ exec: { command: ['test', '-e', `/flags/${file}`] }, periodSeconds: 2 });
  writeFileSync(join(flags, 'alive'), '');
  await cluster.client.create(pods, sleeper('steady'));
  await cluster.client.create(
    pods,
    sleeper('crashing', { containers: [{ ...main, command: ['sh', '-c', 'sleep 2; exit 7'] }] }),
  );
  await cluster.client.create(
    pods,
    sleeper('probed', {
      ...flagsVolume,
      containers: [
        {
          ...main,
          command: ['sleep', '10000'],
          volumeMounts,
          livenessProbe: { ...probe('alive'), failureThreshold: 2 },
        },
      ],
    }),
  );
  await cluster.client.create(
    pods,
    sleeper('unready', {
      ...flagsVolume,
      containers: [{ ...main, command: ['sleep', '10000'], volumeMounts, readinessProbe: probe('ready') }],
    }),
  );
  const find = async (name: string): Promise<Pod | undefined> =>
    (await listPods(cluster)).find(({ metadata }) => metadata.name === name);
  await eventually('the pods run', 60, async () => {
    const running = (await listPods(cluster)).filter(({ status }) => status?.phase === 'Running');
    return (
      running.length === 4 && isReady((await find('steady')) as Pod) && isReady((await find('probed')) as Pod)
    );
  });
  const before = new Map((await listPods(cluster)).map((pod) => [pod.metadata.name, pod]));
  const idOf = (pod: Pod | undefined): string | undefined => pod?.status?.containerStatuses?.[0]?.containerID;

  await cluster.kill('master');
  const agent = cluster.pid('agent');
  await pause(60_000);
  runChecked('rm', [join(flags, 'alive')]).then(
    () => undefined,
    (error: unknown) => t.fail(String(error)),
  );
  await pause(30_000);
  writeFileSync(join(flags, 'alive'), '');
  writeFileSync(join(flags, 'ready'), '');
  await pause(awayMs - 90_000);
  t.ok(existsSync(`/proc/${agent}`), 'the agent is the same process');
  cluster.start('master');

  await eventually('the status has caught up', 120, async () => {
    const probed = await find('probed');
    const unready = await find('unready');
    // 2 s, 14 s, 36 s, 78 s, 160 s after its start: five in five minutes, fewer where starting takes long.
    const isCaughtUp = restartsOf(await find('crashing')) >= 4;
    return restartsOf(probed) >= 1 && unready !== undefined && isReady(unready) && isCaughtUp;
  });
  const after = new Map((await listPods(cluster)).map((pod) => [pod.metadata.name, pod]));
  t.same([...after.keys()].sort(), ['crashing', 'probed', 'steady', 'unready'], 'nobody was evicted');
  t.equal(idOf(after.get('steady')), idOf(before.get('steady')), 'the steady container is the one it was');
  t.equal(restartsOf(after.get('steady')), 0);
  const restarts = restartsOf(after.get('crashing'));
  const meanwhile = restarts - restartsOf(before.get('crashing'));
  t.ok(restarts <= 7 && meanwhile >= 2, `restarted with back-off: ${restarts} times, ${meanwhile} meanwhile`);
  await eventually('the node is Ready and untainted', 120, async () => {
    const node = await cluster.client.get(nodes, { name: cluster.nodeName });
    return isConditionTrue(node.status?.conditions, 'Ready') && (node.spec?.taints ?? []).length === 0;
  });
  t.equal((await listPods(cluster)).length, 4, 'and still nobody was evicted');
});
