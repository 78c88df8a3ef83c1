/**
 * Validation of a pod spec, shared by Pod and by every kind with a pod template. Pure.
 */
import type { FieldError } from '../../../src/api/errors.js';
import {
  dnsLabelErrors,
  dnsSubdomainErrors,
  labelKeyErrors,
  labelValueErrors,
} from '../../../src/api/names.js';
import type { PodSpec, Toleration } from '../../../src/api/types.js';
import { isIp } from '../../../src/net/ip.js';
import { allInvalid, invalidValue, notSupported, oneOf, required } from '../validation/field.js';
import { validateLabels } from '../validation/metadata.js';
import { validateAffinity } from './affinity.js';
import { validateContainers } from './container.js';
import { validateGates } from './podgates.js';
import { validateIdentity, validateSpread } from './podplacement.js';
import { validateVolumes } from './volume.js';

const maxInt32 = 2 ** 31 - 1;

export function validatePodSpec(field: string, spec: PodSpec): FieldError[] {
  const { activeDeadlineSeconds, serviceAccountName, nodeName, hostname, subdomain } = spec;
  const errors = [
    ...validateVolumes(`${field}.volumes`, spec.volumes),
    ...validateContainers(field, spec),
    ...oneOf(`${field}.restartPolicy`, spec.restartPolicy, ['Always', 'OnFailure', 'Never']),
    ...validateDns(field, spec),
    ...validateLabels(spec.nodeSelector, `${field}.nodeSelector`),
    ...validateAffinity(`${field}.affinity`, spec.affinity),
    ...validateTolerations(`${field}.tolerations`, spec.tolerations),
    ...validateSpread(`${field}.topologySpreadConstraints`, spec.topologySpreadConstraints),
    ...validateGates(field, spec),
    ...validateIdentity(field, spec),
    ...(spec.hostAliases ?? []).flatMap(({ ip = '' }, index) =>
      isIp(ip) ? [] : [invalidValue(`${field}.hostAliases[${index}].ip`, ip, validIp)],
    ),
  ];
  if (
    activeDeadlineSeconds !== undefined &&
    (activeDeadlineSeconds < 1 || activeDeadlineSeconds > maxInt32)
  ) {
    const detail = `must be between 1 and ${maxInt32}, inclusive`;
    errors.push(invalidValue(`${field}.activeDeadlineSeconds`, activeDeadlineSeconds, detail));
  }
  const named = { serviceAccountName, nodeName };
  for (const [name, value] of Object.entries(named)) {
    if (value) errors.push(...allInvalid(`${field}.${name}`, value, dnsSubdomainErrors(value)));
  }
  for (const [name, value] of Object.entries({ hostname, subdomain })) {
    if (value) errors.push(...allInvalid(`${field}.${name}`, value, dnsLabelErrors(value)));
  }
  return errors;
}

export const validIp = 'must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)';

const dnsPolicies = ['ClusterFirstWithHostNet', 'ClusterFirst', 'Default', 'None'];

function validateDns(field: string, { dnsPolicy, dnsConfig }: PodSpec): FieldError[] {
  const errors = oneOf(`${field}.dnsPolicy`, dnsPolicy, dnsPolicies);
  const servers = dnsConfig?.nameservers ?? [];
  if (dnsPolicy === 'None') {
    if (!dnsConfig)
      errors.push(required(`${field}.dnsConfig`, 'must provide `dnsConfig` when `dnsPolicy` is None'));
    else if (servers.length === 0) {
      errors.push(
        required(
          `${field}.dnsConfig.nameservers`,
          'must provide at least one DNS nameserver when `dnsPolicy` is None',
        ),
      );
    }
  }
  if (servers.length > 3) {
    errors.push(
      invalidValue(`${field}.dnsConfig.nameservers`, servers, 'must not have more than 3 nameservers'),
    );
  }
  for (const [index, server] of servers.entries()) {
    if (!isIp(server)) errors.push(invalidValue(`${field}.dnsConfig.nameservers[${index}]`, server, validIp));
  }
  return errors;
}

export function validateTolerations(
  field: string,
  tolerations: readonly Toleration[] | undefined,
): FieldError[] {
  return (tolerations ?? []).flatMap((toleration, index) =>
    validateToleration(`${field}[${index}]`, toleration),
  );
}

function validateToleration(path: string, toleration: Toleration): FieldError[] {
  const { key, operator, value, effect, tolerationSeconds } = toleration;
  const errors = key ? allInvalid(`${path}.key`, key, labelKeyErrors(key)) : [];
  if (!key && operator !== 'Exists') {
    const detail = 'operator must be Exists when `key` is empty, which means "match all values and all keys"';
    errors.push(invalidValue(`${path}.operator`, operator ?? '', detail));
  }
  if (tolerationSeconds !== undefined && effect !== 'NoExecute') {
    errors.push(
      invalidValue(
        `${path}.effect`,
        effect ?? '',
        "effect must be 'NoExecute' when `tolerationSeconds` is set",
      ),
    );
  }
  if (!operator || operator === 'Equal')
    errors.push(...allInvalid(`${path}.operator`, value ?? '', labelValueErrors(value ?? '')));
  else if (operator !== 'Exists')
    errors.push(notSupported(`${path}.operator`, operator, ['Equal', 'Exists']));
  else if (value)
    errors.push(
      invalidValue(`${path}.operator`, toleration, "value must be empty when `operator` is 'Exists'"),
    );
  return [
    ...errors,
    ...(effect ? oneOf(`${path}.effect`, effect, ['NoSchedule', 'PreferNoSchedule', 'NoExecute']) : []),
  ];
}
