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
/** Memory is what is left when garbage has just been collected: the least that was seen in so many rounds. */
const windowRounds = 10;
const mib = 1024 * 1024;

t.test(`${perRound * rounds} pods come and go`, { timeout: 1_500_000 }, async (t) => {
  const cluster = await startCluster({ name: 'cycles' });
  t.teardown(() => cluster.stop());
  const names = Array.from({ length: perRound }, (_, index) => `pod-${index}`);
  const measure = () => footprint(cluster.pid('agent'));
  const seen: ReturnType<typeof measure>[] = [];
  /** Once nothing is being removed any more. */
  async function filesOnDisk(): Promise<number> {
    let count = 0;
    await eventually('nothing is left', 60, async () => {
      const left = await holdingsOf(cluster);
      if (!isEmpty(left)) throw new Error(JSON.stringify(left));
      count = readdirSync(cluster.dir, { recursive: true }).length;
      return true;
    });
    return count;
  }
  let storedBefore = 0;
  for (let round = 0; round < rounds; round++) {
    await Promise.all(names.map((name) => cluster.client.create(pods, sleeper(name))));
    await eventually(`round ${round}: ready`, 120, () => allReady(cluster, perRound));
    await Promise.all(names.map((name) => cluster.client.delete(pods, { namespace: 'default', name })));
    await eventually(`round ${round}: gone`, 120, () => allReady(cluster, 0));
    seen.push(measure());
    if (round === warmRounds) storedBefore = await filesOnDisk();
  }
  const stored = await filesOnDisk();
  const least = (from: number): number =>
    Math.min(...seen.slice(from, from + windowRounds).map(({ rssBytes }) => rssBytes)) / mib;
  const [before, after] = [least(warmRounds), least(rounds - windowRounds)];
  t.comment(seen.map(({ rssBytes }) => Math.round(rssBytes / mib)).join(' '));
  t.ok(after - before < 20, `memory: ${before} -> ${after} MiB`);
  const [warm, end] = [seen[warmRounds] ?? measure(), measure()];
  t.ok(end.files - warm.files <= 5, `open files: ${warm.files} -> ${end.files}`);
  t.ok(stored - storedBefore <= 20, `files on disk: ${storedBefore} -> ${stored}`);
});
