/**
 * 5. Binds claims to volumes that an administrator (or an external provisioner) made, and says in both what became of
 * them. Nothing is provisioned here. Keys are `claim/<namespace>/<name>` and `volume/<name>`.
 */
import { persistentVolumeClaims, persistentVolumes, storageClasses } from '../../src/api/kinds.js';
import { keyOf, refOf } from '../../src/api/meta.js';
import type { PersistentVolume, PersistentVolumeClaim } from '../../src/api/types.js';
import { type Controller, createController, on } from '../../src/client/controller.js';
import type { ReconcileResult } from '../../src/client/reconciler.js';
import { defaultClass, storageClassDefault } from '../registry/kinds/defaultclass.js';
import { type ControllerContext, podInformer } from './context.js';
import {
  bindCompleted,
  boundClaim,
  boundStatus,
  boundVolume,
  chooseVolume,
  claimsOfPod,
  classOf,
  hasClass,
  isFor,
  phaseOfVolume,
} from './volumeplan.js';

type Volume = PersistentVolume;
type Claim = PersistentVolumeClaim;

const claimKey = (claim: {
  metadata: { namespace?: string | undefined; name?: string | undefined };
}): string => `claim/${keyOf(claim)}`;

export function createVolumeBinder(context: ControllerContext): Controller {
  const { client, clock, log, informers } = context;
  const recorder = context.recorder('persistentvolume-controller');
  const volumes = informers.get(persistentVolumes);
  const claims = informers.get(persistentVolumeClaims);
  const classes = informers.get(storageClasses);
  const podCache = podInformer(informers);
  podCache.addIndexers({ claim: claimsOfPod });

  async function reconcile(key: string): Promise<ReconcileResult> {
    const [kind, rest] = [key.slice(0, key.indexOf('/')), key.slice(key.indexOf('/') + 1)];
    if (kind === 'volume') await syncVolume(volumes.getByKey(rest));
    else await syncClaim(claims.getByKey(rest));
    return undefined;
  }

  async function syncClaim(claim: Claim | undefined): Promise<void> {
    if (!claim || claim.metadata.deletionTimestamp) return;
    const named = claim.spec?.volumeName;
    const volume = named ? volumes.getByKey(named) : free(claim);
    if (!volume && named) return lost(claim, named);
    if (!volume) return (await giveDefaultClass(claim)) ? undefined : explain(claim);
    if (volume.spec?.claimRef && !isFor(volume, claim)) return;
    await bind(volume, claim);
  }

  /** A claim from before there was a default class gets it as soon as there is one. Answers whether it did. */
  async function giveDefaultClass(claim: Claim): Promise<boolean> {
    const storageClassName = hasClass(claim)
      ? undefined
      : defaultClass(classes.list(), storageClassDefault)?.metadata.name;
    if (!storageClassName) return false;
    await client.update(persistentVolumeClaims, { ...claim, spec: { ...claim.spec, storageClassName } });
    return true;
  }

  /** A class may want to know first where the claim will be used; any pod that uses it says that it will be. */
  function free(claim: Claim): Volume | undefined {
    const className = classOf(claim);
    const mode = classes.getByKey(className)?.volumeBindingMode;
    if (mode === 'WaitForFirstConsumer' && podCache.byIndex('claim', keyOf(claim)).length === 0)
      return undefined;
    return chooseVolume(claim, volumes.list(), className);
  }

  async function bind(volume: Volume, claim: Claim): Promise<void> {
    const taken = boundVolume(volume, claim);
    // Conditional on the version that was looked at: of two claims one fails and looks again.
    if (taken !== volume) await client.update(persistentVolumes, taken);
    const named = boundClaim(claim, volume);
    const current = named === claim ? claim : await client.update(persistentVolumeClaims, named);
    if (current.status?.phase === 'Bound') return;
    await setClaimStatus(current, boundStatus(volume));
  }

  async function lost(claim: Claim, name: string): Promise<void> {
    if (!claim.metadata.annotations?.[bindCompleted] || claim.status?.phase === 'Lost') return;
    await setClaimStatus(claim, { phase: 'Lost' });
    recorder.event(
      claim,
      'Warning',
      'ClaimLost',
      `Bound claim has lost its PersistentVolume ${name}. Data on the volume is lost!`,
    );
  }

  function explain(claim: Claim): void {
    const className = classOf(claim);
    const found = classes.getByKey(className);
    if (
      found?.volumeBindingMode === 'WaitForFirstConsumer' &&
      podCache.byIndex('claim', keyOf(claim)).length === 0
    ) {
      const waiting = 'waiting for first consumer to be created before binding';
      recorder.event(claim, 'Normal', 'WaitForFirstConsumer', waiting);
    } else if (found) {
      const who = `the external provisioner '${found.provisioner}' or manually by the system administrator`;
      recorder.event(
        claim,
        'Normal',
        'ExternalProvisioning',
        `Waiting for a volume to be created either by ${who}.`,
      );
    } else if (className !== '') {
      const missing = `storageclass.storage.k8s.io "${className}" not found`;
      recorder.event(claim, 'Warning', 'ProvisioningFailed', missing);
    } else {
      const none = 'no persistent volumes available for this claim and no storage class is set';
      recorder.event(claim, 'Normal', 'FailedBinding', none);
    }
  }

  async function syncVolume(volume: Volume | undefined): Promise<void> {
    if (!volume) return;
    const { namespace, name = '' } = volume.spec?.claimRef ?? {};
    const claim = name ? claims.get({ namespace, name }) : undefined;
    const { phase, message } = phaseOfVolume(volume, claim);
    if (volume.status?.phase === phase && volume.status.message === message) return;
    const body = {
      status: { phase, message: message ?? null, lastPhaseTransitionTime: clock.now().toISOString() },
    };
    await client.patch(persistentVolumes, refOf(volume), { type: 'merge', body }, { subresource: 'status' });
    if (phase === 'Failed') recorder.event(volume, 'Warning', 'VolumeFailedDelete', message ?? '');
  }

  async function setClaimStatus(claim: Claim, status: NonNullable<Claim['status']>): Promise<void> {
    const { uid } = claim.metadata;
    const body = { metadata: { uid }, status };
    const options = { subresource: 'status' };
    await client.patch(persistentVolumeClaims, refOf(claim), { type: 'merge', body }, options);
  }

  /** What may bind now that a volume or a class changed. */
  const pending = (): string[] =>
    claims.list().flatMap((claim) => (claim.status?.phase === 'Bound' ? [] : [claimKey(claim)]));
  const waiting = (keys: readonly string[]): string[] =>
    keys.filter((key) => claims.getByKey(key)?.status?.phase === 'Pending').map((key) => `claim/${key}`);

  return createController({
    name: 'volumebinder',
    reconciler: { reconcile },
    sources: [
      on(volumes, ({ key, old, current }) => {
        const { namespace, name } = (current ?? old)?.spec?.claimRef ?? {};
        return [`volume/${key}`, ...(name ? [claimKey({ metadata: { namespace, name } })] : pending())];
      }),
      on(claims, ({ key, old, current }) => {
        const names = [old?.spec?.volumeName, current?.spec?.volumeName].filter(Boolean);
        return [`claim/${key}`, ...names.map((name) => `volume/${name}`)];
      }),
      on(classes, () => pending()),
      on(podCache, ({ old, current }) => (old || !current ? [] : waiting(claimsOfPod(current)))),
    ],
    // One at a time: each choice is made from what is free.
    workers: 1,
    clock,
    log,
  });
}
