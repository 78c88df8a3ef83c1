/**
 * Runs the probes of one container and tells each verdict as it changes. Called by `manager.ts`.
 *
 * One timer per probe, its first run jittered within the period when the agent adopts a container, so that many probes
 * do not fire together. The startup probe gates the others: until it succeeds nothing else is asked. A liveness or
 * startup probe that gave up stays quiet: its container is killed, and the next one has a new id.
 */
import type { Container, Probe } from '../../src/api/types.js';
import type { Clock } from '../../src/host/clock.js';
import { Durations } from './durations.js';
import { resolvePort } from './ports.js';
import type { ProbeRunner } from './runner.js';
import { addResult, type Streak, timingOf, verdictOf } from './thresholds.js';

export type ProbeKind = 'startup' | 'liveness' | 'readiness';

export interface ProbedContainer {
  id: string;
  spec: Container;
  podIp: string;
  startedAt: Date;
}

export interface ProberOptions {
  runner: ProbeRunner;
  clock: Clock;
  /** 0 <= x < 1. */
  random: () => number;
  /** A verdict was reached: for the first time, or another one than before. */
  onVerdict(kind: ProbeKind, success: boolean): void;
  /** A single check failed, could not be done, or succeeded with a warning. */
  onFailure(kind: ProbeKind, output: string, how: ProbeTrouble): void;
}

export type ProbeTrouble = 'failed' | 'errored' | 'warning';

/** How often a probe was asked, by its answer, and how long the successful checks took. */
export interface ProbeCounts {
  successful: number;
  failed: number;
  unknown: number;
  durations: Durations;
}

export interface Prober {
  /** Of the probes that have been asked. */
  readonly counts: ReadonlyMap<ProbeKind, ProbeCounts>;
  /** Asks the startup and liveness probes no more: the pod is ending. */
  stopLiveness(): void;
  stop(): void;
}

export function createProber(container: ProbedContainer, isStarted: boolean, options: ProberOptions): Prober {
  const { clock } = options;
  const { spec } = container;
  const loops = new Map<ProbeKind, AbortController>();
  const counts = new Map<ProbeKind, ProbeCounts>();

  function run(kind: ProbeKind, probe: Probe, isFirstSight: boolean): void {
    const stop = new AbortController();
    loops.set(kind, stop);
    const count: ProbeCounts = { successful: 0, failed: 0, unknown: 0, durations: new Durations() };
    counts.set(kind, count);
    const { initialDelayMs, periodMs, timeoutMs } = timingOf(probe);
    const port = probe.httpGet?.port ?? probe.tcpSocket?.port ?? probe.grpc?.port;
    const target = {
      containerId: container.id,
      podIp: container.podIp,
      port: port === undefined ? undefined : resolvePort(port, spec.ports ?? []),
    };
    let streak: Streak | undefined;
    let verdict: boolean | undefined;

    let cancel = (): void => undefined;
    stop.signal.addEventListener('abort', () => cancel(), { once: true });

    const check = async (): Promise<void> => {
      const startedMs = clock.monotonicMs();
      const { success, output, isWarning, isUnknown } = await options.runner(
        probe,
        target,
        timeoutMs,
        stop.signal,
      );
      if (stop.signal.aborted) return;
      count[success ? 'successful' : isUnknown ? 'unknown' : 'failed'] += 1;
      if (success) count.durations.observe((clock.monotonicMs() - startedMs) / 1000);
      if (!success || isWarning)
        options.onFailure(kind, output, success ? 'warning' : isUnknown ? 'errored' : 'failed');
      if (!isUnknown) judge(success);
      if (!isDone()) schedule(periodMs - (clock.monotonicMs() - startedMs));
      else stop.abort();
      if (kind === 'startup' && verdict === true) runOthers(false);
    };
    const judge = (success: boolean): void => {
      streak = addResult(streak, success);
      const next = verdictOf(streak, probe);
      if (next === undefined || next === verdict) return;
      verdict = next;
      options.onVerdict(kind, next);
    };
    const isDone = (): boolean =>
      kind === 'startup' ? verdict !== undefined : kind === 'liveness' && verdict === false;
    const schedule = (ms: number): void => {
      if (stop.signal.aborted) return;
      cancel = clock.after(Math.max(ms, 0), () => {
        check().catch((error: unknown) => {
          if (!stop.signal.aborted) throw error;
        });
      });
    };
    const elapsedMs = Math.max(clock.now().getTime() - container.startedAt.getTime(), 0);
    const jitterMs = isFirstSight && elapsedMs > periodMs ? options.random() * periodMs : 0;
    schedule(Math.max(initialDelayMs - elapsedMs, 0) + jitterMs);
  }

  function runOthers(isFirstSight: boolean): void {
    if (spec.readinessProbe) run('readiness', spec.readinessProbe, isFirstSight);
    if (spec.livenessProbe) run('liveness', spec.livenessProbe, isFirstSight);
  }

  if (spec.startupProbe && !isStarted) run('startup', spec.startupProbe, true);
  else runOthers(true);

  return {
    counts,
    stopLiveness() {
      loops.get('startup')?.abort();
      loops.get('liveness')?.abort();
    },
    stop() {
      for (const loop of loops.values()) loop.abort();
    },
  };
}
