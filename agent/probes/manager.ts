/**
 * The probes of all containers on this node. The pod worker tells after every round which containers run; the manager
 * starts and stops probers accordingly and hands every change of a verdict back, upon which the worker looks again.
 *
 * Invariant: at most one prober per container id, and none for a container that does not run.
 */
import type { Clock } from '../../src/host/clock.js';
import {
  createProber,
  type ProbeCounts,
  type ProbedContainer,
  type ProbeKind,
  type Prober,
  type ProbeTrouble,
} from './prober.js';
import type { ProbeRunner } from './runner.js';

export interface ProbeReport {
  podUid: string;
  containerId: string;
  containerName: string;
  kind: ProbeKind;
}

export interface ProbeManagerOptions {
  runner: ProbeRunner;
  clock: Clock;
  random?: () => number;
  onVerdict(report: ProbeReport, success: boolean): void;
  onFailure(report: ProbeReport, output: string, how: ProbeTrouble): void;
}

export interface ProbeManager {
  /**
   * `running`: every container of the pod that runs. `isStarted` tells whether its startup probe is known to have
   * succeeded. `isEnding`: the pod is going away, its liveness is of no interest any more.
   */
  sync(
    podUid: string,
    running: readonly (ProbedContainer & { isStarted: boolean })[],
    isEnding: boolean,
  ): void;
  /** Of the containers that run, for `/metrics/probes`. */
  results(): ProbeResult[];
  stop(): void;
}

export interface ProbeResult {
  podUid: string;
  container: string;
  kind: ProbeKind;
  counts: ProbeCounts;
}

export function createProbeManager(options: ProbeManagerOptions): ProbeManager {
  const pods = new Map<string, Map<string, { name: string; prober: Prober }>>();

  function begin(podUid: string, container: ProbedContainer & { isStarted: boolean }): Prober {
    const report = (kind: ProbeKind): ProbeReport => ({
      podUid,
      containerId: container.id,
      containerName: container.spec.name,
      kind,
    });
    return createProber(container, container.isStarted, {
      runner: options.runner,
      clock: options.clock,
      random: options.random ?? Math.random,
      onVerdict: (kind, success) => options.onVerdict(report(kind), success),
      onFailure: (kind, output, how) => options.onFailure(report(kind), output, how),
    });
  }

  return {
    sync(podUid, running, isEnding) {
      const probers = pods.get(podUid) ?? new Map<string, { name: string; prober: Prober }>();
      for (const [id, { prober }] of probers) {
        if (running.some((container) => container.id === id)) continue;
        prober.stop();
        probers.delete(id);
      }
      for (const container of running) {
        const { startupProbe, livenessProbe, readinessProbe } = container.spec;
        const hasProbe = startupProbe ?? livenessProbe ?? readinessProbe;
        if (hasProbe && !probers.has(container.id))
          probers.set(container.id, { name: container.spec.name, prober: begin(podUid, container) });
        if (isEnding) probers.get(container.id)?.prober.stopLiveness();
      }
      if (probers.size > 0) pods.set(podUid, probers);
      else pods.delete(podUid);
    },
    results: () =>
      [...pods].flatMap(([podUid, probers]) =>
        [...probers.values()].flatMap(({ name, prober }) =>
          [...prober.counts].map(([kind, counts]) => ({ podUid, container: name, kind, counts })),
        ),
      ),
    stop() {
      for (const probers of pods.values()) for (const { prober } of probers.values()) prober.stop();
      pods.clear();
    },
  };
}
