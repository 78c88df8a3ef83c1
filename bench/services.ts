/**
 * How long one endpoint change takes to reach the packet filter with many services: the real service proxy against the
 * real iptables, in a network namespace of its own. The time starts where the agent's informer tells the change; the
 * few milliseconds of the watch before that are part of the API's fan-out row.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Firewall } from '../agent/services/firewall.js';
import { createIptables } from '../agent/services/iptables.js';
import { sliceIndexers } from '../agent/services/model.js';
import { createServiceProxy } from '../agent/services/sync.js';
import { createTestSource } from '../agent/testing/source.js';
import type { EndpointSlice, Service } from '../src/api/types.js';
import { systemClock } from '../src/host/clock.js';
import { type Exec, run } from '../src/host/exec.js';
import { silentLogger } from '../src/host/log.js';
import { median, ms, type Row } from './row.js';

export interface ServicesResult {
  services: number;
  /** Writing all rules at the start. */
  fullMs: number;
  /** From one endpoint change to rules in the kernel. */
  medianMs: number;
  worstMs: number;
  /** The same for a new service. */
  addServiceMs: number;
}

const samples = 15;
const budgets: readonly [services: number, budgetMs: number][] = [
  [1_000, 100],
  [5_000, 150],
];

export async function benchServiceRows(): Promise<Row[]> {
  const rows: Row[] = [];
  for (const [count, budgetMs] of budgets) {
    const result = await benchServices(count);
    rows.push({
      name: `one endpoint change, ${count} services`,
      measured: `${ms(result.medianMs)} (worst ${ms(result.worstMs)})`,
      floor: `all rules at start ${ms(result.fullMs)}, new service ${ms(result.addServiceMs)}`,
      budget: `<= ${budgetMs} ms`,
      ok: result.medianMs <= budgetMs,
    });
  }
  return rows;
}

/** Each service has two endpoints. Needs root. */
export async function benchServices(count: number): Promise<ServicesResult> {
  const holder = spawn('unshare', ['-n', 'sleep', '600'], { stdio: 'ignore' });
  await once(holder, 'spawn');
  await systemClock.sleep(200, AbortSignal.timeout(1_000));
  const enter = `--net=/proc/${holder.pid}/ns/net`;
  const exec: Exec = (file, args, options) => run('nsenter', [enter, file, ...args], options);
  const services = createTestSource<Service>();
  const slices = createTestSource<EndpointSlice>(sliceIndexers);
  for (let index = 0; index < count; index += 1) {
    services.put(serviceAt(index));
    slices.put(sliceAt(index, 2));
  }
  const iptables = createIptables({ clock: systemClock, exec });
  let onWritten = (): void => undefined;
  const firewall: Firewall = {
    ...iptables,
    async restore(text) {
      await iptables.restore(text);
      onWritten();
    },
  };
  const proxy = createServiceProxy({
    ...{ nodeName: 'node', clusterCidr: '10.244.0.0/16', services, endpointSlices: slices },
    ...{ firewall, clock: systemClock, log: silentLogger, exec },
  });
  const timed = async (change: () => unknown): Promise<number> => {
    await systemClock.sleep(100, AbortSignal.timeout(1_000));
    const startedMs = systemClock.monotonicMs();
    const written = new Promise<void>((resolve) => {
      onWritten = resolve;
    });
    await change();
    await written;
    return systemClock.monotonicMs() - startedMs;
  };
  try {
    const fullMs = await timed(() => proxy.start(new AbortController().signal));
    while (!proxy.healthy().ok) await systemClock.sleep(5, AbortSignal.timeout(60_000));
    const times: number[] = [];
    for (let sample = 0; sample < samples; sample += 1) {
      times.push(await timed(() => slices.put(sliceAt(sample * 7, 1 + (sample % 3) * 2))));
    }
    slices.put(sliceAt(count, 2));
    const addServiceMs = await timed(() => services.put(serviceAt(count)));
    return { services: count, fullMs, medianMs: median(times), worstMs: Math.max(...times), addServiceMs };
  } finally {
    await proxy.stop();
    holder.kill('SIGKILL');
  }
}

const nameAt = (index: number): string => `service-${index}`;

const serviceAt = (index: number): Service => ({
  metadata: { name: nameAt(index), namespace: 'default' },
  spec: { clusterIP: `10.100.${index >> 8}.${index & 255}`, ports: [{ name: 'http', port: 80 }] },
});

const sliceAt = (index: number, endpoints: number): EndpointSlice => ({
  metadata: {
    name: nameAt(index),
    namespace: 'default',
    labels: { 'kubernetes.io/service-name': nameAt(index) },
  },
  addressType: 'IPv4',
  ports: [{ name: 'http', port: 8080 }],
  endpoints: Array.from({ length: endpoints }, (_, at) => ({
    addresses: [`10.244.${index >> 6}.${(index & 63) * 4 + at}`],
    conditions: { ready: true },
  })),
});
