/** The strategies of ServiceCIDRs and of the IPAddresses taken from them. Pure. */
import type { FieldError } from '../../../src/api/errors.js';
import { dnsLabelErrors, dnsSubdomainErrors } from '../../../src/api/names.js';
import type { IPAddress, ParentReference, ServiceCIDR } from '../../../src/api/types.js';
import { parseCidr } from '../../../src/net/cidr.js';
import { isSameJson } from '../codec.js';
import type { Strategy } from '../strategy.js';
import { allInvalid, immutable, invalidValue, required } from '../validation/field.js';
import { canonicalCidrErrors, canonicalIpErrors, pathSegmentErrors } from './names.js';

export const ipAddressStrategy: Strategy<IPAddress> = {
  generation: false,
  validateName: (name) => canonicalIpErrors(name),
  validate: ({ spec }) =>
    spec?.parentRef ? validateParent('spec.parentRef', spec.parentRef) : [required('spec.parentRef')],
  validateUpdate: ({ spec }, { spec: old }) =>
    isSameJson(spec?.parentRef, old?.parentRef)
      ? []
      : [invalidValue('spec.parentRef', spec?.parentRef, immutable)],
};

function validateParent(path: string, { group, resource, namespace, name }: ParentReference): FieldError[] {
  const segment = (field: string, value: string | undefined): FieldError[] =>
    value ? allInvalid(`${path}.${field}`, value, pathSegmentErrors(value)) : [required(`${path}.${field}`)];
  return [
    ...(group ? allInvalid(`${path}.group`, group, dnsSubdomainErrors(group)) : []),
    ...segment('resource', resource),
    ...segment('name', name),
    ...(namespace ? allInvalid(`${path}.namespace`, namespace, dnsLabelErrors(namespace)) : []),
  ];
}

export const serviceCidrStrategy: Strategy<ServiceCIDR> = {
  generation: false,
  validate: ({ spec }) => {
    const cidrs = spec?.cidrs ?? [];
    const field = 'spec.cidrs';
    if (cidrs.length === 0) return [required(field, 'at least one CIDR required')];
    const errors: FieldError[] = [];
    const families = new Set(cidrs.map((cidr) => parseCidr(cidr)?.family));
    if (cidrs.length > 2) errors.push(invalidValue(field, spec, 'may only hold up to 2 values'));
    else if (families.size < cidrs.length) {
      const detail =
        'may specify no more than one IP for each IP family, i.e 192.168.0.0/24 and 2001:db8::/64';
      errors.push(invalidValue(field, cidrs, detail));
    }
    for (const [index, cidr] of cidrs.entries())
      errors.push(...allInvalid(`${field}[${index}]`, cidr, canonicalCidrErrors(cidr)));
    return errors;
  },
  validateUpdate: ({ spec }, { spec: old }) =>
    isSameJson(spec?.cidrs, old?.cidrs) ? [] : [invalidValue('spec.cidrs', spec?.cidrs, immutable)],
};
