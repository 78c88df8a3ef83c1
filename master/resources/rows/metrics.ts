/** Rows of metrics.k8s.io: what nodes and pods use, answered by asking the agents (`master/metrics`). */
import { resourceType } from '../../../src/api/kinds.js';
import { addQuantities } from '../../../src/api/quantity.js';
import type { KubeObject, NodeMetrics, PodMetrics } from '../../../src/api/types.js';
import type { Column, Printer, Resource } from '../resource.js';
import { row } from './row.js';

const columns: readonly Column[] = [
  { name: 'Name', type: 'string', format: 'name', description: 'Name of the resource' },
  { name: 'cpu', type: 'string', format: 'quantity', description: 'CPU in use, in cores' },
  {
    name: 'memory',
    type: 'string',
    format: 'quantity',
    description: 'Memory in use that cannot be reclaimed',
  },
  {
    name: 'Window',
    type: 'string',
    format: 'duration',
    description: 'Time that the CPU usage is the mean of',
  },
];

/** As metrics-server prints them; of a pod the sum of its containers. */
function usagePrinter<T extends KubeObject & { window: string }>(
  usages: (metrics: T) => readonly Readonly<Record<string, string>>[],
): Printer<T> {
  const sum = (metrics: T, resource: string): string =>
    addQuantities(...usages(metrics).map((usage) => usage[resource] ?? '0'));
  return {
    columns,
    cells: (metrics) => [
      metrics.metadata.name ?? '',
      sum(metrics, 'cpu'),
      sum(metrics, 'memory'),
      metrics.window,
    ],
  };
}

const apiVersion = 'metrics.k8s.io/v1beta1';
const verbs = ['get', 'list'];

export const metricsRows: readonly Resource[] = [
  row({
    type: resourceType<NodeMetrics>(apiVersion, 'nodes', 'NodeMetrics', false),
    singular: '',
    verbs,
    printer: usagePrinter<NodeMetrics>(({ usage }) => [usage]),
  }),
  row({
    type: resourceType<PodMetrics>(apiVersion, 'pods', 'PodMetrics', true),
    singular: '',
    verbs,
    printer: usagePrinter<PodMetrics>(({ containers }) => containers.map(({ usage }) => usage)),
  }),
];
