/** A thousand pods come and go: memory, open files, addresses and files of the agent do not grow. */
import { readdirSync } from 'node:fs';
import t from 'tap';
import { pods } from '../../src/api/kinds.js';
import { startCluster } from '../cluster.js';
import { eventually } from '../wait.js';
import { holdingsOf, isEmpty } from './leftovers.js';
import { allReady, footprint, sleeper } from './steps.js';

const perRound = 25;
const rounds = 40;
/** Growth is measured from here: caches are full and code is compiled by then. */
const warmRounds = 10;
const mib = 1024 * 1024;

t.test(`${perRound * rounds} pods come and go`, { timeout: 1_500_000 }, async (t) => {
  const cluster = await startCluster({ name: 'cycles' });
  t.teardown(() => cluster.stop());
  const names = Array.from({ length: perRound }, (_, index) => `pod-${index}`);
  const files = (): number => readdirSync(cluster.dir, { recursive: true }).length;
  const measure = () => ({ ...footprint(cluster.pid('agent')), stored: files() });
  let warm = measure();
  for (let round = 0; round < rounds; round++) {
    await Promise.all(names.map((name) => cluster.client.create(pods, sleeper(name))));
    await eventually(`round ${round}: ready`, 120, () => allReady(cluster, perRound));
    await Promise.all(names.map((name) => cluster.client.delete(pods, { namespace: 'default', name })));
    await eventually(`round ${round}: gone`, 120, () => allReady(cluster, 0));
    if (round === warmRounds) warm = measure();
  }
  await eventually('nothing is left', 60, async () => {
    const left = await holdingsOf(cluster);
    if (!isEmpty(left)) throw new Error(JSON.stringify(left));
    return true;
  });
  const end = measure();
  t.comment(JSON.stringify({ warm, end }));
  t.ok(
    end.rssBytes - warm.rssBytes < 20 * mib,
    `memory: ${warm.rssBytes / mib} -> ${end.rssBytes / mib} MiB`,
  );
  t.ok(end.files - warm.files <= 5, `open files: ${warm.files} -> ${end.files}`);
  t.ok(end.stored - warm.stored <= 20, `files on disk: ${warm.stored} -> ${end.stored}`);
});
