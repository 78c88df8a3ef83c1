/**
 * From a changed pod to the Services that may select it, and back. Called by the endpoints and endpointslice
 * controllers. A change that no endpoint shows (a heartbeat of a probe, say) calls nobody.
 */
import { isDeepStrictEqual } from 'node:util';
import { services } from '../../src/api/kinds.js';
import { keyOf } from '../../src/api/meta.js';
import { selectorOfLabels } from '../../src/api/selectors.js';
import type { Pod, Service } from '../../src/api/types.js';
import type { Cache, Change } from '../../src/client/cache.js';
import type { Informer } from '../../src/client/informer.js';
import type { Informers } from '../../src/client/informers.js';
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

/**
 * One pair of each selector. A Service can select a pod only if the pod has that pair, so a change of a pod looks at a
 * few Services instead of at all of them.
 */
const onePair = (service: Service): string[] => {
  if (!hasBackends(service)) return [];
  const [pair] = Object.entries(service.spec?.selector ?? {});
  return [pairKey(service.metadata.namespace, pair)];
};

const pairKey = (namespace = '', pair: readonly [string, string] = ['', '']): string =>
  `${namespace}/${pair[0]}=${pair[1]}`;

/** Services, indexed by a pair of their selector. */
export const serviceInformer = (informers: Informers): Informer<Service> =>
  informers.get(services, { indexers: { selector: onePair } });

export const servicesOfPod =
  (cache: Informer<Service>) =>
  ({ old, current }: Change<Pod>): string[] => {
    if (old && current && isDeepStrictEqual(shown(old), shown(current))) return [];
    const keys = new Set<string>();
    for (const pod of [old, current]) {
      if (!pod) continue;
      const { namespace, labels = {} } = pod.metadata;
      // A selector without pairs selects every pod of its namespace.
      const pairs = [undefined, ...Object.entries(labels)];
      for (const service of pairs.flatMap((pair) => cache.byIndex('selector', pairKey(namespace, pair)))) {
        if (selectorOfLabels(service.spec?.selector).matches(labels)) keys.add(keyOf(service));
      }
    }
    return [...keys];
  };
