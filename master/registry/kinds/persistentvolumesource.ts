/** What is behind a PersistentVolume: exactly one source, with what that source needs. Pure. */
import type { FieldError } from '../../../src/api/errors.js';
import { dnsLabelErrors, dnsSubdomainErrors } from '../../../src/api/names.js';
import type { PersistentVolumeSpec } from '../../../src/api/types.js';
import { allInvalid, forbiddenField, invalidValue, required } from '../validation/field.js';
import { validateDriverName } from './names.js';
import { validators } from './volume.js';

/** In the order in which they are looked at, with the fields that cannot be empty and the name paths give the source. */
const sources = [
  { name: 'hostPath', needs: [] },
  { name: 'gcePersistentDisk', path: 'persistentDisk', needs: ['pdName'] },
  { name: 'awsElasticBlockStore', needs: ['volumeID'] },
  { name: 'glusterfs', needs: ['endpoints', 'path'] },
  { name: 'flocker', needs: [] },
  { name: 'nfs', needs: [] },
  { name: 'rbd', needs: ['monitors', 'image'] },
  { name: 'quobyte', needs: ['registry', 'volume'] },
  { name: 'cephfs', needs: ['monitors'] },
  { name: 'iscsi', needs: ['targetPortal', 'iqn'] },
  { name: 'cinder', needs: ['volumeID'] },
  { name: 'fc', needs: [] },
  { name: 'flexVolume', needs: ['driver'] },
  { name: 'azureFile', needs: ['secretName', 'shareName'] },
  { name: 'vsphereVolume', needs: ['volumePath'] },
  { name: 'photonPersistentDisk', needs: ['pdID'] },
  { name: 'portworxVolume', needs: ['volumeID'] },
  { name: 'azureDisk', needs: ['diskName', 'diskURI'] },
  { name: 'scaleIO', needs: ['gateway', 'system', 'volumeName'] },
  { name: 'local', needs: ['path'] },
  { name: 'storageos', needs: [] },
  { name: 'csi', needs: [] },
] as const satisfies readonly { name: keyof PersistentVolumeSpec; path?: string; needs: readonly string[] }[];

type SourceName = (typeof sources)[number]['name'];

/** The part of the spec that says where the data is; it never changes. */
export function sourceOf(spec: PersistentVolumeSpec): Partial<PersistentVolumeSpec> {
  const found = sources.filter(({ name }) => spec[name] !== undefined);
  return Object.fromEntries(found.map(({ name }) => [name, spec[name]]));
}

export function validateSource(field: string, spec: PersistentVolumeSpec): FieldError[] {
  const [first, ...more] = sources.filter(({ name }) => spec[name] !== undefined);
  if (!first) return [required(field, 'must specify a volume type')];
  const path = `${field}.${'path' in first ? first.path : first.name}`;
  const source = spec[first.name] as Record<string, unknown>;
  const isEmpty = (value: unknown): boolean => !value || (Array.isArray(value) && value.length === 0);
  return [
    ...first.needs.filter((need) => isEmpty(source[need])).map((need) => required(`${path}.${need}`)),
    ...(rules[first.name]?.(path, spec) ?? []),
    ...more.map(({ name }) => forbiddenField(`${field}.${name}`, 'may not specify more than 1 volume type')),
  ];
}

const rules: Partial<Record<SourceName, (path: string, spec: PersistentVolumeSpec) => FieldError[]>> = {
  hostPath: (path, { hostPath }) => validators.hostPath?.(path, { hostPath }) ?? [],
  nfs: (path, { nfs }) => [
    ...(validators.nfs?.(path, { nfs }) ?? []),
    ...(nfs?.path?.startsWith('/')
      ? []
      : [invalidValue(`${path}.path`, nfs?.path ?? '', 'must be an absolute path')]),
  ],
  local: (path, { local, nodeAffinity }) => [
    ...(local?.path?.split('/').includes('..')
      ? [invalidValue(`${path}.path`, local.path, "must not contain '..'")]
      : []),
    ...(nodeAffinity ? [] : [required('spec.nodeAffinity', 'Local volume requires node affinity')]),
  ],
  iscsi: (path, { iscsi }) => {
    const lun = iscsi?.lun ?? 0;
    return lun < 0 || lun > 255
      ? [invalidValue(`${path}.lun`, lun, 'must be between 0 and 255, inclusive')]
      : [];
  },
  fc: (path, { fc }) => {
    const [names, ids] = [fc?.targetWWNs ?? [], fc?.wwids ?? []];
    const field = `${path}.targetWWNs`;
    if (names.length + ids.length === 0)
      return [required(field, 'must specify either targetWWNs or wwids, but not both')];
    if (names.length > 0 && ids.length > 0)
      return [invalidValue(field, names, 'targetWWNs and wwids can not be specified simultaneously')];
    return names.length > 0 && fc?.lun === undefined
      ? [required(`${path}.lun`, 'lun is required if targetWWNs is specified')]
      : [];
  },
  csi: (path, { csi }) => [
    ...validateDriverName(`${path}.driver`, csi?.driver ?? ''),
    ...(csi?.volumeHandle ? [] : [required(`${path}.volumeHandle`)]),
    ...secretsOf(csi).flatMap(([name, { name: secret = '', namespace = '' }]) => [
      ...(secret
        ? allInvalid(`${path}.name`, secret, dnsSubdomainErrors(secret))
        : [required(`${path}.${name}.name`)]),
      ...(namespace
        ? allInvalid(`${path}.namespace`, namespace, dnsLabelErrors(namespace))
        : [required(`${path}.${name}.namespace`)]),
    ]),
  ],
};

const secretNames = [
  'controllerPublishSecretRef',
  'controllerExpandSecretRef',
  'nodePublishSecretRef',
  'nodeExpandSecretRef',
] as const;

const secretsOf = (csi: PersistentVolumeSpec['csi']) =>
  secretNames.flatMap((name) => {
    const reference = csi?.[name];
    return reference ? [[name, reference] as const] : [];
  });
