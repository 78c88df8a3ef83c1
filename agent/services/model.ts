/**
 * What the service proxy makes of Services and EndpointSlices: one `ServicePort` per port that needs rules. Pure.
 *
 * Which endpoints count (Kubernetes documentation, "Service" and "EndpointSlices"): ready ones; when none is ready,
 * those that still serve while they terminate. The choice is made for all endpoints and for those of this node apart.
 */
import { keyOf } from '../../src/api/meta.js';
import type { Endpoint, EndpointSlice, Service, ServicePort as SpecPort } from '../../src/api/types.js';
import type { Indexers } from '../../src/client/cache.js';
import { isIpv4 } from '../../src/net/ip.js';

export interface Target {
  address: string;
  port: number;
}

export interface ServicePort {
  /** `namespace/name:port`; with the protocol it is unique. */
  name: string;
  protocol: 'tcp' | 'udp' | 'sctp';
  clusterIp: string;
  port: number;
  /** 0 when it has none. */
  nodePort: number;
  externalIps: readonly string[];
  loadBalancerIps: readonly string[];
  /** Who may use the load balancer's addresses; everybody when empty. */
  sourceRanges: readonly string[];
  /** 0 without session affinity. */
  affinitySeconds: number;
  isInternalLocal: boolean;
  isExternalLocal: boolean;
  /** Endpoints for policy `Cluster`, sorted. */
  targets: readonly Target[];
  /** Those of this node, for policy `Local`. */
  localTargets: readonly Target[];
}

const serviceNameLabel = 'kubernetes.io/service-name';
/** Another proxy takes care of a service that carries it. */
const otherProxyLabel = 'service.kubernetes.io/service-proxy-name';
export const serviceIndex = 'service';

/** `namespace/name` of the service a slice belongs to; '' for a slice of none. */
export function serviceKeyOf(slice: EndpointSlice): string {
  const name = slice.metadata.labels?.[serviceNameLabel];
  return name ? `${slice.metadata.namespace ?? ''}/${name}` : '';
}

/** The informer of EndpointSlices has to have this index. */
export const sliceIndexers: Indexers<EndpointSlice> = { [serviceIndex]: (slice) => [serviceKeyOf(slice)] };

/** The ports of a service that get rules: none for headless services, ExternalName, or without an IPv4 address. */
export function servicePortsOf(
  service: Service,
  slices: readonly EndpointSlice[],
  nodeName: string,
): ServicePort[] {
  const { spec, status, metadata } = service;
  const clusterIp = [spec?.clusterIP ?? '', ...(spec?.clusterIPs ?? [])].find(isIpv4);
  if (!spec || !clusterIp || spec.type === 'ExternalName' || metadata.labels?.[otherProxyLabel]) return [];
  const hasNodePorts = spec.type === 'NodePort' || spec.type === 'LoadBalancer';
  const ingress = spec.type === 'LoadBalancer' ? (status?.loadBalancer?.ingress ?? []) : [];
  const usable = slices.filter((slice) => slice.addressType === 'IPv4');
  return (spec.ports ?? []).map((port) => ({
    name: `${keyOf(service)}${port.name ? `:${port.name}` : ''}`,
    protocol: protocolOf(port.protocol),
    clusterIp,
    port: port.port,
    nodePort: hasNodePorts ? (port.nodePort ?? 0) : 0,
    externalIps: (spec.externalIPs ?? []).filter(isIpv4),
    loadBalancerIps: ingress.flatMap(({ ip = '', ipMode }) => (isIpv4(ip) && ipMode !== 'Proxy' ? [ip] : [])),
    sourceRanges: (spec.loadBalancerSourceRanges ?? []).map((range) => range.trim()),
    affinitySeconds:
      spec.sessionAffinity === 'ClientIP'
        ? (spec.sessionAffinityConfig?.clientIP?.timeoutSeconds ?? 10_800)
        : 0,
    isInternalLocal: spec.internalTrafficPolicy === 'Local',
    isExternalLocal: spec.externalTrafficPolicy === 'Local',
    ...chooseTargets(port, usable, nodeName),
  }));
}

const protocolOf = (protocol: string | undefined): ServicePort['protocol'] =>
  protocol === 'UDP' ? 'udp' : protocol === 'SCTP' ? 'sctp' : 'tcp';

interface Candidate extends Target {
  isReady: boolean;
  isLocal: boolean;
}

function chooseTargets(port: SpecPort, slices: readonly EndpointSlice[], nodeName: string) {
  // An endpoint that moves between slices may be in two of them for a moment; ready in one of them is ready.
  const candidates = new Map<string, Candidate>();
  for (const slice of slices) {
    const found = slice.ports?.find(
      ({ name, protocol }) =>
        (name ?? '') === (port.name ?? '') && (protocol ?? 'TCP') === (port.protocol ?? 'TCP'),
    );
    if (!found?.port) continue;
    for (const endpoint of slice.endpoints ?? []) {
      const address = endpoint.addresses[0] ?? '';
      if (!isIpv4(address) || !isServing(endpoint)) continue;
      const key = `${address}:${found.port}`;
      const isReady = endpoint.conditions?.ready !== false || candidates.get(key)?.isReady === true;
      candidates.set(key, { address, port: found.port, isReady, isLocal: endpoint.nodeName === nodeName });
    }
  }
  const all = [...candidates.entries()]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([, candidate]) => candidate);
  return {
    targets: preferReady(all),
    localTargets: preferReady(all.filter((candidate) => candidate.isLocal)),
  };
}

/** Absent conditions mean: ready, serving as ready, not terminating. */
const isServing = ({ conditions }: Endpoint): boolean =>
  conditions?.ready !== false || (conditions.serving === true && conditions.terminating === true);

function preferReady(candidates: readonly Candidate[]): Target[] {
  const ready = candidates.filter((candidate) => candidate.isReady);
  return (ready.length > 0 ? ready : candidates).map(({ address, port }) => ({ address, port }));
}
