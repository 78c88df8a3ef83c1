/**
 * Validation of how a pod is spread over the cluster, and of what it is to the node that runs it. Pure.
 */
import type { FieldError } from '../../../src/api/errors.js';
import { dnsSubdomainErrors, labelKeyErrors } from '../../../src/api/names.js';
import type { PodSpec, Sysctl, TopologySpreadConstraint } from '../../../src/api/types.js';
import {
  allInvalid,
  duplicate,
  forbiddenField,
  invalidValue,
  notSupported,
  oneOf,
  required,
} from '../validation/field.js';
import { validateLabelSelector } from './selector.js';

const actions = ['DoNotSchedule', 'ScheduleAnyway'];
const inclusion = ['Honor', 'Ignore'];

export function validateSpread(
  field: string,
  constraints: readonly TopologySpreadConstraint[] | undefined,
): FieldError[] {
  const seen = new Set<string>();
  return (constraints ?? []).flatMap((constraint, index) => {
    const path = `${field}[${index}]`;
    const { topologyKey, whenUnsatisfiable } = constraint;
    const pair = `{${topologyKey}, ${whenUnsatisfiable}}`;
    const isTwice = seen.has(pair);
    seen.add(pair);
    const errors = validateConstraint(path, constraint);
    return isTwice ? [...errors, duplicate(`${path}.{topologyKey, whenUnsatisfiable}`, pair)] : errors;
  });
}

function validateConstraint(path: string, constraint: TopologySpreadConstraint): FieldError[] {
  const { maxSkew = 0, minDomains, topologyKey, whenUnsatisfiable, labelSelector } = constraint;
  const errors: FieldError[] = [];
  if (maxSkew <= 0) errors.push(invalidValue(`${path}.maxSkew`, maxSkew, 'must be greater than zero'));
  if (!topologyKey) errors.push(required(`${path}.topologyKey`, 'can not be empty'));
  else errors.push(...allInvalid(`${path}.topologyKey`, topologyKey, labelKeyErrors(topologyKey)));
  if (!actions.includes(whenUnsatisfiable))
    errors.push(notSupported(`${path}.whenUnsatisfiable`, whenUnsatisfiable ?? '', actions));
  if (minDomains !== undefined && minDomains <= 0)
    errors.push(invalidValue(`${path}.minDomains`, minDomains, 'must be greater than zero'));
  if (minDomains !== undefined && whenUnsatisfiable !== 'DoNotSchedule') {
    const detail = `can only use minDomains if whenUnsatisfiable=DoNotSchedule, not ${whenUnsatisfiable}`;
    errors.push(invalidValue(`${path}.minDomains`, minDomains, detail));
  }
  return [
    ...errors,
    ...oneOf(`${path}.nodeAffinityPolicy`, constraint.nodeAffinityPolicy, inclusion),
    ...oneOf(`${path}.nodeTaintsPolicy`, constraint.nodeTaintsPolicy, inclusion),
    ...validateMatchKeys(`${path}.matchLabelKeys`, constraint),
    ...validateLabelSelector(`${path}.labelSelector`, labelSelector),
  ];
}

function validateMatchKeys(
  field: string,
  { matchLabelKeys, labelSelector }: TopologySpreadConstraint,
): FieldError[] {
  if (!matchLabelKeys?.length) return [];
  if (!labelSelector) return [forbiddenField(field, 'must not be specified when labelSelector is not set')];
  return matchLabelKeys.flatMap((key, index) => {
    const errors = allInvalid(`${field}[${index}]`, key, labelKeyErrors(key));
    const isTaken =
      labelSelector.matchLabels?.[key] !== undefined ||
      labelSelector.matchExpressions?.some((one) => one.key === key);
    const detail = 'exists in both matchLabelKeys and labelSelector';
    return isTaken ? [...errors, invalidValue(`${field}[${index}]`, key, detail)] : errors;
  });
}

const noBoth = 'ShareProcessNamespace and HostPID cannot both be enabled';

export function validateIdentity(field: string, spec: PodSpec): FieldError[] {
  const { runtimeClassName, priorityClassName, readinessGates = [], os } = spec;
  const errors: FieldError[] = [];
  for (const [name, value] of Object.entries({ runtimeClassName, priorityClassName })) {
    if (value) errors.push(...allInvalid(`${field}.${name}`, value, dnsSubdomainErrors(value)));
  }
  for (const [index, { conditionType = '' }] of readinessGates.entries()) {
    const path = `${field}.readinessGates[${index}].conditionType`;
    errors.push(...allInvalid(path, conditionType, labelKeyErrors(conditionType)));
  }
  if (spec.hostPID && spec.shareProcessNamespace)
    errors.push(invalidValue(`${field}.shareProcessNamespace`, true, noBoth));
  if (os && !os.name) errors.push(required(`${field}.os.name`, 'cannot be empty'));
  else if (os) errors.push(...oneOf(`${field}.os.name`, os.name, ['linux', 'windows']));
  return [
    ...errors,
    ...validateSysctls(`${field}.securityContext.sysctls`, spec.securityContext?.sysctls),
    ...oneOf(`${field}.preemptionPolicy`, spec.preemptionPolicy, ['Never', 'PreemptLowerPriority']),
  ];
}

const sysctlSegment = '[a-z0-9]([-_a-z0-9]*[a-z0-9])?';
const sysctlFormat = `(${sysctlSegment}[\\./])*${sysctlSegment}`;
const sysctlName = new RegExp(`^${sysctlFormat}$`);
const maxSysctlLength = 253;

/** Names only: which sysctls a node sets for pods is up to the node. */
function validateSysctls(field: string, sysctls: readonly Sysctl[] | undefined): FieldError[] {
  const seen = new Set<string>();
  return (sysctls ?? []).flatMap(({ name }, index) => {
    const path = `${field}[${index}].name`;
    if (!name) return [required(path, '')];
    if (name.length > maxSysctlLength || !sysctlName.test(name)) {
      const detail = `must have at most ${maxSysctlLength} characters and match regex ${sysctlFormat}`;
      return [invalidValue(path, name, detail)];
    }
    if (seen.has(name)) return [duplicate(path, name)];
    seen.add(name);
    return [];
  });
}
