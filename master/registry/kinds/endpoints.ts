/** The strategies of Endpoints and EndpointSlices. Pure. */
import type { FieldError } from '../../../src/api/errors.js';
import { dnsLabelErrors } from '../../../src/api/names.js';
import type {
  Endpoint,
  EndpointAddress,
  EndpointPort,
  EndpointSlice,
  Endpoints,
} from '../../../src/api/types.js';
import { parseIp } from '../../../src/net/ip.js';
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
import { validIp } from './podspec.js';

const protocols = ['SCTP', 'TCP', 'UDP'];

export const endpointsStrategy: Strategy<Endpoints> = {
  generation: false,
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

function validateAddress(path: string, { ip = '', hostname }: EndpointAddress): FieldError[] {
  const address = parseIp(ip);
  if (!address) return [invalidValue(`${path}.ip`, ip, validIp)];
  const errors = hostname ? allInvalid(`${path}.hostname`, hostname, dnsLabelErrors(hostname)) : [];
  const first = Number(address.value >> 24n);
  if (address.family === 4 && first === 127) {
    errors.push(invalidValue(`${path}.ip`, ip, 'may not be in the loopback range (127.0.0.0/8, ::1/128)'));
  }
  return errors;
}

function validatePort(
  path: string,
  { name, port, protocol }: EndpointPort,
  needsName: boolean,
): FieldError[] {
  const errors = name
    ? allInvalid(`${path}.name`, name, dnsLabelErrors(name))
    : needsName
      ? [required(`${path}.name`)]
      : [];
  if (!isPort(port)) errors.push(invalidValue(`${path}.port`, port, portRange));
  return [...errors, ...oneOf(`${path}.protocol`, protocol, protocols)];
}

const maxEndpoints = 1000;
const maxAddresses = 100;
const maxPorts = 20_000;

export const endpointSliceStrategy: Strategy<EndpointSlice> = {
  validate: ({ addressType, endpoints = [], ports = [] }) => {
    const names = new Set<string>();
    const errors: FieldError[] = addressType
      ? oneOf('addressType', addressType, ['FQDN', 'IPv4', 'IPv6'])
      : [required('addressType')];
    if (endpoints.length > maxEndpoints) errors.push(tooMany('endpoints', endpoints.length, maxEndpoints));
    if (ports.length > maxPorts) errors.push(tooMany('ports', ports.length, maxPorts));
    for (const [index, { name = '', port, protocol }] of ports.entries()) {
      const path = `ports[${index}]`;
      if (name) errors.push(...allInvalid(`${path}.name`, name, dnsLabelErrors(name)));
      if (names.has(name)) errors.push(duplicate(`${path}.name`, name));
      names.add(name);
      if (port !== undefined && !isPort(port)) errors.push(invalidValue(`${path}.port`, port, portRange));
      errors.push(...oneOf(`${path}.protocol`, protocol, protocols));
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

function validateEndpoint(path: string, { addresses = [], hostname }: Endpoint, type: string): FieldError[] {
  const errors: FieldError[] =
    addresses.length === 0 ? [required(`${path}.addresses`, 'must contain at least 1 address')] : [];
  if (addresses.length > maxAddresses)
    errors.push(tooMany(`${path}.addresses`, addresses.length, maxAddresses));
  const family = familyOf[type];
  for (const [index, address] of addresses.entries()) {
    if (family !== undefined && parseIp(address)?.family !== family) {
      errors.push(invalidValue(`${path}.addresses[${index}]`, address, `must be a valid ${type} address`));
    }
  }
  return hostname
    ? [...errors, ...allInvalid(`${path}.hostname`, hostname, dnsLabelErrors(hostname))]
    : errors;
}
