/**
 * Validation of container environment variables and of keys of ConfigMaps and Secrets. Pure.
 */
import type { FieldError } from '../../../src/api/errors.js';
import { dnsSubdomainErrors } from '../../../src/api/names.js';
import type { Container, EnvFromSource, EnvVar, EnvVarSource } from '../../../src/api/types.js';
import { allInvalid, invalidValue, notSupported, required } from '../validation/field.js';

const printable = /^[ -<>-~]+$/;

/** Any printable ASCII but `=`, as Kubernetes accepts since 1.34. */
const envNameErrors = (name: string): string[] =>
  printable.test(name)
    ? []
    : ["a valid environment variable name must consist only of printable ASCII characters other than '='"];

/** Keys of ConfigMaps and Secrets; they become file names. */
export function configKeyErrors(key: string): string[] {
  const errors: string[] = [];
  if (key.length > 253) errors.push('must be no more than 253 characters');
  if (!/^[-._a-zA-Z0-9]+$/.test(key)) {
    errors.push(
      "a valid config key must consist of alphanumeric characters, '-', '_' or '.' " +
        "(e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')",
    );
  }
  if (key === '.' || key === '..') errors.push(`must not be '${key}'`);
  else if (key.startsWith('..')) errors.push("must not start with '..'");
  return errors;
}

export const validateEnv = (field: string, { env, envFrom }: Container): FieldError[] => [
  ...(envFrom ?? []).flatMap((source, index) => validateEnvFrom(`${field}.envFrom[${index}]`, source)),
  ...(env ?? []).flatMap((variable, index) => validateVariable(`${field}.env[${index}]`, variable)),
];

function validateVariable(field: string, { name, value, valueFrom }: EnvVar): FieldError[] {
  const errors = name ? allInvalid(`${field}.name`, name, envNameErrors(name)) : [required(`${field}.name`)];
  return valueFrom ? [...errors, ...validateValueFrom(`${field}.valueFrom`, valueFrom, value)] : errors;
}

const sources = ['fieldRef', 'resourceFieldRef', 'configMapKeyRef', 'secretKeyRef', 'fileKeyRef'] as const;

function validateValueFrom(field: string, from: EnvVarSource, value: string | undefined): FieldError[] {
  const present = sources.filter((name) => from[name] !== undefined);
  const errors: FieldError[] = [];
  if (present.length === 0) {
    const detail =
      'must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`';
    return [invalidValue(field, '', detail)];
  }
  if (value) errors.push(invalidValue(field, '', 'may not be specified when `value` is not empty'));
  if (present.length > 1)
    errors.push(invalidValue(field, '', 'may not have more than one field specified at a time'));
  if (from.fieldRef)
    errors.push(...validateFieldPath(`${field}.fieldRef`, from.fieldRef.fieldPath, envFields));
  if (from.resourceFieldRef)
    errors.push(...validateResourceField(`${field}.resourceFieldRef`, from.resourceFieldRef.resource));
  for (const name of ['configMapKeyRef', 'secretKeyRef'] as const) {
    const reference = from[name];
    if (!reference) continue;
    if (!reference.name) errors.push(required(`${field}.${name}.name`));
    if (!reference.key) errors.push(required(`${field}.${name}.key`));
    else errors.push(...allInvalid(`${field}.${name}.key`, reference.key, configKeyErrors(reference.key)));
  }
  return errors;
}

export const volumeFields = [
  'metadata.annotations',
  'metadata.labels',
  'metadata.name',
  'metadata.namespace',
  'metadata.uid',
];

const envFields = [
  'metadata.name',
  'metadata.namespace',
  'metadata.uid',
  'spec.nodeName',
  'spec.serviceAccountName',
  'status.hostIP',
  'status.hostIPs',
  'status.podIP',
  'status.podIPs',
];

/** `metadata.labels['key']` and `metadata.annotations['key']` are fields of their own. */
export function validateFieldPath(field: string, path: string, supported: readonly string[]): FieldError[] {
  if (!path) return [required(`${field}.fieldPath`)];
  if (/^metadata\.(labels|annotations)\['[^']+'\]$/.test(path) || supported.includes(path)) return [];
  return [notSupported(`${field}.fieldPath`, path, supported)];
}

const containerResources = ['cpu', 'ephemeral-storage', 'memory'].flatMap((name) => [
  `limits.${name}`,
  `requests.${name}`,
]);

function validateResourceField(field: string, resource: string): FieldError[] {
  if (!resource) return [required(`${field}.resource`)];
  const isKnown = containerResources.includes(resource) || /^(limits|requests)\.hugepages-/.test(resource);
  return isKnown ? [] : [notSupported(`${field}.resource`, resource, containerResources)];
}

function validateEnvFrom(field: string, { prefix, configMapRef, secretRef }: EnvFromSource): FieldError[] {
  const errors = prefix ? allInvalid(`${field}.prefix`, prefix, envNameErrors(prefix)) : [];
  if (!configMapRef && !secretRef)
    return [...errors, invalidValue(field, '', 'must specify one of: `configMapRef` or `secretRef`')];
  if (configMapRef && secretRef)
    errors.push(invalidValue(field, '', 'may not have more than one field specified at a time'));
  for (const [name, reference] of Object.entries({ configMapRef, secretRef })) {
    if (!reference) continue;
    const path = `${field}.${name}.name`;
    errors.push(
      ...(reference.name
        ? allInvalid(path, reference.name, dnsSubdomainErrors(reference.name))
        : [required(path)]),
    );
  }
  return errors;
}
