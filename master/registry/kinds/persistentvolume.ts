/** The strategy of PersistentVolumes. Pure. Rules, paths and wording as kube-apiserver has them. */
import type { FieldError } from '../../../src/api/errors.js';
import { dnsSubdomainErrors } from '../../../src/api/names.js';
import { compareQuantities } from '../../../src/api/quantity.js';
import type { PersistentVolume, PersistentVolumeSpec } from '../../../src/api/types.js';
import { toTime } from '../../../src/host/clock.js';
import { isSameJson } from '../codec.js';
import type { Strategy } from '../strategy.js';
import {
  allInvalid,
  forbiddenField,
  immutable,
  invalidValue,
  notSupported,
  oneOf,
  required,
} from '../validation/field.js';
import { validateTerm } from './affinity.js';
import { sourceOf, validateSource } from './persistentvolumesource.js';

const accessModes = ['ReadOnlyMany', 'ReadWriteMany', 'ReadWriteOnce', 'ReadWriteOncePod'];
export const volumeModes = ['Block', 'Filesystem'];
const reclaimPolicies = ['Delete', 'Recycle', 'Retain'];

export const persistentVolumeStrategy: Strategy<PersistentVolume> = {
  generation: false,
  prepareForCreate: ({ now }, volume) => ({
    ...volume,
    status: { phase: 'Pending', lastPhaseTransitionTime: toTime(now) },
  }),
  prepareForStatusUpdate: ({ now }, { status }, old) => {
    const { phase, lastPhaseTransitionTime: at } = old.status ?? {};
    const isStale = status?.phase !== phase && (status?.lastPhaseTransitionTime ?? at) === at;
    return { ...old, status: isStale ? { ...status, lastPhaseTransitionTime: toTime(now) } : status };
  },
  validate: ({ spec = {} }) => validateVolumeSpec('spec', spec),
  validateUpdate: ({ spec = {} }, { spec: old = {} }) => {
    const errors: FieldError[] = [];
    if (!isSameJson(withoutExpandSecret(spec, old), sourceOf(old))) {
      const detail = 'spec.persistentvolumesource is immutable after creation';
      errors.push(forbiddenField('spec.persistentvolumesource', detail));
    }
    if (spec.volumeMode !== old.volumeMode)
      errors.push(invalidValue('volumeMode', spec.volumeMode, immutable));
    if (old.nodeAffinity && !isSameJson(spec.nodeAffinity, old.nodeAffinity))
      errors.push(invalidValue('nodeAffinity', spec.nodeAffinity ?? null, immutable));
    return errors;
  },
};

/** The one thing about a source that may come later: with which secret it is made larger. */
function withoutExpandSecret(
  spec: PersistentVolumeSpec,
  old: PersistentVolumeSpec,
): Partial<PersistentVolumeSpec> {
  const source = sourceOf(spec);
  if (!source.csi || !old.csi || old.csi.controllerExpandSecretRef) return source;
  return { ...source, csi: { ...source.csi, controllerExpandSecretRef: undefined } };
}

/** Also of a volume that is written into a VolumeAttachment. */
export function validateVolumeSpec(field: string, spec: PersistentVolumeSpec): FieldError[] {
  const { persistentVolumeReclaimPolicy: policy, nodeAffinity, storageClassName } = spec;
  const errors = [
    ...validateAccessModes(`${field}.accessModes`, spec.accessModes, ''),
    ...validateCapacity(`${field}.capacity`, spec.capacity),
    ...oneOf(`${field}.persistentVolumeReclaimPolicy`, policy || undefined, reclaimPolicies),
  ];
  const path = `${field}.nodeAffinity.required`;
  if (nodeAffinity && !nodeAffinity.required)
    errors.push(required(path, 'must specify required node constraints'));
  const terms = nodeAffinity?.required?.nodeSelectorTerms ?? [];
  if (nodeAffinity?.required && terms.length === 0)
    errors.push(required(`${path}.nodeSelectorTerms`, 'must have at least one node selector term'));
  for (const [index, term] of terms.entries())
    errors.push(...validateTerm(`${path}.nodeSelectorTerms[${index}]`, term));
  errors.push(...validateSource(field, spec));
  if (policy === 'Recycle' && /^\/+(?:\.?\/*)*$/.test(spec.hostPath?.path ?? ''))
    errors.push(
      forbiddenField(
        `${field}.persistentVolumeReclaimPolicy`,
        "may not be 'recycle' for a hostPath mount of '/'",
      ),
    );
  if (storageClassName)
    errors.push(
      ...allInvalid(`${field}.storageClassName`, storageClassName, dnsSubdomainErrors(storageClassName)),
    );
  return [
    ...errors,
    ...oneOf(`${field}.volumeMode`, spec.volumeMode, volumeModes),
    ...validateAttributesClass(field, spec),
  ];
}

export function validateAccessModes(
  field: string,
  modes: readonly string[] | undefined,
  detail: string,
): FieldError[] {
  if (!modes?.length) return [required(field, detail || undefined)];
  const isShared = modes.includes('ReadWriteOncePod') && modes.length > 1;
  return [
    ...modes
      .filter((mode) => !accessModes.includes(mode))
      .map((mode) => notSupported(field, mode, accessModes)),
    ...(isShared ? [forbiddenField(field, 'may not use ReadWriteOncePod with other access modes')] : []),
  ];
}

export const notPositive = 'must be greater than zero';

function validateCapacity(field: string, capacity: Record<string, string> | undefined): FieldError[] {
  const amounts = Object.entries(capacity ?? {});
  const errors = amounts.length === 0 ? [required(field)] : [];
  if (capacity?.['storage'] === undefined || amounts.length > 1)
    errors.push(notSupported(field, capacity ?? null, ['storage']));
  for (const [name, amount] of amounts)
    if (compareQuantities(amount, '0') <= 0)
      errors.push(invalidValue(`${field}[${name}]`, amount, notPositive));
  return errors;
}

function validateAttributesClass(field: string, spec: PersistentVolumeSpec): FieldError[] {
  const { volumeAttributesClassName: name, csi } = spec;
  if (name === undefined) return [];
  const path = `${field}.volumeAttributesClassName`;
  const errors = name
    ? allInvalid(path, name, dnsSubdomainErrors(name))
    : [required(path, 'an empty string is disallowed')];
  return csi
    ? errors
    : [...errors, required(`${field}.csi`, 'has to be specified when using volumeAttributesClassName')];
}
