/**
 * The clock of the machine jumps an hour ahead, and back: nothing that runs is touched, the node stays Ready, new pods
 * start, back-offs and probes keep their pace. The time of the processes is set with libfaketime (CLOCK_REALTIME only, as
 * when somebody sets the clock).
 */
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { nodes, pods } from '../../src/api/kinds.js';
import { findCondition } from '../../src/api/meta.js';
import { run } from '../../src/host/exec.js';
import { startCluster } from '../cluster.js';
import { eventually } from '../wait.js';
import { allReady, isReady, listPods, pause, restartsOf, sleeper } from './steps.js';

const settleMs = 60_000;

t.test('the clock jumps', { timeout: 600_000 }, async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'wherry-clock-'));
  t.teardown(() => rmSync(directory, { recursive: true }));
  const offsetFile = join(directory, 'offset');
  const setOffset = (offset: string): void => {
    writeFileSync(`${offsetFile}.new`, `${offset}\n`);
    renameSync(`${offsetFile}.new`, offsetFile);
  };
  setOffset('+0');
  const env = {
    LD_PRELOAD: await libfaketime(),
    FAKETIME_TIMESTAMP_FILE: offsetFile,
    FAKETIME_NO_CACHE: '1',
    FAKETIME_DONT_FAKE_MONOTONIC: '1',
    FAKETIME_DONT_RESET: '1',
  };
  const cluster = await startCluster({ name: 'clock', env: { master: env, agent: env } });
  t.teardown(() => cluster.stop());
  const names = ['one', 'two'];
  const main = {
    name: 'main',
    image: 'busybox',
    imagePullPolicy: 'IfNotPresent',
    command: ['sleep', '10000'],
  };
  const livenessProbe = { exec: { command: ['true'] }, periodSeconds: 2 };
  for (const name of names)
    await cluster.client.create(pods, sleeper(name, { containers: [{ ...main, livenessProbe }] }));
  await cluster.client.create(
    pods,
    sleeper('crashing', { containers: [{ ...main, command: ['sh', '-c', 'sleep 1; exit 7'] }] }),
  );
  await eventually('the pods', 60, async () => (await listPods(cluster)).filter(isReady).length >= 2);
  const ids = async (): Promise<unknown> =>
    (await listPods(cluster))
      .filter(({ metadata }) => names.includes(metadata.name ?? ''))
      .map(({ status }) => status?.containerStatuses?.[0]?.containerID)
      .sort();
  const crashes = async (): Promise<number> =>
    restartsOf((await listPods(cluster)).find(({ metadata }) => metadata.name === 'crashing'));
  const before = await ids();

  for (const [jump, offset] of [
    ['an hour ahead', '+3600'],
    ['an hour back', '+0'],
  ] as const) {
    const crashed = await crashes();
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
    const more = (await crashes()) - crashed;
    t.ok(more >= 1 && more <= 5, `${jump}: what crashes is restarted with its back-off (${more} times)`);
    const name = jump.replaceAll(' ', '-');
    await cluster.client.create(pods, sleeper(name));
    await eventually(`${jump}: a new pod`, 30, async () =>
      (await listPods(cluster)).some((pod) => pod.metadata.name === name && isReady(pod)),
    );
    await cluster.client.delete(pods, { namespace: 'default', name });
    await eventually(
      `${jump}: it goes`,
      30,
      async () => !(await listPods(cluster)).some(({ metadata }) => metadata.name === name),
    );
  }
  await cluster.client.delete(pods, { namespace: 'default', name: 'crashing' });
  await eventually('the others', 30, () => allReady(cluster, names.length));
});

/** Where Debian keeps the library, by architecture. */
async function libfaketime(): Promise<string> {
  const { stdout } = await run('dpkg', ['--listfiles', 'libfaketime']);
  const found = stdout.split('\n').find((path) => path.endsWith('/libfaketimeMT.so.1'));
  if (!found) throw new Error('the package libfaketime is not installed');
  return found;
}
