/**
 * HorizontalPodAutoscalers of autoscaling/v1 and v2beta2. Pure. v1 knows one metric, the use of CPU; all the others,
 * what was measured, conditions and behaviour travel in annotations, as Kubernetes documents it. The metrics themselves
 * are in `autoscalermetrics.ts`.
 */
import { resourceType } from '../../../src/api/kinds.js';
import { parseJson } from '../../../src/api/patch/json.js';
import type {
  AutoscalingV1HorizontalPodAutoscaler,
  AutoscalingV1MetricSpec,
  AutoscalingV1MetricStatus,
  HorizontalPodAutoscaler,
  HorizontalPodAutoscalerBehavior,
  HorizontalPodAutoscalerStatus,
  HPAScalingRules,
  KubeObject,
  MetricSpec,
  MetricStatus,
  ObjectMeta,
} from '../../../src/api/types.js';
import { specFromV1, specToV1, statusFromV1, statusToV1 } from './autoscalermetrics.js';

const autoscalers = (apiVersion: string) =>
  resourceType<KubeObject>(apiVersion, 'horizontalpodautoscalers', 'HorizontalPodAutoscaler', true);

export const autoscalersV1 = autoscalers('autoscaling/v1');
export const autoscalersV2beta2 = autoscalers('autoscaling/v2beta2');

const prefix = 'autoscaling.alpha.kubernetes.io/';
const keys = ['metrics', 'current-metrics', 'conditions', 'behavior'] as const;

type Extra = (typeof keys)[number];

export function autoscalerV1FromStored(object: KubeObject): KubeObject {
  const { metadata, spec, status } = object as HorizontalPodAutoscaler;
  const {
    metrics = [],
    behavior,
    scaleTargetRef,
    minReplicas,
    maxReplicas,
  } = spec ?? ({} as NonNullable<typeof spec>);
  const { currentMetrics = [], conditions = [], ...counts } = status ?? { desiredReplicas: 0 };
  const others = metrics.filter((metric) => !isCpuUse(metric));
  const extras: Partial<Record<Extra, unknown>> = {
    ...(others.length > 0 && { metrics: others.map(specToV1) }),
    ...(currentMetrics.length > 0 && { 'current-metrics': currentMetrics.map(statusToV1) }),
    ...(behavior && { behavior: capitalised(behavior) }),
    ...(conditions.length > 0 && { conditions }),
  };
  const cpu = metrics.find(isCpuUse)?.resource?.target.averageUtilization;
  const current = currentMetrics.find(isCpu)?.resource?.current.averageUtilization;
  const { lastScaleTime, observedGeneration, currentReplicas = 0, desiredReplicas = 0 } = counts;
  return {
    apiVersion: 'autoscaling/v1',
    kind: 'HorizontalPodAutoscaler',
    metadata: withExtras(metadata, extras),
    spec: {
      scaleTargetRef,
      ...(minReplicas !== undefined && { minReplicas }),
      maxReplicas,
      ...(cpu !== undefined && { targetCPUUtilizationPercentage: cpu }),
    },
    status: {
      ...(observedGeneration !== undefined && { observedGeneration }),
      ...(lastScaleTime !== undefined && { lastScaleTime }),
      currentReplicas,
      desiredReplicas,
      ...(current !== undefined && { currentCPUUtilizationPercentage: current }),
    },
  } as KubeObject;
}

export function autoscalerV1ToStored(object: KubeObject): KubeObject {
  const { metadata, spec, status } = object as AutoscalingV1HorizontalPodAutoscaler;
  const { targetCPUUtilizationPercentage: percent, ...scaling } = spec ?? {};
  const { currentCPUUtilizationPercentage: current, ...counts } = status ?? {};
  const behavior = readExtra<HorizontalPodAutoscalerBehavior>(metadata, 'behavior');
  const metrics = [
    ...(readExtra<AutoscalingV1MetricSpec[]>(metadata, 'metrics') ?? []).map(specFromV1),
    ...(percent === undefined ? [] : [cpuUse(percent)]),
  ];
  const measured = readExtra<AutoscalingV1MetricStatus[]>(metadata, 'current-metrics')?.map(statusFromV1);
  const cpu = { type: 'Resource', resource: { name: 'cpu', current: { averageUtilization: current } } };
  const currentMetrics = measured ?? (current === undefined ? undefined : [cpu]);
  const conditions = readExtra<HorizontalPodAutoscalerStatus['conditions']>(metadata, 'conditions');
  return {
    apiVersion: 'autoscaling/v2',
    kind: 'HorizontalPodAutoscaler',
    metadata: withExtras(metadata, {}),
    spec: {
      ...scaling,
      ...(metrics.length > 0 && { metrics }),
      ...(behavior && Object.keys(behavior).length > 0 && { behavior }),
    },
    ...(status && {
      status: { ...counts, ...(currentMetrics && { currentMetrics }), ...(conditions && { conditions }) },
    }),
  } as KubeObject;
}

const cpuUse = (percent: number): MetricSpec => ({
  type: 'Resource',
  resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: percent } },
});

const isCpu = ({ type, resource }: MetricSpec | MetricStatus): boolean =>
  type === 'Resource' && resource?.name === 'cpu';

const isCpuUse = (metric: MetricSpec): boolean =>
  isCpu(metric) && metric.resource?.target.averageUtilization !== undefined;

/** The metadata with these extras and no others. */
function withExtras(metadata: ObjectMeta, extras: Partial<Record<Extra, unknown>>): ObjectMeta {
  const kept = Object.entries(metadata.annotations ?? {}).filter(
    ([key]) => !keys.some((extra) => key === prefix + extra),
  );
  const added = Object.entries(extras).map(([key, value]) => [prefix + key, JSON.stringify(value)]);
  const { annotations: _annotations, ...rest } = metadata;
  const all = [...kept, ...added];
  return all.length > 0 ? { ...rest, annotations: Object.fromEntries(all) } : rest;
}

/** What is no JSON is passed over: anybody may write annotations. Names are read whatever their capitals. */
function readExtra<T>({ annotations }: ObjectMeta, key: Extra): T | undefined {
  const text = annotations?.[prefix + key];
  if (text === undefined) return undefined;
  const value = parseJson(text);
  if (typeof value !== 'object' || value === null) return undefined;
  return (key === 'behavior' ? uncapitalised(value) : value) as T;
}

/** Behaviour is written with the names that Kubernetes has for it inside, nulls included. */
const capitalised = ({ scaleUp, scaleDown }: HorizontalPodAutoscalerBehavior): object => ({
  ScaleUp: scaleUp ? capitalisedRules(scaleUp) : null,
  ScaleDown: scaleDown ? capitalisedRules(scaleDown) : null,
});

const capitalisedRules = (rules: HPAScalingRules): object => ({
  StabilizationWindowSeconds: rules.stabilizationWindowSeconds ?? null,
  SelectPolicy: rules.selectPolicy ?? null,
  Policies: (rules.policies ?? []).map(({ type, value, periodSeconds }) => ({
    Type: type,
    Value: value,
    PeriodSeconds: periodSeconds,
  })),
  Tolerance: rules.tolerance ?? null,
});

function uncapitalised(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(uncapitalised);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).filter(([, child]) => child !== null);
  return Object.fromEntries(
    entries.map(([key, child]) => [key.slice(0, 1).toLowerCase() + key.slice(1), uncapitalised(child)]),
  );
}

export const autoscalerV2beta2ToStored = (object: KubeObject): KubeObject => ({
  ...object,
  apiVersion: 'autoscaling/v2',
});

/** It has no tolerance yet. */
export function autoscalerV2beta2FromStored(object: KubeObject): KubeObject {
  const { spec, ...rest } = object as HorizontalPodAutoscaler;
  if (!spec?.behavior) return { ...object, apiVersion: 'autoscaling/v2beta2' };
  const without = (rules: HPAScalingRules | undefined): HPAScalingRules | undefined => {
    const { tolerance: _tolerance, ...others } = rules ?? {};
    return rules && others;
  };
  const { scaleUp, scaleDown } = spec.behavior;
  const behavior = { scaleUp: without(scaleUp), scaleDown: without(scaleDown) };
  return { ...rest, apiVersion: 'autoscaling/v2beta2', spec: { ...spec, behavior } } as KubeObject;
}
