/**
 * The objects every cluster has: the system namespaces and priority classes, the network of Services, and the Service
 * `default/kubernetes` with the endpoints at which this master answers. Called by `main.ts`: once before the API opens, then by a controller that keeps them so.
 *
 * Deciding is pure (`planBootstrap`); `ensureBootstrap` reads, plans and writes through the client like everyone else.
 */

import { isDeepStrictEqual } from 'node:util';
import {
  endpointSlices,
  endpoints,
  namespaces,
  priorityClasses,
  type ResourceType,
  serviceCidrs,
  services,
} from '../src/api/kinds.js';
import { refOf } from '../src/api/meta.js';
import type { EndpointSlice, Endpoints, KubeObject, Service, ServiceCIDR } from '../src/api/types.js';
import type { Client } from '../src/client/client.js';
import { type Controller, createController, on } from '../src/client/controller.js';
import { ifFound } from '../src/client/found.js';
import type { Informers } from '../src/client/informers.js';
import type { Clock } from '../src/host/clock.js';
import type { Logger } from '../src/host/log.js';
import { addressAt, formatCidr, mustParseCidr } from '../src/net/cidr.js';
import { isIpv4 } from '../src/net/ip.js';
import { systemPriorityClasses } from './registry/kinds/scheduling.js';

export const systemNamespaces = ['default', 'kube-system', 'kube-public', 'kube-node-lease'];

const name = 'kubernetes';
const namespace = 'default';

export interface ApiAddress {
  /** IP and port at which this master answers. */
  address: string;
  port: number;
  serviceCidr: string;
}

/** A loopback address means something else in every pod: such a master has no endpoint there (nor may it, by validation). */
const isReachable = (address: string): boolean => !/^(?:127\.|::1$)/.test(address);

/** The API's own Service address: the first of the network, as documented. */
export const apiServiceIp = (serviceCidr: string): string => addressAt(mustParseCidr(serviceCidr), 1);

/** One object as it must be. `owned` are the fields we keep; what others added beside them stays. */
interface Wanted<T extends KubeObject> {
  type: ResourceType<T>;
  object: T;
  owned(object: T): unknown;
  merge(found: T): T;
}

function wantedService({ port, serviceCidr }: ApiAddress): Wanted<Service> {
  const clusterIP = apiServiceIp(serviceCidr);
  const ports = [{ name: 'https', port: 443, protocol: 'TCP', targetPort: port }];
  const labels = { component: 'apiserver', provider: 'kubernetes' };
  const spec = { type: 'ClusterIP', clusterIP, clusterIPs: [clusterIP], ports, sessionAffinity: 'None' };
  return {
    type: services,
    object: { metadata: { name, namespace, labels }, spec },
    owned: (object) => object.spec?.ports?.map((entry) => ({ ...entry, protocol: entry.protocol ?? 'TCP' })),
    merge: (found) => ({ ...found, spec: { ...found.spec, ports } }),
  };
}

function wantedEndpoints({ address, port }: ApiAddress): Wanted<Endpoints> {
  const labels = { 'endpointslice.kubernetes.io/skip-mirror': 'true' };
  const ports = [{ name: 'https', port, protocol: 'TCP' }];
  const subsets = isReachable(address) ? [{ addresses: [{ ip: address }], ports }] : [];
  return {
    type: endpoints,
    object: { metadata: { name, namespace, labels }, subsets },
    owned: (object) => object.subsets ?? [],
    merge: (found) => ({ ...found, subsets }),
  };
}

function wantedSlice({ address, port }: ApiAddress): Wanted<EndpointSlice> {
  const labels = { 'kubernetes.io/service-name': name };
  const ready = isReachable(address) ? [{ addresses: [address], conditions: { ready: true } }] : [];
  const ports = [{ name: 'https', port, protocol: 'TCP' }];
  const addressType = isIpv4(address) ? 'IPv4' : 'IPv6';
  return {
    type: endpointSlices,
    object: { metadata: { name, namespace, labels }, addressType, endpoints: ready, ports },
    owned: (object) => [
      (object.endpoints ?? []).map(({ addresses, conditions }) => [addresses, conditions?.ready]),
      object.ports?.map((entry) => [entry.name, entry.port, entry.protocol]),
    ],
    merge: (found) => ({ ...found, endpoints: ready, ports }),
  };
}

/** What only has to be there: nobody may change it. */
const present = <T extends KubeObject>(type: ResourceType<T>, object: T): Wanted<T> => ({
  type,
  object,
  owned: () => null,
  merge: (found) => found,
});

const wantedNetwork = ({ serviceCidr }: ApiAddress): Wanted<ServiceCIDR> =>
  present(serviceCidrs, { metadata: { name }, spec: { cidrs: [formatCidr(mustParseCidr(serviceCidr))] } });

export type BootstrapStep<T extends KubeObject> =
  | { do: 'nothing' }
  | { do: 'create'; object: T }
  | { do: 'update'; object: T };

/** Pure: what makes `found` as it is wanted. */
export function planBootstrap<T extends KubeObject>(
  wanted: Wanted<T>,
  found: T | undefined,
): BootstrapStep<T> {
  if (!found) return { do: 'create', object: wanted.object };
  if (isDeepStrictEqual(plain(wanted.owned(found)), plain(wanted.owned(wanted.object))))
    return { do: 'nothing' };
  return { do: 'update', object: wanted.merge(found) };
}

/** Without the difference between absent and undefined. */
const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value ?? null));

type Writer = Pick<Client, 'get' | 'create' | 'update'>;

/** Idempotent. Rejects with what the API refuses with; `Conflict` means that somebody else wrote: call again. */
export async function ensureBootstrap(client: Writer, api: ApiAddress, signal: AbortSignal): Promise<void> {
  for (const namespaceName of systemNamespaces)
    await ensure(client, present(namespaces, { metadata: { name: namespaceName } }), signal);
  for (const object of systemPriorityClasses) await ensure(client, present(priorityClasses, object), signal);
  await ensure(client, wantedNetwork(api), signal);
  await ensure(client, wantedService(api), signal);
  await ensure(client, wantedEndpoints(api), signal);
  await ensure(client, wantedSlice(api), signal);
}

async function ensure<T extends KubeObject>(
  client: Writer,
  wanted: Wanted<T>,
  signal: AbortSignal,
): Promise<void> {
  const { type } = wanted;
  const step = planBootstrap(wanted, await ifFound(client.get(type, refOf(wanted.object), { signal })));
  if (step.do === 'create') await client.create(type, step.object, { signal });
  if (step.do === 'update') await client.update(type, step.object, { signal });
}

export interface BootstrapControllerOptions {
  client: Client;
  informers: Informers;
  clock: Clock;
  log: Logger;
  api: ApiAddress;
}

/** Puts the objects back when somebody changes or deletes them. */
export function createBootstrapController({
  client,
  informers,
  clock,
  log,
  api,
}: BootstrapControllerOptions): Controller {
  const key = 'cluster';
  const own = { namespace, fieldSelector: `metadata.name=${name}` };
  return createController({
    name: 'bootstrap',
    clock,
    log,
    sources: [
      on(informers.get(namespaces), ({ key: changed }) => (systemNamespaces.includes(changed) ? [key] : [])),
      on(informers.get(serviceCidrs, { fieldSelector: own.fieldSelector }), () => [key]),
      on(informers.get(services, own), () => [key]),
      on(informers.get(endpoints, own), () => [key]),
      on(informers.get(endpointSlices, own), () => [key]),
    ],
    reconciler: {
      reconcile: async (_key, { signal }) => {
        await ensureBootstrap(client, api, signal);
        return undefined;
      },
    },
  });
}
