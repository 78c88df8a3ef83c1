/**
 * 1. From a reference to a Service to the address of one ready pod behind it, as webhooks, conversions and aggregated APIs
 * name their servers. The master need not be a node: it goes to the pod, not to the cluster address.
 *
 * Errors are in the words that kube-apiserver has for them; callers wrap them.
 */
import { isReason } from '../../src/api/errors.js';
import { endpointSlices, services } from '../../src/api/kinds.js';
import type { EndpointSlice, Service, ServicePort } from '../../src/api/types.js';
import type { Client } from '../../src/client/client.js';

export interface ServiceTarget {
  namespace: string;
  name: string;
  /** Of the Service; 443 by default. */
  port?: number | undefined;
}

export interface Address {
  host: string;
  port: number;
  /** Where the pod is, when it is one. */
  nodeName?: string | undefined;
}

/** Nothing to talk to; `reason` is one of the conditions of an APIService. */
export class ServiceUnresolved extends Error {
  readonly reason: 'ServiceNotFound' | 'ServicePortError' | 'EndpointsNotFound' | 'MissingEndpoints';

  constructor(reason: ServiceUnresolved['reason'], message: string) {
    super(message);
    this.reason = reason;
  }
}

const defaultPort = 443;

/** Rejects with `ServiceUnresolved`. `pick` chooses among so many equals. */
export async function resolveService(
  client: Pick<Client, 'get' | 'list'>,
  target: ServiceTarget,
  pick: (count: number) => number = (count) => Math.floor(Math.random() * count),
): Promise<Address> {
  const service = await serviceOf(client, target);
  const wanted = target.port ?? defaultPort;
  if (service.spec?.type === 'ExternalName') {
    if (!service.spec.externalName)
      throw new ServiceUnresolved('ServiceNotFound', `unsupported service type "ExternalName"`);
    return { host: service.spec.externalName, port: wanted };
  }
  const port = service.spec?.ports?.find((candidate) => candidate.port === wanted);
  if (!port) {
    const message = `no service port ${wanted} found for service ${JSON.stringify(target.name)}`;
    throw new ServiceUnresolved('ServicePortError', message);
  }
  const slices = await client.list(endpointSlices, {
    namespace: target.namespace,
    labelSelector: `kubernetes.io/service-name=${target.name}`,
  });
  const ready = readyAddresses(slices.items, port);
  const chosen = ready[pick(ready.length)];
  if (!chosen) {
    const message = `no endpoints available for service ${JSON.stringify(target.name)}`;
    throw new ServiceUnresolved(
      slices.items.length === 0 ? 'EndpointsNotFound' : 'MissingEndpoints',
      message,
    );
  }
  return chosen;
}

async function serviceOf(client: Pick<Client, 'get'>, { namespace, name }: ServiceTarget): Promise<Service> {
  try {
    return await client.get(services, { namespace, name });
  } catch (error) {
    if (!isReason(error, 'NotFound')) throw error;
    throw new ServiceUnresolved('ServiceNotFound', `service ${JSON.stringify(name)} not found`);
  }
}

/** Of every ready endpoint its first address; nodes know their way to the others. */
function readyAddresses(slices: readonly EndpointSlice[], port: ServicePort): Address[] {
  return slices.flatMap((slice) => {
    const found = slice.ports?.find((candidate) => (candidate.name ?? '') === (port.name ?? ''));
    const number = found?.port;
    if (number === undefined) return [];
    return (slice.endpoints ?? []).flatMap(({ addresses, conditions, nodeName, targetRef }) => {
      const host = addresses[0];
      const isPod = targetRef?.kind === 'Pod' && nodeName !== undefined;
      return host && conditions?.ready !== false ? [{ host, port: number, ...(isPod && { nodeName }) }] : [];
    });
  });
}
