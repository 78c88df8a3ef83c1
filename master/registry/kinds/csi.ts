/** The strategies of what storage drivers write: CSIDriver, CSINode, CSIStorageCapacity, VolumeAttachment. Pure. */
import type { FieldError } from '../../../src/api/errors.js';
import { dnsSubdomainErrors, labelKeyErrors } from '../../../src/api/names.js';
import type {
  CSIDriver,
  CSIDriverSpec,
  CSINode,
  CSINodeDriver,
  CSIStorageCapacity,
  VolumeAttachment,
  VolumeAttachmentSource,
  VolumeAttachmentStatus,
} from '../../../src/api/types.js';
import { isSameJson } from '../codec.js';
import type { Strategy } from '../strategy.js';
import {
  allInvalid,
  duplicate,
  forbiddenField,
  immutable,
  invalidValue,
  nonNegative,
  notSupported,
  oneOf,
  required,
  tooLong,
} from '../validation/field.js';
import { validateDriverName } from './names.js';
import { validateVolumeSpec } from './persistentvolume.js';
import { validateAmount } from './quantity.js';
import { validateLabelSelector } from './selector.js';

const minTokenSeconds = 600;
const maxTokenSeconds = 2 ** 32;
const lifecycleModes = ['Persistent', 'Ephemeral'];

export const csiDriverStrategy: Strategy<CSIDriver> = {
  generation: false,
  allowUnconditionalUpdate: false,
  validate: ({ spec = {} }) => {
    const { nodeAllocatableUpdatePeriodSeconds: seconds } = spec;
    const field = 'spec.nodeAllocatableUpdatePeriodSeconds';
    return [
      ...oneOf('spec.fsGroupPolicy', spec.fsGroupPolicy, ['File', 'None', 'ReadWriteOnceWithFSType']),
      ...validateTokenRequests('spec.tokenRequests', spec),
      ...(spec.volumeLifecycleModes ?? [])
        .filter((mode) => !lifecycleModes.includes(mode))
        .map((mode) => notSupported('spec.volumeLifecycleModes', mode, lifecycleModes)),
      ...(seconds !== undefined && seconds < 10
        ? [invalidValue(field, seconds, 'must be greater than or equal to 10 seconds')]
        : []),
    ];
  },
  validateUpdate: ({ spec = {} }, { spec: old = {} }) => [
    ...(spec.attachRequired === old.attachRequired
      ? []
      : [invalidValue('spec.attachedRequired', spec.attachRequired, immutable)]),
    ...(isSameJson(spec.volumeLifecycleModes, old.volumeLifecycleModes)
      ? []
      : [invalidValue('spec.volumeLifecycleModes', spec.volumeLifecycleModes, immutable)]),
  ],
};

function validateTokenRequests(field: string, { tokenRequests = [] }: CSIDriverSpec): FieldError[] {
  const audiences = new Set<string>();
  return tokenRequests.flatMap(({ audience = '', expirationSeconds: seconds }, index) => {
    const path = `${field}[${index}]`;
    if (audiences.has(audience)) return [duplicate(`${path}.audience`, audience)];
    audiences.add(audience);
    const invalid = (detail: string) => [invalidValue(`${path}.expirationSeconds`, seconds, detail)];
    if (seconds === undefined) return [];
    if (seconds < minTokenSeconds) return invalid('may not specify a duration less than 10 minutes');
    return seconds > maxTokenSeconds ? invalid('may not specify a duration larger than 2^32 seconds') : [];
  });
}

const maxNodeIdBytes = 192;

export const csiNodeStrategy: Strategy<CSINode> = {
  generation: false,
  allowUnconditionalUpdate: false,
  validate: ({ spec }) => {
    const names = new Set<string>();
    return (spec?.drivers ?? []).flatMap((driver, index) => {
      const path = `spec.drivers[${index}]`;
      const errors = validateDriver(path, driver);
      if (names.has(driver.name)) errors.push(duplicate(`${path}.name`, driver.name));
      names.add(driver.name);
      return errors;
    });
  },
  /** A driver that registered stays as it is, but for how many volumes it takes. */
  validateUpdate: ({ spec }, { spec: old }) =>
    (spec?.drivers ?? []).flatMap((driver) => {
      const before = old?.drivers?.find(({ name }) => name === driver.name);
      const plain = ({ allocatable: _count, ...rest }: CSINodeDriver) => rest;
      if (!before || isSameJson(plain(driver), plain(before))) return [];
      return [invalidValue('CSINodeDriver', driver, immutable)];
    }),
};

function validateDriver(path: string, driver: CSINodeDriver): FieldError[] {
  const { name, nodeID, topologyKeys = [], allocatable } = driver;
  const errors = validateDriverName(`${path}.name`, name ?? '');
  if (!nodeID) errors.push(required(`${path}.nodeID`));
  else if (nodeID.length > maxNodeIdBytes) {
    errors.push(invalidValue(`${path}.nodeID`, nodeID, `must be ${maxNodeIdBytes} characters or less`));
  }
  errors.push(...nonNegative(`${path}.allocatable.count`, allocatable?.count));
  for (const [index, key] of topologyKeys.entries()) {
    if (key === '') errors.push(required(path));
    if (topologyKeys.indexOf(key) < index) errors.push(duplicate(path, key));
    errors.push(...allInvalid(path, topologyKeys, labelKeyErrors(key)));
  }
  return errors;
}

export const csiStorageCapacityStrategy: Strategy<CSIStorageCapacity> = {
  generation: false,
  allowUnconditionalUpdate: false,
  validate: ({ nodeTopology, storageClassName = '', capacity, maximumVolumeSize }) => [
    ...validateLabelSelector('nodeTopology', nodeTopology),
    ...allInvalid('storageClassName', storageClassName, dnsSubdomainErrors(storageClassName)),
    ...(capacity === undefined ? [] : validateAmount('capacity', capacity)),
    ...(maximumVolumeSize === undefined ? [] : validateAmount('maximumVolumeSize', maximumVolumeSize)),
  ],
  validateUpdate: (one, old) =>
    (['nodeTopology', 'storageClassName'] as const)
      .filter((name) => !isSameJson(one[name], old[name]))
      .map((name) => invalidValue(name, one[name] ?? null, immutable)),
};

const maxMetadataBytes = 256 * 1024;
const maxMessageBytes = 1024;

export const volumeAttachmentStrategy: Strategy<VolumeAttachment> = {
  generation: false,
  allowUnconditionalUpdate: false,
  prepareForCreate: (_context, attachment) => ({ ...attachment, status: { attached: false } }),
  validate: ({ spec }) => [
    ...validateDriverName('spec.attacher', spec?.attacher ?? ''),
    ...validateSource('spec.source', spec?.source ?? {}),
    ...allInvalid('spec.nodeName', spec?.nodeName ?? '', dnsSubdomainErrors(spec?.nodeName ?? '')),
  ],
  validateUpdate: ({ spec }, { spec: old }) =>
    isSameJson(spec, old) ? [] : [invalidValue('spec', spec, immutable)],
  validateStatusUpdate: ({ status }) => validateStatus('status', status),
};

function validateSource(field: string, source: VolumeAttachmentSource): FieldError[] {
  const { persistentVolumeName: name, inlineVolumeSpec } = source;
  const one = 'must specify exactly one of inlineVolumeSpec and persistentVolumeName';
  if (inlineVolumeSpec && name !== undefined) return [forbiddenField(field, one)];
  if (inlineVolumeSpec) {
    const path = `${field}.inlineVolumeSpec`;
    const without = ['capacity', `${path}.capacity`];
    return validateVolumeSpec(path, inlineVolumeSpec).filter(({ field: where }) => !without.includes(where));
  }
  if (name === undefined) return [required(field, one)];
  const path = `${field}.persistentVolumeName`;
  return name === ''
    ? [required(path, 'must specify non empty persistentVolumeName')]
    : allInvalid(path, name, dnsSubdomainErrors(name));
}

function validateStatus(field: string, status: VolumeAttachmentStatus | undefined): FieldError[] {
  const metadata = Object.entries(status?.attachmentMetadata ?? {});
  const bytes = metadata.reduce((sum, [key, value]) => sum + key.length + value.length, 0);
  const messages = { attachError: status?.attachError, detachError: status?.detachError };
  return [
    ...(bytes > maxMetadataBytes ? [tooLong(`${field}.attachmentMetadata`, maxMetadataBytes)] : []),
    ...Object.entries(messages).flatMap(([name, error]) =>
      (error?.message?.length ?? 0) > maxMessageBytes
        ? [tooLong(`${field}.${name}.message`, maxMessageBytes)]
        : [],
    ),
  ];
}
