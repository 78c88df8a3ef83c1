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
/** Idle connections to the runtime and to the master, kept for later; one file for each tenth pod would be 72. */
const maxOpenFiles = 20;
const mib = 1024 * 1024;

t.test(`${perRound * rounds} pods come and go`, { timeout: 1_500_000 }, async (t) => {
  const cluster = await startCluster({ name: 'cycles' });
  t.teardown(() => cluster.stop());
  const names = Array.from({ length: perRound }, (_, index) => `pod-${index}`);
  const measure = () => footprint(cluster.pid('agent'));
  const resident: number[] = [];
  /** Once nothing is being removed any more, and nothing is left that could be collected. */
  async function settled() {
    await eventually('nothing is left', 60, async () => {
      const left = await holdingsOf(cluster);
      if (!isEmpty(left)) throw new Error(JSON.stringify(left));
      return true;
    });
    const heldMib = (await heldBytes(cluster.pid('agent'))) / mib;
    const stored = readdirSync(cluster.dir, { recursive: true }).length;
    const { rssBytes, files } = measure();
    return { heldMib, residentMib: rssBytes / mib, files, stored };
  }
  let before: Awaited<ReturnType<typeof settled>> | undefined;
  for (let round = 0; round < rounds; round++) {
    await Promise.all(names.map((name) => cluster.client.create(pods, sleeper(name))));
    await eventually(`round ${round}: ready`, 120, () => allReady(cluster, perRound));
    await Promise.all(names.map((name) => cluster.client.delete(pods, { namespace: 'default', name })));
    await eventually(`round ${round}: gone`, 120, () => allReady(cluster, 0));
    resident.push(Math.round(measure().rssBytes / mib));
    if (round === warmRounds) before = await settled();
  }
  const after = await settled();
  t.comment(`resident: ${resident.join(' ')} MiB`);
  if (!before) throw new Error('there were too few rounds to warm up');
  const of = (key: keyof typeof after): string => `${before[key]} -> ${after[key]}`;
  t.ok(after.heldMib - before.heldMib < maxHeldMib, `in use: ${of('heldMib')} MiB`);
  t.ok(after.residentMib - before.residentMib < 30, `resident: ${of('residentMib')} MiB`);
  t.ok(after.files - before.files <= maxOpenFiles, `open files: ${of('files')}`);
  t.ok(after.stored - before.stored <= 20, `files on disk: ${of('stored')}`);
});
