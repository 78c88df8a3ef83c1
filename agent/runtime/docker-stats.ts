/**
 * 8. What a container uses, from Docker's statistics. Used by docker.ts.
 *
 * The working set is what cannot be reclaimed at once: usage without inactive file pages, as Kubernetes defines it.
 */
import { type DockerClient, deadlines } from './docker-client.js';
import { unless } from './docker-errors.js';
import type { ContainerStats } from './runtime.js';

interface Statistics {
  cpu_stats: { cpu_usage: { total_usage: number } };
  memory_stats: { usage?: number; stats?: { total_inactive_file?: number; inactive_file?: number } };
}

/** `undefined` when it does not run or is gone. */
export async function dockerStats(client: DockerClient, id: string): Promise<ContainerStats | undefined> {
  const query = { stream: false, 'one-shot': true };
  const found = await client.call(deadlines.quick, (_docker, abortSignal) =>
    unless([404, 409], client.get<Statistics>(`/containers/${id}/stats`, query, abortSignal)),
  );
  const usage = found?.memory_stats.usage;
  if (!found || usage === undefined) return undefined;
  const { stats } = found.memory_stats;
  // cgroup v1 tells it for the whole hierarchy as total_..., v2 always does.
  const inactive = stats?.total_inactive_file ?? stats?.inactive_file ?? 0;
  return {
    cpuNanos: found.cpu_stats.cpu_usage.total_usage,
    memoryWorkingSetBytes: Math.max(0, usage - inactive),
  };
}
