/**
 * A full node: 100 pods at once against the same 200 containers by raw Docker calls, then what the agent needs for
 * them while nothing happens. The floor is measured before and after: a machine with neighbours drifts in minutes.
 */
import { pods } from '../src/api/kinds.js';
import { systemClock } from '../src/host/clock.js';
import { startCluster } from '../test/cluster.js';
import { rawDocker, timed, untilGone } from './docker.js';
import { command, cpuSeconds, image, podOf, ratioRow, residentMegabytes, watchPods } from './pods.js';
import type { Row } from './row.js';

const count = 100;
const settleMs = 15_000;
const idleSeconds = 30;

export async function benchDensity(): Promise<Row[]> {
  const cluster = await startCluster({ name: 'density' });
  const watch = await watchPods(cluster);
  const raw = rawDocker(image, command);
  const pause = (ms: number): Promise<void> => systemClock.sleep(ms, new AbortController().signal);
  const start = async (name: string): Promise<void> => {
    await cluster.client.create(pods, podOf(name));
    await watch.ready(name);
  };
  const measureFloor = async () => ({ start: await raw.burst(count), removal: await raw.removeAll() });
  try {
    // Whatever is done for the first time is slower, on both sides.
    await start('warm-up');
    await raw.start();
    await raw.removeAll();
    const before = await measureFloor();
    const names = Array.from({ length: count }, (_, index) => `dense-${index}`);
    const ours = await timed(() => Promise.all(names.map(start)));
    await pause(settleMs);
    const pid = cluster.pid('agent');
    const usedBefore = cpuSeconds(pid);
    await pause(idleSeconds * 1000);
    const idle = (100 * (cpuSeconds(pid) - usedBefore)) / idleSeconds;
    const memory = residentMegabytes(pid);
    const removal = await timed(async () => {
      await cluster.client.deleteCollection(pods, { namespace: 'default' }, { gracePeriodSeconds: 0 });
      await watch.gone();
      await untilGone(cluster.nodeName);
    });
    const after = await measureFloor();
    const startFloor = (before.start + after.start) / 2;
    const removalFloor = (before.removal + after.removal) / 2;
    return [
      ratioRow(`${count} pods on one node, all Ready`, ours, startFloor, 1.5),
      {
        name: `memory of the agent, ${count} pods`,
        measured: `${memory} MB`,
        floor: '',
        budget: '<= 150 MB',
        ok: memory <= 150,
      },
      {
        name: `idle CPU of the agent, ${count} pods`,
        measured: `${idle.toFixed(2)} % of a core`,
        floor: '',
        budget: '< 1 %',
        ok: idle < 1,
      },
      ratioRow(`removal of ${count} pods`, removal, removalFloor, 1.3),
    ];
  } finally {
    await raw.removeAll();
    await watch.stop();
    await cluster.stop();
  }
}
