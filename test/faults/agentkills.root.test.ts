/**
 * kill -9 of the agent at fifty moments of pod starts and deletions: nothing is leaked, nothing runs twice. The moments are
 * random with a seed (`FAULT_SEED`), which a failure names.
 */
import t from 'tap';
import { pods } from '../../src/api/kinds.js';
import { startCluster } from '../cluster.js';
import { eventually } from '../wait.js';
import { holdingsOf, isEmpty } from './leftovers.js';
import { allReady, listPods, pause, random, restartsOf, sleeper } from './steps.js';

const kills = 50;
/** A pod starts within this time on a quiet machine: the kills fall into all of its life. */
const windowMs = 900;
const seed = Number(process.env['FAULT_SEED'] ?? 20_261_121);

t.test(`kill -9 of the agent, FAULT_SEED=${seed}`, { timeout: 1_100_000 }, async (t) => {
  const cluster = await startCluster({ name: 'kills' });
  t.teardown(() => cluster.stop());
  const next = random(seed);
  await cluster.client.create(pods, sleeper('steady'));
  await eventually('the steady pod', 60, () => allReady(cluster, 1));
  const steady = (await listPods(cluster))[0]?.status?.containerStatuses?.[0]?.containerID;

  let alive: string[] = [];
  for (let kill = 0; kill < kills; kill++) {
    const fresh = [`pod-${kill}-a`, `pod-${kill}-b`];
    const doomed = alive.filter(() => next() < 0.6);
    await Promise.all([
      ...fresh.map((name) => cluster.client.create(pods, sleeper(name, volumes))),
      ...doomed.map((name) => cluster.client.delete(pods, { namespace: 'default', name })),
    ]);
    alive = [...alive.filter((name) => !doomed.includes(name)), ...fresh];
    await pause(next() * windowMs);
    await cluster.kill('agent');
    cluster.start('agent');
    // Now and then it is killed again before it is up.
    await pause(next() < 0.3 ? next() * 300 : 700 + next() * windowMs);
  }

  await eventually('every pod that is left is ready', 300, () => allReady(cluster, alive.length + 1));
  const items = await listPods(cluster);
  t.equal(
    items.find(({ metadata }) => metadata.name === 'steady')?.status?.containerStatuses?.[0]?.containerID,
    steady,
    'the pod that was there before is the same',
  );
  t.same(
    items.filter((pod) => restartsOf(pod) > 0).map(({ metadata }) => metadata.name),
    [],
    'no container was started twice',
  );
  const expected = ['steady', ...alive].flatMap((name) => [`${name}/main/0`, `${name}//0`]).sort();
  await eventually('one sandbox and one container each', 180, async () => {
    const { containers } = await holdingsOf(cluster);
    if (JSON.stringify(containers) !== JSON.stringify(expected)) throw new Error(containers.join(' '));
    return true;
  });
  const count = alive.length + 1;
  await eventually('one address, veth, attachment and directory each', 180, async () => {
    const { addresses, links, sandboxes, podDirectories } = await holdingsOf(cluster);
    const counts = [addresses, links, sandboxes, podDirectories].map(({ length }) => length);
    if (counts.some((found) => found !== count)) throw new Error(`${counts.join(', ')} for ${count} pods`);
    return true;
  });

  await Promise.all(
    items.map(({ metadata }) =>
      cluster.client.delete(pods, { namespace: 'default', name: metadata.name ?? '' }),
    ),
  );
  await eventually('nothing is left', 180, async () => {
    const left = await holdingsOf(cluster);
    if (!isEmpty(left)) throw new Error(JSON.stringify(left));
    return true;
  });
  t.pass('nothing is left');
});

/** A mount of each kind that could be leaked. */
const volumes = {
  volumes: [
    { name: 'scratch', emptyDir: {} },
    { name: 'memory', emptyDir: { medium: 'Memory', sizeLimit: '1Mi' } },
    {
      name: 'labels',
      projected: {
        sources: [{ downwardAPI: { items: [{ path: 'l', fieldRef: { fieldPath: 'metadata.labels' } }] } }],
      },
    },
  ],
  containers: [
    {
      name: 'main',
      image: 'busybox',
      imagePullPolicy: 'IfNotPresent',
      command: ['sleep', '100000'],
      volumeMounts: [
        { name: 'scratch', mountPath: '/scratch', subPath: 'below' },
        { name: 'memory', mountPath: '/memory' },
        { name: 'labels', mountPath: '/labels' },
      ],
    },
  ],
};
