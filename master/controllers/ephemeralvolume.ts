/**
 * 5. Makes the claims of generic ephemeral volumes: `<pod>-<volume>`, from the volume's template and owned by the pod, so
 * that the claim goes with it. A claim of that name which is somebody else's is never used. Keys are those of pods.
 */
import { isReason } from '../../src/api/errors.js';
import { persistentVolumeClaims } from '../../src/api/kinds.js';
import { controllerOf, controllerRef, keyOf } from '../../src/api/meta.js';
import type { PersistentVolumeClaim, Pod } from '../../src/api/types.js';
import { type Controller, createController, on } from '../../src/client/controller.js';
import { TerminalError } from '../../src/client/reconciler.js';
import { type ControllerContext, podInformer } from './context.js';

/** The claims that the pod's ephemeral volumes stand for, as they have to be. Pure. */
export function ephemeralClaims(pod: Pod): { volume: string; claim: PersistentVolumeClaim }[] {
  const { namespace, name } = pod.metadata;
  return (pod.spec?.volumes ?? []).flatMap((volume) => {
    const template = volume.ephemeral?.volumeClaimTemplate;
    if (!template) return [];
    const { labels, annotations } = template.metadata ?? {};
    const ownerReferences = [controllerRef(pod, { apiVersion: 'v1', kind: 'Pod' })];
    const metadata = { namespace, name: `${name}-${volume.name}`, labels, annotations, ownerReferences };
    return [{ volume: volume.name, claim: { metadata, spec: template.spec } }];
  });
}

const keysOfClaims = (pod: Pod): string[] => ephemeralClaims(pod).map(({ claim }) => keyOf(claim));

export function createEphemeralVolumeController(context: ControllerContext): Controller {
  const { client, clock, log, informers } = context;
  const recorder = context.recorder('ephemeral_volume');
  const claims = informers.get(persistentVolumeClaims);
  const podCache = podInformer(informers);
  podCache.addIndexers({ ephemeralClaim: keysOfClaims });

  async function ensure(pod: Pod, volume: string, claim: PersistentVolumeClaim): Promise<void> {
    const found = claims.getByKey(keyOf(claim));
    if (!found) {
      // One that the cache does not show yet comes as a change, and is looked at then.
      await client.create(persistentVolumeClaims, claim).catch((error: unknown) => {
        if (!isReason(error, 'AlreadyExists')) throw error;
      });
      return;
    }
    if (controllerOf(found)?.uid === pod.metadata.uid) return;
    const message = `ephemeral volume ${volume}: PVC ${keyOf(claim)} (uid: ${found.metadata.uid}) was not created for the pod`;
    recorder.event({ ...pod, apiVersion: 'v1', kind: 'Pod' }, 'Warning', 'FailedBinding', message);
    throw new TerminalError(message);
  }

  return createController({
    name: 'ephemeralvolume',
    reconciler: {
      async reconcile(key) {
        const pod = podCache.getByKey(key);
        if (!pod || pod.metadata.deletionTimestamp) return undefined;
        for (const { volume, claim } of ephemeralClaims(pod)) await ensure(pod, volume, claim);
        return undefined;
      },
    },
    sources: [
      on(podCache, ({ key, current }) => (current && keysOfClaims(current).length > 0 ? [key] : [])),
      on(claims, ({ key }) => podCache.byIndex('ephemeralClaim', key).map(keyOf)),
    ],
    clock,
    log,
  });
}
