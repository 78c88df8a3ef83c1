/** Metrics of autoscalers, between autoscaling/v2 and the flat shape that v1 keeps in its annotations. Pure. */
import type {
  AutoscalingV1MetricSpec,
  AutoscalingV1MetricStatus,
  MetricSpec,
  MetricStatus,
  MetricTarget,
} from '../../../src/api/types.js';

/** Without the members that are not there: the result becomes JSON. */
const compact = <T extends object>(object: T): T =>
  Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined)) as T;

const zero = '0';

export function specToV1({
  type,
  object,
  pods,
  resource,
  containerResource,
  external,
}: MetricSpec): AutoscalingV1MetricSpec {
  const usage = ({ averageUtilization, averageValue }: MetricTarget): object =>
    compact({ targetAverageUtilization: averageUtilization, targetAverageValue: averageValue });
  return compact({
    type,
    object:
      object &&
      compact({
        target: object.describedObject,
        metricName: object.metric.name,
        targetValue: object.target.value ?? zero,
        selector: object.metric.selector,
        averageValue: object.target.averageValue,
      }),
    pods:
      pods &&
      compact({
        metricName: pods.metric.name,
        targetAverageValue: pods.target.averageValue ?? zero,
        selector: pods.metric.selector,
      }),
    resource: resource && { name: resource.name, ...usage(resource.target) },
    containerResource: containerResource && {
      name: containerResource.name,
      ...usage(containerResource.target),
      container: containerResource.container,
    },
    external:
      external &&
      compact({
        metricName: external.metric.name,
        metricSelector: external.metric.selector,
        targetValue: external.target.value,
        targetAverageValue: external.target.averageValue,
      }),
  });
}

export function specFromV1({
  type,
  object,
  pods,
  resource,
  containerResource,
  external,
}: AutoscalingV1MetricSpec): MetricSpec {
  const identifier = (name: string, selector: NonNullable<MetricSpec['pods']>['metric']['selector']) =>
    compact({ name, selector });
  const usage = (given: NonNullable<AutoscalingV1MetricSpec['resource']>): MetricTarget =>
    compact({
      type: given.targetAverageUtilization === undefined ? 'AverageValue' : 'Utilization',
      averageValue: given.targetAverageValue,
      averageUtilization: given.targetAverageUtilization,
    });
  return compact({
    type,
    object: object && {
      describedObject: object.target,
      metric: identifier(object.metricName, object.selector),
      target: compact({
        type: object.averageValue === undefined ? 'Value' : 'AverageValue',
        // An average was wanted: the value is only there because the old shape demands one.
        value: object.averageValue === undefined ? object.targetValue : undefined,
        averageValue: object.averageValue,
      }),
    },
    pods: pods && {
      metric: identifier(pods.metricName, pods.selector),
      target: { type: 'AverageValue', averageValue: pods.targetAverageValue },
    },
    resource: resource && { name: resource.name, target: usage(resource) },
    containerResource: containerResource && {
      name: containerResource.name,
      container: containerResource.container,
      target: usage(containerResource),
    },
    external: external && {
      metric: identifier(external.metricName, external.metricSelector),
      target: compact({
        type: external.targetValue === undefined ? 'AverageValue' : 'Value',
        value: external.targetValue,
        averageValue: external.targetAverageValue,
      }),
    },
  });
}

export function statusToV1({
  type,
  object,
  pods,
  resource,
  containerResource,
  external,
}: MetricStatus): AutoscalingV1MetricStatus {
  return compact({
    type,
    object:
      object &&
      compact({
        target: object.describedObject,
        metricName: object.metric.name,
        currentValue: object.current.value ?? zero,
        selector: object.metric.selector,
        averageValue: object.current.averageValue,
      }),
    pods:
      pods &&
      compact({
        metricName: pods.metric.name,
        currentAverageValue: pods.current.averageValue ?? zero,
        selector: pods.metric.selector,
      }),
    resource:
      resource &&
      compact({
        name: resource.name,
        currentAverageUtilization: resource.current.averageUtilization,
        currentAverageValue: resource.current.averageValue ?? zero,
      }),
    containerResource:
      containerResource &&
      compact({
        name: containerResource.name,
        currentAverageUtilization: containerResource.current.averageUtilization,
        currentAverageValue: containerResource.current.averageValue ?? zero,
        container: containerResource.container,
      }),
    external:
      external &&
      compact({
        metricName: external.metric.name,
        metricSelector: external.metric.selector,
        currentValue: external.current.value ?? zero,
        currentAverageValue: external.current.averageValue,
      }),
  });
}

export function statusFromV1({
  type,
  object,
  pods,
  resource,
  containerResource,
  external,
}: AutoscalingV1MetricStatus): MetricStatus {
  return compact({
    type,
    object: object && {
      describedObject: object.target,
      metric: compact({ name: object.metricName, selector: object.selector }),
      current: compact({ value: object.currentValue, averageValue: object.averageValue }),
    },
    pods: pods && {
      metric: compact({ name: pods.metricName, selector: pods.selector }),
      current: { averageValue: pods.currentAverageValue },
    },
    resource: resource && {
      name: resource.name,
      current: compact({
        averageValue: resource.currentAverageValue,
        averageUtilization: resource.currentAverageUtilization,
      }),
    },
    containerResource: containerResource && {
      name: containerResource.name,
      container: containerResource.container,
      current: compact({
        averageValue: containerResource.currentAverageValue,
        averageUtilization: containerResource.currentAverageUtilization,
      }),
    },
    external: external && {
      metric: compact({ name: external.metricName, selector: external.metricSelector }),
      current: compact({ value: external.currentValue, averageValue: external.currentAverageValue }),
    },
  });
}
