/** Names of resources in quotas and limits, and which amounts of them make sense. Pure. */
import type { FieldError } from '../../../src/api/errors.js';
import { dnsSubdomainErrors, labelKeyErrors } from '../../../src/api/names.js';
import { parseQuantity } from '../../../src/api/quantity.js';
import { allInvalid, invalidValue } from '../validation/field.js';
import { validateAmount } from './quantity.js';

const computed = ['cpu', 'memory', 'ephemeral-storage'];
const counted = [
  'pods',
  'resourcequotas',
  'services',
  'replicationcontrollers',
  'secrets',
  'configmaps',
  'persistentvolumeclaims',
  'services.nodeports',
  'services.loadbalancers',
];
const ofPods = [...computed, ...computed.flatMap((name) => [`requests.${name}`, `limits.${name}`])];
const quotaNames = new Set([...ofPods, 'requests.storage', ...counted]);
const containerNames = new Set(computed);

const isHugePage = (name: string): boolean => /^(?:requests\.)?hugepages-/.test(name);

export const isQuotaName = (name: string): boolean => quotaNames.has(name) || isHugePage(name);

/** What pods as such have, which scopes can tell apart. */
export const isPodResource = (name: string): boolean => name === 'pods' || ofPods.includes(name);

/** Of devices and the like there are whole ones only; `kubernetes.io` names what is not one of them. */
const isExtended = (name: string): boolean =>
  name.includes('/') &&
  !name.includes('kubernetes.io/') &&
  dnsSubdomainErrors(name.split('/')[0] ?? '').length === 0;

const isWhole = (name: string): boolean => counted.includes(name) || isExtended(name);

function validateName(field: string, name: string): FieldError[] {
  const errors = labelKeyErrors(name);
  if (errors.length > 0) return allInvalid(field, name, errors);
  if (name.includes('/') || isQuotaName(name) || name === 'storage') return [];
  return [invalidValue(field, name, 'must be a standard resource type or fully qualified')];
}

export function validateQuotaName(field: string, name: string): FieldError[] {
  const errors = validateName(field, name);
  if (name.includes('/') || isQuotaName(name)) return errors;
  return [...errors, invalidValue(field, name, 'must be a standard resource for quota')];
}

/** `type` is that of a LimitRange item: those of pods and containers name what containers can ask for. */
export function validateLimitName(field: string, name: string, type: string): FieldError[] {
  const errors = validateName(field, name);
  if (type !== 'Pod' && type !== 'Container') return errors;
  if (name.includes('/') || containerNames.has(name) || name.startsWith('hugepages-')) return errors;
  return [...errors, invalidValue(field, name, 'must be a standard resource for containers')];
}

export function validateQuantity(field: string, name: string, amount: string): FieldError[] {
  const errors = validateAmount(field, amount);
  const isFraction = parseQuantity(amount).nanos % 1_000_000_000n !== 0n;
  return isWhole(name) && isFraction
    ? [...errors, invalidValue(field, amount, 'must be an integer')]
    : errors;
}

/** May more be given in sum than there is; not so for whole devices. */
export const mayOvercommit = (name: string): boolean => !isExtended(name) && !name.startsWith('hugepages-');
