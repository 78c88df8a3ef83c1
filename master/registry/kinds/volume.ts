/**
 * Validation of the volumes of a pod and of where its containers mount them. Pure.
 */
import type { FieldError } from '../../../src/api/errors.js';
import { dnsLabelErrors } from '../../../src/api/names.js';
import type { Container, KeyToPath, Volume } from '../../../src/api/types.js';
import {
  allInvalid,
  duplicate,
  forbiddenField,
  invalidValue,
  notFoundField,
  notSupported,
  required,
} from '../validation/field.js';
import { validateFieldPath, volumeFields } from './environment.js';
import { validateAmount } from './quantity.js';

export function validateVolumes(field: string, volumes: readonly Volume[] | undefined): FieldError[] {
  const names = new Set<string>();
  return (volumes ?? []).flatMap((volume, index) => {
    const path = `${field}[${index}]`;
    const errors = validateSource(path, volume);
    if (!volume.name) errors.push(required(`${path}.name`));
    else errors.push(...allInvalid(`${path}.name`, volume.name, dnsLabelErrors(volume.name)));
    if (names.has(volume.name)) errors.push(duplicate(`${path}.name`, volume.name));
    names.add(volume.name);
    return errors;
  });
}

function validateSource(path: string, { name: _name, ...sources }: Volume): FieldError[] {
  const [first, ...more] = Object.keys(sources) as (keyof typeof sources)[];
  if (first === undefined) return [required(path, 'must specify a volume type')];
  const extra = more.map((name) =>
    forbiddenField(`${path}.${name}`, 'may not specify more than 1 volume type'),
  );
  return [...(validators[first]?.(`${path}.${first}`, sources) ?? []), ...extra];
}

type Sources = Omit<Volume, 'name'>;

const hostPathTypes = [
  '',
  'BlockDevice',
  'CharDevice',
  'Directory',
  'DirectoryOrCreate',
  'File',
  'FileOrCreate',
  'Socket',
];

/** The kinds of volume that have rules; a driver's own parameters are the driver's business. */
export const validators: Partial<Record<keyof Sources, (path: string, sources: Sources) => FieldError[]>> = {
  hostPath: (path, { hostPath }) => [
    ...(hostPath?.path ? [] : [required(`${path}.path`)]),
    ...(hostPath?.path?.split('/').includes('..')
      ? [invalidValue(`${path}.path`, hostPath.path, "must not contain '..'")]
      : []),
    ...(hostPathTypes.includes(hostPath?.type ?? '')
      ? []
      : [notSupported(`${path}.type`, hostPath?.type, hostPathTypes)]),
  ],
  emptyDir: (path, { emptyDir }) =>
    emptyDir?.sizeLimit ? validateAmount(`${path}.sizeLimit`, emptyDir.sizeLimit) : [],
  secret: (path, { secret }) => [
    ...(secret?.secretName ? [] : [required(`${path}.secretName`)]),
    ...validateMode(`${path}.defaultMode`, secret?.defaultMode),
    ...validateItems(`${path}.items`, secret?.items),
  ],
  configMap: (path, { configMap }) => [
    ...(configMap?.name ? [] : [required(`${path}.name`)]),
    ...validateMode(`${path}.defaultMode`, configMap?.defaultMode),
    ...validateItems(`${path}.items`, configMap?.items),
  ],
  downwardAPI: (path, { downwardAPI }) => [
    ...validateMode(`${path}.defaultMode`, downwardAPI?.defaultMode),
    ...(downwardAPI?.items ?? []).flatMap((item, index) => {
      const at = `${path}.items[${index}]`;
      const from = item.fieldRef
        ? validateFieldPath(`${at}.fieldRef`, item.fieldRef.fieldPath, volumeFields)
        : [];
      const hasNone = !item.fieldRef && !item.resourceFieldRef;
      return [
        ...validateRelative(`${at}.path`, item.path),
        ...from,
        ...(hasNone ? [required(at, 'one of fieldRef and resourceFieldRef is required')] : []),
      ];
    }),
  ],
  persistentVolumeClaim: (path, { persistentVolumeClaim }) =>
    persistentVolumeClaim?.claimName ? [] : [required(`${path}.claimName`)],
  projected: (path, { projected }) => validateMode(`${path}.defaultMode`, projected?.defaultMode),
  nfs: (path, { nfs }) => [
    ...(nfs?.server ? [] : [required(`${path}.server`)]),
    ...(nfs?.path ? [] : [required(`${path}.path`)]),
  ],
};

const validateMode = (field: string, mode: number | undefined): FieldError[] =>
  mode !== undefined && (mode < 0 || mode > 0o777)
    ? [invalidValue(field, mode, 'must be a number between 0 and 0777 (octal), both inclusive')]
    : [];

const validateItems = (field: string, items: readonly KeyToPath[] | undefined): FieldError[] =>
  (items ?? []).flatMap((item, index) => [
    ...(item.key ? [] : [required(`${field}[${index}].key`)]),
    ...validateRelative(`${field}[${index}].path`, item.path),
    ...validateMode(`${field}[${index}].mode`, item.mode),
  ]);

/** A file inside the volume: not absolute, not out of it, not one of the names the volume uses itself. */
function validateRelative(field: string, path: string | undefined): FieldError[] {
  if (!path) return [required(field)];
  if (path.startsWith('/')) return [invalidValue(field, path, 'must be a relative path')];
  if (path.split('/').includes('..')) return [invalidValue(field, path, "must not contain '..'")];
  return path.startsWith('..') ? [invalidValue(field, path, "must not start with '..'")] : [];
}

const propagations = ['Bidirectional', 'HostToContainer', 'None'];

export function validateMounts(
  field: string,
  container: Container,
  volumes: readonly Volume[] | undefined,
): FieldError[] {
  const paths = new Set<string>();
  return (container.volumeMounts ?? []).flatMap((mount, index) => {
    const at = `${field}.volumeMounts[${index}]`;
    const errors: FieldError[] = [];
    if (!mount.name) errors.push(required(`${at}.name`));
    if (!volumes?.some((volume) => volume.name === mount.name))
      errors.push(notFoundField(`${at}.name`, mount.name ?? ''));
    if (!mount.mountPath) errors.push(required(`${at}.mountPath`));
    if (paths.has(mount.mountPath))
      errors.push(invalidValue(`${at}.mountPath`, mount.mountPath, 'must be unique'));
    paths.add(mount.mountPath);
    if (mount.subPath) errors.push(...validateRelative(`${at}.subPath`, mount.subPath));
    if (mount.mountPropagation && !propagations.includes(mount.mountPropagation)) {
      errors.push(notSupported(`${at}.mountPropagation`, mount.mountPropagation, propagations));
    }
    return errors;
  });
}
