/**
 * EndpointSlices as discovery.k8s.io/v1beta1 wrote them: node name and zone of an endpoint are labels in its `topology`,
 * whatever else is there is kept as `deprecatedTopology`. Pure.
 */
import type {
  DiscoveryV1beta1Endpoint,
  DiscoveryV1beta1EndpointSlice,
  Endpoint,
  EndpointSlice,
  KubeObject,
} from '../../../src/api/types.js';

const hostLabel = 'kubernetes.io/hostname';
const zoneLabel = 'topology.kubernetes.io/zone';

const orNone = (labels: Record<string, string>): Record<string, string> | undefined =>
  Object.keys(labels).length > 0 ? labels : undefined;

export function sliceToStored(object: KubeObject): KubeObject {
  const slice = object as DiscoveryV1beta1EndpointSlice;
  const endpoints = slice.endpoints?.map(endpointToStored);
  return { ...slice, apiVersion: 'discovery.k8s.io/v1', ...(endpoints && { endpoints }) } as EndpointSlice;
}

/** A node name that is said twice is the field's; the host name of a stored endpoint without one stays in the labels. */
function endpointToStored({ topology, nodeName, ...rest }: DiscoveryV1beta1Endpoint): Endpoint {
  const { [zoneLabel]: zone, ...others } = topology ?? {};
  const { [hostLabel]: host, ...plain } = others;
  const node = nodeName ?? host;
  const deprecatedTopology = orNone(plain);
  return {
    ...rest,
    ...(node !== undefined && { nodeName: node }),
    ...(zone !== undefined && { zone }),
    ...(deprecatedTopology && { deprecatedTopology }),
  };
}

export function sliceFromStored(object: KubeObject): KubeObject {
  const slice = object as EndpointSlice;
  const endpoints = slice.endpoints?.map(endpointFromStored);
  return { ...slice, apiVersion: 'discovery.k8s.io/v1beta1', ...(endpoints && { endpoints }) } as KubeObject;
}

function endpointFromStored({ deprecatedTopology, zone, ...rest }: Endpoint): DiscoveryV1beta1Endpoint {
  const topology = orNone({
    ...deprecatedTopology,
    ...(rest.nodeName !== undefined && { [hostLabel]: rest.nodeName }),
    ...(zone !== undefined && { [zoneLabel]: zone }),
  });
  return { ...rest, ...(topology && { topology }) };
}
