/**
 * The pages of the agent that tell what is used: `/stats/summary`, `/metrics/resource`, `/metrics/cadvisor`; what probes
 * answered: `/metrics/probes`; and `/metrics` about the agent itself. Made by the composition root for server.ts.
 */
import { Gauge, prometheusContentType, Registry } from 'prom-client';
import type { Pod } from '../../src/api/types.js';
import { registerProcessMetrics } from '../../src/host/processmetrics.js';
import type { ProbeResult } from '../probes/manager.js';
import { RuntimeError } from '../runtime/runtime.js';
import { cadvisorMetrics, type MachineFacts, resourceMetrics } from './metrics.js';
import { probeMetrics } from './metrics-probes.js';
import type { RuntimeOperations } from './operations.js';
import type { Page, Pages } from './pages.js';
import { registerPodCounts, registerPodStarts } from './podmetrics.js';
import type { Stats } from './stats.js';
import type { DiskSample } from './stats-disk.js';
import { summaryOf } from './stats-summary.js';

export interface MetricsPagesOptions {
  nodeName: string;
  stats: Stats;
  /** What pods use of the disk; left out when absent, or when the runtime does not answer. */
  disk?(): Promise<DiskSample>;
  machine(): MachineFacts;
  startedAt: Date;
  pods(): readonly Pod[];
  probeResults(): readonly ProbeResult[];
  /** Where the starts of pods are seen. */
  started?: Parameters<typeof registerPodStarts>[1];
  /** Around the runtime. */
  operations?: RuntimeOperations;
  /** Of the agent's certificates. */
  certificates?: { register(registry: Registry): void };
}

export function metricsPages(options: MetricsPagesOptions): Pages {
  const { nodeName, stats, startedAt } = options;
  const own = ownRegistry(options);
  const prometheus =
    (render: () => Promise<string>): Page =>
    async () => ({ contentType: prometheusContentType, body: await render() });
  return new Map<string, Page>([
    [
      '/stats/summary',
      async (query) => {
        const onlyCpuAndMemory = query.get('only_cpu_and_memory') === 'true';
        const [sample, disk] = await Promise.all([
          stats.sample(),
          onlyCpuAndMemory ? undefined : ifKnown(options.disk?.()),
        ]);
        const summary = summaryOf(sample, { nodeName, onlyCpuAndMemory, startedAt, disk });
        return { contentType: 'application/json', body: JSON.stringify(summary) };
      },
    ],
    ['/metrics/resource', prometheus(async () => resourceMetrics(await stats.sample()))],
    [
      '/metrics/cadvisor',
      prometheus(async () => {
        const [sample, disk] = await Promise.all([stats.sample(), ifKnown(options.disk?.())]);
        return cadvisorMetrics(sample, options.machine(), disk);
      }),
    ],
    ['/metrics/probes', prometheus(() => probeMetrics(options.probeResults(), options.pods()))],
    ['/metrics', prometheus(() => own.metrics())],
  ]);
}

/** The rest is worth telling while the runtime does not answer. */
async function ifKnown<T>(sample: Promise<T> | undefined): Promise<T | undefined> {
  try {
    return await sample;
  } catch (error) {
    if (error instanceof RuntimeError) return undefined;
    throw error;
  }
}

function ownRegistry({ nodeName, pods, started, operations, certificates }: MetricsPagesOptions): Registry {
  const registry = new Registry();
  const registers = [registry];
  registerProcessMetrics(registry);
  new Gauge({ name: 'kubelet_node_name', help: "The node's name.", labelNames: ['node'], registers }).set(
    { node: nodeName },
    1,
  );
  registerPodCounts(registry, pods);
  if (started) registerPodStarts(registry, started);
  operations?.register(registry);
  certificates?.register(registry);
  return registry;
}
