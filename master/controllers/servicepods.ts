/**
 * From a changed pod to the Services that may select it, and back. Called by the endpoints and endpointslice
 * controllers. A change that no endpoint shows (a heartbeat of a probe, say) calls nobody.
 */
import { isDeepStrictEqual } from 'node:util';
import { keyOf } from '../../src/api/meta.js';
import { selectorOfLabels } from '../../src/api/selectors.js';
import type { Pod, Service } from '../../src/api/types.js';
import type { Cache, Change } from '../../src/client/cache.js';
import { hasBackends } from './endpointmodel.js';
import { isReady, isTerminal, isTerminating } from './podstate.js';

export const selectedPods = (service: Service, pods: Cache<Pod>): Pod[] => {
  const selector = selectorOfLabels(service.spec?.selector);
  return pods.list(service.metadata.namespace).filter((pod) => selector.matches(pod.metadata.labels));
};

/** What an endpoint is made from. */
const shown = (pod: Pod): unknown => [
  pod.metadata.labels,
  pod.metadata.uid,
  pod.spec?.nodeName,
  pod.spec?.hostname,
  pod.spec?.subdomain,
  pod.status?.podIP,
  pod.status?.podIPs,
  isReady(pod),
  isTerminal(pod),
  isTerminating(pod),
];

export const servicesOfPod =
  (services: Cache<Service>) =>
  ({ old, current }: Change<Pod>): string[] => {
    if (old && current && isDeepStrictEqual(shown(old), shown(current))) return [];
    const namespace = (current ?? old)?.metadata.namespace;
    return services
      .list(namespace)
      .filter(hasBackends)
      .filter((service) => {
        const selector = selectorOfLabels(service.spec?.selector);
        return [old, current].some((pod) => pod && selector.matches(pod.metadata.labels));
      })
      .map(keyOf);
  };
