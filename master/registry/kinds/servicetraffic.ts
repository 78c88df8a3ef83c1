/** How traffic comes to a Service: policies, balancers outside, and what is said of fields that do nothing. Pure. */
import type { FieldError } from '../../../src/api/errors.js';
import { labelKeyErrors } from '../../../src/api/names.js';
import type { ServiceSpec, ServiceStatus } from '../../../src/api/types.js';
import { parseCidr } from '../../../src/net/cidr.js';
import {
  allInvalid,
  forbiddenField,
  invalidValue,
  isPort,
  notSupported,
  oneOf,
  portRange,
  required,
} from '../validation/field.js';
import { validateBalancer } from './ingress.js';
import { validCidr } from './names.js';
import { isHeadless, isReachable, needsHealthCheck } from './serviceupdate.js';

type Annotations = Record<string, string> | undefined;

const hintsAnnotation = 'service.kubernetes.io/topology-aware-hints';
const modeAnnotation = 'service.kubernetes.io/topology-mode';
const rangesAnnotation = 'service.beta.kubernetes.io/load-balancer-source-ranges';
const onlyBalancers = "may only be used when `type` is 'LoadBalancer'";

export function validateHints(annotations: Annotations): FieldError[] {
  const [hints, mode] = [annotations?.[hintsAnnotation], annotations?.[modeAnnotation]];
  if (hints === undefined || mode === undefined || hints === mode) return [];
  const detail = `must match annotations[${hintsAnnotation}] when both are specified`;
  return [invalidValue(`metadata.annotations[${modeAnnotation}]`, mode, detail)];
}

export function validateBalancerSpec(spec: ServiceSpec, annotations: Annotations): FieldError[] {
  const isBalanced = spec.type === 'LoadBalancer';
  const { allocateLoadBalancerNodePorts, loadBalancerClass } = spec;
  const errors = validateRanges(spec, annotations);
  if (allocateLoadBalancerNodePorts !== undefined && !isBalanced)
    errors.push(forbiddenField('spec.allocateLoadBalancerNodePorts', onlyBalancers));
  if (loadBalancerClass === undefined) return errors;
  const field = 'spec.loadBalancerClass';
  return isBalanced
    ? [...errors, ...allInvalid(field, loadBalancerClass, labelKeyErrors(loadBalancerClass))]
    : [...errors, forbiddenField(field, onlyBalancers)];
}

/** Who may come through the balancer, in the field or, of old, in an annotation. */
function validateRanges(spec: ServiceSpec, annotations: Annotations): FieldError[] {
  const ranges = spec.loadBalancerSourceRanges ?? [];
  const text = annotations?.[rangesAnnotation];
  if (ranges.length === 0 && text === undefined) return [];
  const isField = ranges.length > 0;
  const field = isField ? 'spec.LoadBalancerSourceRanges' : `metadata.annotations[${rangesAnnotation}]`;
  const given = isField ? ranges : text?.trim() ? text.split(',') : [];
  return [
    ...(spec.type === 'LoadBalancer' ? [] : [forbiddenField(field, onlyBalancers)]),
    ...given.flatMap((value, index) =>
      parseCidr(value.trim())
        ? []
        : [invalidValue(isField ? `${field}[${index}]` : field, value.trim(), validCidr)],
    ),
  ];
}

const policies = ['Cluster', 'Local'];

export function validatePolicies(spec: ServiceSpec): FieldError[] {
  const { externalTrafficPolicy: policy, healthCheckNodePort: port } = spec;
  const errors: FieldError[] = [];
  if (isReachable(spec)) {
    if (policy === undefined) errors.push(required('spec.externalTrafficPolicy'));
    else errors.push(...oneOf('spec.externalTrafficPolicy', policy, policies));
  } else if (policy !== undefined) {
    const detail = 'may only be set for externally-accessible services';
    errors.push(invalidValue('spec.externalTrafficPolicy', policy, detail));
  }
  const field = 'spec.healthCheckNodePort';
  if (port && !needsHealthCheck(spec)) {
    const detail = "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'";
    errors.push(invalidValue(field, port, detail));
  } else if (port && !isPort(port)) errors.push(invalidValue(field, port, portRange));
  return [
    ...errors,
    ...oneOf('spec.internalTrafficPolicy', spec.internalTrafficPolicy, policies),
    ...oneOf('spec.trafficDistribution', spec.trafficDistribution, [
      'PreferClose',
      'PreferSameNode',
      'PreferSameZone',
    ]),
  ];
}

/** An address of a balancer is a virtual one unless it says that it is not. */
export function withIpModes(status: ServiceStatus | undefined): ServiceStatus | undefined {
  const ingress = status?.loadBalancer?.ingress;
  if (!ingress?.some(({ ip, ipMode }) => ip && ipMode === undefined)) return status;
  const complete = ingress.map((one) =>
    one.ip && one.ipMode === undefined ? { ...one, ipMode: 'VIP' } : one,
  );
  return { ...status, loadBalancer: { ...status?.loadBalancer, ingress: complete } };
}

export function validateBalancers(
  spec: ServiceSpec | undefined,
  status: ServiceStatus | undefined,
): FieldError[] {
  const ingress = status?.loadBalancer?.ingress ?? [];
  const field = 'status.loadBalancer.ingress';
  if (ingress.length > 0 && spec?.type !== 'LoadBalancer')
    return [forbiddenField(field, 'may only be used when `spec.type` is "LoadBalancer"')];
  return ingress.flatMap((one, index) => {
    const path = `${field}[${index}]`;
    const errors = validateBalancer(path, one);
    if (one.ipMode === undefined) return errors;
    if (!one.ip)
      return [...errors, forbiddenField(`${path}.ipMode`, 'may not be specified when `ip` is not set')];
    const isKnown = one.ipMode === 'Proxy' || one.ipMode === 'VIP';
    return isKnown ? errors : [...errors, notSupported(`${path}.ipMode`, one.ipMode, ['Proxy', 'VIP'])];
  });
}

export function serviceWarnings(annotations: Annotations, spec: ServiceSpec): string[] {
  const isAlias = spec.type === 'ExternalName';
  const headless = spec.type === 'ClusterIP' && isHeadless(spec);
  const said: readonly [boolean, string][] = [
    [
      annotations?.[hintsAnnotation] !== undefined,
      `annotation ${hintsAnnotation} is deprecated, please use ${modeAnnotation} instead`,
    ],
    [headless && Boolean(spec.loadBalancerIP), 'spec.loadBalancerIP is ignored for headless services'],
    [headless && (spec.externalIPs ?? []).length > 0, 'spec.externalIPs is ignored for headless services'],
    [
      headless && spec.sessionAffinity === 'ClientIP',
      'spec.SessionAffinity is ignored for headless services',
    ],
    [
      isAlias && (spec.externalIPs ?? []).length > 0,
      'spec.externalIPs is ignored when spec.type is "ExternalName"',
    ],
    [
      !isAlias && Boolean(spec.externalName),
      'spec.externalName is ignored when spec.type is not "ExternalName"',
    ],
    [
      spec.trafficDistribution === 'PreferClose',
      'spec.trafficDistribution: "PreferClose" is deprecated; use "PreferSameZone"',
    ],
  ];
  return said.flatMap(([applies, text]) => (applies ? [text] : []));
}
