/** The columns of Services, Endpoints and EndpointSlices. Pure. */
import type { EndpointSlice, Endpoints, Service, ServicePort } from '../../../src/api/types.js';
import type { Printer } from '../resource.js';
import { ageColumn, createdAge, nameColumn, text, wide } from './age.js';

const none = '<none>';
/** How many endpoints are named before the rest is only counted. */
const shown = 3;

export const servicePrinter: Printer<Service> = {
  columns: [
    nameColumn,
    text('Type', 'How it is reachable: ClusterIP, NodePort, LoadBalancer or ExternalName.'),
    text('Cluster-IP', 'Its address inside the cluster.'),
    text('External-IP', 'Its addresses outside the cluster.'),
    text('Port(s)', 'Its ports; behind the colon those on every node.'),
    ageColumn,
    wide(text('Selector', 'Which pods are behind it.')),
  ],
  cells(service, now) {
    const { spec } = service;
    return [
      service.metadata.name,
      spec?.type,
      spec?.clusterIP || none,
      externalAddresses(service),
      (spec?.ports ?? []).map(portText).join(',') || none,
      createdAge(service, now),
      labelText(spec?.selector),
    ];
  },
};

export const labelText = (labels: Record<string, string> | undefined): string =>
  Object.entries(labels ?? {})
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => `${key}=${value}`)
    .join(',') || none;

const portText = ({ port, nodePort, protocol }: ServicePort): string =>
  `${port}${nodePort ? `:${nodePort}` : ''}/${protocol ?? 'TCP'}`;

function externalAddresses({ spec, status }: Service): string {
  const given = spec?.externalIPs ?? [];
  if (spec?.type === 'ExternalName') return spec.externalName || none;
  if (spec?.type !== 'LoadBalancer') return given.join(',') || none;
  const ingress = status?.loadBalancer?.ingress ?? [];
  const balancers = new Set(ingress.flatMap(({ ip, hostname }) => ip || hostname || []));
  return [...[...balancers].sort(), ...given].join(',') || '<pending>';
}

/** The first few, and how many more there are. */
function someOf(all: readonly string[]): string {
  if (all.length === 0) return none;
  const more = all.length - shown;
  return all.slice(0, shown).join(',') + (more > 0 ? ` + ${more} more...` : '');
}

export const endpointsPrinter: Printer<Endpoints> = {
  columns: [nameColumn, text('Endpoints', 'Addresses and ports of what is ready.'), ageColumn],
  cells(object, now) {
    const hostOf = (ip: string): string => (ip.includes(':') ? `[${ip}]` : ip);
    const all = (object.subsets ?? []).flatMap(({ addresses = [], ports = [] }) =>
      ports.length === 0
        ? addresses.map(({ ip }) => ip)
        : ports.flatMap(({ port }) => addresses.map(({ ip }) => `${hostOf(ip)}:${port}`)),
    );
    return [object.metadata.name, someOf(all), createdAge(object, now)];
  },
};

export const endpointSlicePrinter: Printer<EndpointSlice> = {
  columns: [
    nameColumn,
    text('AddressType', 'IPv4, IPv6 or FQDN.'),
    text('Ports', 'Ports of every endpoint.'),
    text('Endpoints', 'Addresses of the endpoints.'),
    ageColumn,
  ],
  cells: (slice, now) => [
    slice.metadata.name,
    slice.addressType,
    slice.ports ? someOf(slice.ports.map(({ port, name }) => String(port ?? name ?? '*'))) : '<unset>',
    slice.endpoints?.length ? someOf(slice.endpoints.flatMap(({ addresses }) => addresses)) : '<unset>',
    createdAge(slice, now),
  ],
};
