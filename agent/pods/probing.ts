/**
 * What a verdict of a probe means for its pod: it is written into the record, and the worker looks again.
 */
import type { Pod } from '../../src/api/types.js';
import type { ProbeReport } from '../probes/manager.js';
import type { ProbeTrouble } from '../probes/prober.js';
import type { PodEvents } from './needs.js';
import type { ContainerHealth } from './observed.js';
import type { PodRecord } from './record.js';

export interface Probing {
  events: PodEvents;
  podOf(uid: string): Pod | undefined;
  recordOf(uid: string): PodRecord | undefined;
  enqueue(uid: string): void;
}

export function onProbeVerdict(report: ProbeReport, success: boolean, probing: Probing): void {
  const record = probing.recordOf(report.podUid);
  if (!record?.containers.has(report.containerId)) return;
  const health = record.health.get(report.containerId) ?? {};
  record.health.set(report.containerId, { ...health, ...healthOf(report.kind, success) });
  probing.enqueue(report.podUid);
}

function healthOf(kind: ProbeReport['kind'], success: boolean): ContainerHealth {
  if (kind === 'readiness') return { ready: success };
  if (success) return kind === 'startup' ? { started: true } : {};
  return { failed: kind };
}

const titles = { startup: 'Startup', liveness: 'Liveness', readiness: 'Readiness' } as const;

export function onProbeFailure(
  report: ProbeReport,
  { output, how }: { output: string; how: ProbeTrouble },
  probing: Probing,
): void {
  const pod = probing.podOf(report.podUid);
  if (!pod) return;
  probing.events.record(
    pod,
    'Warning',
    how === 'warning' ? 'ProbeWarning' : 'Unhealthy',
    `${titles[report.kind]} probe ${how}: ${output}`,
    report.containerName,
  );
}
