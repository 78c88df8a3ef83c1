/**
 * 2. The `scale` subresource: an autoscaling/v1 view of anything with `spec.replicas`. Pure.
 */
import { ApiError, conflict, invalid, staleVersion } from '../../src/api/errors.js';
import { selectorOf, selectorOfLabels } from '../../src/api/selectors.js';
import type { KubeObject, LabelSelector, Scale } from '../../src/api/types.js';
import type { Resource, ScaleAccess } from '../resources/resource.js';
import { copyJson } from './codec.js';
import { subjectOf } from './environment.js';
import type { Stored } from './registry.js';
import { nonNegative } from './validation/field.js';

export const scaleType = { group: 'autoscaling', version: 'v1', kind: 'Scale' };

/** What Deployment and ReplicaSet have in common. */
interface Scalable extends KubeObject {
  spec?: { replicas?: number | undefined; selector?: LabelSelector | undefined } | undefined;
  status?: { replicas?: number | undefined } | undefined;
}

const accessOf = (resource: Resource): ScaleAccess =>
  resource.scale ?? {
    read(object) {
      const { spec, status } = object as Scalable;
      return {
        specReplicas: spec?.replicas ?? 0,
        statusReplicas: status?.replicas ?? 0,
        selector: selectorText(resource, spec?.selector),
      };
    },
    write(object, replicas) {
      const scaled = copyJson(object) as Scalable;
      scaled.spec = { ...scaled.spec, replicas };
      return scaled;
    },
  };

/** The view, serialised for this answer: it is not what is stored. */
export function scaleView(resource: Resource, stored: Stored): Stored<Scale> {
  if (!resource.subresources.includes('scale')) {
    throw new ApiError('NotFound', 'the server could not find the requested resource');
  }
  const { metadata } = stored.object;
  const { specReplicas, statusReplicas, selector } = accessOf(resource).read(stored.object);
  const object: Scale = {
    kind: 'Scale',
    apiVersion: 'autoscaling/v1',
    metadata: {
      name: metadata.name,
      namespace: metadata.namespace,
      uid: metadata.uid,
      resourceVersion: metadata.resourceVersion,
      creationTimestamp: metadata.creationTimestamp,
    },
    spec: { replicas: specReplicas },
    status: { replicas: statusReplicas, ...(selector && { selector }) },
  };
  return { bytes: Buffer.from(JSON.stringify(object)), object };
}

/** ReplicationControllers are older than selectors: theirs are plain labels. */
function selectorText({ type }: Resource, selector: LabelSelector | undefined): string {
  if (type.group !== '' || type.kind !== 'ReplicationController') return selectorOf(selector).toString();
  return selectorOfLabels(selector as Record<string, string> | undefined).toString();
}

/** The object with the replicas that a written Scale asks for. Rejects with `Invalid`, `Conflict`. */
export function applyScale<T extends KubeObject>(resource: Resource<T>, old: T, scale: KubeObject): T {
  const { metadata, spec } = scale as Scale;
  const name = old.metadata.name ?? '';
  const errors = nonNegative('spec.replicas', spec?.replicas);
  if (errors.length > 0) throw invalid({ group: 'autoscaling', kind: 'Scale', name }, errors);
  if (metadata.resourceVersion && metadata.resourceVersion !== old.metadata.resourceVersion) {
    throw staleVersion(subjectOf(resource, name));
  }
  if (metadata.uid && metadata.uid !== old.metadata.uid) {
    const why = `Precondition failed: UID in precondition: ${metadata.uid}, UID in object meta: ${old.metadata.uid}`;
    throw conflict(subjectOf(resource, name), why);
  }
  return accessOf(resource as Resource<never>).write(old, spec?.replicas ?? 0) as T;
}
