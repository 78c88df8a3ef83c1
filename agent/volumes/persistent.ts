/**
 * Volumes behind a claim: `persistentVolumeClaim` and generic `ephemeral` volumes. Finds the PersistentVolume that the
 * claim is bound to, makes sure that it may be used here, and hands over to the plug of its kind.
 *
 * A claim that is missing or not bound is watched until it is: the pod goes on by itself. Messages are kubelet's.
 */
import { isReason } from '../../src/api/errors.js';
import { persistentVolumes } from '../../src/api/kinds.js';
import { controllerOf } from '../../src/api/meta.js';
import { compileNodeTerm, type SelectableNode } from '../../src/api/nodeselector.js';
import type {
  HostPathVolumeSource,
  PersistentVolume,
  PersistentVolumeClaim,
  PersistentVolumeSpec,
  Pod,
} from '../../src/api/types.js';
import type { Client } from '../../src/client/client.js';
import { readIfExists, writeAtomic } from '../../src/host/files.js';
import { podName, podNamespace, podUid } from '../pods/names.js';
import type { LocalVolume } from './local.js';
import type { NfsShare } from './nfs.js';
import type { ReferencedObjects } from './objects.js';
import { shareWithGroup } from './ownership.js';
import type { Placement, Plug, PlugRequest } from './placement.js';

export interface PersistentOptions {
  client: Client;
  objects: ReferencedObjects;
  node(): SelectableNode;
  local: Plug<LocalVolume>;
  hostPath: Plug<HostPathVolumeSource>;
  nfs: Plug<NfsShare>;
  /** Whether another pod of this node uses the volume now. */
  isUsedByOthers(persistentVolume: string, podUid: string): boolean;
}

export interface ClaimReference {
  claimName: string;
  /** The claim has to have been made for this very pod. */
  isOwned: boolean;
  /** Whether containers use it as a file system or as a device. */
  use: { mounts: boolean; devices: boolean };
}

/** What belongs to a PersistentVolume of any kind. */
const common = new Set([
  'capacity',
  'accessModes',
  'claimRef',
  'persistentVolumeReclaimPolicy',
  'storageClassName',
  'mountOptions',
  'volumeMode',
  'nodeAffinity',
  'volumeAttributesClassName',
]);

export function createPersistent(options: PersistentOptions): Plug<ClaimReference> {
  const { client, objects } = options;

  async function boundVolume(
    reference: ClaimReference,
    { pod, signal }: PlugRequest,
  ): Promise<PersistentVolume> {
    const request = { namespace: podNamespace(pod), name: reference.claimName, podUid: podUid(pod) };
    const claim = await objects.claim(request, signal);
    const name = requireBound(claim, reference, pod);
    const volume = await persistentVolume(name, signal);
    const holder = volume.spec?.claimRef;
    if (holder?.uid !== claim?.metadata.uid) {
      throw new Error(
        holder
          ? `found PV object ${name} but its pv.Spec.ClaimRef.UID ${holder.uid} does not point to claim.UID ${claim?.metadata.uid}`
          : `found PV object ${name} but it has a nil pv.Spec.ClaimRef indicating it is not yet bound to the claim`,
      );
    }
    await objects.releaseClaim(request);
    return volume;
  }

  async function persistentVolume(name: string, signal: AbortSignal): Promise<PersistentVolume> {
    try {
      return await client.get(persistentVolumes, { name }, { signal });
    } catch (error) {
      if (!isReason(error, 'NotFound')) throw error;
      throw new Error(
        `failed to fetch PV ${name} from API server: persistentvolumes ${JSON.stringify(name)} not found`,
      );
    }
  }

  async function place(volume: PersistentVolume, request: PlugRequest): Promise<Placement> {
    const spec = volume.spec ?? {};
    const isBlock = spec.volumeMode === 'Block';
    if (spec.local) {
      const { mountOptions } = spec;
      const placement = await options.local({ ...spec.local, mountOptions, isBlock }, request);
      if (!isBlock) await share(volume, placement, request);
      return placement;
    }
    if (isBlock) throw new Error(`volumeMode Block is not supported for volumes of type ${typeOf(spec)}`);
    if (spec.hostPath) {
      if (spec.mountOptions?.length)
        throw new Error('may not specify mount options for volumes of type hostPath');
      return options.hostPath(spec.hostPath, request);
    }
    if (spec.nfs) return options.nfs({ ...spec.nfs, mountOptions: spec.mountOptions }, request);
    throw new Error(
      `persistent volume "${volume.metadata.name}": volume type ${typeOf(spec)} is not supported by this node`,
    );
  }

  /** Once for a pod, and only for the first that uses it: files that others have open are left as they are. */
  async function share(
    volume: PersistentVolume,
    placement: Placement,
    { pod, path }: PlugRequest,
  ): Promise<void> {
    const { fsGroup: group, fsGroupChangePolicy } = pod.spec?.securityContext ?? {};
    if (group === undefined || placement.readOnly) return;
    if (options.isUsedByOthers(volume.metadata.name ?? '', podUid(pod))) return;
    // Outlives the agent; no volume can have this name.
    const done = `${path}..shared`;
    if (await readIfExists(done)) return;
    const onRootMismatch = fsGroupChangePolicy === 'OnRootMismatch';
    await shareWithGroup(placement.hostPath, { group, onRootMismatch });
    await writeAtomic(done, '', 0o600);
  }

  return async (reference, request) => {
    const { pod, name } = request;
    const volume = await boundVolume(reference, request).catch((error: unknown) => {
      const claim = `${podNamespace(pod)}/${reference.claimName}`;
      const message = error instanceof Error ? error.message : String(error);
      throw new Error(`error processing PVC ${claim}: ${message}`, { cause: error });
    });
    const mode = volume.spec?.volumeMode ?? 'Filesystem';
    const { mounts, devices } = reference.use;
    if (mounts && mode !== 'Filesystem')
      throw new Error(`volume ${name} has volumeMode ${mode}, but is specified in volumeMounts`);
    if (devices && mode !== 'Block')
      throw new Error(`volume ${name} has volumeMode ${mode}, but is specified in volumeDevices`);
    requireThisNode(volume, options.node());
    const persistentVolume = volume.metadata.name ?? '';
    return { ...(await place(volume, request)), persistentVolume };
  };
}

/** The name of its volume. */
function requireBound(
  claim: PersistentVolumeClaim | undefined,
  { claimName, isOwned }: ClaimReference,
  pod: Pod,
): string {
  if (!claim)
    throw new Error(
      `failed to fetch PVC from API server: persistentvolumeclaims ${JSON.stringify(claimName)} not found`,
    );
  if (isOwned && controllerOf(claim)?.uid !== podUid(pod)) {
    throw new Error(
      `PVC ${podNamespace(pod)}/${claimName} was not created for pod ${podNamespace(pod)}/${podName(pod)} (pod is not owner)`,
    );
  }
  if (claim.metadata.deletionTimestamp) throw new Error('PVC is being deleted');
  if (claim.status?.phase !== 'Bound') throw new Error('PVC is not bound');
  const name = claim.spec?.volumeName;
  if (!name) throw new Error('PVC has empty pvc.Spec.VolumeName');
  return name;
}

function requireThisNode(volume: PersistentVolume, node: SelectableNode): void {
  const terms = volume.spec?.nodeAffinity?.required?.nodeSelectorTerms;
  if (!terms || terms.some((term) => compileNodeTerm(term)(node))) return;
  throw new Error(
    `NodeAffinity check failed for volume "${volume.metadata.name}" : no matching NodeSelectorTerms`,
  );
}

const typeOf = (spec: PersistentVolumeSpec): string => {
  const type = Object.keys(spec).find((key) => !common.has(key)) ?? 'unknown';
  return spec.csi ? `csi (driver ${spec.csi.driver})` : type;
};
