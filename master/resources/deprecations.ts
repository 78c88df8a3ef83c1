/**
 * What clients are told when they use an old version, or a kind with a successor, in the words of the Kubernetes release that
 * deprecated it. Pure data. Wherry goes on serving them.
 */
import { apiVersionOf } from '../../src/api/kinds.js';
import type { Resource } from './resource.js';

type Deprecation = [apiVersion: string, kind: string, since: string, end: string, successor: string];

const deprecations: readonly Deprecation[] = [
  ['v1', 'ComponentStatus', '1.19', '', ''],
  ['v1', 'Endpoints', '1.33', '', 'discovery.k8s.io/v1 EndpointSlice'],
  ['extensions/v1beta1', 'Ingress', '1.14', '1.22', 'networking.k8s.io/v1 Ingress'],
  ['networking.k8s.io/v1beta1', 'Ingress', '1.19', '1.22', 'networking.k8s.io/v1 Ingress'],
  ['networking.k8s.io/v1beta1', 'IngressClass', '1.19', '1.22', 'networking.k8s.io/v1 IngressClass'],
  ['batch/v1beta1', 'CronJob', '1.21', '1.25', 'batch/v1 CronJob'],
  ['policy/v1beta1', 'PodDisruptionBudget', '1.21', '1.25', 'policy/v1 PodDisruptionBudget'],
  ['discovery.k8s.io/v1beta1', 'EndpointSlice', '1.21', '1.25', 'discovery.k8s.io/v1 EndpointSlice'],
  ['events.k8s.io/v1beta1', 'Event', '1.19', '1.25', 'events.k8s.io/v1 Event'],
  [
    'autoscaling/v2beta2',
    'HorizontalPodAutoscaler',
    '1.23',
    '1.26',
    'autoscaling/v2 HorizontalPodAutoscaler',
  ],
];

const texts: ReadonlyMap<string, string> = new Map(
  deprecations.map(([apiVersion, kind, since, end, successor]) => [
    `${apiVersion} ${kind}`,
    `${apiVersion} ${kind} is deprecated in v${since}+${end && `, unavailable in v${end}+`}${successor && `; use ${successor}`}`,
  ]),
);

/** The row with what clients are told of it; the same one when there is nothing to tell. */
export function withDeprecation(row: Resource): Resource {
  const deprecation = texts.get(`${apiVersionOf(row.type)} ${row.type.kind}`);
  return deprecation === undefined ? row : { ...row, deprecation };
}
