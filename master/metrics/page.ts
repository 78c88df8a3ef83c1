/**
 * `/metrics` of the master: Prometheus text, made when somebody asks. Called by the composition root; who may read it is
 * decided by path (system:masters, system:monitoring).
 */
import { Gauge, prometheusContentType, Registry } from 'prom-client';
import { kubernetesVersion } from '../../src/api/version.js';
import { registerProcessMetrics } from '../../src/host/processmetrics.js';
import type { RequestStats } from './requests.js';

export interface MetricsPageOptions {
  requests: RequestStats;
  /** The store's newest revision. */
  revision(): number;
  /** Objects by `resource.group`. */
  countObjects(): Promise<ReadonlyMap<string, number>>;
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
  return async () => ({
    contentType: prometheusContentType,
    body: `${await registry.metrics()}\n${options.requests.text()}`,
  });
}
