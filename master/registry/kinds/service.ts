/**
 * The strategy of Services. Their addresses and node ports come from `serviceallocator.ts`, with the write. Pure; rules
 * and wording as the Service API documents them.
 */
import type { FieldError } from '../../../src/api/errors.js';
import { dns1035LabelErrors, dnsLabelErrors, labelKeyErrors } from '../../../src/api/names.js';
import type { Service, ServicePort, ServiceSpec } from '../../../src/api/types.js';
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
import { validatePort } from './probe.js';
import { validateAddresses, validateAffinity } from './serviceaddress.js';
import {
  serviceWarnings,
  validateBalancerSpec,
  validateBalancers,
  validateHints,
  validatePolicies,
  withIpModes,
} from './servicetraffic.js';
import {
  isExternal,
  isHeadless,
  keepAllocated,
  validateAddressUpdate,
  validateExternalUpdate,
} from './serviceupdate.js';

const types = ['ClusterIP', 'ExternalName', 'LoadBalancer', 'NodePort'];

export const serviceStrategy: Strategy<Service> = {
  generation: false,
  validateName: (name) => dns1035LabelErrors(name),
  prepareForUpdate: (_context, service, old) => ({ ...keepAllocated(service, old), status: old.status }),
  allowCreateOnUpdate: true,
  /** As on any other way in, an address that says nothing of it is a virtual one. */
  prepareForStatusUpdate: (_context, { status }, old) => ({ ...old, status: withIpModes(status) }),
  validate: ({ metadata, spec = {} }) => [
    ...validateHints(metadata.annotations),
    ...oneOf('spec.type', spec.type, types),
    ...validatePorts(spec),
    ...validateLabels(spec.selector, 'spec.selector'),
    ...validateAddresses(spec),
    ...validateAffinity(spec),
    ...validateBalancerSpec(spec, metadata.annotations),
    ...validatePolicies(spec),
  ],
  validateUpdate: ({ spec = {} }, { spec: old = {} }) => [
    ...validateAddressUpdate(spec, old),
    ...validateExternalUpdate(spec, old),
  ],
  validateStatusUpdate: ({ spec, status }) => validateBalancers(spec, status),
  warnings: ({ metadata, spec = {} }) => serviceWarnings(metadata.annotations, spec),
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
  if (port.appProtocol !== undefined)
    errors.push(...allInvalid(`${path}.appProtocol`, port.appProtocol, labelKeyErrors(port.appProtocol)));
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
    if (isTaken(`port ${protocol} ${port}`))
      errors.push({ ...duplicate(path, { protocol, port }), valueText: portText(protocol, port) });
    if (nodePort && isTaken(`node ${protocol} ${nodePort}`))
      errors.push(duplicate(`${path}.nodePort`, nodePort));
    return errors;
  });
}

/** A pair of protocol and number as the API server prints it: the whole port, with nothing else in it. */
const portText = (protocol: string, port: number): string =>
  JSON.stringify({ Name: '', Protocol: protocol, AppProtocol: null, Port: port, TargetPort: 0, NodePort: 0 });
