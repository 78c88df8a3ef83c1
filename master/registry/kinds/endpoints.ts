/** The strategies of Endpoints and EndpointSlices. Pure. */
import type { FieldError } from '../../../src/api/errors.js';
import {
  dnsLabelErrors,
  dnsSubdomainErrors,
  labelKeyErrors,
  labelValueErrors,
} from '../../../src/api/names.js';
import type {
  Endpoint,
  EndpointAddress,
  EndpointPort,
  EndpointSlice,
  Endpoints,
} from '../../../src/api/types.js';
import { isIp, parseIp } from '../../../src/net/ip.js';
import type { Strategy } from '../strategy.js';
import {
  allInvalid,
  duplicate,
  immutable,
  invalidValue,
  isPort,
  oneOf,
  portRange,
  required,
} from '../validation/field.js';
import { validateLabels } from '../validation/metadata.js';
import { specialIpErrors } from './names.js';
import { validIp } from './podspec.js';

const protocols = ['SCTP', 'TCP', 'UDP'];

export const endpointsStrategy: Strategy<Endpoints> = {
  generation: false,
  allowCreateOnUpdate: true,
  validate: ({ subsets }) =>
    (subsets ?? []).flatMap(({ addresses = [], notReadyAddresses = [], ports = [] }, index) => {
      const path = `subsets[${index}]`;
      const isEmpty = addresses.length + notReadyAddresses.length === 0;
      return [
        ...(isEmpty ? [required(path, 'must specify `addresses` or `notReadyAddresses`')] : []),
        ...addresses.flatMap((one, at) => validateAddress(`${path}.addresses[${at}]`, one)),
        ...notReadyAddresses.flatMap((one, at) => validateAddress(`${path}.notReadyAddresses[${at}]`, one)),
        ...ports.flatMap((port, at) => validatePort(`${path}.ports[${at}]`, port, ports.length > 1)),
      ];
    }),
};

function validateAddress(path: string, { ip = '', hostname, nodeName }: EndpointAddress): FieldError[] {
  return [
    ...allInvalid(`${path}.ip`, ip, isIp(ip) ? specialIpErrors(ip) : [validIp]),
    ...(hostname ? allInvalid(`${path}.hostname`, hostname, dnsLabelErrors(hostname)) : []),
    ...(nodeName === undefined ? [] : allInvalid(`${path}.nodeName`, nodeName, dnsSubdomainErrors(nodeName))),
  ];
}

function validatePort(
  path: string,
  { name, port, protocol, appProtocol }: EndpointPort,
  needsName: boolean,
): FieldError[] {
  const errors = name
    ? allInvalid(`${path}.name`, name, dnsLabelErrors(name))
    : needsName
      ? [required(`${path}.name`)]
      : [];
  if (!isPort(port)) errors.push(invalidValue(`${path}.port`, port, portRange));
  return [
    ...errors,
    ...oneOf(`${path}.protocol`, protocol, protocols),
    ...validateAppProtocol(`${path}.appProtocol`, appProtocol),
  ];
}

const validateAppProtocol = (field: string, value: string | undefined): FieldError[] =>
  value === undefined ? [] : allInvalid(field, value, labelKeyErrors(value));

const maxEndpoints = 1000;
const maxAddresses = 100;
const maxPorts = 20_000;

export const endpointSliceStrategy: Strategy<EndpointSlice> = {
  generation: 'body',
  validate: ({ addressType, endpoints = [], ports = [] }) => {
    const names = new Set<string>();
    const errors: FieldError[] = addressType
      ? oneOf('addressType', addressType, ['FQDN', 'IPv4', 'IPv6'])
      : [required('addressType')];
    if (endpoints.length > maxEndpoints) errors.push(tooMany('endpoints', endpoints.length, maxEndpoints));
    if (ports.length > maxPorts) errors.push(tooMany('ports', ports.length, maxPorts));
    for (const [index, { name = '', port, protocol, appProtocol }] of ports.entries()) {
      const path = `ports[${index}]`;
      if (name) errors.push(...allInvalid(`${path}.name`, name, dnsLabelErrors(name)));
      if (names.has(name)) errors.push(duplicate(`${path}.name`, name));
      names.add(name);
      if (port !== undefined && !isPort(port)) errors.push(invalidValue(`${path}.port`, port, portRange));
      errors.push(...oneOf(`${path}.protocol`, protocol, protocols));
      errors.push(...validateAppProtocol(`${path}.appProtocol`, appProtocol));
    }
    return [
      ...errors,
      ...endpoints.flatMap((endpoint, index) =>
        validateEndpoint(`endpoints[${index}]`, endpoint, addressType),
      ),
    ];
  },
  validateUpdate: ({ addressType }, old) =>
    addressType === old.addressType ? [] : [invalidValue('addressType', addressType, immutable)],
};

const tooMany = (field: string, count: number, max: number): FieldError => ({
  type: 'TooMany',
  field,
  value: count,
  detail: `${count}: must have at most ${max} items`,
});

const familyOf: Record<string, 4 | 6> = { IPv4: 4, IPv6: 6 };

function validateEndpoint(path: string, endpoint: Endpoint, type: string): FieldError[] {
  const { addresses = [], hostname, nodeName, deprecatedTopology: labels = {} } = endpoint;
  const errors: FieldError[] =
    addresses.length === 0 ? [required(`${path}.addresses`, 'must contain at least 1 address')] : [];
  if (addresses.length > maxAddresses)
    errors.push(tooMany(`${path}.addresses`, addresses.length, maxAddresses));
  for (const [index, address] of addresses.entries())
    errors.push(...allInvalid(`${path}.addresses[${index}]`, address, addressErrors(address, type)));
  if (nodeName !== undefined)
    errors.push(...allInvalid(`${path}.nodeName`, nodeName, dnsSubdomainErrors(nodeName)));
  const topology = `${path}.deprecatedTopology`;
  if (Object.keys(labels).length > maxTopologyLabels)
    errors.push(tooMany(topology, Object.keys(labels).length, maxTopologyLabels));
  errors.push(...validateLabels(labels, topology));
  if (hostname) errors.push(...allInvalid(`${path}.hostname`, hostname, dnsLabelErrors(hostname)));
  return [...errors, ...validateZones(`${path}.hints.forZones`, endpoint)];
}

const maxTopologyLabels = 16;
const maxZones = 8;

function addressErrors(address: string, type: string): string[] {
  const family = familyOf[type];
  if (family !== undefined)
    return parseIp(address)?.family === family
      ? specialIpErrors(address)
      : [`must be a valid ${type} address`];
  if (type !== 'FQDN') return [];
  const isQualified = address.replace(/\.$/, '').includes('.');
  return isQualified
    ? dnsSubdomainErrors(address.replace(/\.$/, ''))
    : ['should be a domain with at least two segments separated by dots'];
}

function validateZones(field: string, { hints }: Endpoint): FieldError[] {
  const zones = hints?.forZones ?? [];
  if (zones.length > maxZones) return [tooMany(field, zones.length, maxZones)];
  const seen = new Set<string>();
  return zones.flatMap(({ name = '' }, index) => {
    const path = `${field}[${index}].name`;
    const isTaken = seen.has(name);
    seen.add(name);
    return [...(isTaken ? [duplicate(path, name)] : []), ...allInvalid(path, name, labelValueErrors(name))];
  });
}
