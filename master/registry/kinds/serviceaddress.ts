/** The addresses of a Service: those inside, those that somebody else brings to the nodes, and who comes back where. Pure. */
import type { FieldError } from '../../../src/api/errors.js';
import { dnsSubdomainErrors } from '../../../src/api/names.js';
import type { ServiceSpec } from '../../../src/api/types.js';
import { isIp } from '../../../src/net/ip.js';
import {
  allInvalid,
  duplicate,
  forbiddenField,
  invalidValue,
  notSupported,
  oneOf,
  required,
} from '../validation/field.js';
import { specialIpErrors } from './names.js';
import { validIp } from './podspec.js';
import { isExternal, isHeadless } from './serviceupdate.js';

const families = ['IPv4', 'IPv6'];
const familyPolicies = ['PreferDualStack', 'RequireDualStack', 'SingleStack'];
const maxAffinitySeconds = 86_400;

export function validateAddresses(spec: ServiceSpec): FieldError[] {
  const clusterIPs = spec.clusterIPs ?? (spec.clusterIP ? [spec.clusterIP] : []);
  const inside =
    spec.type === 'ExternalName' ? validateName(spec, clusterIPs) : validateInside(spec, clusterIPs);
  return [
    ...inside,
    ...(spec.externalIPs ?? []).flatMap((ip, index) =>
      allInvalid(`spec.externalIPs[${index}]`, ip, isIp(ip) ? specialIpErrors(ip) : [validIp]),
    ),
  ];
}

/** An ExternalName is an alias and has no address of its own. */
function validateName(spec: ServiceSpec, clusterIPs: readonly string[]): FieldError[] {
  const given = {
    clusterIPs: clusterIPs.length > 0,
    ipFamilies: (spec.ipFamilies ?? []).length > 0,
    ipFamilyPolicy: spec.ipFamilyPolicy !== undefined,
  };
  const errors = Object.entries(given)
    .filter(([, isGiven]) => isGiven)
    .map(([name]) => forbiddenField(`spec.${name}`, 'may not be set for ExternalName services'));
  const name = (spec.externalName ?? '').replace(/\.$/, '');
  if (name === '') return [...errors, required('spec.externalName')];
  return [...errors, ...allInvalid('spec.externalName', name, dnsSubdomainErrors(name))];
}

function validateInside(spec: ServiceSpec, clusterIPs: readonly string[]): FieldError[] {
  const errors: FieldError[] = [];
  const field = 'spec.clusterIPs';
  if (isExternal(spec) && isHeadless(spec))
    errors.push(invalidValue(`${field}[0]`, 'None', `may not be set to 'None' for ${spec.type} services`));
  if (spec.clusterIP && spec.clusterIPs?.length && spec.clusterIPs[0] !== spec.clusterIP)
    errors.push(invalidValue(field, spec.clusterIPs, 'first value must match `clusterIP`'));
  const given = spec.ipFamilies ?? [];
  for (const [index, family] of given.entries()) {
    const path = `spec.ipFamilies[${index}]`;
    if (!families.includes(family)) errors.push(notSupported(path, family, families));
    if (given.indexOf(family) < index) errors.push(duplicate(path, family));
  }
  errors.push(...oneOf('spec.ipFamilyPolicy', spec.ipFamilyPolicy, familyPolicies));
  for (const [index, ip] of clusterIPs.entries())
    if (ip !== 'None' && !isIp(ip)) errors.push(invalidValue(`${field}[${index}]`, ip, validIp));
  if (clusterIPs.includes('None') && clusterIPs.length > 1)
    errors.push(invalidValue(field, clusterIPs, "'None' must be the first and only value"));
  else if (clusterIPs.length > 2)
    errors.push(invalidValue(field, clusterIPs, 'may only hold up to 2 values'));
  else if (clusterIPs.length === 2) errors.push(...validatePair(field, clusterIPs));
  return errors;
}

/** Two addresses are one of each family, and this cluster has but one. */
function validatePair(field: string, clusterIPs: readonly string[]): FieldError[] {
  const [first, second] = clusterIPs.map((ip) => ip.includes(':'));
  if (first === second)
    return [invalidValue(field, clusterIPs, 'may specify no more than one IP for each IP family')];
  return [invalidValue(field, clusterIPs, 'this cluster is not configured for dual-stack services')];
}

export function validateAffinity({ sessionAffinity, sessionAffinityConfig }: ServiceSpec): FieldError[] {
  const errors = oneOf('spec.sessionAffinity', sessionAffinity, ['ClientIP', 'None']);
  const seconds = sessionAffinityConfig?.clientIP?.timeoutSeconds;
  if (seconds !== undefined && (seconds <= 0 || seconds > maxAffinitySeconds)) {
    const field = 'spec.sessionAffinityConfig.clientIP.timeoutSeconds';
    errors.push(invalidValue(field, seconds, `must be greater than 0 and less than ${maxAffinitySeconds}`));
  }
  return errors;
}
