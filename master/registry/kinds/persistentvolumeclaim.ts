/** The strategy of PersistentVolumeClaims. Pure. Rules, paths and wording as kube-apiserver has them. */
import { withBothSources } from '../../../src/api/defaults/storage.js';
import type { FieldError } from '../../../src/api/errors.js';
import { dnsLabelErrors, dnsSubdomainErrors } from '../../../src/api/names.js';
import { compareQuantities } from '../../../src/api/quantity.js';
import type {
  PersistentVolumeClaim,
  PersistentVolumeClaimSpec,
  TypedLocalObjectReference,
} from '../../../src/api/types.js';
import { isSameJson } from '../codec.js';
import type { Strategy } from '../strategy.js';
import { allInvalid, forbiddenField, immutable, invalidValue, oneOf, required } from '../validation/field.js';
import { notPositive, validateAccessModes, volumeModes } from './persistentvolume.js';
import { validateAmount } from './quantity.js';
import { validateLabelSelector } from './selector.js';

type Claim = PersistentVolumeClaim;

export const persistentVolumeClaimStrategy: Strategy<Claim> = {
  generation: false,
  prepareForCreate: (_context, claim) => ({ ...withBothSources(claim), status: { phase: 'Pending' } }),
  prepareForUpdate: (_context, claim, old) => ({ ...withBothSources(claim), status: old.status }),
  validate: ({ spec = {} }) => validateClaimSpec('spec', spec),
  validateUpdate: (claim, old) => validateChange(claim, old),
  validateStatusUpdate: ({ status }) =>
    Object.entries(status?.capacity ?? {}).flatMap(([name, amount]) =>
      validateAmount(`status.capacity[${name}]`, amount),
    ),
};

/** Also of the templates of claims, in volumes and StatefulSets. */
export function validateClaimSpec(field: string, spec: PersistentVolumeClaimSpec): FieldError[] {
  const storage = spec.resources?.requests?.['storage'];
  const path = `${field}.resources[storage]`;
  const { storageClassName, volumeAttributesClassName } = spec;
  const errors = [
    ...validateAccessModes(`${field}.accessModes`, spec.accessModes, 'at least 1 access mode is required'),
    ...(spec.selector ? validateLabelSelector(`${field}.selector`, spec.selector) : []),
  ];
  if (storage === undefined) errors.push(required(path));
  else if (compareQuantities(storage, '0') <= 0) errors.push(invalidValue(path, storage, notPositive));
  for (const [name, value] of Object.entries({ storageClassName, volumeAttributesClassName }))
    if (value) errors.push(...allInvalid(`${field}.${name}`, value, dnsSubdomainErrors(value)));
  return [
    ...errors,
    ...oneOf(`${field}.volumeMode`, spec.volumeMode, volumeModes),
    ...(spec.dataSource ? validateDataSource(`${field}.dataSource`, spec.dataSource) : []),
    ...validateDataSourceRef(field, spec),
  ];
}

function validateDataSource(
  field: string,
  { apiGroup = '', kind, name }: TypedLocalObjectReference,
): FieldError[] {
  const errors: FieldError[] = [];
  if (!name) errors.push(required(`${field}.name`));
  if (!kind) errors.push(required(`${field}.kind`));
  if (apiGroup === '' && kind !== 'PersistentVolumeClaim') {
    const detail = "must be 'PersistentVolumeClaim' when referencing the default apiGroup";
    errors.push(invalidValue(field, kind ?? '', detail));
  }
  return apiGroup
    ? [...errors, ...allInvalid(`${field}.apiGroup`, apiGroup, dnsSubdomainErrors(apiGroup))]
    : errors;
}

function validateDataSourceRef(field: string, spec: PersistentVolumeClaimSpec): FieldError[] {
  const { dataSource, dataSourceRef: reference } = spec;
  if (!reference) return [];
  const { namespace, ...local } = reference;
  const path = `${field}.dataSourceRef`;
  const errors = validateDataSource(path, local);
  if (namespace) {
    errors.push(...allInvalid(`${path}.namespace`, namespace, dnsLabelErrors(namespace)));
    const detail = 'may not be specified when dataSourceRef.namespace is specified';
    return dataSource ? [...errors, invalidValue(field, {}, detail)] : errors;
  }
  const isSame = !dataSource || isSameJson({ apiGroup: '', ...dataSource }, { apiGroup: '', ...local });
  return isSame ? errors : [...errors, invalidValue(field, {}, 'must match dataSourceRef')];
}

/**
 * A claim is bound once, may then grow and change its attributes class, and gets its class once: from the old
 * annotation's place, or because it had none.
 */
function validateChange(
  { metadata, spec = {} }: Claim,
  { metadata: was, spec: old = {}, status }: Claim,
): FieldError[] {
  const annotation = 'volume.beta.kubernetes.io/storage-class';
  const oldClass = was.annotations?.[annotation];
  const isUpgrade =
    oldClass !== undefined &&
    metadata.annotations?.[annotation] === undefined &&
    old.storageClassName === undefined &&
    spec.storageClassName === oldClass;
  // From before the cluster had a default class.
  const isFirst =
    oldClass === undefined && old.storageClassName === undefined && Boolean(spec.storageClassName);
  const isBound = status?.phase === 'Bound';
  const errors: FieldError[] = [];
  if (!isUpgrade && metadata.annotations?.[annotation] !== oldClass)
    errors.push(
      invalidValue(
        `metadata.annotations[${annotation}]`,
        metadata.annotations?.[annotation] ?? '',
        immutable,
      ),
    );
  const expected: PersistentVolumeClaimSpec = {
    ...old,
    ...(old.volumeName ? {} : { volumeName: spec.volumeName }),
    ...(isUpgrade ? { storageClassName: oldClass } : {}),
    ...(isFirst ? { storageClassName: spec.storageClassName } : {}),
    ...(isBound ? { volumeAttributesClassName: spec.volumeAttributesClassName } : {}),
  };
  const [before, after] = [old, spec].map((one) => one.resources?.requests?.['storage']);
  if (isBound && after !== undefined) {
    const requests = { ...old.resources?.requests, storage: after };
    expected.resources = { ...old.resources, requests };
  }
  if (!isSameJson(spec, expected)) {
    const detail =
      'spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims';
    errors.push(forbiddenField('spec', detail));
  }
  if (before !== undefined && after !== undefined && compareQuantities(after, before) < 0) {
    const capacity = status?.capacity?.['storage'] ?? '0';
    if (compareQuantities(after, capacity) <= 0)
      errors.push(
        forbiddenField('spec.resources.requests.storage', 'field can not be less than status.capacity'),
      );
  }
  if (spec.volumeMode !== old.volumeMode) errors.push(invalidValue('volumeMode', spec.volumeMode, immutable));
  return errors;
}
