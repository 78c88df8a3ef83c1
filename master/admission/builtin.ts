/**
 * 2. The admission plugins that are always there, in the order of kube-apiserver, with what is configured through the API
 * between them and the quota, which counts what all others left of an object. Called by `api.ts`.
 */
import { createInformers } from '../../src/client/informers.js';
import type { Component } from '../../src/host/component.js';
import type { Admission } from '../registry/admission.js';
import { type BuiltIn, chosen } from './choice.js';
import type { PluginDeps } from './plugin.js';
import { createAlwaysPullImages } from './plugins/alwayspullimages.js';
import {
  createCertificateApproval,
  createCertificateSigning,
  createCertificateSubjectRestriction,
} from './plugins/certificates.js';
import { createDefaultIngressClass } from './plugins/defaultingressclass.js';
import { createDefaultStorageClass } from './plugins/defaultstorageclass.js';
import { createDefaultTolerationSeconds } from './plugins/defaulttolerationseconds.js';
import { createDenyServiceExternalIps } from './plugins/denyserviceexternalips.js';
import { createEventRateLimit } from './plugins/eventratelimit/eventratelimit.js';
import { createLimitRanger } from './plugins/limitranger/limitranger.js';
import { createNodeRestriction } from './plugins/noderestriction.js';
import { createOwnerReferencesPermissionEnforcement } from './plugins/ownerreferences.js';
import { createPersistentVolumeClaimResize } from './plugins/persistentvolumeclaimresize.js';
import { createPodSecurity } from './plugins/podsecurity/podsecurity.js';
import { createPodTopologyLabels } from './plugins/podtopologylabels.js';
import { createPriority } from './plugins/priority.js';
import type { QuotaLedger } from './plugins/quota/ledger.js';
import { createResourceQuota } from './plugins/quota/quota.js';
import { createRuntimeClass } from './plugins/runtimeclass.js';
import { createServiceAccount } from './plugins/serviceaccount.js';
import { createStorageObjectInUseProtection } from './plugins/storageobjectinuseprotection.js';
import { createTaintNodesByCondition } from './plugins/taintnodesbycondition.js';
import { inSequence } from './sequence.js';

/** One line each: `{ name: 'PodSecurity', create: createPodSecurity }`; the order matters. */
const before: readonly BuiltIn[] = [
  { name: 'LimitRanger', create: createLimitRanger },
  { name: 'ServiceAccount', create: createServiceAccount },
  { name: 'NodeRestriction', create: createNodeRestriction },
  { name: 'TaintNodesByCondition', create: createTaintNodesByCondition },
  { name: 'AlwaysPullImages', create: createAlwaysPullImages, isOptional: true },
  { name: 'PodSecurity', create: createPodSecurity, isConfigurable: true },
  { name: 'Priority', create: createPriority },
  { name: 'DefaultTolerationSeconds', create: createDefaultTolerationSeconds },
  { name: 'EventRateLimit', create: createEventRateLimit, isConfigurable: true },
  { name: 'DefaultStorageClass', create: createDefaultStorageClass },
  { name: 'StorageObjectInUseProtection', create: createStorageObjectInUseProtection },
  {
    name: 'OwnerReferencesPermissionEnforcement',
    create: createOwnerReferencesPermissionEnforcement,
    isOptional: true,
  },
  { name: 'PersistentVolumeClaimResize', create: createPersistentVolumeClaimResize },
  { name: 'RuntimeClass', create: createRuntimeClass },
  { name: 'CertificateApproval', create: createCertificateApproval },
  { name: 'CertificateSigning', create: createCertificateSigning },
  { name: 'CertificateSubjectRestriction', create: createCertificateSubjectRestriction },
  { name: 'DefaultIngressClass', create: createDefaultIngressClass },
  { name: 'DenyServiceExternalIPs', create: createDenyServiceExternalIps, isOptional: true },
  { name: 'PodTopologyLabels', create: createPodTopologyLabels },
];
const quotaName = 'ResourceQuota';
const after = (quotas: QuotaLedger): readonly BuiltIn[] => [
  { name: quotaName, create: (deps) => createResourceQuota(deps, quotas), isConfigurable: true },
];

/** Which of them `--admission-control-config-file` may speak of. */
export const configurable: readonly string[] = [
  ...before.filter(({ isConfigurable }) => isConfigurable).map(({ name }) => name),
  quotaName,
];

/**
 * `start` returns when everything the plugins follow is in step, and must have returned before the API answers. Throws when
 * the flags name a plugin that does not exist.
 */
export function createBuiltInAdmission(
  given: Omit<PluginDeps, 'informers'>,
  configured: readonly Admission[],
  quotas: QuotaLedger,
): Admission & Component {
  const { client, clock } = given;
  const log = given.log.child({ component: 'admission' });
  const informers = createInformers({ client, clock, log });
  const deps: PluginDeps = { ...given, log, informers };
  const last = after(quotas);
  const isChosen = chosen(given.options.admission, [...before, ...last]);
  const make = (plugins: readonly BuiltIn[]): Admission[] =>
    plugins.filter(isChosen).map(({ create }) => create(deps));
  return {
    ...inSequence([...make(before), ...configured, ...make(last)]),
    name: 'built-in-admission',
    async start(signal) {
      await informers.start(signal);
      await informers.whenSynced(signal);
    },
    stop: () => informers.stop(),
    healthy: () => informers.healthy(),
  };
}
