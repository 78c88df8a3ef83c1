/**
 * The clock of the machine jumps an hour ahead, and back: nothing that runs is touched, the node stays Ready, new pods
 * start, back-offs and probes keep their pace.
 */
import t from 'tap';
import { nodes, pods } from '../../src/api/kinds.js';
import { findCondition } from '../../src/api/meta.js';
import type { Pod } from '../../src/api/types.js';
import { startCluster } from '../cluster.js';
import { eventually } from '../wait.js';
import { createFakeTime } from './faketime.js';
import { allReady, isReady, listPods, pause, restartsOf, sleeper } from './steps.js';

const settleMs = 60_000;

t.test('the clock jumps', { timeout: 900_000 }, async (t) => {
  const { env, setOffset, remove } = await createFakeTime();
  t.teardown(remove);
  const cluster = await startCluster({ name: 'clock', env: { master: env, agent: env } });
  t.teardown(() => cluster.stop());
  const names = ['one', 'two'];
  const main = {
    name: 'main',
    image: 'busybox',
    imagePullPolicy: 'IfNotPresent',
    command: ['sleep', '10000'],
  };
  const livenessProbe = { exec: { command: ['true'] }, periodSeconds: 2, timeoutSeconds: 10 };
  for (const name of names)
    await cluster.client.create(pods, sleeper(name, { containers: [{ ...main, livenessProbe }] }));
  const steady = async (): Promise<Pod[]> =>
    (await listPods(cluster)).filter(({ metadata }) => names.includes(metadata.name ?? ''));
  await eventually('the pods', 60, async () => (await steady()).filter(isReady).length === names.length);
  const ids = async (): Promise<unknown> =>
    (await steady()).map(({ status }) => status?.containerStatuses?.[0]?.containerID).sort();
  const crashes = async (pod: string): Promise<number> =>
    restartsOf((await listPods(cluster)).find(({ metadata }) => metadata.name === pod));
  const before = await ids();

  for (const [jump, offset] of [
    ['an hour ahead', '+3600'],
    ['an hour back', '+0'],
  ] as const) {
    // Anew for each jump: its back-off has just begun, so that it ends within the time of looking.
    const name = jump.replaceAll(' ', '-');
    const crashing = `crashing-${name}`;
    await cluster.client.create(
      pods,
      sleeper(crashing, { containers: [{ ...main, command: ['sh', '-c', 'sleep 1; exit 7'] }] }),
    );
    await eventually(`${jump}: a first restart`, 60, async () => (await crashes(crashing)) >= 1);
    const crashed = await crashes(crashing);
    setOffset(offset);
    const seen: string[] = [];
    for (let waited = 0; waited < settleMs; waited += 2000) {
      const node = await cluster.client.get(nodes, { name: cluster.nodeName });
      const { status = '', message = '' } = findCondition(node.status?.conditions, 'Ready') ?? {};
      if (status !== 'True') seen.push(`${status} ${message}`);
      await pause(2000);
    }
    t.same(seen, [], `${jump}: the node is Ready all the time`);
    t.same(await ids(), before, `${jump}: what runs is not touched`);
    const more = (await crashes(crashing)) - crashed;
    t.ok(more >= 1 && more <= 5, `${jump}: what crashes is restarted with its back-off (${more} times)`);
    await cluster.client.create(pods, sleeper(name));
    await eventually(`${jump}: a new pod`, 90, async () =>
      (await listPods(cluster)).some((pod) => pod.metadata.name === name && isReady(pod)),
    );
    for (const each of [name, crashing])
      await cluster.client.delete(pods, { namespace: 'default', name: each });
    await eventually(
      `${jump}: they go`,
      90,
      async () => !(await listPods(cluster)).some(({ metadata }) => metadata.name?.endsWith(name)),
    );
  }
  await eventually('the others', 90, () => allReady(cluster, names.length));
});
