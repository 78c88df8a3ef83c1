/** The columns of Ingresses, IngressClasses, NetworkPolicies, IPAddresses and ServiceCIDRs. Pure. */
import type { Ingress, IngressClass, IPAddress, NetworkPolicy, ServiceCIDR } from '../../../src/api/types.js';
import type { Printer } from '../resource.js';
import { ageColumn, createdAge, nameColumn, text } from './age.js';
import { selectorText } from './selector.js';

const none = '<none>';
const shownHosts = 3;

export const ingressPrinter: Printer<Ingress> = {
  columns: [
    nameColumn,
    text('Class', 'Which controller is to serve it.'),
    text('Hosts', 'Hosts that its rules are about.'),
    text('Address', 'Where it is reachable.'),
    text('Ports', 'Ports it is served on.'),
    ageColumn,
  ],
  cells: (ingress, now) => [
    ingress.metadata.name,
    ingress.spec?.ingressClassName ?? none,
    hostsOf(ingress),
    addressesOf(ingress),
    ingress.spec?.tls?.length ? '80, 443' : '80',
    createdAge(ingress, now),
  ],
};

function hostsOf({ spec }: Ingress): string {
  const rules = spec?.rules ?? [];
  const hosts = rules.map(({ host }) => host).filter(Boolean);
  if (hosts.length === 0) return '*';
  const more = hosts.length > shownHosts ? ` + ${rules.length - shownHosts} more...` : '';
  return hosts.slice(0, shownHosts).join(',') + more;
}

const addressesOf = ({ status }: Ingress): string =>
  [...new Set((status?.loadBalancer?.ingress ?? []).flatMap(({ ip, hostname }) => ip || hostname || []))]
    .sort()
    .join(',');

export const ingressClassPrinter: Printer<IngressClass> = {
  columns: [
    nameColumn,
    text('Controller', 'Who serves Ingresses of this class.'),
    text('Parameters', 'What the controller is configured by.'),
    ageColumn,
  ],
  cells: (object, now) => [
    object.metadata.name,
    object.spec?.controller ?? '',
    parametersOf(object),
    createdAge(object, now),
  ],
};

function parametersOf({ spec }: IngressClass): string {
  if (!spec?.parameters) return none;
  const { apiGroup, kind, name } = spec.parameters;
  return `${apiGroup === undefined ? kind : `${kind}.${apiGroup}`}/${name}`;
}

export const networkPolicyPrinter: Printer<NetworkPolicy> = {
  columns: [nameColumn, text('Pod-Selector', 'Which pods it is about.'), ageColumn],
  cells: (policy, now) => [
    policy.metadata.name,
    selectorText(policy.spec?.podSelector ?? {}),
    createdAge(policy, now),
  ],
};

export const ipAddressPrinter: Printer<IPAddress> = {
  columns: [nameColumn, text('ParentRef', 'Which object has the address.'), ageColumn],
  cells: (address, now) => [address.metadata.name, parentOf(address), createdAge(address, now)],
};

function parentOf({ spec }: IPAddress): string {
  if (!spec?.parentRef) return none;
  const { group, resource = '', namespace, name } = spec.parentRef;
  const kind = (group ? `${resource}.${group}` : resource).toLowerCase();
  return [kind, ...(namespace ? [namespace] : []), name].join('/');
}

export const serviceCidrPrinter: Printer<ServiceCIDR> = {
  columns: [nameColumn, text('CIDRs', 'Networks that cluster addresses are taken from.'), ageColumn],
  cells: (object, now) => [
    object.metadata.name,
    (object.spec?.cidrs ?? []).join(',') || none,
    createdAge(object, now),
  ],
};
