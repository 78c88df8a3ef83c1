/**
 * Packs the backends of a Service into EndpointSlices. Pure.
 *
 * An endpoint stays in the slice where it is, so that a change of one pod writes one slice; new ones fill slices that
 * are written anyway, then those with room, then new slices of at most 100. Names are derived from the Service and a
 * number, never random: a pass on a stale cache collides with what it made before instead of making it twice.
 */
import { isDeepStrictEqual } from 'node:util';
import { controllerRef } from '../../src/api/meta.js';
import type { DiscoveryEndpointPort, Endpoint, EndpointSlice, Service } from '../../src/api/types.js';
import { type Backend, isHeadless, targetRef } from './endpointmodel.js';

export const serviceNameLabel = 'kubernetes.io/service-name';
export const managedByLabel = 'endpointslice.kubernetes.io/managed-by';
export const managedBy = 'endpointslice-controller.k8s.io';
const headlessLabel = 'service.kubernetes.io/headless';
const maxEndpoints = 100;

export interface SlicePlan {
  create: EndpointSlice[];
  update: EndpointSlice[];
  delete: EndpointSlice[];
}

/** The endpoints of one address family that share their port numbers. */
interface Group {
  addressType: string;
  ports: DiscoveryEndpointPort[];
  endpoints: Map<string, Endpoint>;
}

/** `existing` are the slices of this Service that we manage. */
export function plan(
  service: Service,
  backends: readonly Backend[],
  existing: readonly EndpointSlice[],
): SlicePlan {
  const result: SlicePlan = { create: [], update: [], delete: [] };
  const left = new Set(existing.filter((slice) => !slice.metadata.deletionTimestamp));
  const names = nameMaker(service, existing);
  for (const group of groupsOf(service, backends)) {
    const slices = [...left].filter((slice) => isOfGroup(slice, group));
    for (const slice of slices) left.delete(slice);
    packGroup(service, group, slices, names, result);
  }
  return reuse(result, left);
}

/** Slices nobody needs any more become those that are missing: one write instead of two, and no moment with neither. */
function reuse(steps: SlicePlan, unused: Set<EndpointSlice>): SlicePlan {
  const create = steps.create.filter((wanted) => {
    const slice = [...unused].find((candidate) => candidate.addressType === wanted.addressType);
    if (!slice) return true;
    unused.delete(slice);
    steps.update.push({ ...wanted, metadata: { ...slice.metadata, labels: wanted.metadata.labels } });
    return false;
  });
  return { create, update: steps.update, delete: [...steps.delete, ...unused] };
}

function groupsOf(service: Service, backends: readonly Backend[]): Group[] {
  const families = service.spec?.ipFamilies ?? ['IPv4'];
  const groups = new Map<string, Group>();
  for (const addressType of families) {
    for (const backend of backends) {
      const address = backend.addresses[addressType];
      if (!address) continue;
      const key = JSON.stringify([addressType, backend.ports]);
      const group = groups.get(key) ?? {
        addressType,
        ports: backend.ports,
        endpoints: new Map<string, Endpoint>(),
      };
      group.endpoints.set(backend.pod.metadata.uid ?? address, endpointOf(backend, address));
      groups.set(key, group);
    }
    // A Service without pods has one empty slice, so that watchers know it is looked after.
    if (![...groups.values()].some((group) => group.addressType === addressType)) {
      groups.set(addressType, { addressType, ports: [], endpoints: new Map() });
    }
  }
  return [...groups.values()];
}

const endpointOf = (backend: Backend, address: string): Endpoint => ({
  addresses: [address],
  conditions: { ready: backend.isReady, serving: backend.isServing, terminating: backend.isTerminating },
  ...(backend.hostname && { hostname: backend.hostname }),
  targetRef: targetRef(backend.pod),
  ...(backend.pod.spec?.nodeName && { nodeName: backend.pod.spec.nodeName }),
});

const isOfGroup = (slice: EndpointSlice, group: Group): boolean =>
  slice.addressType === group.addressType && portsKey(slice.ports) === portsKey(group.ports);

const portsKey = (ports: readonly DiscoveryEndpointPort[] | undefined): string =>
  JSON.stringify(
    (ports ?? [])
      .map(({ name, port, protocol, appProtocol }) => [
        name || '',
        port ?? 0,
        protocol ?? 'TCP',
        appProtocol ?? '',
      ])
      .sort(),
  );

interface Packed {
  slice: EndpointSlice;
  endpoints: Endpoint[];
  isChanged: boolean;
}

function packGroup(
  service: Service,
  group: Group,
  slices: readonly EndpointSlice[],
  nextName: () => string,
  result: SlicePlan,
): void {
  const unplaced = new Map(group.endpoints);
  const metadata = metadataOf(service);
  const packed = slices.map((slice): Packed => {
    const endpoints = (slice.endpoints ?? []).flatMap((endpoint): Endpoint[] => {
      const uid = endpoint.targetRef?.uid ?? endpoint.addresses[0] ?? '';
      const wanted = unplaced.get(uid);
      unplaced.delete(uid);
      return wanted ? [wanted] : [];
    });
    const isChanged =
      !isDeepStrictEqual(plain(endpoints), plain(slice.endpoints ?? [])) ||
      !isDeepStrictEqual(slice.metadata.labels, metadata.labels);
    return { slice, endpoints, isChanged };
  });
  // Fill what is written anyway before touching others.
  packed.sort((a, b) => Number(b.isChanged) - Number(a.isChanged) || b.endpoints.length - a.endpoints.length);
  const waiting = [...unplaced.values()];
  for (const into of packed) {
    const more = waiting.splice(0, maxEndpoints - into.endpoints.length);
    into.endpoints.push(...more);
    into.isChanged ||= more.length > 0;
  }
  const isPlaceholder = group.endpoints.size === 0;
  for (const { slice, endpoints, isChanged } of packed.toSorted(
    (a, b) => b.endpoints.length - a.endpoints.length,
  )) {
    const isOnlyOne = isPlaceholder && slice === packed[0]?.slice;
    if (endpoints.length === 0 && !isOnlyOne) result.delete.push(slice);
    else if (isChanged)
      result.update.push({ ...slice, metadata: { ...slice.metadata, labels: metadata.labels }, endpoints });
  }
  while (waiting.length > 0 || (isPlaceholder && packed.length === 0)) {
    const endpoints = waiting.splice(0, maxEndpoints);
    result.create.push({
      metadata: { ...metadata, name: nextName() },
      addressType: group.addressType,
      endpoints,
      ports: group.ports,
    });
    if (isPlaceholder) return;
  }
}

function metadataOf(service: Service) {
  const inherited = Object.entries(service.metadata.labels ?? {}).filter(
    ([name]) => ![serviceNameLabel, managedByLabel, headlessLabel].includes(name),
  );
  return {
    namespace: service.metadata.namespace,
    labels: {
      ...Object.fromEntries(inherited),
      [serviceNameLabel]: service.metadata.name ?? '',
      [managedByLabel]: managedBy,
      ...(isHeadless(service) && { [headlessLabel]: '' }),
    },
    ownerReferences: [controllerRef(service, { apiVersion: 'v1', kind: 'Service' })],
  };
}

/** The smallest numbers that no slice of the Service has. */
function nameMaker(service: Service, existing: readonly EndpointSlice[]): () => string {
  const taken = new Set(existing.map((slice) => slice.metadata.name));
  const stem = `${(service.metadata.name ?? '').slice(0, 50)}-${(service.metadata.uid ?? '').replaceAll('-', '').slice(0, 5)}`;
  let number = 0;
  return () => {
    for (;;) {
      const name = `${stem}${(number++).toString(36)}`;
      if (!taken.has(name)) return name;
    }
  };
}

/** Without undefined fields, which are as good as absent. */
const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value));
