/**
 * A sample as Prometheus text, under kubelet's paths and names: `/metrics/resource` and `/metrics/cadvisor`. Pure but for
 * the library that renders. Called by metrics-pages.ts, at every scrape anew.
 */
import { Counter, Gauge, Registry } from 'prom-client';
import type { ContainerSample, NodeSample, PodSample } from './stats.js';
import type { DiskSample } from './stats-disk.js';
import type { InterfaceUsage, Usage } from './stats-usage.js';

export type Labels = Readonly<Record<string, string>>;
export type Rows = readonly (readonly [Labels, number])[];

export function family(
  registry: Registry,
  type: 'counter' | 'gauge',
  name: string,
  help: string,
  rows: Rows,
): void {
  const labelNames = Object.keys(rows[0]?.[0] ?? {});
  const options = { name, help, labelNames, registers: [registry] };
  if (type === 'gauge') {
    const gauge = new Gauge(options);
    for (const [labels, value] of rows) gauge.set({ ...labels }, value);
  } else {
    const counter = new Counter(options);
    for (const [labels, value] of rows) counter.inc({ ...labels }, value);
  }
}

const seconds = (nanos: number): number => nanos / 1e9;

const podLabels = ({ pod: { metadata } }: PodSample): Labels => ({
  namespace: metadata.namespace ?? '',
  pod: metadata.name ?? '',
});

export function resourceMetrics(sample: NodeSample): Promise<string> {
  const registry = new Registry();
  const pods = sample.pods.map((pod) => [podLabels(pod), pod] as const);
  const containers = sample.pods.flatMap((pod) =>
    pod.containers.map((container) => [{ container: container.name, ...podLabels(pod) }, container] as const),
  );
  const scopes = [
    ['node', 'the node', [[{}, sample]]],
    ['pod', 'the pod', pods],
    ['container', 'the container', containers],
  ] as const;
  for (const [scope, of, rows] of scopes) {
    const values = (value: (usage: Usage) => number): Rows =>
      rows.map(([labels, { usage }]) => [labels, value(usage)] as const);
    const name = (rest: string): string => `${scope}_${rest}`;
    const memory = `Current working set of ${of} in bytes`;
    const cpu = `Cumulative cpu time consumed by ${of} in core-seconds`;
    family(
      registry,
      'counter',
      name('cpu_usage_seconds_total'),
      cpu,
      values((usage) => seconds(usage.cpuNanos)),
    );
    family(
      registry,
      'gauge',
      name('memory_working_set_bytes'),
      memory,
      values((usage) => usage.workingSetBytes),
    );
    const swap = `Current swap usage of ${of} in bytes`;
    family(
      registry,
      'gauge',
      name('swap_usage_bytes'),
      swap,
      values((usage) => usage.swapBytes),
    );
  }
  const started = containers.flatMap(([labels, { startedAt }]) =>
    startedAt ? [[labels, startedAt.getTime() / 1000] as const] : [],
  );
  const since = 'Start time of the container since unix epoch in seconds';
  family(registry, 'gauge', 'container_start_time_seconds', since, started);
  family(
    registry,
    'gauge',
    'resource_scrape_error',
    '1 if there was an error while getting metrics, 0 otherwise',
    [[{}, 0]],
  );
  return registry.metrics();
}

/** Names, types and values of the series that every container has. */
const containerSeries: readonly [
  string,
  'counter' | 'gauge',
  string,
  (usage: Usage) => number | undefined,
][] = [
  ['cpu_usage_seconds_total', 'counter', 'Cumulative cpu time consumed', (u) => seconds(u.cpuNanos)],
  ['cpu_user_seconds_total', 'counter', 'Cumulative user cpu time consumed', (u) => seconds(u.cpuUserNanos)],
  [
    'cpu_system_seconds_total',
    'counter',
    'Cumulative system cpu time consumed',
    (u) => seconds(u.cpuSystemNanos),
  ],
  ['cpu_cfs_periods_total', 'counter', 'Elapsed enforcement periods', (u) => u.periods],
  ['cpu_cfs_throttled_periods_total', 'counter', 'Throttled enforcement periods', (u) => u.throttledPeriods],
  [
    'cpu_cfs_throttled_seconds_total',
    'counter',
    'Time that it was throttled',
    (u) => seconds(u.throttledNanos),
  ],
  ['memory_usage_bytes', 'gauge', 'Current memory usage, all of it', (u) => u.memoryBytes],
  ['memory_working_set_bytes', 'gauge', 'Current working set', (u) => u.workingSetBytes],
  ['memory_rss', 'gauge', 'Size of RSS in bytes', (u) => u.rssBytes],
  ['memory_cache', 'gauge', 'Bytes of page cache', (u) => u.cacheBytes],
  ['memory_swap', 'gauge', 'Swap usage in bytes', (u) => u.swapBytes],
  ['processes', 'gauge', 'Number of processes inside', (u) => u.processes],
  ['fs_reads_total', 'counter', 'Cumulative count of reads completed', (u) => u.io?.reads],
  ['fs_writes_total', 'counter', 'Cumulative count of writes completed', (u) => u.io?.writes],
  ['fs_reads_bytes_total', 'counter', 'Cumulative count of bytes read', (u) => u.io?.readBytes],
  ['fs_writes_bytes_total', 'counter', 'Cumulative count of bytes written', (u) => u.io?.writeBytes],
  ['spec_memory_limit_bytes', 'gauge', 'Memory limit, 0 for none', (u) => u.memoryLimitBytes ?? 0],
];

const networkSeries: readonly [string, string, (usage: InterfaceUsage) => number][] = [
  ['receive_bytes_total', 'Cumulative count of bytes received', (usage) => usage.rxBytes],
  ['receive_packets_total', 'Cumulative count of packets received', (usage) => usage.rxPackets],
  [
    'receive_packets_dropped_total',
    'Cumulative count of packets dropped while receiving',
    (usage) => usage.rxDropped,
  ],
  ['receive_errors_total', 'Cumulative count of errors while receiving', (usage) => usage.rxErrors],
  ['transmit_bytes_total', 'Cumulative count of bytes transmitted', (usage) => usage.txBytes],
  ['transmit_packets_total', 'Cumulative count of packets transmitted', (usage) => usage.txPackets],
  [
    'transmit_packets_dropped_total',
    'Cumulative count of packets dropped while transmitting',
    (usage) => usage.txDropped,
  ],
  ['transmit_errors_total', 'Cumulative count of errors while transmitting', (usage) => usage.txErrors],
];

export interface MachineFacts {
  cpuCount: number;
  memoryBytes: number;
}

/** The writable layer and the logs of each container, and what they are a part of. */
function diskSeries(registry: Registry, sample: NodeSample, { pods, imageFs }: DiskSample): void {
  const used = sample.pods.flatMap((pod) => {
    const containers = pods.get(pod.pod.metadata.uid ?? '')?.containers ?? [];
    return pod.containers.flatMap((container) => {
      const own = containers.find(({ name }) => name === container.name);
      return own
        ? [[labelsOf(`/${container.id}`, pod, container), own.layer.bytes + own.logs.bytes] as const]
        : [];
    });
  });
  const all = [[labelsOf('/'), imageFs.usedBytes] as const, ...used];
  family(registry, 'gauge', 'container_fs_usage_bytes', 'Bytes used on the file system', all);
  family(
    registry,
    'gauge',
    'container_fs_limit_bytes',
    'Size of the file system',
    all.map(([labels]) => [labels, imageFs.capacityBytes] as const),
  );
}

export function cadvisorMetrics(
  sample: NodeSample,
  machine: MachineFacts,
  disk?: DiskSample,
): Promise<string> {
  const registry = new Registry();
  const rows = [
    [labelsOf('/'), sample.usage] as const,
    ...sample.pods.flatMap((pod) => [
      [labelsOf(`/pod${pod.pod.metadata.uid}`, pod), pod.usage] as const,
      ...pod.containers.map(
        (container) => [labelsOf(`/${container.id}`, pod, container), container.usage] as const,
      ),
    ]),
  ];
  for (const [name, type, help, value] of containerSeries)
    family(
      registry,
      type,
      `container_${name}`,
      help,
      rows.flatMap(([labels, usage]) => {
        const known = value(usage);
        return known === undefined ? [] : [[labels, known] as const];
      }),
    );
  const faults = rows.flatMap(([labels, usage]) =>
    (
      [
        ['pgfault', usage.pageFaults],
        ['pgmajfault', usage.majorPageFaults],
      ] as const
    ).map(([type, count]) => [{ ...labels, failure_type: type, scope: 'hierarchy' }, count] as const),
  );
  family(
    registry,
    'counter',
    'container_memory_failures_total',
    'Cumulative count of page faults, small and big',
    faults,
  );
  if (disk) diskSeries(registry, sample, disk);
  const started = sample.pods.flatMap((pod) =>
    pod.containers.flatMap((container) =>
      container.startedAt
        ? [[labelsOf(`/${container.id}`, pod, container), container.startedAt.getTime() / 1000] as const]
        : [],
    ),
  );
  family(
    registry,
    'gauge',
    'container_start_time_seconds',
    'Start time since unix epoch in seconds',
    started,
  );

  const links = [
    ...sample.interfaces.map((link) => [{ ...labelsOf('/'), interface: link.name }, link] as const),
    ...sample.pods.flatMap((pod) =>
      pod.interfaces.map(
        (link) => [{ ...labelsOf(`/pod${pod.pod.metadata.uid}`, pod), interface: link.name }, link] as const,
      ),
    ),
  ];
  for (const [name, help, value] of networkSeries)
    family(
      registry,
      'counter',
      `container_network_${name}`,
      help,
      links.map(([labels, link]) => [labels, value(link)]),
    );
  family(registry, 'gauge', 'machine_cpu_cores', 'Number of logical CPU cores', [[{}, machine.cpuCount]]);
  family(registry, 'gauge', 'machine_memory_bytes', 'Amount of memory installed', [
    [{}, machine.memoryBytes],
  ]);
  return registry.metrics();
}

/** cAdvisor's labels; a series without a container is the whole pod's, one without a pod the node's. */
const labelsOf = (id: string, pod?: PodSample, container?: ContainerSample): Labels => ({
  id,
  namespace: pod?.pod.metadata.namespace ?? '',
  pod: pod?.pod.metadata.name ?? '',
  container: container?.name ?? '',
  image: container?.image ?? '',
  name: container?.id ?? '',
});
