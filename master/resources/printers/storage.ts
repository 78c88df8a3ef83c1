/** The columns of volumes, claims, and what storage drivers register. Pure. */
import type {
  CSIDriver,
  CSINode,
  CSIStorageCapacity,
  ObjectMeta,
  PersistentVolume,
  PersistentVolumeClaim,
  StorageClass,
  VolumeAttachment,
  VolumeAttributesClass,
} from '../../../src/api/types.js';
import type { Column, Printer } from '../resource.js';
import { ageColumn, createdAge, integer, nameColumn, text, wide } from './age.js';

const unset = '<unset>';
const classAnnotation = 'volume.beta.kubernetes.io/storage-class';
const boolean = (name: string, description: string): Column => ({ name, type: 'boolean', description });

const modeNames = [
  ['ReadWriteOnce', 'RWO'],
  ['ReadOnlyMany', 'ROX'],
  ['ReadWriteMany', 'RWX'],
  ['ReadWriteOncePod', 'RWOP'],
] as const;

const modesText = (modes: readonly string[] | undefined): string =>
  modeNames.flatMap(([mode, short]) => (modes?.includes(mode) ? [short] : [])).join(',');

const classOf = (metadata: ObjectMeta, name: string | undefined): string =>
  metadata.annotations?.[classAnnotation] ?? name ?? '';

const phaseOf = (metadata: ObjectMeta, phase: string | undefined): string =>
  metadata.deletionTimestamp ? 'Terminating' : (phase ?? '');

export const persistentVolumePrinter: Printer<PersistentVolume> = {
  columns: [
    nameColumn,
    text('Capacity', 'How much it holds.'),
    text('Access Modes', 'How it may be mounted.'),
    text('Reclaim Policy', 'What becomes of it when its claim goes.'),
    text('Status', 'Whether it is available, bound or released.'),
    text('Claim', 'Which claim has it.'),
    text('StorageClass', 'Its class.'),
    text('VolumeAttributesClass', 'The class of its attributes.'),
    text('Reason', 'Why it failed.'),
    ageColumn,
    wide(text('VolumeMode', 'Whether it is a file system or a block device.')),
  ],
  cells: (volume, now) => {
    const { metadata, spec, status } = volume;
    return [
      metadata.name,
      spec?.capacity?.['storage'] ?? '0',
      modesText(spec?.accessModes),
      spec?.persistentVolumeReclaimPolicy ?? '',
      phaseOf(metadata, status?.phase),
      spec?.claimRef ? `${spec.claimRef.namespace ?? ''}/${spec.claimRef.name ?? ''}` : '',
      classOf(metadata, spec?.storageClassName),
      spec?.volumeAttributesClassName ?? unset,
      status?.reason ?? '',
      createdAge(volume, now),
      spec?.volumeMode ?? unset,
    ];
  },
};

export const persistentVolumeClaimPrinter: Printer<PersistentVolumeClaim> = {
  columns: [
    nameColumn,
    text('Status', 'Whether it is pending, bound or lost.'),
    text('Volume', 'The volume it is bound to.'),
    text('Capacity', 'How much the volume holds.'),
    text('Access Modes', 'How the volume may be mounted.'),
    text('StorageClass', 'The class that was asked for.'),
    text('VolumeAttributesClass', 'The class of attributes that was asked for.'),
    ageColumn,
    wide(text('VolumeMode', 'Whether it is a file system or a block device.')),
  ],
  cells: (claim, now) => {
    const { metadata, spec, status } = claim;
    const isBound = Boolean(spec?.volumeName);
    return [
      metadata.name,
      phaseOf(metadata, status?.phase),
      spec?.volumeName ?? '',
      isBound ? (status?.capacity?.['storage'] ?? '0') : '',
      isBound ? modesText(status?.accessModes) : '',
      classOf(metadata, spec?.storageClassName),
      spec?.volumeAttributesClassName ?? unset,
      createdAge(claim, now),
      spec?.volumeMode ?? unset,
    ];
  },
};

const defaultAnnotations = [
  'storageclass.kubernetes.io/is-default-class',
  'storageclass.beta.kubernetes.io/is-default-class',
];

export const storageClassPrinter: Printer<StorageClass> = {
  columns: [
    nameColumn,
    text('Provisioner', 'Who makes volumes of this class.'),
    text('ReclaimPolicy', 'What becomes of its volumes when their claims go.'),
    text('VolumeBindingMode', 'Whether volumes are made at once or for the first pod.'),
    boolean('AllowVolumeExpansion', 'Whether its volumes may grow.'),
    ageColumn,
  ],
  cells: (one, now) => {
    const isDefault = defaultAnnotations.some((name) => one.metadata.annotations?.[name] === 'true');
    return [
      `${one.metadata.name}${isDefault ? ' (default)' : ''}`,
      one.provisioner,
      one.reclaimPolicy ?? 'Delete',
      one.volumeBindingMode ?? 'Immediate',
      one.allowVolumeExpansion ?? false,
      createdAge(one, now),
    ];
  },
};

export const volumeAttributesClassPrinter: Printer<VolumeAttributesClass> = {
  columns: [nameColumn, text('DriverName', 'The driver whose volumes it is about.'), ageColumn],
  cells: (one, now) => [one.metadata.name, one.driverName, createdAge(one, now)],
};

export const volumeAttachmentPrinter: Printer<VolumeAttachment> = {
  columns: [
    nameColumn,
    text('Attacher', 'The driver that attaches it.'),
    text('PV', 'The volume that is attached.'),
    text('Node', 'The node it is attached to.'),
    boolean('Attached', 'Whether it is attached.'),
    ageColumn,
  ],
  cells: (one, now) => [
    one.metadata.name,
    one.spec?.attacher,
    one.spec?.source?.persistentVolumeName ?? '',
    one.spec?.nodeName,
    one.status?.attached ?? false,
    createdAge(one, now),
  ],
};

export const csiDriverPrinter: Printer<CSIDriver> = {
  columns: [
    nameColumn,
    boolean('AttachRequired', 'Whether its volumes are attached to nodes.'),
    boolean('PodInfoOnMount', 'Whether it is told about the pod.'),
    boolean('StorageCapacity', 'Whether it says how much it has left.'),
    text('TokenRequests', 'Audiences of the tokens it is given.'),
    boolean('RequiresRepublish', 'Whether mounts are repeated.'),
    text('Modes', 'Kinds of volumes it can make.'),
    ageColumn,
  ],
  cells: (driver, now) => {
    const { metadata, spec = {} } = driver;
    return [
      metadata.name,
      spec.attachRequired ?? true,
      spec.podInfoOnMount ?? false,
      spec.storageCapacity ?? false,
      spec.tokenRequests?.map(({ audience }) => audience).join(',') ?? unset,
      spec.requiresRepublish ?? false,
      spec.volumeLifecycleModes?.join(',') || '<none>',
      createdAge(driver, now),
    ];
  },
};

export const csiNodePrinter: Printer<CSINode> = {
  columns: [nameColumn, integer('Drivers', 'How many drivers run on the node.'), ageColumn],
  cells: (node, now) => [node.metadata.name, node.spec?.drivers?.length ?? 0, createdAge(node, now)],
};

export const csiStorageCapacityPrinter: Printer<CSIStorageCapacity> = {
  columns: [
    nameColumn,
    text('StorageClassName', 'The class it is about.'),
    text('Capacity', 'How much is left.'),
  ],
  cells: ({ metadata, storageClassName, capacity }) => [metadata.name, storageClassName, capacity ?? unset],
};
