/**
 * `/metrics/probes`: how often the probes of the containers that run were asked, and how long they took. Pure but for
 * the library that renders. Called by metrics-pages.ts.
 */
import { Registry } from 'prom-client';
import type { Pod } from '../../src/api/types.js';
import { durationBounds } from '../probes/durations.js';
import type { ProbeResult } from '../probes/manager.js';
import { family } from './metrics.js';

const names: Record<ProbeResult['kind'], string> = {
  liveness: 'Liveness',
  readiness: 'Readiness',
  startup: 'Startup',
};

const durationName = 'prober_probe_duration_seconds';

export async function probeMetrics(results: readonly ProbeResult[], pods: readonly Pod[]): Promise<string> {
  const byUid = new Map(pods.map(({ metadata }) => [metadata.uid, metadata]));
  const probes = results.map(({ podUid, container, kind, counts }) => {
    const metadata = byUid.get(podUid);
    const pod = { container, pod: metadata?.name ?? '', namespace: metadata?.namespace ?? '' };
    return { podUid, pod, kind, counts };
  });
  const rows = probes.flatMap(({ podUid, pod, kind, counts }) =>
    (['successful', 'failed', 'unknown'] as const).map(
      (result) => [{ probe_type: names[kind], result, ...pod, pod_uid: podUid }, counts[result]] as const,
    ),
  );
  const registry = new Registry();
  const help = 'Cumulative number of a liveness, readiness or startup probe for a container by result.';
  family(registry, 'counter', 'prober_probe_total', help, rows);
  return `${(await registry.metrics()).trimEnd()}\n${durationsText(probes)}`;
}

/** Written here: the library fills histograms one observation at a time only. */
function durationsText(
  probes: readonly {
    pod: Record<string, string>;
    kind: ProbeResult['kind'];
    counts: ProbeResult['counts'];
  }[],
): string {
  const lines = [
    `# HELP ${durationName} Duration in seconds for a probe response.`,
    `# TYPE ${durationName} histogram`,
  ];
  for (const { pod, kind, counts } of probes) {
    const labels = Object.entries({ probe_type: names[kind], ...pod })
      .map(([name, value]) => `${name}=${JSON.stringify(value)}`)
      .join();
    const { durations } = counts;
    let total = 0;
    for (const [index, bound] of durationBounds.entries()) {
      total += durations.counts[index] ?? 0;
      lines.push(`${durationName}_bucket{${labels},le="${bound}"} ${total}`);
    }
    lines.push(`${durationName}_bucket{${labels},le="+Inf"} ${durations.count}`);
    lines.push(`${durationName}_sum{${labels}} ${durations.sum}`);
    lines.push(`${durationName}_count{${labels}} ${durations.count}`);
  }
  return `${lines.join('\n')}\n`;
}
