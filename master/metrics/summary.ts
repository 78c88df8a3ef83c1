/**
 * From an agent's `/stats/summary` to the NodeMetrics and PodMetrics of metrics.k8s.io/v1beta1. Pure.
 */
import { formatQuantity } from '../../src/api/quantity.js';
import type {
  ContainerMetrics,
  KubeObject,
  Node,
  NodeMetrics,
  Pod,
  PodMetrics,
} from '../../src/api/types.js';

/** The part of kubelet's Summary that counts here; `window` is our agent's, in seconds. */
export interface Summary {
  window?: number;
  node?: Stats;
  pods?: PodStats[];
}

export interface Stats {
  /** When it, or the container, started. */
  startTime?: string;
  cpu?: { time?: string; usageNanoCores?: number };
  memory?: { workingSetBytes?: number };
}

export interface PodStats extends Stats {
  podRef?: { name?: string; namespace?: string; uid?: string };
  containers?: (Stats & { name?: string })[];
}

/** `undefined` where the agent has no measurement yet. */
export function nodeMetrics(node: Node, { window = 0, node: stats }: Summary): NodeMetrics | undefined {
  const usage = usageOf(stats);
  if (!usage) return undefined;
  const timestamp = timeOf(stats);
  return { ...header(node, timestamp), timestamp, window: durationText(window), usage };
}

/** Only when every container of the pod that runs has been measured: half a sum would mislead. */
export function podMetrics(pod: Pod, summary: Summary): PodMetrics | undefined {
  const stats = summary.pods?.find(({ podRef }) => podRef?.uid === pod.metadata.uid);
  const containers = (stats?.containers ?? []).map((container): ContainerMetrics | undefined => {
    const usage = usageOf(container);
    return usage && { name: container.name ?? '', usage };
  });
  const known = containers.filter((container) => container !== undefined);
  if (!stats || known.length === 0 || known.length < containers.length) return undefined;
  const timestamp = timeOf(stats);
  const ages = (stats.containers ?? []).map(
    ({ startTime }) => (Date.parse(timestamp) - Date.parse(startTime ?? '')) / 1000,
  );
  const window = Math.min(summary.window ?? 0, ...ages.filter((age) => age > 0));
  return { ...header(pod, timestamp), timestamp, window: durationText(window), containers: known };
}

/** Metrics carry the labels of what they are about, so that selectors work on them. */
const header = ({ metadata }: KubeObject, timestamp: string): Pick<KubeObject, 'metadata'> => ({
  metadata: {
    name: metadata.name,
    ...(metadata.namespace && { namespace: metadata.namespace }),
    creationTimestamp: timestamp,
    ...(metadata.labels && { labels: metadata.labels }),
  },
});

function usageOf(stats: Stats | undefined): Record<string, string> | undefined {
  const { cpu, memory } = stats ?? {};
  if (cpu?.usageNanoCores === undefined || memory?.workingSetBytes === undefined) return undefined;
  return {
    cpu: formatQuantity({ nanos: wholeOf(cpu.usageNanoCores), format: 'DecimalSI' }),
    memory: formatQuantity({ nanos: wholeOf(memory.workingSetBytes) * 1_000_000_000n, format: 'BinarySI' }),
  };
}

const wholeOf = (value: number): bigint => BigInt(Math.max(0, Math.round(value)));

/** RFC 3339 with whole seconds, as `metav1.Time`. */
const timeOf = (stats: Stats | undefined): string =>
  (stats?.cpu?.time ?? new Date(0).toISOString()).replace(/\.\d+/, '');

/** As Go prints durations below a minute or above: `1.02s`, `1m5s`. */
export function durationText(seconds: number): string {
  const rounded = Math.round(seconds * 1000) / 1000;
  const minutes = Math.floor(rounded / 60);
  const rest = Math.round((rounded - minutes * 60) * 1000) / 1000;
  return minutes > 0 ? `${minutes}m${rest}s` : `${rest}s`;
}
