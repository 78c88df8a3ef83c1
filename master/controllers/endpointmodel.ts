/**
 * Which pods stand behind a Service, and on which ports. Pure. Called by the endpoints and endpointslice controllers.
 */
import type { Container, Pod, Service, ServicePort } from '../../src/api/types.js';
import { isReady, isTerminal, isTerminating } from './podstate.js';

/** `port` is absent only for a headless Service without ports. */
export interface BackendPort {
  name?: string;
  port?: number;
  protocol: string;
  appProtocol?: string;
}

export interface Backend {
  pod: Pod;
  /** By family: `IPv4`, `IPv6`. */
  addresses: Record<string, string>;
  ports: BackendPort[];
  /** Takes traffic: ready and not on its way out, or the Service publishes addresses that are not ready. */
  isReady: boolean;
  /** The pod's own readiness, whether it terminates or not. */
  isServing: boolean;
  isTerminating: boolean;
  /** Of a pod with `hostname` and the Service as its `subdomain`: gets a DNS name of its own. */
  hostname: string | undefined;
}

/** True when the controllers make endpoints for the Service; without a selector the user does. */
export const hasBackends = (service: Service): boolean =>
  service.spec?.selector !== undefined && service.spec.type !== 'ExternalName';

export const isHeadless = (service: Service): boolean => service.spec?.clusterIP === 'None';

/** Pods that ended or have no address yet are left out. The caller has matched the selector. */
export function backendsOf(service: Service, pods: readonly Pod[]): Backend[] {
  const publishesAll = service.spec?.publishNotReadyAddresses === true;
  return pods.flatMap((pod): Backend[] => {
    const addresses = addressesOf(pod);
    if (isTerminal(pod) || Object.keys(addresses).length === 0) return [];
    const { hostname, subdomain } = pod.spec ?? {};
    return [
      {
        pod,
        addresses,
        ports: (service.spec?.ports ?? []).flatMap((port) => backendPort(port, pod)),
        isReady: publishesAll || (isReady(pod) && !isTerminating(pod)),
        isServing: isReady(pod),
        isTerminating: isTerminating(pod),
        hostname: hostname && subdomain === service.metadata.name ? hostname : undefined,
      },
    ];
  });
}

function addressesOf(pod: Pod): Record<string, string> {
  const { podIP, podIPs = [] } = pod.status ?? {};
  const addresses: Record<string, string> = {};
  for (const ip of [...podIPs.map((one) => one.ip), podIP]) {
    if (ip) addresses[ip.includes(':') ? 'IPv6' : 'IPv4'] ??= ip;
  }
  return addresses;
}

/** Nothing when the pod has no container port of that name. */
function backendPort(port: ServicePort, pod: Pod): BackendPort[] {
  const number = targetPort(port, pod);
  if (number === undefined) return [];
  return [
    {
      ...(port.name && { name: port.name }),
      port: number,
      protocol: port.protocol ?? 'TCP',
      ...(port.appProtocol && { appProtocol: port.appProtocol }),
    },
  ];
}

function targetPort({ port, targetPort, protocol = 'TCP' }: ServicePort, pod: Pod): number | undefined {
  if (targetPort === undefined || targetPort === 0 || targetPort === '') return port;
  if (typeof targetPort === 'number') return targetPort;
  const containers: readonly Container[] = [
    ...(pod.spec?.containers ?? []),
    // Sidecars: init containers that keep running.
    ...(pod.spec?.initContainers ?? []).filter((container) => container.restartPolicy === 'Always'),
  ];
  return containers
    .flatMap((container) => container.ports ?? [])
    .find((candidate) => candidate.name === targetPort && (candidate.protocol ?? 'TCP') === protocol)
    ?.containerPort;
}

export const targetRef = (pod: Pod) => ({
  kind: 'Pod',
  namespace: pod.metadata.namespace,
  name: pod.metadata.name,
  uid: pod.metadata.uid,
});
