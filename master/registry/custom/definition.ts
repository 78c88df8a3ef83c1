/**
 * 2. Validation of CustomResourceDefinitions, in the words of kube-apiserver. Pure.
 */
import type { FieldError } from '../../../src/api/errors.js';
import { isConditionTrue } from '../../../src/api/meta.js';
import { dns1035LabelErrors, dnsSubdomainErrors } from '../../../src/api/names.js';
import { forbidden, invalid, required, structuralErrors } from '../../../src/api/structural/check.js';
import { ruleErrors } from '../../../src/api/structural/rulecheck.js';
import { compileSchema } from '../../../src/api/structural/schema.js';
import { defaultErrors, keywordErrors } from '../../../src/api/structural/schemacheck.js';
import type {
  CustomResourceConversion,
  CustomResourceDefinition,
  CustomResourceDefinitionNames,
  CustomResourceDefinitionSpec,
  CustomResourceDefinitionVersion,
  JSONSchemaProps,
} from '../../../src/api/types.js';
import { isSameJson } from '../codec.js';
import { immutable, notSupported } from '../validation/field.js';
import { columnErrors, scaleErrors, selectableErrors } from './versionparts.js';

export const approvalAnnotation = 'api-approved.kubernetes.io';

/** `old` on an update: what it had already is not held against it. */
export function validateDefinition(
  object: CustomResourceDefinition,
  old: CustomResourceDefinition | undefined,
): FieldError[] {
  const { metadata, spec, status } = object;
  const errors: FieldError[] = [];
  const plural = spec.names.plural ?? '';
  if (metadata.name && metadata.name !== `${plural}.${spec.group}`)
    errors.push(invalid('metadata.name', metadata.name, 'must be spec.names.plural+"."+spec.group'));
  errors.push(...specErrors(spec, old?.spec));
  errors.push(...storedVersionErrors(spec, status?.storedVersions ?? []));
  errors.push(...approvalErrors(object, old));
  if (spec.preserveUnknownFields && !old?.spec.preserveUnknownFields) {
    const detail =
      'cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead';
    errors.push(invalid('spec.preserveUnknownFields', true, detail));
  }
  return errors;
}

/** What an update may not change. */
export function validateDefinitionUpdate(
  { spec }: CustomResourceDefinition,
  old: CustomResourceDefinition,
): FieldError[] {
  const fixed: [string, unknown, unknown][] = [
    ['spec.group', spec.group, old.spec.group],
    ['spec.names.plural', spec.names.plural, old.spec.names.plural],
  ];
  if (isConditionTrue(old.status?.conditions, 'Established')) {
    fixed.push(['spec.scope', spec.scope, old.spec.scope]);
    fixed.push(['spec.names.kind', spec.names.kind, old.spec.names.kind]);
  }
  return fixed.flatMap(([field, now, before]) =>
    isSameJson(now, before) ? [] : [invalid(field, now, immutable)],
  );
}

function specErrors(
  spec: CustomResourceDefinitionSpec,
  old: CustomResourceDefinitionSpec | undefined,
): FieldError[] {
  const errors: FieldError[] = [];
  const group = spec.group ?? '';
  const problems = dnsSubdomainErrors(group);
  if (group === '') errors.push(required('spec.group', ''));
  else if (problems.length > 0) errors.push(invalid('spec.group', group, problems.join(',')));
  else if (!group.includes('.'))
    errors.push(invalid('spec.group', group, 'should be a domain with at least one dot'));
  if (!spec.scope) errors.push(required('spec.scope', ''));
  else if (!['Cluster', 'Namespaced'].includes(spec.scope))
    errors.push(notSupported('spec.scope', spec.scope, ['Cluster', 'Namespaced']));
  const versions = spec.versions ?? [];
  versions.forEach((version, i) => {
    errors.push(
      ...versionErrors(
        version,
        `spec.versions[${i}]`,
        old?.versions.find(({ name }) => name === version.name),
      ),
    );
  });
  if (new Set(versions.map(({ name }) => name)).size < versions.length)
    errors.push(invalid('spec.versions', versions, 'must contain unique version names'));
  if (versions.filter(({ storage }) => storage).length !== 1) {
    const detail = 'must have exactly one version marked as storage version';
    errors.push(invalid('spec.versions', versions, detail));
  }
  for (const name of ['plural', 'singular', 'kind', 'listKind'] as const)
    if (!spec.names[name]) errors.push(required(`spec.names.${name}`, ''));
  errors.push(...nameErrors(spec.names, 'spec.names'));
  if (spec.conversion) errors.push(...conversionErrors(spec.conversion));
  return errors;
}

function versionErrors(
  version: CustomResourceDefinitionVersion,
  path: string,
  old: CustomResourceDefinitionVersion | undefined,
): FieldError[] {
  const errors: FieldError[] = [];
  const problems = dns1035LabelErrors(version.name ?? '');
  if (problems.length > 0) errors.push(invalid(`${path}.name`, version.name, problems.join(',')));
  const { deprecated, deprecationWarning } = version;
  if (deprecationWarning !== undefined) {
    const field = `${path}.deprecationWarning`;
    const fail = (detail: string): void => {
      errors.push(invalid(field, deprecationWarning, detail));
    };
    if (!deprecated) fail('can only be set for deprecated versions');
    else if (deprecationWarning.length > 256) fail('must be <= 256 characters long');
    else if (deprecationWarning === '') fail('must not be an empty string');
  }
  const schema = version.schema?.openAPIV3Schema;
  const hasStatus = version.subresources?.status !== undefined;
  if (!schema) errors.push(required(`${path}.schema.openAPIV3Schema`, ''));
  // A schema that was accepted is not checked again: compiling its rules costs the most.
  else if (!isSameJson(schema, old?.schema?.openAPIV3Schema))
    errors.push(...schemaErrors(schema, `${path}.schema.openAPIV3Schema`, hasStatus));
  errors.push(...scaleErrors(version.subresources?.scale, `${path}.subresources`));
  version.additionalPrinterColumns?.forEach((column, i) => {
    errors.push(...columnErrors(column, `${path}.additionalPrinterColumns[${i}]`));
  });
  errors.push(...selectableErrors(version.selectableFields ?? [], schema, `${path}.selectableFields`));
  return errors;
}

/** What the root of a schema must not say where the status is validated on its own. */
const notAtRoot = ['additionalProperties', 'allOf', 'anyOf', 'oneOf', 'not', 'enum', 'default'] as const;

function schemaErrors(schema: JSONSchemaProps, path: string, hasStatus: boolean): FieldError[] {
  const errors: FieldError[] = [];
  if (hasStatus) {
    const text = 'is allowed as the type at the root of the schema if the status subresource is enabled';
    if (schema.type !== undefined && schema.type !== 'object')
      errors.push(invalid(`${path}.type`, schema.type, `only "object" ${text}`));
    const found = notAtRoot.find((name) => schema[name] !== undefined);
    if (found) {
      const detail = `${found} is not allowed at the root of the schema if the status subresource is enabled`;
      errors.push(invalid(path, found, detail));
    }
  }
  if (schema.nullable) errors.push(forbidden(`${path}.nullable`, 'nullable cannot be true at the root'));
  const structural = structuralErrors(schema, path);
  errors.push(...structural);
  if (structural.length === 0) errors.push(...defaultErrors(compileSchema(schema), path));
  errors.push(...keywordErrors(schema, path));
  return errors.length > 0 ? errors : ruleErrors(schema, path);
}

export function nameErrors(names: CustomResourceDefinitionNames | undefined, path: string): FieldError[] {
  if (!names) return [];
  const errors: FieldError[] = [];
  const label = (field: string, value: string | undefined, head = ''): void => {
    if (!value) return;
    const problems = dns1035LabelErrors(head ? value.toLowerCase() : value);
    if (problems.length > 0) errors.push(invalid(`${path}.${field}`, value, `${head}${problems.join(',')}`));
  };
  const mixed = 'may have mixed case, but should otherwise match: ';
  label('plural', names.plural);
  label('singular', names.singular);
  label('kind', names.kind, mixed);
  label('listKind', names.listKind, mixed);
  for (const [i, name] of (names.shortNames ?? []).entries()) label(`shortNames[${i}]`, name);
  if (names.kind && names.kind === names.listKind)
    errors.push(invalid(`${path}.listKind`, names.listKind, 'kind and listKind may not be the same'));
  for (const [i, name] of (names.categories ?? []).entries()) label(`categories[${i}]`, name);
  return errors;
}

const reviewVersions = ['v1', 'v1beta1'];

function conversionErrors({ strategy, webhook }: CustomResourceConversion): FieldError[] {
  const path = 'spec.conversion';
  if (!strategy) return [required(`${path}.strategy`, '')];
  if (strategy !== 'None' && strategy !== 'Webhook')
    return [notSupported(`${path}.strategy`, strategy, ['None', 'Webhook'])];
  if (strategy === 'None') {
    const detail = 'should not be set when strategy is not set to Webhook';
    return webhook ? [forbidden(`${path}.webhook`, detail)] : [];
  }
  const errors: FieldError[] = [];
  const field = `${path}.webhookClientConfig`;
  const { url, service } = webhook?.clientConfig ?? {};
  if (!webhook?.clientConfig) errors.push(required(field, 'required when strategy is set to Webhook'));
  else if ((url === undefined) === (service === undefined))
    errors.push(required(field, 'exactly one of url or service is required'));
  else if (url !== undefined) errors.push(...urlErrors(url, `${field}.url`));
  else if (service) {
    for (const name of ['name', 'namespace'] as const)
      if (!service[name]) errors.push(required(`${field}.service.${name}`, ''));
    const { port = 443, path: servicePath } = service;
    if (port < 1 || port > 65535) {
      const detail = 'port is not valid: must be between 1 and 65535, inclusive';
      errors.push(invalid(`${field}.service.port`, port, detail));
    }
    if (servicePath && !servicePath.startsWith('/'))
      errors.push(invalid(`${field}.service.path`, servicePath, "must start with a '/'"));
  }
  const versions = webhook?.conversionReviewVersions ?? [];
  const versionsField = `${path}.conversionReviewVersions`;
  if (versions.length === 0) errors.push(required(versionsField, ''));
  else if (!versions.some((version) => reviewVersions.includes(version))) {
    const detail = `must include at least one of ${reviewVersions.join(', ')}`;
    errors.push(invalid(versionsField, versions, detail));
  }
  return errors;
}

function urlErrors(url: string, field: string): FieldError[] {
  const form = 'desired format: https://host[:port]/path';
  if (!URL.canParse(url)) return [required(field, `url must be a valid URL: ${url}; ${form}`)];
  const { protocol, hostname, username, search, hash } = new URL(url);
  const fail = (detail: string): FieldError => invalid(field, url, `${detail}; ${form}`);
  return [
    ...(protocol === 'https:' ? [] : [fail("'https' is the only allowed URL scheme")]),
    ...(hostname ? [] : [fail('host must be specified')]),
    ...(username ? [fail('user information is not permitted in the URL')] : []),
    ...(search ? [fail('query parameters are not permitted in the URL')] : []),
    ...(hash ? [fail('fragments are not permitted in the URL')] : []),
  ];
}

function storedVersionErrors(spec: CustomResourceDefinitionSpec, stored: readonly string[]): FieldError[] {
  const field = 'status.storedVersions';
  if (stored.length === 0) return [invalid(field, stored, 'must have at least one stored version')];
  const versions = spec.versions ?? [];
  const errors = versions
    .filter(({ storage, name }) => storage && !stored.includes(name))
    .map(({ name }) => invalid(field, stored, `must have the storage version ${name}`));
  stored.forEach((name, i) => {
    if (versions.some((version) => version.name === name)) return;
    const detail = `missing from spec.versions; ${name} was previously a storage version, and must remain in spec.versions until a storage migration ensures no data remains persisted in ${name} and removes ${name} from status.storedVersions`;
    errors.push(invalid(`${field}[${i}]`, name, detail));
  });
  return errors;
}

export const isProtectedGroup = (group: string): boolean => /(^|\.)(k8s|kubernetes)\.io$/.test(group);

export interface Approval {
  state: 'approved' | 'bypassed' | 'missing' | 'invalid';
  message: string;
}

/** What the annotation of a group of Kubernetes' own says. */
export function approvalOf(annotations: Record<string, string> | undefined): Approval {
  const value = annotations?.[approvalAnnotation] ?? '';
  const must = `protected groups must have approval annotation "${approvalAnnotation}"`;
  const see = 'see https://github.com/kubernetes/enhancements/pull/1111';
  if (value === '') return { state: 'missing', message: `${must}, ${see}` };
  if (value.startsWith('unapproved'))
    return { state: 'bypassed', message: `not approved: ${JSON.stringify(value)}` };
  if (URL.canParse(value) && new URL(value).host !== '')
    return { state: 'approved', message: `approved in ${value}` };
  const detail = `${must} with either a URL or a reason starting with "unapproved", ${see}`;
  return { state: 'invalid', message: detail };
}

function approvalErrors(
  { metadata, spec }: CustomResourceDefinition,
  old: CustomResourceDefinition | undefined,
): FieldError[] {
  if (!isProtectedGroup(spec.group ?? '')) return [];
  const { state, message } = approvalOf(metadata.annotations);
  if (old && approvalOf(old.metadata.annotations).state === state) return [];
  const field = `metadata.annotations[${approvalAnnotation}]`;
  if (state === 'missing') return [required(field, message)];
  return state === 'invalid' ? [invalid(field, metadata.annotations?.[approvalAnnotation], message)] : [];
}
