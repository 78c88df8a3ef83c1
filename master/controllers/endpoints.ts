/**
 * 5. Keeps the Endpoints of every Service with a selector: the older form of EndpointSlices, which many clients and
 * `kubectl describe service` still read. Endpoints of a Service without a selector are the user's and are left alone.
 */
import { isDeepStrictEqual } from 'node:util';
import { endpoints } from '../../src/api/kinds.js';
import { parseKey } from '../../src/api/meta.js';
import type {
  EndpointAddress,
  EndpointPort,
  EndpointSubset,
  Endpoints,
  Service,
} from '../../src/api/types.js';
import { type Controller, createController, on } from '../../src/client/controller.js';
import { ifFound } from '../../src/client/found.js';
import type { ReconcileResult } from '../../src/client/reconciler.js';
import { type ControllerContext, podInformer } from './context.js';
import { type Backend, backendsOf, hasBackends, isHeadless, targetRef } from './endpointmodel.js';
import { selectedPods, serviceInformer, servicesOfPod } from './servicepods.js';

const managedByLabel = 'endpoints.kubernetes.io/managed-by';
const managedBy = 'endpoint-controller';
const headlessLabel = 'service.kubernetes.io/headless';
const overCapacity = 'endpoints.kubernetes.io/over-capacity';
/** More addresses than this are cut off, and the cut is noted in an annotation. */
const maxAddresses = 1_000;

/** What the Endpoints of the Service should be; terminating pods are in it only when it publishes all addresses. */
export function plan(
  service: Service,
  backends: readonly Backend[],
  existing: Endpoints | undefined,
): Endpoints {
  const shown = backends.filter(
    (backend) => !backend.isTerminating || service.spec?.publishNotReadyAddresses,
  );
  const kept = shown.toSorted((a, b) => Number(b.isReady) - Number(a.isReady)).slice(0, maxAddresses);
  const { [overCapacity]: _cut, ...annotations } = existing?.metadata.annotations ?? {};
  if (kept.length < shown.length) annotations[overCapacity] = 'truncated';
  return {
    metadata: {
      ...existing?.metadata,
      name: service.metadata.name,
      namespace: service.metadata.namespace,
      labels: {
        ...service.metadata.labels,
        [managedByLabel]: managedBy,
        ...(isHeadless(service) && { [headlessLabel]: '' }),
      },
      ...(Object.keys(annotations).length > 0 && { annotations }),
    },
    subsets: subsetsOf(service, kept),
  };
}

/** One subset for each distinct list of ports, in an order that depends on the content only. */
function subsetsOf(service: Service, backends: readonly Backend[]): EndpointSubset[] {
  const family = service.spec?.ipFamilies?.[0] ?? 'IPv4';
  const subsets = new Map<
    string,
    { ready: EndpointAddress[]; notReady: EndpointAddress[]; ports: EndpointPort[] }
  >();
  for (const backend of backends) {
    const ip = backend.addresses[family];
    const ports = backend.ports.flatMap(({ port, ...rest }) =>
      port === undefined ? [] : [{ ...rest, port }],
    );
    if (!ip || (ports.length === 0 && !isHeadless(service))) continue;
    const key = JSON.stringify(ports);
    const subset = subsets.get(key) ?? { ready: [], notReady: [], ports };
    (backend.isReady ? subset.ready : subset.notReady).push(addressOf(backend, ip));
    subsets.set(key, subset);
  }
  const byIp = (a: EndpointAddress, b: EndpointAddress): number => (a.ip < b.ip ? -1 : 1);
  return [...subsets.entries()]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([, { ready, notReady, ports }]) => ({
      ...(ready.length > 0 && { addresses: ready.sort(byIp) }),
      ...(notReady.length > 0 && { notReadyAddresses: notReady.sort(byIp) }),
      ...(ports.length > 0 && { ports }),
    }));
}

const addressOf = ({ pod, hostname }: Backend, ip: string): EndpointAddress => ({
  ip,
  ...(hostname && { hostname }),
  ...(pod.spec?.nodeName && { nodeName: pod.spec.nodeName }),
  targetRef: targetRef(pod),
});

export function createEndpointsController({ client, clock, log, informers }: ControllerContext): Controller {
  const cache = serviceInformer(informers);
  const podCache = podInformer(informers);
  const endpointsCache = informers.get(endpoints);

  async function reconcile(key: string): Promise<ReconcileResult> {
    const service = cache.getByKey(key);
    const existing = endpointsCache.getByKey(key);
    if (!service) {
      if (existing?.metadata.labels?.[managedByLabel] === managedBy) await remove(key);
      return undefined;
    }
    if (!hasBackends(service) || service.metadata.deletionTimestamp) return undefined;
    const wanted = plan(service, backendsOf(service, selectedPods(service, podCache)), existing);
    if (existing && isSame(existing, wanted)) return undefined;
    if (existing) await client.update(endpoints, wanted);
    else await client.create(endpoints, wanted);
    return undefined;
  }

  async function remove(key: string): Promise<void> {
    await ifFound(client.delete(endpoints, parseKey(key)));
  }

  return createController({
    name: 'endpoints',
    reconciler: { reconcile },
    sources: [on(cache), on(podCache, servicesOfPod(cache)), on(endpointsCache)],
    workers: 8,
    clock,
    log,
  });
}

const isSame = (existing: Endpoints, wanted: Endpoints): boolean =>
  isDeepStrictEqual(
    plain([existing.subsets ?? [], existing.metadata.labels, existing.metadata.annotations ?? {}]),
    plain([wanted.subsets ?? [], wanted.metadata.labels, wanted.metadata.annotations ?? {}]),
  );

/** Without undefined fields, which are as good as absent. */
const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value));
