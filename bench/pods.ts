/** Pod start against raw Docker, interleaved in one run; then memory and idle CPU of master and agent with 30 pods. */
import { readFileSync } from 'node:fs';
import { pods } from '../src/api/kinds.js';
import { isConditionTrue } from '../src/api/meta.js';
import type { Pod } from '../src/api/types.js';
import { createInformer } from '../src/client/informer.js';
import { systemClock } from '../src/host/clock.js';
import { silentLogger } from '../src/host/log.js';
import { type Cluster, startCluster } from '../test/cluster.js';
import { rawDocker, timed, untilGone } from './docker.js';
import { median, ms, type Row, ratio } from './row.js';

const rounds = 7;
const burstSize = 30;
const burstRounds = 3;
const settleSeconds = 25;
const idleSeconds = 30;
export const command = ['sleep', '1000000'];
export const image = 'busybox:latest';

export const podOf = (name: string): Pod => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace: 'default', labels: { app: 'bench' } },
  spec: {
    terminationGracePeriodSeconds: 0,
    containers: [{ name: 'main', image, imagePullPolicy: 'IfNotPresent', command }],
  },
});

/** Watches the pods of the benchmark and resolves promises as they become ready or vanish. */
export async function watchPods(
  cluster: Cluster,
): Promise<{ ready(name: string): Promise<void>; gone(): Promise<void>; stop(): Promise<void> }> {
  const informer = createInformer({
    client: cluster.client,
    type: pods,
    namespace: 'default',
    clock: systemClock,
    log: silentLogger,
  });
  const waiters = new Set<() => void>();
  informer.onChange(() => {
    for (const wake of [...waiters]) wake();
  });
  const stopping = new AbortController();
  await informer.start(stopping.signal);
  const until = (holds: () => boolean): Promise<void> =>
    new Promise((resolve) => {
      const wake = (): void => {
        if (!holds()) return;
        waiters.delete(wake);
        resolve();
      };
      waiters.add(wake);
      wake();
    });
  return {
    ready: (name) =>
      until(() => isConditionTrue(informer.get({ namespace: 'default', name })?.status?.conditions, 'Ready')),
    gone: () => until(() => informer.list('default').length === 0),
    stop: async () => {
      stopping.abort();
      await informer.stop();
    },
  };
}

export async function benchPods(): Promise<Row[]> {
  const cluster = await startCluster({ name: 'bench' });
  const watch = await watchPods(cluster);
  const raw = rawDocker(image, command);
  try {
    const start = async (name: string): Promise<number> => {
      const begun = performance.now();
      await cluster.client.create(pods, podOf(name));
      await watch.ready(name);
      return performance.now() - begun;
    };
    const removeAll = async (): Promise<void> => {
      await cluster.client.deleteCollection(pods, { namespace: 'default' }, { gracePeriodSeconds: 0 });
      await watch.gone();
      await untilGone(cluster.nodeName);
    };
    await start('warm-up');
    await raw.start();
    const ours: number[] = [];
    const floor: number[] = [];
    for (let round = 0; round < rounds; round++) {
      ours.push(await start(`single-${round}`));
      floor.push(await raw.start());
    }
    await removeAll();
    await raw.removeAll();
    const burst = { ours: [] as number[], floor: [] as number[] };
    const removal = { ours: [] as number[], floor: [] as number[] };
    const resting: Row[] = [];
    for (let round = 0; round < burstRounds; round++) {
      burst.floor.push(await raw.burst(burstSize));
      removal.floor.push(await raw.removeAll());
      const names = Array.from({ length: burstSize }, (_, index) => `burst-${round}-${index}`);
      burst.ours.push(await timed(() => Promise.all(names.map(start))));
      if (round === 0) resting.push(...(await restingRows(cluster)));
      removal.ours.push(await timed(removeAll));
    }
    const what = `${burstSize} pods (median of ${burstRounds})`;
    return [
      ratioRow('pod start, POST to Ready (median of 7)', median(ours), median(floor), 1.2),
      ratioRow(`burst of ${what}`, median(burst.ours), median(burst.floor), 1.2),
      ratioRow(`removal of ${what}`, median(removal.ours), median(removal.floor), 1.3),
      ...resting,
    ];
  } finally {
    await raw.removeAll();
    await watch.stop();
    await cluster.stop();
  }
}

export const ratioRow = (name: string, measured: number, floor: number, budget: number): Row => ({
  name,
  measured: `${ms(measured)} (${ratio(measured / floor)})`,
  floor: `raw Docker ${ms(floor)}`,
  budget: `<= ${budget}x`,
  ok: measured <= budget * floor,
});

/** What both processes need while nothing happens, with the pods of the burst running. */
async function restingRows(cluster: Cluster): Promise<Row[]> {
  // What a burst put off (events, a second look at the runtime) is done by then.
  await systemClock.sleep(settleSeconds * 1000, new AbortController().signal);
  const before = { master: cpuSeconds(cluster.pid('master')), agent: cpuSeconds(cluster.pid('agent')) };
  await systemClock.sleep(idleSeconds * 1000, new AbortController().signal);
  const share = (role: 'master' | 'agent'): number =>
    (100 * (cpuSeconds(cluster.pid(role)) - before[role])) / idleSeconds;
  const idle = { master: share('master'), agent: share('agent') };
  const memory = {
    master: residentMegabytes(cluster.pid('master')),
    agent: residentMegabytes(cluster.pid('agent')),
  };
  return [
    {
      name: 'memory of the master',
      measured: `${memory.master} MB`,
      floor: '',
      budget: '<= 200 MB',
      ok: memory.master <= 200,
    },
    {
      name: `memory of the agent, ${burstSize} pods`,
      measured: `${memory.agent} MB`,
      floor: '',
      budget: '<= 120 MB',
      ok: memory.agent <= 120,
    },
    {
      name: `idle CPU, master + agent, ${burstSize} pods`,
      measured: `${idle.master.toFixed(2)} + ${idle.agent.toFixed(2)} % of a core`,
      floor: '',
      budget: '< 1 %',
      ok: idle.master + idle.agent < 1,
    },
  ];
}

/** User and system time of the process, children excluded (proc_pid_stat(5), fields 14 and 15, in 1/100 s). */
export function cpuSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /, '')
    .split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

export function residentMegabytes(pid: number): number {
  const line = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return Math.round(Number(line) / 1024);
}
