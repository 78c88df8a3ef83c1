/**
 * A pod of a manifest file -> the pod that this node runs: defaults, a name and a uid of its own, bound to this node, and
 * why it may not run. Pure. Rules and annotations are kubelet's.
 *
 * The uid is a hash of the pod and where it comes from: a changed file is another pod, which takes the place of the old
 * one when that has ended; an unchanged file is the same pod after every restart.
 */
import { createHash } from 'node:crypto';
import { defaultPod } from '../../src/api/defaults/pod.js';
import type { FieldError } from '../../src/api/errors.js';
import { dnsLabelErrors, dnsSubdomainErrors } from '../../src/api/names.js';
import type { Container, Pod, Volume } from '../../src/api/types.js';
import { annotations } from './annotations.js';
import { lineOf } from './manifest.js';

export function toStaticPod(written: Pod, where: { nodeName: string; file: string; seen: Date }): Pod {
  const { nodeName } = where;
  const pod = structuredClone(written);
  const { metadata } = pod;
  metadata.name = `${metadata.name ?? ''}-${nodeName.toLowerCase()}`;
  metadata.namespace = metadata.namespace || 'default';
  metadata.uid = metadata.uid || hashOf([nodeName, where.file, written]);
  const { uid } = metadata;
  metadata.creationTimestamp = undefined;
  metadata.resourceVersion = undefined;
  metadata.annotations = {
    ...metadata.annotations,
    [annotations.hash]: uid,
    [annotations.source]: 'file',
    [annotations.seen]: where.seen.toISOString(),
  };
  defaultPod(pod);
  const spec = pod.spec ?? { containers: [] };
  // Taints do not drive it away: only its file does.
  const tolerations = [...(spec.tolerations ?? []), { operator: 'Exists', effect: 'NoExecute' }];
  return { ...pod, spec: { ...spec, nodeName, tolerations }, status: { phase: 'Pending' } };
}

/** 32 hexadecimal digits. */
const hashOf = (value: unknown): string =>
  createHash('sha256').update(JSON.stringify(value)).digest('hex').slice(0, 32);

/** Why this node does not run it, one line each. `pod`: as made by `toStaticPod`. */
export function problemsOf(pod: Pod): string[] {
  return [...invalid(pod).map(lineOf), ...references(pod)];
}

function invalid({ metadata, spec }: Pod): FieldError[] {
  const errors: FieldError[] = [];
  const refuse = (field: string, value: unknown, details: readonly string[]): void => {
    for (const detail of details) errors.push({ type: 'Invalid', field, value, detail });
  };
  refuse('metadata.name', metadata.name, dnsSubdomainErrors(metadata.name ?? ''));
  refuse('metadata.namespace', metadata.namespace, dnsLabelErrors(metadata.namespace ?? ''));
  if (!spec?.containers?.length) errors.push({ type: 'Required', field: 'spec.containers' });
  const lists = { initContainers: spec?.initContainers ?? [], containers: spec?.containers ?? [] };
  const seen = new Set<string>();
  for (const [list, containers] of Object.entries(lists)) {
    for (const [index, { name, image }] of containers.entries()) {
      const path = `spec.${list}[${index}]`;
      refuse(`${path}.name`, name, dnsLabelErrors(name ?? ''));
      if (seen.has(name)) errors.push({ type: 'Duplicate', field: `${path}.name`, value: name });
      seen.add(name);
      if (!image) errors.push({ type: 'Required', field: `${path}.image` });
    }
  }
  const policy = spec?.restartPolicy ?? 'Always';
  if (!['Always', 'OnFailure', 'Never'].includes(policy))
    refuse('spec.restartPolicy', policy, ['must be Always, OnFailure or Never']);
  return errors;
}

/** What lives in the API may not be there when a static pod has to run. */
function references({ spec }: Pod): string[] {
  const refused = new Set<string>();
  const refuse = (what: string, isThere: unknown): void => {
    if (isThere) refused.add(what);
  };
  refuse('ephemeral containers', spec?.ephemeralContainers?.length);
  refuse('service accounts', spec?.serviceAccountName || spec?.serviceAccount);
  refuse('secrets', spec?.imagePullSecrets?.length);
  refuse('resource claims', spec?.resourceClaims?.length);
  for (const container of [...(spec?.initContainers ?? []), ...(spec?.containers ?? [])])
    ofEnvironment(container, refuse);
  for (const volume of spec?.volumes ?? []) ofVolume(volume, refuse);
  return [...refused].map((what) => `static pods may not reference ${what}`);
}

type Refuse = (what: string, isThere: unknown) => void;

function ofEnvironment({ env = [], envFrom = [] }: Container, refuse: Refuse): void {
  refuse(
    'secrets',
    env.some(({ valueFrom }) => valueFrom?.secretKeyRef),
  );
  refuse(
    'configmaps',
    env.some(({ valueFrom }) => valueFrom?.configMapKeyRef),
  );
  refuse(
    'secrets',
    envFrom.some(({ secretRef }) => secretRef),
  );
  refuse(
    'configmaps',
    envFrom.some(({ configMapRef }) => configMapRef),
  );
}

function ofVolume(volume: Volume, refuse: Refuse): void {
  const sources = volume.projected?.sources ?? [];
  const { csi, flexVolume, iscsi, rbd, scaleIO, cephfs, storageos } = volume;
  refuse('secrets', volume.secret ?? sources.some(({ secret }) => secret));
  const drivers = [csi?.nodePublishSecretRef, flexVolume, iscsi, rbd, scaleIO, cephfs, storageos];
  refuse(
    'secrets',
    drivers.some((ref) => ref && ('secretRef' in ref ? ref.secretRef : ref === csi?.nodePublishSecretRef)),
  );
  refuse('configmaps', volume.configMap ?? sources.some(({ configMap }) => configMap));
  refuse(
    'service accounts',
    sources.some(({ serviceAccountToken }) => serviceAccountToken),
  );
  refuse(
    'cluster trust bundles',
    sources.some(({ clusterTrustBundle }) => clusterTrustBundle),
  );
  refuse('persistent volume claims', volume.persistentVolumeClaim ?? volume.ephemeral);
}
