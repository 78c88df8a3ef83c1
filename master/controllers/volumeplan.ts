/**
 * 5. Which volume a claim gets, and what binding changes on both. Pure.
 *
 * A volume is bound when its `claimRef` has the claim's uid and the claim names it; the volume is written first, so that
 * two claims can never both hold it. Rules as the Kubernetes documentation of persistent volumes has them.
 */
import { compareQuantities } from '../../src/api/quantity.js';
import { selectorOf } from '../../src/api/selectors.js';
import type { PersistentVolume, PersistentVolumeClaim, Pod } from '../../src/api/types.js';

type Volume = PersistentVolume;
type Claim = PersistentVolumeClaim;

export const bindCompleted = 'pv.kubernetes.io/bind-completed';
const boundByController = 'pv.kubernetes.io/bound-by-controller';
const oldClassAnnotation = 'volume.beta.kubernetes.io/storage-class';

/** A claim that has none may still get the default one. */
export const hasClass = ({ metadata, spec }: Claim): boolean =>
  spec?.storageClassName !== undefined || metadata.annotations?.[oldClassAnnotation] !== undefined;

/** '' asks for volumes without a class. */
export const classOf = ({ metadata, spec }: Claim): string =>
  metadata.annotations?.[oldClassAnnotation] ?? spec?.storageClassName ?? '';

const sizeOf = (volume: Volume): string => volume.spec?.capacity?.['storage'] ?? '0';

/** Whether the volume's `claimRef` is for this claim: by uid, or by name while the reference has none yet. */
export function isFor(volume: Volume, { metadata }: Claim): boolean {
  const reference = volume.spec?.claimRef;
  if (!reference || reference.namespace !== metadata.namespace || reference.name !== metadata.name)
    return false;
  return !reference.uid || reference.uid === metadata.uid;
}

/** Whether the volume could serve the claim, whoever has it now. */
export function satisfies(volume: Volume, claim: Claim, className: string): boolean {
  const { spec } = volume;
  const wanted = claim.spec ?? {};
  return (
    !volume.metadata.deletionTimestamp &&
    (spec?.storageClassName ?? '') === className &&
    (spec?.volumeMode ?? 'Filesystem') === (wanted.volumeMode ?? 'Filesystem') &&
    compareQuantities(sizeOf(volume), wanted.resources?.requests?.['storage'] ?? '0') >= 0 &&
    (wanted.accessModes ?? []).every((mode) => spec?.accessModes?.includes(mode)) &&
    (!wanted.selector || selectorOf(wanted.selector).matches(volume.metadata.labels))
  );
}

/** The volume that is kept for the claim, else the smallest free one that satisfies it. */
export function chooseVolume(
  claim: Claim,
  volumes: readonly Volume[],
  className: string,
): Volume | undefined {
  const kept = volumes.find((volume) => isFor(volume, claim) && !volume.metadata.deletionTimestamp);
  if (kept) return kept;
  return volumes
    .filter((volume) => !volume.spec?.claimRef && satisfies(volume, claim, className))
    .sort(
      (a, b) =>
        compareQuantities(sizeOf(a), sizeOf(b)) ||
        ((a.metadata.name ?? '') < (b.metadata.name ?? '') ? -1 : 1),
    )[0];
}

/** The volume as bound to the claim; the same one when it is. */
export function boundVolume(volume: Volume, { metadata }: Claim): Volume {
  const { claimRef } = volume.spec ?? {};
  if (claimRef?.uid === metadata.uid) return volume;
  const { namespace, name, uid, resourceVersion } = metadata;
  const reference = {
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    namespace,
    name,
    uid,
    resourceVersion,
  };
  const annotations = claimRef
    ? volume.metadata.annotations
    : { ...volume.metadata.annotations, [boundByController]: 'yes' };
  return {
    ...volume,
    metadata: { ...volume.metadata, annotations },
    spec: { ...volume.spec, claimRef: reference },
  };
}

/** The claim as bound to the volume; the same one when it is. */
export function boundClaim(claim: Claim, volume: Volume): Claim {
  const { annotations = {} } = claim.metadata;
  const volumeName = volume.metadata.name ?? '';
  if (claim.spec?.volumeName === volumeName && annotations[bindCompleted]) return claim;
  const chosen = claim.spec?.volumeName ? {} : { [boundByController]: 'yes' };
  return {
    ...claim,
    metadata: { ...claim.metadata, annotations: { ...annotations, [bindCompleted]: 'yes', ...chosen } },
    spec: { ...claim.spec, volumeName },
  };
}

/** What the status of a bound claim says. */
export const boundStatus = ({ spec }: Volume): NonNullable<Claim['status']> => ({
  phase: 'Bound',
  accessModes: spec?.accessModes,
  capacity: spec?.capacity,
});

export interface VolumePhase {
  phase: string;
  message?: string;
}

/** `claim` is what `claimRef` names, whatever its uid; undefined when there is none. */
export function phaseOfVolume({ spec, status }: Volume, claim: Claim | undefined): VolumePhase {
  const reference = spec?.claimRef;
  if (!reference) return { phase: 'Available' };
  if (claim && (!reference.uid || reference.uid === claim.metadata.uid))
    return { phase: reference.uid ? 'Bound' : 'Available' };
  if (!reference.uid) return { phase: 'Available' };
  const policy = spec?.persistentVolumeReclaimPolicy ?? 'Retain';
  if (policy === 'Retain') return { phase: 'Released' };
  const message = `nothing here can ${policy.toLowerCase()} what is behind this volume: do it by hand and delete the volume`;
  return {
    phase: 'Failed',
    message: status?.phase === 'Failed' && status.message ? status.message : message,
  };
}

/** The keys of the claims that the pod uses, those of its ephemeral volumes too. */
export const claimsOfPod = ({ metadata, spec }: Pod): string[] =>
  (spec?.volumes ?? []).flatMap(({ name, persistentVolumeClaim, ephemeral }) => {
    const claim = ephemeral ? `${metadata.name}-${name}` : persistentVolumeClaim?.claimName;
    return claim ? [`${metadata.namespace}/${claim}`] : [];
  });
