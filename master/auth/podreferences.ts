/**
 * What else of the API a pod needs: the Secrets, ConfigMaps, claims and the service account that it names. Pure. Asked by
 * the node authorizer (its node may read those) and by NodeRestriction (a pod made by a node may name none).
 */
import type { Container, PersistentVolume, Pod, Volume } from '../../src/api/types.js';

export type ReferencedKind = 'secrets' | 'configmaps' | 'persistentvolumeclaims' | 'serviceaccounts';

export interface Reference {
  kind: ReferencedKind;
  /** In the namespace of the pod. */
  name: string;
}

type Names = readonly (string | undefined)[];

/** Every reference of the pod's spec, ephemeral containers included; some may be there twice. */
export function referencesOf(pod: Pod): Reference[] {
  const { spec } = pod;
  if (!spec) return [];
  const { containers = [], initContainers = [], ephemeralContainers = [], volumes = [] } = spec;
  const all: readonly Container[] = [...initContainers, ...containers, ...ephemeralContainers];
  return [
    ...named('serviceaccounts', [spec.serviceAccountName]),
    ...named(
      'secrets',
      (spec.imagePullSecrets ?? []).map(({ name }) => name),
    ),
    ...all.flatMap(ofContainer),
    ...volumes.flatMap((volume) => ofVolume(volume, pod.metadata.name ?? '')),
  ];
}

const named = (kind: ReferencedKind, names: Names): Reference[] =>
  names.flatMap((name) => (name ? [{ kind, name }] : []));

const ofContainer = ({ env = [], envFrom = [] }: Container): Reference[] => [
  ...env.flatMap(({ valueFrom }) => [
    ...named('secrets', [valueFrom?.secretKeyRef?.name]),
    ...named('configmaps', [valueFrom?.configMapKeyRef?.name]),
  ]),
  ...envFrom.flatMap(({ secretRef, configMapRef }) => [
    ...named('secrets', [secretRef?.name]),
    ...named('configmaps', [configMapRef?.name]),
  ]),
];

/** The claim of an ephemeral volume is called by the pod and the volume. */
const ofVolume = (volume: Volume, pod: string): Reference[] => [
  ...named('secrets', [...secretsOfVolume(volume)]),
  ...named('configmaps', [
    volume.configMap?.name,
    ...(volume.projected?.sources ?? []).map(({ configMap }) => configMap?.name),
  ]),
  ...named('persistentvolumeclaims', [
    volume.persistentVolumeClaim?.claimName,
    volume.ephemeral && `${pod}-${volume.name}`,
  ]),
];

const secretsOfVolume = (volume: Volume): Names => [
  volume.secret?.secretName,
  volume.azureFile?.secretName,
  volume.csi?.nodePublishSecretRef?.name,
  ...(volume.projected?.sources ?? []).map(({ secret }) => secret?.name),
  ...[volume.cephfs, volume.cinder, volume.flexVolume, volume.iscsi, volume.rbd].map(nameOfSecret),
  ...[volume.scaleIO, volume.storageos].map(nameOfSecret),
];

const nameOfSecret = (source: { secretRef?: { name?: string | undefined } | undefined } | undefined) =>
  source?.secretRef?.name;

interface SecretRef {
  name?: string | undefined;
  namespace?: string | undefined;
}

/** The Secrets that a node needs to mount the volume; one without a namespace is in that of the claim. */
export function secretsOfPersistentVolume({ spec }: PersistentVolume): { namespace: string; name: string }[] {
  if (!spec) return [];
  const { azureFile, csi } = spec;
  const sources = [
    spec.cephfs,
    spec.cinder,
    spec.flexVolume,
    spec.iscsi,
    spec.rbd,
    spec.scaleIO,
    spec.storageos,
  ];
  const refs: (SecretRef | undefined)[] = [
    azureFile && { name: azureFile.secretName, namespace: azureFile.secretNamespace },
    csi?.nodePublishSecretRef,
    csi?.nodeStageSecretRef,
    ...sources.map((source) => source?.secretRef),
  ];
  return refs.flatMap((ref) =>
    ref?.name ? [{ namespace: ref.namespace || (spec.claimRef?.namespace ?? ''), name: ref.name }] : [],
  );
}
