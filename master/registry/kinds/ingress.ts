/**
 * The strategies of Ingresses and IngressClasses. Pure. Rules, paths and wording as kube-apiserver has them for
 * networking.k8s.io/v1.
 */
import type { FieldError } from '../../../src/api/errors.js';
import {
  dns1035LabelErrors,
  dnsLabelErrors,
  dnsSubdomainErrors,
  portNameErrors,
} from '../../../src/api/names.js';
import type {
  HTTPIngressPath,
  Ingress,
  IngressBackend,
  IngressClass,
  IngressClassParametersReference,
  IngressLoadBalancerIngress,
  IngressRule,
  IngressServiceBackend,
  IngressTLS,
  TypedLocalObjectReference,
} from '../../../src/api/types.js';
import { isIp } from '../../../src/net/ip.js';
import type { Strategy } from '../strategy.js';
import {
  allInvalid,
  forbiddenField,
  immutable,
  invalidValue,
  isPort,
  notSupported,
  portRange,
  required,
  tooLong,
} from '../validation/field.js';
import { hostErrors, pathSegmentErrors, validateDomainPath } from './names.js';
import { validIp } from './podspec.js';

/** Chose the controller before there was a field for it. */
export const classAnnotation = 'kubernetes.io/ingress.class';

export const ingressStrategy: Strategy<Ingress> = {
  prepareForCreate: (_context, ingress) => ({ ...ingress, status: { loadBalancer: {} } }),
  validate: ({ spec = {} }) => {
    const errors: FieldError[] = [];
    if (!spec.rules?.length && !spec.defaultBackend) {
      const detail = 'either `defaultBackend` or `rules` must be specified';
      errors.push({ ...invalidValue('spec', null, detail), valueText: spec.rules ? '[]' : 'null' });
    }
    if (spec.defaultBackend) errors.push(...validateBackend('spec.defaultBackend', spec.defaultBackend));
    for (const [index, rule] of (spec.rules ?? []).entries())
      errors.push(...validateRule(`spec.rules[${index}]`, rule));
    for (const [index, tls] of (spec.tls ?? []).entries())
      errors.push(...validateTls(`spec.tls[${index}]`, tls));
    const name = spec.ingressClassName;
    if (name !== undefined)
      errors.push(...allInvalid('spec.ingressClassName', name, dnsSubdomainErrors(name)));
    return errors;
  },
  validateCreate: ({ metadata, spec }) => {
    const value = metadata.annotations?.[classAnnotation];
    if (value === undefined || spec?.ingressClassName === undefined) return [];
    const detail = 'can not be set when the class field is also set';
    return [invalidValue(`annotations.${classAnnotation}`, value, detail)];
  },
  validateStatusUpdate: ({ status }) =>
    (status?.loadBalancer?.ingress ?? []).flatMap((one, index) =>
      validateBalancer(`status.loadBalancer.ingress[${index}]`, one),
    ),
  warnings: ({ metadata, spec }, old) =>
    !old && metadata.annotations?.[classAnnotation] !== undefined && spec?.ingressClassName === undefined
      ? [`annotation "${classAnnotation}" is deprecated, please use 'spec.ingressClassName' instead`]
      : [],
};

function validateRule(path: string, { host = '', http }: IngressRule): FieldError[] {
  const errors: FieldError[] = [];
  if (host !== '') {
    if (isIp(host)) errors.push(invalidValue(`${path}.host`, host, 'must be a DNS name, not an IP address'));
    errors.push(...allInvalid(`${path}.host`, host, hostErrors(host)));
  }
  if (!http) return errors;
  if (!http.paths?.length) errors.push(required(`${path}.http.paths`));
  return [
    ...errors,
    ...(http.paths ?? []).flatMap((one, index) => validatePath(`${path}.http.paths[${index}]`, one)),
  ];
}

const forbiddenParts = ['//', '/./', '/../', '%2f', '%2F'];
const forbiddenEnds = ['/..', '/.'];

function validatePath(at: string, { path = '', pathType, backend }: HTTPIngressPath): FieldError[] {
  if (!pathType) return [required(`${at}.pathType`, 'pathType must be specified')];
  const errors: FieldError[] = [];
  const invalid = (detail: string) => errors.push(invalidValue(`${at}.path`, path, detail));
  if (pathType === 'Exact' || pathType === 'Prefix') {
    if (!path.startsWith('/')) invalid('must be an absolute path');
    for (const part of forbiddenParts) if (path.includes(part)) invalid(`must not contain '${part}'`);
    for (const end of forbiddenEnds) if (path.endsWith(end)) invalid(`cannot end with '${end}'`);
  } else if (pathType === 'ImplementationSpecific') {
    if (path !== '' && !path.startsWith('/')) invalid('must be an absolute path');
  } else {
    const known = ['Exact', 'ImplementationSpecific', 'Prefix'];
    errors.push(notSupported(`${at}.pathType`, pathType, known));
  }
  return [...errors, ...validateBackend(`${at}.backend`, backend ?? {})];
}

function validateBackend(path: string, { service, resource }: IngressBackend): FieldError[] {
  if (service && resource) return [invalidValue(path, '', 'cannot set both resource and service backends')];
  if (resource) return validateReference(`${path}.resource`, resource);
  if (service) return validateService(path, service);
  return [invalidValue(path, '', 'resource or service backend is required')];
}

function validateService(path: string, { name, port = {} }: IngressServiceBackend): FieldError[] {
  const field = `${path}.service.name`;
  const errors = name ? allInvalid(field, name, dns1035LabelErrors(name)) : [required(field)];
  const { name: portName, number } = port;
  if (portName && number) errors.push(invalidValue(path, '', 'cannot set both port name & port number'));
  else if (portName)
    errors.push(...allInvalid(`${path}.service.port.name`, portName, portNameErrors(portName)));
  else if (!number) errors.push(required(path, 'port name or number is required'));
  else if (!isPort(number)) errors.push(invalidValue(`${path}.service.port.number`, number, portRange));
  return errors;
}

function validateReference(path: string, { apiGroup, kind, name }: TypedLocalObjectReference): FieldError[] {
  const group =
    apiGroup === undefined ? [] : allInvalid(`${path}.apiGroup`, apiGroup, dnsSubdomainErrors(apiGroup));
  return [...group, ...validateSegment(path, 'kind', kind), ...validateSegment(path, 'name', name)];
}

const validateSegment = (path: string, field: string, value: string | undefined): FieldError[] =>
  value
    ? allInvalid(`${path}.${field}`, value, pathSegmentErrors(value))
    : [required(`${path}.${field}`, `${field} is required`)];

function validateTls(path: string, { hosts, secretName }: IngressTLS): FieldError[] {
  return [
    ...(hosts ?? []).flatMap((host, index) => allInvalid(`${path}.hosts[${index}]`, host, hostErrors(host))),
    ...(secretName ? allInvalid(`${path}.secretName`, secretName, dnsSubdomainErrors(secretName)) : []),
  ];
}

/** One address of what answers for an Ingress or a Service from outside. */
export function validateBalancer(path: string, { ip, hostname }: IngressLoadBalancerIngress): FieldError[] {
  const errors: FieldError[] = [];
  if (ip && !isIp(ip)) errors.push(invalidValue(`${path}.ip`, ip, validIp));
  if (!hostname) return errors;
  errors.push(...allInvalid(`${path}.hostname`, hostname, dnsSubdomainErrors(hostname)));
  if (isIp(hostname))
    errors.push(invalidValue(`${path}.hostname`, hostname, 'must be a DNS name, not an IP address'));
  return errors;
}

const maxControllerBytes = 250;

export const ingressClassStrategy: Strategy<IngressClass> = {
  validate: ({ spec = {} }) => {
    const { controller = '', parameters } = spec;
    return [
      ...(controller.length > maxControllerBytes ? [tooLong('spec.controller', maxControllerBytes)] : []),
      ...validateDomainPath('spec.controller', controller),
      ...(parameters ? validateParameters('spec.parameters', parameters) : []),
    ];
  },
  validateUpdate: ({ spec }, { spec: old }) =>
    spec?.controller === old?.controller
      ? []
      : [invalidValue('spec.controller', spec?.controller ?? '', immutable)],
};

function validateParameters(path: string, parameters: IngressClassParametersReference): FieldError[] {
  const { scope, namespace } = parameters;
  const errors = validateReference(path, parameters);
  if (scope === undefined) return [...errors, required(`${path}.scope`)];
  const field = `${path}.namespace`;
  if (namespace !== undefined) errors.push(...allInvalid(field, namespace, dnsLabelErrors(namespace)));
  if (scope === 'Cluster') {
    if (namespace !== undefined) errors.push(forbiddenField(field, "`parameters.scope` is set to 'Cluster'"));
  } else if (scope === 'Namespace') {
    if (!namespace) errors.push(required(field, "`parameters.scope` is set to 'Namespace'"));
  } else errors.push(notSupported(`${path}.scope`, scope, ['Cluster', 'Namespace']));
  return errors;
}
