/**
 * Validation of `metadata`, for every kind alike, in the words of apimachinery. Pure.
 */
import type { FieldError } from '../../../src/api/errors.js';
import {
  dnsLabelErrors,
  dnsSubdomainErrors,
  labelKeyErrors,
  labelValueErrors,
} from '../../../src/api/names.js';
import type { ObjectMeta, OwnerReference } from '../../../src/api/types.js';
import type { Resource } from '../../resources/resource.js';
import { isSameJson } from '../codec.js';
import { allInvalid, forbiddenField, immutable, invalidValue, required, tooLong } from './field.js';

const maxAnnotationBytes = 256 * 1024;

/** A generateName ends where the random part begins: a trailing dash is no error there. */
const asName = (name: string, prefix: boolean): string =>
  prefix && name.endsWith('-') ? `${name.slice(0, -1)}a` : name;

export function validateMetadata(meta: ObjectMeta, resource: Resource): FieldError[] {
  const nameErrors = resource.strategy.validateName ?? ((name) => dnsSubdomainErrors(name));
  const errors: FieldError[] = [];
  if (meta.generateName) {
    const details = nameErrors(asName(meta.generateName, true), true);
    errors.push(...allInvalid('metadata.generateName', meta.generateName, details));
  }
  if (!meta.name) errors.push(required('metadata.name', 'name or generateName is required'));
  else errors.push(...allInvalid('metadata.name', meta.name, nameErrors(meta.name, false)));
  if (resource.type.namespaced) {
    if (!meta.namespace) errors.push(required('metadata.namespace'));
    else errors.push(...allInvalid('metadata.namespace', meta.namespace, dnsLabelErrors(meta.namespace)));
  } else if (meta.namespace) errors.push(forbiddenField('metadata.namespace', 'not allowed on this type'));
  return [
    ...errors,
    ...validateLabels(meta.labels, 'metadata.labels'),
    ...validateAnnotations(meta.annotations, 'metadata.annotations'),
    ...validateOwners(meta.ownerReferences, 'metadata.ownerReferences'),
    ...validateFinalizers(meta.finalizers, 'metadata.finalizers'),
    ...(hasFreeFinalizers(resource) ? [] : validateBuiltInFinalizers(meta.finalizers)),
  ];
}

export function validateLabels(labels: Record<string, string> | undefined, field: string): FieldError[] {
  const errors: FieldError[] = [];
  for (const [key, value] of Object.entries(labels ?? {})) {
    errors.push(...allInvalid(field, key, labelKeyErrors(key)));
    errors.push(...allInvalid(field, value, labelValueErrors(value)));
  }
  return errors;
}

export function validateAnnotations(
  annotations: Record<string, string> | undefined,
  field: string,
): FieldError[] {
  const entries = Object.entries(annotations ?? {});
  const errors = entries.flatMap(([key]) => allInvalid(field, key, labelKeyErrors(key.toLowerCase())));
  const size = entries.reduce(
    (sum, [key, value]) => sum + Buffer.byteLength(key) + Buffer.byteLength(value),
    0,
  );
  return size > maxAnnotationBytes ? [...errors, tooLong(field, maxAnnotationBytes)] : errors;
}

function validateOwners(owners: readonly OwnerReference[] | undefined, field: string): FieldError[] {
  const errors: FieldError[] = [];
  let controller: string | undefined;
  for (const owner of owners ?? []) {
    const path = field;
    const apiVersion = owner.apiVersion ?? '';
    const version = apiVersion.slice(apiVersion.indexOf('/') + 1);
    if (version === '')
      errors.push(invalidValue(`${path}.apiVersion`, apiVersion, 'version must not be empty'));
    for (const part of ['kind', 'name', 'uid'] as const) {
      if (!owner[part]) errors.push(invalidValue(`${path}.${part}`, owner[part] ?? '', 'must not be empty'));
    }
    if (owner.apiVersion === 'v1' && owner.kind === 'Event') {
      errors.push(invalidValue(path, owner, '/v1, Kind=Event is disallowed from being an owner'));
    }
    if (owner.controller !== true) continue;
    const name = `${owner.kind}/${owner.name}`;
    if (controller !== undefined) {
      const found = `Found "true" in references for ${controller} and ${name}`;
      errors.push(
        invalidValue(field, owners, `Only one reference can have Controller set to true. ${found}`),
      );
    } else controller = name;
  }
  return errors;
}

function validateFinalizers(finalizers: readonly string[] | undefined, field: string): FieldError[] {
  const errors = (finalizers ?? []).flatMap((name) => allInvalid(field, name, labelKeyErrors(name)));
  if (finalizers?.includes('orphan') && finalizers.includes('foregroundDeletion')) {
    errors.push(
      invalidValue(field, finalizers, 'finalizer orphan and foregroundDeletion cannot be both set'),
    );
  }
  return errors;
}

const standardFinalizers: ReadonlySet<string> = new Set(['kubernetes', 'orphan', 'foregroundDeletion']);

/** Groups that came to Kubernetes as extensions, one of whose own finalizers has no domain path. */
const extensionGroups: ReadonlySet<string> = new Set([
  'admissionregistration.k8s.io',
  'apiextensions.k8s.io',
  'apiregistration.k8s.io',
]);

/** Custom kinds and those that extend the API may have finalizers without a domain. */
const hasFreeFinalizers = ({ schema, type }: Resource): boolean =>
  schema !== undefined || extensionGroups.has(type.group);

const validateBuiltInFinalizers = (finalizers: readonly string[] = []): FieldError[] =>
  finalizers.flatMap((name, index) =>
    name.includes('/') || standardFinalizers.has(name)
      ? []
      : [
          invalidValue(
            `metadata.finalizers[${index}]`,
            name,
            'name is neither a standard finalizer name nor is it fully qualified',
          ),
        ],
  );

const immutableFields = [
  'name',
  'namespace',
  'uid',
  'creationTimestamp',
  'deletionTimestamp',
  'deletionGracePeriodSeconds',
] as const;

/** What an update may not change. Fields the registry fills in from `old` never differ here. */
export function validateMetadataUpdate(meta: ObjectMeta, old: ObjectMeta): FieldError[] {
  const errors: FieldError[] = [];
  if (old.deletionTimestamp) {
    const added = (meta.finalizers ?? []).filter((name) => !old.finalizers?.includes(name)).sort();
    if (added.length > 0) {
      const list = added.map((name) => JSON.stringify(name)).join(', ');
      const detail = `no new finalizers can be added if the object is being deleted, found new finalizers []string{${list}}`;
      errors.push(forbiddenField('metadata.finalizers', detail));
    }
  }
  for (const name of immutableFields) {
    if (!isSameJson(meta[name], old[name]))
      errors.push(invalidValue(`metadata.${name}`, meta[name], immutable));
  }
  return errors;
}
