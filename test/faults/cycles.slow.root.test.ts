/** A thousand pods come and go: memory, open files, addresses and files of the agent do not grow. */
import { readdirSync } from 'node:fs';
import t from 'tap';
import { pods } from '../../src/api/kinds.js';
import { startCluster } from '../cluster.js';
import { eventually } from '../wait.js';
import { heldBytes } from './heap.js';
import { holdingsOf, isEmpty } from './leftovers.js';
import { allReady, footprint, sleeper } from './steps.js';

const perRound = 25;
const rounds = 40;
/** Growth is measured from here: most code is compiled by then. */
const warmRounds = 10;
/** What the recorder remembers of 4,096 events, and code that is compiled meanwhile; 10 KB for each pod would be more. */
const maxHeldMib = 7;
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
  /** When nothing is left that could be collected. */
  async function collected(): Promise<{ heldMib: number; residentMib: number }> {
    const heldMib = (await heldBytes(cluster.pid('agent'))) / mib;
    return { heldMib, residentMib: measure().rssBytes / mib };
  }
  let [storedBefore, before] = [0, { heldMib: 0, residentMib: 0 }];
  for (let round = 0; round < rounds; round++) {
    await Promise.all(names.map((name) => cluster.client.create(pods, sleeper(name))));
    await eventually(`round ${round}: ready`, 120, () => allReady(cluster, perRound));
    await Promise.all(names.map((name) => cluster.client.delete(pods, { namespace: 'default', name })));
    await eventually(`round ${round}: gone`, 120, () => allReady(cluster, 0));
    seen.push(measure());
    if (round === warmRounds) [storedBefore, before] = [await filesOnDisk(), await collected()];
  }
  const [stored, after] = [await filesOnDisk(), await collected()];
  t.comment(`resident: ${seen.map(({ rssBytes }) => Math.round(rssBytes / mib)).join(' ')} MiB`);
  t.ok(after.heldMib - before.heldMib < maxHeldMib, `in use: ${before.heldMib} -> ${after.heldMib} MiB`);
  t.ok(
    after.residentMib - before.residentMib < 30,
    `resident: ${before.residentMib} -> ${after.residentMib} MiB`,
  );
  const [warm, end] = [seen[warmRounds] ?? measure(), measure()];
  t.ok(end.files - warm.files <= 5, `open files: ${warm.files} -> ${end.files}`);
  t.ok(stored - storedBefore <= 20, `files on disk: ${storedBefore} -> ${stored}`);
});
