/**
 * `/metrics` of the master: Prometheus text, made when somebody asks. Called by the composition root; who may read it is
 * decided by path (system:masters, system:monitoring).
 */
import { Counter, Gauge, prometheusContentType, Registry } from 'prom-client';
import { kubernetesVersion } from '../../src/api/version.js';
import type { ControllerMetrics } from '../../src/client/controller.js';
import { registerProcessMetrics } from '../../src/host/processmetrics.js';
import type { RequestStats } from './requests.js';

export interface MetricsPageOptions {
  requests: RequestStats;
  /** The store's newest revision. */
  revision(): number;
  /** Objects by `resource.group`. */
  countObjects(): Promise<ReadonlyMap<string, number>>;
  /** Prometheus text of parts that count for themselves. */
  more?: readonly (() => string | Promise<string>)[];
  /** By the name of the controller; empty until they run. */
  queues(): Readonly<Record<string, ControllerMetrics>>;
}

export function metricsPage(
  options: MetricsPageOptions,
): () => Promise<{ contentType: string; body: string }> {
  const registry = new Registry();
  const registers = [registry];
  registerProcessMetrics(registry);
  new Gauge({
    name: 'kubernetes_build_info',
    help: 'The Kubernetes version whose API is served.',
    labelNames: ['git_version'],
    registers,
  }).set({ git_version: kubernetesVersion }, 1);
  new Gauge({
    name: 'apiserver_current_inflight_requests',
    help: 'Requests under way, without those that run long.',
    labelNames: ['request_kind'],
    registers,
    collect() {
      const { readOnly, mutating } = options.requests.underWay;
      this.set({ request_kind: 'readOnly' }, readOnly);
      this.set({ request_kind: 'mutating' }, mutating);
    },
  });
  new Gauge({
    name: 'apiserver_longrunning_requests',
    help: 'Watches, logs and tunnels under way.',
    registers,
    collect() {
      this.set(options.requests.underWay.longRunning);
    },
  });
  new Gauge({
    name: 'apiserver_storage_objects',
    help: 'Number of stored objects by kind.',
    labelNames: ['resource'],
    registers,
    async collect() {
      this.reset();
      for (const [resource, count] of await options.countObjects()) this.set({ resource }, count);
    },
  });
  new Gauge({
    name: 'wherry_store_revision',
    help: 'Newest revision of the store; grows by one per write.',
    registers,
    collect() {
      this.set(options.revision());
    },
  });
  registerQueues(registry, options.queues);
  return async () => ({
    contentType: prometheusContentType,
    body: [
      await registry.metrics(),
      options.requests.text(),
      ...(await Promise.all((options.more ?? []).map((text) => text()))),
    ].join('\n'),
  });
}

/** Names of client-go, so that dashboards find them. */
function registerQueues(registry: Registry, queues: MetricsPageOptions['queues']): void {
  const options = { labelNames: ['name'] as const, registers: [registry] };
  const gauges: readonly [string, string, (counts: ControllerMetrics) => number][] = [
    ['workqueue_depth', 'Keys that are ready to be worked on.', ({ depth }) => depth],
    ['workqueue_delayed', 'Keys that wait for their time.', ({ delayed }) => delayed],
    ['workqueue_active', 'Keys being worked on.', ({ active }) => active],
  ];
  for (const [name, help, value] of gauges) {
    new Gauge({
      ...{ name, help, ...options },
      collect() {
        for (const [queue, counts] of Object.entries(queues())) this.set({ name: queue }, value(counts));
      },
    });
  }
  const counters: readonly [string, string, (counts: ControllerMetrics) => number][] = [
    ['workqueue_adds_total', 'Keys that were worked on.', ({ reconciles }) => reconciles],
    ['workqueue_retries_total', 'Keys that failed and will be tried again.', ({ failures }) => failures],
  ];
  for (const [name, help, value] of counters) {
    new Counter({
      ...{ name, help, ...options },
      collect() {
        this.reset();
        for (const [queue, counts] of Object.entries(queues())) this.inc({ name: queue }, value(counts));
      },
    });
  }
}
