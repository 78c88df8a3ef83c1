/**
 * How a Deployment's template is matched with its replica sets: hash, names, revisions, annotations. Pure.
 */
import { isDeepStrictEqual } from 'node:util';
import { controllerRef } from '../../src/api/meta.js';
import type { Deployment, PodTemplateSpec, ReplicaSet } from '../../src/api/types.js';

export const hashLabel = 'pod-template-hash';
const prefix = 'deployment.kubernetes.io/';
export const revisionAnnotation = `${prefix}revision`;
export const historyAnnotation = `${prefix}revision-history`;
export const desiredAnnotation = `${prefix}desired-replicas`;
export const maxAnnotation = `${prefix}max-replicas`;

/** Annotations of a Deployment that its replica sets do not inherit. */
const ownAnnotations = new Set([
  'kubectl.kubernetes.io/last-applied-configuration',
  'deprecated.deployment.rollback.to',
  revisionAnnotation,
  historyAnnotation,
  desiredAnnotation,
  maxAnnotation,
]);

/** No vowels and no digits that look like letters, so that no words come out. */
const alphabet = 'bcdfghjklmnpqrstvwxz2456789';

/** Differs when the template differs; `collisions` makes another one of the same template. */
export function templateHash(template: PodTemplateSpec, collisions: number): string {
  let hash = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(canonicalJson(template) + (collisions > 0 ? collisions : ''))) {
    hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  }
  return [...String(hash)].map((digit) => alphabet[digit.charCodeAt(0) % alphabet.length]).join('');
}

function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) =>
    typeof inner === 'object' && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  );
}

/** Whether the replica set runs this template; its own hash label does not count. */
export function isTemplateEqual(a: PodTemplateSpec | undefined, b: PodTemplateSpec | undefined): boolean {
  return isDeepStrictEqual(withoutHash(a), withoutHash(b));
}

/** Undefined fields are as good as absent ones: what comes from JSON never has them. */
function withoutHash(template: PodTemplateSpec | undefined): unknown {
  const copy = JSON.parse(JSON.stringify(template ?? {})) as PodTemplateSpec;
  delete copy.metadata?.labels?.[hashLabel];
  if (Object.keys(copy.metadata?.labels ?? {}).length === 0) delete copy.metadata?.labels;
  if (Object.keys(copy.metadata ?? {}).length === 0) delete copy.metadata;
  return copy;
}

/** The one that runs the Deployment's template; of several the oldest, so that the choice never changes. */
export const findNew = (deployment: Deployment, replicaSets: readonly ReplicaSet[]): ReplicaSet | undefined =>
  replicaSets.toSorted(byAge).find((one) => isTemplateEqual(one.spec?.template, deployment.spec?.template));

export const byAge = (a: ReplicaSet, b: ReplicaSet): number =>
  compareText(a.metadata.creationTimestamp, b.metadata.creationTimestamp) ||
  compareText(a.metadata.name, b.metadata.name);

const compareText = (a = '', b = ''): number => (a < b ? -1 : a > b ? 1 : 0);

/** Revisions are int64, more than a number holds; 0 when there is none that one can read. */
export const revisionOf = (object: ReplicaSet | Deployment): bigint => {
  const text = object.metadata.annotations?.[revisionAnnotation] ?? '';
  return /^\d+$/.test(text) ? BigInt(text) : 0n;
};

/** The replica set for the present template, with `replicas` to begin with. */
export function newReplicaSet(
  deployment: Deployment,
  replicas: number,
  annotations: Record<string, string>,
): ReplicaSet {
  const spec = deployment.spec;
  const template = spec?.template ?? {};
  const hash = templateHash(template, deployment.status?.collisionCount ?? 0);
  const labels = { ...template.metadata?.labels, [hashLabel]: hash };
  return {
    apiVersion: 'apps/v1',
    kind: 'ReplicaSet',
    metadata: {
      name: `${deployment.metadata.name}-${hash}`,
      namespace: deployment.metadata.namespace,
      labels,
      annotations,
      ownerReferences: [controllerRef(deployment, { apiVersion: 'apps/v1', kind: 'Deployment' })],
    },
    spec: {
      replicas,
      ...(spec?.minReadySeconds !== undefined && { minReadySeconds: spec.minReadySeconds }),
      selector: {
        ...spec?.selector,
        matchLabels: { ...spec?.selector.matchLabels, [hashLabel]: hash },
      },
      template: { ...template, metadata: { ...template.metadata, labels } },
    },
  };
}

/**
 * The annotations the new replica set should have: those of the Deployment, and the next revision. A replica set that
 * becomes new again (a rollback) gets a new revision and remembers the one it had.
 */
export function annotationsOfNew(
  deployment: Deployment,
  current: ReplicaSet | undefined,
  old: readonly ReplicaSet[],
): Record<string, string> {
  const inherited = Object.entries(deployment.metadata.annotations ?? {}).filter(
    ([name]) => !ownAnnotations.has(name),
  );
  const before = current?.metadata.annotations ?? {};
  const next = old.map(revisionOf).reduce((most, one) => (one > most ? one : most), 0n) + 1n;
  const had = before[revisionAnnotation];
  if (current && had !== undefined && revisionOf(current) >= next)
    return { ...before, ...Object.fromEntries(inherited) };
  const history = [before[historyAnnotation], had].filter((text) => text).join(',');
  return {
    ...before,
    ...Object.fromEntries(inherited),
    [revisionAnnotation]: String(next),
    ...(history && { [historyAnnotation]: history }),
  };
}
