/**
 * 5. Keeps storage objects that are being deleted until nothing uses them any more: claims while a pod that has a node
 * names them, volumes while they are bound, classes of volume attributes while a claim or a volume has them. Each is one
 * controller; it takes the finalizer away that admission gave, and gives it to objects that came without.
 */
import {
  persistentVolumeClaims,
  persistentVolumes,
  pods,
  type ResourceType,
  volumeAttributesClasses,
} from '../../src/api/kinds.js';
import { controllerOf, keyOf, refOf } from '../../src/api/meta.js';
import type { KubeObject, PersistentVolumeClaim, Pod } from '../../src/api/types.js';
import { type Controller, createController, on, type Trigger } from '../../src/client/controller.js';
import { ifFound } from '../../src/client/found.js';
import type { ReconcileResult } from '../../src/client/reconciler.js';
import {
  attributesClassProtection,
  claimProtection,
  volumeProtection,
} from '../registry/kinds/protection.js';
import { type ControllerContext, podInformer } from './context.js';
import { claimsOfPod } from './volumeplan.js';

export const createStorageProtection = (context: ControllerContext): Controller[] => [
  createClaimProtection(context),
  createVolumeProtection(context),
  createAttributesClassProtection(context),
];

function createClaimProtection(context: ControllerContext): Controller {
  const { client, informers } = context;
  const claims = informers.get(persistentVolumeClaims);
  const podCache = podInformer(informers);
  podCache.addIndexers({ claim: claimsOfPod });
  return createProtection(context, {
    name: 'pvc-protection',
    type: persistentVolumeClaims,
    finalizer: claimProtection,
    async isUsed(claim) {
      const isUser = (pod: Pod): boolean => uses(pod, claim);
      if (podCache.byIndex('claim', keyOf(claim)).some(isUser)) return true;
      // A pod that came before the deletion may not have reached the cache.
      const { items } = await client.list(pods, { namespace: claim.metadata.namespace ?? '' });
      return items.some(isUser);
    },
    wakes: [
      on(podCache, ({ old, current }) => {
        const isLess = old && (!current || (isShutDown(current) && !isShutDown(old)));
        return isLess
          ? claimsOfPod(old).filter((key) => claims.getByKey(key)?.metadata.deletionTimestamp)
          : [];
      }),
    ],
  });
}

/** Only a pod with a node: no agent starts a pod whose claim is being deleted. */
function uses(pod: Pod, claim: PersistentVolumeClaim): boolean {
  const { name = '' } = claim.metadata;
  return (
    Boolean(pod.spec?.nodeName) &&
    (pod.spec?.volumes ?? []).some(({ name: volume, persistentVolumeClaim, ephemeral }) => {
      if (persistentVolumeClaim) return persistentVolumeClaim.claimName === name;
      const isItsOwn = ephemeral && `${pod.metadata.name}-${volume}` === name;
      // One that only waits for its dependents, of which the claim is one, must not wait for ever.
      return isItsOwn && controllerOf(claim)?.uid === pod.metadata.uid && !isShutDown(pod);
    })
  );
}

const isShutDown = ({ metadata }: Pod): boolean =>
  metadata.deletionTimestamp !== undefined && metadata.deletionGracePeriodSeconds === 0;

const createVolumeProtection = (context: ControllerContext): Controller =>
  createProtection(context, {
    name: 'pv-protection',
    type: persistentVolumes,
    finalizer: volumeProtection,
    isUsed: ({ status }) => status?.phase === 'Bound',
  });

function createAttributesClassProtection(context: ControllerContext): Controller {
  const classes = context.informers.get(volumeAttributesClasses);
  const claims = context.informers.get(persistentVolumeClaims);
  const volumes = context.informers.get(persistentVolumes);
  const classesOf = ({ spec, status }: PersistentVolumeClaim): (string | undefined)[] => [
    spec?.volumeAttributesClassName,
    status?.currentVolumeAttributesClassName,
    status?.modifyVolumeStatus?.targetVolumeAttributesClassName,
  ];
  const leaving = (): string[] =>
    classes.list().flatMap((one) => (one.metadata.deletionTimestamp ? [keyOf(one)] : []));
  return createProtection(context, {
    name: 'vac-protection',
    type: volumeAttributesClasses,
    finalizer: attributesClassProtection,
    isUsed: ({ metadata: { name } }) =>
      claims.list().some((claim) => classesOf(claim).includes(name)) ||
      volumes.list().some(({ spec }) => spec?.volumeAttributesClassName === name),
    wakes: [on(claims, leaving), on(volumes, leaving)],
  });
}

interface Protection<T extends KubeObject> {
  name: string;
  type: ResourceType<T>;
  finalizer: string;
  isUsed(object: T): boolean | Promise<boolean>;
  /** Besides changes of the objects themselves: what may have ended a use. */
  wakes?: readonly Trigger[];
}

function createProtection<T extends KubeObject>(
  { client, clock, log, informers }: ControllerContext,
  { name, type, finalizer, isUsed, wakes = [] }: Protection<T>,
): Controller {
  const cache = informers.get(type);

  async function write(object: T, finalizers: readonly string[]): Promise<void> {
    const { uid, resourceVersion } = object.metadata;
    const body = { metadata: { uid, resourceVersion, finalizers } };
    await ifFound(client.patch(type, refOf(object), { type: 'merge', body }));
  }

  async function reconcile(key: string): Promise<ReconcileResult> {
    const object = cache.getByKey(key);
    if (!object) return undefined;
    const { finalizers = [], deletionTimestamp } = object.metadata;
    const isProtected = finalizers.includes(finalizer);
    if (!deletionTimestamp && !isProtected) await write(object, [...finalizers, finalizer]);
    if (deletionTimestamp && isProtected && !(await isUsed(object)))
      await write(
        object,
        finalizers.filter((one) => one !== finalizer),
      );
    return undefined;
  }

  return createController({
    name,
    reconciler: { reconcile },
    sources: [on(cache), ...wakes],
    clock,
    log,
  });
}
