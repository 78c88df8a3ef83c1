/**
 * Counts and times the calls to the runtime, under the names kubelet has for them. The composition root puts it around
 * the runtime; `/metrics` shows it.
 */
import { Counter, Histogram, type Registry } from 'prom-client';
import type { Runtime } from '../runtime/runtime.js';

/** kubelet's `operation_type` by our method; what is not here is not counted. */
const operations: Partial<Record<keyof Runtime, string>> = {
  version: 'version',
  createSandbox: 'run_podsandbox',
  startSandbox: 'start_podsandbox',
  stopSandbox: 'stop_podsandbox',
  removeSandbox: 'remove_podsandbox',
  listSandboxes: 'list_podsandbox',
  inspectSandbox: 'podsandbox_status',
  createContainer: 'create_container',
  startContainer: 'start_container',
  stopContainer: 'stop_container',
  removeContainer: 'remove_container',
  updateContainer: 'update_container',
  listContainers: 'list_containers',
  inspectContainer: 'container_status',
  exec: 'exec_sync',
  attach: 'attach',
  stats: 'container_stats',
  pullImage: 'pull_image',
  inspectImage: 'image_status',
  listImages: 'list_images',
  removeImage: 'remove_image',
};

const labelNames = ['operation_type'];
/** kubelet's: 5 ms, each 2.5 times the one before. */
const buckets = Array.from({ length: 14 }, (_, index) => 0.005 * 2.5 ** index);

export class RuntimeOperations {
  readonly #started = new Map<'pods' | 'containers', { count: number; failed: number }>([
    ['pods', { count: 0, failed: 0 }],
    ['containers', { count: 0, failed: 0 }],
  ]);
  readonly #total = new Counter({
    name: 'kubelet_runtime_operations_total',
    help: 'Cumulative number of runtime operations by operation type.',
    labelNames,
    registers: [],
  });
  readonly #errors = new Counter({
    name: 'kubelet_runtime_operations_errors_total',
    help: 'Cumulative number of runtime operation errors by operation type.',
    labelNames,
    registers: [],
  });
  readonly #durations = new Histogram({
    name: 'kubelet_runtime_operations_duration_seconds',
    help: 'Duration in seconds of runtime operations.',
    labelNames,
    buckets,
    registers: [],
  });

  register(registry: Registry): void {
    registry.registerMetric(this.#total);
    registry.registerMetric(this.#errors);
    registry.registerMetric(this.#durations);
    for (const [what, counts] of this.#started) {
      for (const [name, help, key] of [
        [`kubelet_started_${what}_total`, `Cumulative number of ${what} started`, 'count'],
        [
          `kubelet_started_${what}_errors_total`,
          `Cumulative number of errors when starting ${what}`,
          'failed',
        ],
      ] as const) {
        new Counter({
          name,
          help,
          registers: [registry],
          collect() {
            this.reset();
            this.inc(counts[key]);
          },
        });
      }
    }
  }

  /** The same runtime; every call through the answer is counted. */
  observe<T extends Runtime>(runtime: T): T {
    const wrapped = new Map<PropertyKey, unknown>();
    return new Proxy(runtime, {
      get: (target, name) => {
        const known = wrapped.get(name);
        if (known !== undefined) return known;
        const value: unknown = Reflect.get(target, name, target);
        if (typeof value !== 'function') return value;
        const operation = Object.hasOwn(operations, name) ? operations[name as keyof Runtime] : undefined;
        const bound = value.bind(target) as (...args: unknown[]) => unknown;
        const made = operation === undefined ? bound : this.#counted(operation, bound);
        wrapped.set(name, made);
        return made;
      },
    });
  }

  #counted(
    operation: string,
    call: (...args: unknown[]) => unknown,
  ): (...args: unknown[]) => Promise<unknown> {
    const labels = { operation_type: operation };
    const what = { start_podsandbox: 'pods', start_container: 'containers' } as const;
    const started = Object.hasOwn(what, operation)
      ? this.#started.get(what[operation as keyof typeof what])
      : undefined;
    return async (...args) => {
      this.#total.inc(labels);
      if (started) started.count += 1;
      const end = this.#durations.startTimer(labels);
      try {
        return await call(...args);
      } catch (error) {
        this.#errors.inc(labels);
        if (started) started.failed += 1;
        throw error;
      } finally {
        end();
      }
    };
  }
}
