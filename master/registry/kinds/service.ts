/**
 * The strategy of Services. Their addresses and node ports come from `serviceallocator.ts`, with the write. Pure; rules
 * and wording as the Service API documents them.
 */
import type { FieldError } from '../../../src/api/errors.js';
import { dns1035LabelErrors, dnsLabelErrors, dnsSubdomainErrors } from '../../../src/api/names.js';
import type { Service, ServicePort, ServiceSpec } from '../../../src/api/types.js';
import { isIp } from '../../../src/net/ip.js';
import type { Strategy } from '../strategy.js';
import {
  allInvalid,
  duplicate,
  forbiddenField,
  invalidValue,
  isPort,
  oneOf,
  portRange,
  required,
} from '../validation/field.js';
import { validateLabels } from '../validation/metadata.js';
import { validIp } from './podspec.js';
import { validatePort } from './probe.js';
import { isReachable, keepAllocated, validateAddressUpdate } from './serviceupdate.js';

const types = ['ClusterIP', 'ExternalName', 'LoadBalancer', 'NodePort'];
const maxAffinitySeconds = 86_400;

export const isExternal = (spec: ServiceSpec | undefined): boolean =>
  spec?.type === 'NodePort' || spec?.type === 'LoadBalancer';

export const isHeadless = (spec: ServiceSpec | undefined): boolean => spec?.clusterIP === 'None';

export const serviceStrategy: Strategy<Service> = {
  generation: false,
  validateName: (name) => dns1035LabelErrors(name),
  prepareForUpdate: (_context, service, old) => ({ ...keepAllocated(service, old), status: old.status }),
  validate: ({ spec = {} }) => [
    ...oneOf('spec.type', spec.type, types),
    ...validatePorts(spec),
    ...validateLabels(spec.selector, 'spec.selector'),
    ...validateAddresses(spec),
    ...validateAffinity(spec),
    ...validatePolicies(spec),
  ],
  validateUpdate: ({ spec }, { spec: old }) => validateAddressUpdate(spec ?? {}, old ?? {}),
  fields: ({ spec }) => ({ 'spec.clusterIP': spec?.clusterIP ?? '', 'spec.type': spec?.type ?? '' }),
};

function validatePorts(spec: ServiceSpec): FieldError[] {
  const ports = spec.ports ?? [];
  if (ports.length === 0 && !isHeadless(spec) && spec.type !== 'ExternalName')
    return [required('spec.ports')];
  const errors = ports.flatMap((port, index) =>
    validatePortOf(spec, port, `spec.ports[${index}]`, ports.length > 1),
  );
  return [...errors, ...validateUnique(ports)];
}

function validatePortOf(spec: ServiceSpec, port: ServicePort, path: string, isNamed: boolean): FieldError[] {
  const errors: FieldError[] = [];
  if (isNamed && !port.name) errors.push(required(`${path}.name`));
  else if (port.name) errors.push(...allInvalid(`${path}.name`, port.name, dnsLabelErrors(port.name)));
  if (!isPort(port.port)) errors.push(invalidValue(`${path}.port`, port.port, portRange));
  if (!port.protocol) errors.push(required(`${path}.protocol`));
  else errors.push(...oneOf(`${path}.protocol`, port.protocol, ['SCTP', 'TCP', 'UDP']));
  errors.push(...validatePort(`${path}.targetPort`, port.targetPort));
  if (port.nodePort && !isExternal(spec)) {
    errors.push(forbiddenField(`${path}.nodePort`, `may not be used when \`type\` is '${spec.type}'`));
  }
  return errors;
}

/** Names, and pairs of number and protocol, are unique in a Service; so are node ports per protocol. */
function validateUnique(ports: readonly ServicePort[]): FieldError[] {
  const seen = new Set<string>();
  const isTaken = (key: string): boolean => seen.size === seen.add(key).size;
  return ports.flatMap(({ name, port, protocol = 'TCP', nodePort }, index) => {
    const path = `spec.ports[${index}]`;
    const errors: FieldError[] = [];
    if (name && isTaken(`name ${name}`)) errors.push(duplicate(`${path}.name`, name));
    if (isTaken(`port ${protocol} ${port}`)) errors.push(duplicate(path, { protocol, port }));
    if (nodePort && isTaken(`node ${protocol} ${nodePort}`))
      errors.push(duplicate(`${path}.nodePort`, nodePort));
    return errors;
  });
}

function validateAddresses(spec: ServiceSpec): FieldError[] {
  const errors: FieldError[] = [];
  const clusterIPs = spec.clusterIPs ?? (spec.clusterIP ? [spec.clusterIP] : []);
  if (spec.type === 'ExternalName') {
    if (clusterIPs.length > 0)
      errors.push(forbiddenField('spec.clusterIPs', 'may not be set when `type` is ExternalName'));
    const name = (spec.externalName ?? '').replace(/\.$/, '');
    if (name === '') errors.push(required('spec.externalName'));
    else errors.push(...allInvalid('spec.externalName', name, dnsSubdomainErrors(name)));
  }
  if (isExternal(spec) && isHeadless(spec)) {
    errors.push(
      invalidValue('spec.clusterIPs[0]', 'None', `may not be set to 'None' for ${spec.type} services`),
    );
  }
  for (const [index, ip] of clusterIPs.entries()) {
    if (ip !== 'None' && !isIp(ip)) errors.push(invalidValue(`spec.clusterIPs[${index}]`, ip, validIp));
  }
  if (clusterIPs.length > 1) {
    errors.push(
      forbiddenField('spec.clusterIPs', 'only one address is supported: the cluster has one address family'),
    );
  }
  if (spec.clusterIP && spec.clusterIPs?.length && spec.clusterIPs[0] !== spec.clusterIP) {
    errors.push(invalidValue('spec.clusterIPs', spec.clusterIPs, 'first value must match `clusterIP`'));
  }
  for (const [index, ip] of (spec.externalIPs ?? []).entries()) {
    if (!isIp(ip)) errors.push(invalidValue(`spec.externalIPs[${index}]`, ip, validIp));
  }
  return errors;
}

function validateAffinity({ sessionAffinity, sessionAffinityConfig }: ServiceSpec): FieldError[] {
  const errors = oneOf('spec.sessionAffinity', sessionAffinity, ['ClientIP', 'None']);
  const seconds = sessionAffinityConfig?.clientIP?.timeoutSeconds;
  if (seconds !== undefined && (seconds <= 0 || seconds > maxAffinitySeconds)) {
    const field = 'spec.sessionAffinityConfig.clientIP.timeoutSeconds';
    errors.push(invalidValue(field, seconds, `must be greater than 0 and less than ${maxAffinitySeconds}`));
  }
  return errors;
}

function validatePolicies(spec: ServiceSpec): FieldError[] {
  const policies = ['Cluster', 'Local'];
  const errors = [
    ...oneOf('spec.internalTrafficPolicy', spec.internalTrafficPolicy, policies),
    ...oneOf('spec.ipFamilyPolicy', spec.ipFamilyPolicy, [
      'PreferDualStack',
      'RequireDualStack',
      'SingleStack',
    ]),
  ];
  if (spec.externalTrafficPolicy === undefined) return errors;
  if (isReachable(spec)) {
    return [...errors, ...oneOf('spec.externalTrafficPolicy', spec.externalTrafficPolicy, policies)];
  }
  const detail = 'may only be set for externally-accessible services';
  return [...errors, invalidValue('spec.externalTrafficPolicy', spec.externalTrafficPolicy, detail)];
}
