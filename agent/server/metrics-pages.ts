/**
 * The pages of the agent that tell what is used: `/stats/summary`, `/metrics/resource`, `/metrics/cadvisor`; what probes
 * answered: `/metrics/probes`; and `/metrics` about the agent itself. Made by the composition root for server.ts.
 */
import { Gauge, prometheusContentType, Registry } from 'prom-client';
import type { Pod } from '../../src/api/types.js';
import { registerProcessMetrics } from '../../src/host/processmetrics.js';
import type { ProbeResult } from '../probes/manager.js';
import { cadvisorMetrics, type MachineFacts, resourceMetrics } from './metrics.js';
import { probeMetrics } from './metrics-probes.js';
import type { Page, Pages } from './pages.js';
import type { Stats } from './stats.js';
import { summaryOf } from './stats-summary.js';

export interface MetricsPagesOptions {
  nodeName: string;
  stats: Stats;
  machine(): MachineFacts;
  startedAt: Date;
  pods(): readonly Pod[];
  probeResults(): readonly ProbeResult[];
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
        const summary = summaryOf(await stats.sample(), { nodeName, onlyCpuAndMemory, startedAt });
        return { contentType: 'application/json', body: JSON.stringify(summary) };
      },
    ],
    ['/metrics/resource', prometheus(async () => resourceMetrics(await stats.sample()))],
    ['/metrics/cadvisor', prometheus(async () => cadvisorMetrics(await stats.sample(), options.machine()))],
    ['/metrics/probes', prometheus(() => probeMetrics(options.probeResults(), options.pods()))],
    ['/metrics', prometheus(() => own.metrics())],
  ]);
}

function ownRegistry({ nodeName, pods }: MetricsPagesOptions): Registry {
  const registry = new Registry();
  const registers = [registry];
  registerProcessMetrics(registry);
  new Gauge({ name: 'kubelet_node_name', help: "The node's name.", labelNames: ['node'], registers }).set(
    { node: nodeName },
    1,
  );
  new Gauge({
    name: 'kubelet_running_pods',
    help: 'Number of pods that run.',
    registers,
    collect() {
      this.set(pods().filter(({ status }) => status?.phase === 'Running').length);
    },
  });
  return registry;
}
