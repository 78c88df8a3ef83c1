/** The columns of HorizontalPodAutoscalers and PodDisruptionBudgets. Pure. */
import type {
  HorizontalPodAutoscaler,
  MetricSpec,
  MetricStatus,
  MetricTarget,
  MetricValueStatus,
  PodDisruptionBudget,
} from '../../../src/api/types.js';
import type { Printer } from '../resource.js';
import { ageColumn, createdAge, integer, nameColumn, text } from './age.js';

const unknown = '<unknown>';
/** More metrics are only counted. */
const shownMetrics = 2;

export const autoscalerPrinter: Printer<HorizontalPodAutoscaler> = {
  columns: [
    nameColumn,
    text('Reference', 'What is scaled.'),
    text('Targets', 'What is measured, and what it should be.'),
    text('MinPods', 'Pods there are at least.'),
    text('MaxPods', 'Pods there are at most.'),
    integer('Replicas', 'Pods there are.'),
    ageColumn,
  ],
  cells: ({ metadata, spec, status }, now) => [
    metadata.name,
    `${spec?.scaleTargetRef.kind}/${spec?.scaleTargetRef.name}`,
    targetsText(spec?.metrics ?? [], status?.currentMetrics ?? []),
    spec?.minReplicas === undefined ? '<unset>' : String(spec.minReplicas),
    spec?.maxReplicas ?? 0,
    status?.currentReplicas ?? 0,
    createdAge({ metadata }, now),
  ],
};

function targetsText(specs: readonly MetricSpec[], statuses: readonly MetricStatus[]): string {
  if (specs.length === 0) return '<none>';
  const texts = specs.map((spec, index) => metricText(spec, statuses[index]));
  const shown = texts.slice(0, shownMetrics).join(', ');
  return texts.length > shownMetrics ? `${shown} + ${texts.length - shownMetrics} more...` : shown;
}

function metricText(spec: MetricSpec, status: MetricStatus | undefined): string {
  switch (spec.type) {
    case 'External':
      return valueText(spec.external?.target, status?.external?.current);
    case 'Object':
      return valueText(spec.object?.target, status?.object?.current);
    case 'Pods':
      return `${status?.pods?.current.averageValue ?? unknown}/${spec.pods?.target.averageValue ?? ''}`;
    case 'Resource':
      return `${spec.resource?.name}: ${usageText(spec.resource?.target, status?.resource?.current)}`;
    case 'ContainerResource': {
      const usage = usageText(spec.containerResource?.target, status?.containerResource?.current);
      return `${spec.containerResource?.name}: ${usage}`;
    }
    default:
      return '<unknown type>';
  }
}

const valueText = (target: MetricTarget | undefined, current: MetricValueStatus | undefined): string =>
  target?.averageValue === undefined
    ? `${current?.value ?? unknown}/${target?.value ?? ''}`
    : `${current?.averageValue ?? unknown}/${target.averageValue} (avg)`;

function usageText(target: MetricTarget | undefined, current: MetricValueStatus | undefined): string {
  if (target?.averageValue !== undefined) return `${current?.averageValue ?? unknown}/${target.averageValue}`;
  const share = (value: number | undefined, none: string): string =>
    value === undefined ? none : `${value}%`;
  return `${share(current?.averageUtilization, unknown)}/${share(target?.averageUtilization, '<auto>')}`;
}

export const budgetPrinter: Printer<PodDisruptionBudget> = {
  columns: [
    nameColumn,
    text('Min Available', 'Pods that must be available at least.'),
    text('Max Unavailable', 'Pods that may be unavailable at most.'),
    integer('Allowed Disruptions', 'Pods that may be evicted now.'),
    ageColumn,
  ],
  cells: ({ metadata, spec, status }, now) => [
    metadata.name,
    String(spec?.minAvailable ?? 'N/A'),
    String(spec?.maxUnavailable ?? 'N/A'),
    status?.disruptionsAllowed ?? 0,
    createdAge({ metadata }, now),
  ],
};
