/**
 * Defaults of volumes, claims and what storage drivers register, as documented. Pure; every function changes its argument.
 */
import type {
  CSIDriver,
  PersistentVolume,
  PersistentVolumeClaim,
  StorageClass,
  TypedLocalObjectReference,
  TypedObjectReference,
} from '../types.js';
import { roundToMilli } from './resources.js';

export function defaultPersistentVolume(volume: PersistentVolume): void {
  volume.spec ??= {};
  const { spec } = volume;
  volume.status ??= {};
  volume.status.phase ||= 'Pending';
  spec.persistentVolumeReclaimPolicy ||= 'Retain';
  spec.volumeMode ??= 'Filesystem';
  roundToMilli(spec.capacity);
  if (spec.hostPath) spec.hostPath.type ??= '';
  if (spec.iscsi) spec.iscsi.iscsiInterface ||= 'default';
  if (spec.rbd) {
    spec.rbd.pool ||= 'rbd';
    spec.rbd.user ||= 'admin';
    spec.rbd.keyring ||= '/etc/ceph/keyring';
  }
  if (spec.scaleIO) {
    spec.scaleIO.storageMode ||= 'ThinProvisioned';
    spec.scaleIO.fsType ||= 'xfs';
  }
  if (spec.azureDisk) {
    spec.azureDisk.cachingMode ??= 'ReadWrite';
    spec.azureDisk.kind ??= 'Shared';
    spec.azureDisk.fsType ??= 'ext4';
    spec.azureDisk.readOnly ??= false;
  }
}

export function defaultPersistentVolumeClaim(claim: PersistentVolumeClaim): void {
  claim.spec ??= {};
  claim.status ??= {};
  claim.status.phase ||= 'Pending';
  claim.spec.volumeMode ??= 'Filesystem';
  roundToMilli(claim.spec.resources?.requests);
  roundToMilli(claim.spec.resources?.limits);
}

const snapshotGroup = 'snapshot.storage.k8s.io';

/** What a claim may be filled from without anybody's help; both of its fields can name it. */
const isCopySource = ({ apiGroup = '', kind }: TypedLocalObjectReference | TypedObjectReference): boolean =>
  (apiGroup === '' && kind === 'PersistentVolumeClaim') ||
  (apiGroup === snapshotGroup && kind === 'VolumeSnapshot');

/** `dataSource` and `dataSourceRef` say the same, whichever of them was written. A new object when anything changes. */
export function withBothSources(claim: PersistentVolumeClaim): PersistentVolumeClaim {
  const { dataSource, dataSourceRef } = claim.spec ?? {};
  if (dataSource && !dataSourceRef)
    return { ...claim, spec: { ...claim.spec, dataSourceRef: { ...dataSource } } };
  if (!dataSourceRef || dataSource || dataSourceRef.namespace || !isCopySource(dataSourceRef)) return claim;
  const { namespace: _namespace, ...local } = dataSourceRef;
  return { ...claim, spec: { ...claim.spec, dataSource: local } };
}

export function defaultStorageClass(storageClass: StorageClass): void {
  storageClass.reclaimPolicy ??= 'Delete';
  storageClass.volumeBindingMode ??= 'Immediate';
}

export function defaultCsiDriver(driver: CSIDriver): void {
  driver.spec ??= {};
  const { spec } = driver;
  spec.attachRequired ??= true;
  spec.podInfoOnMount ??= false;
  spec.storageCapacity ??= false;
  spec.fsGroupPolicy ??= 'ReadWriteOnceWithFSType';
  if (!spec.volumeLifecycleModes?.length) spec.volumeLifecycleModes = ['Persistent'];
  spec.requiresRepublish ??= false;
  spec.seLinuxMount ??= false;
}
