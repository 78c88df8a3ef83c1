/**
 * What a node may do with pods: make the mirrors of its static pods, which name nothing else of the API, delete and evict
 * its own, and report their status. Part of `noderestriction.ts`.
 */
import { isDeepStrictEqual } from 'node:util';
import { nodes, pods } from '../../../src/api/kinds.js';
import type { KubeObject, OwnerReference, Pod } from '../../../src/api/types.js';
import type { Client } from '../../../src/client/client.js';
import { type ReferencedKind, referencesOf } from '../../auth/podreferences.js';
import type { AdmissionRequest } from '../../registry/admission.js';
import { isMirrorPod } from '../../registry/kinds/mirrorpod.js';
import { refused } from './refusal.js';

/** Throws or rejects with `Forbidden`; `NotFound` where what it is about is gone. */
export type NodeRule = (request: AdmissionRequest, node: string) => void | Promise<void>;

export function createPodRules({ client }: { client: Pick<Client, 'get'> }): NodeRule {
  const create: NodeRule = async (request, node) => {
    const pod = request.object as Pod;
    const wrong = wrongWithMirror(pod, node) ?? wrongReference(pod, node);
    if (wrong) throw refused(request, wrong);
    const { metadata } = await client.get(nodes, { name: node });
    const uid = pod.metadata.ownerReferences?.[0]?.uid;
    if (uid !== metadata.uid)
      throw refused(request, `node ${node} UID mismatch: expected ${uid} got ${metadata.uid}`);
  };

  const evict: NodeRule = async (request, node) => {
    if (request.operation !== 'CREATE') throw refused(request, `unexpected operation ${request.operation}`);
    const name = request.name || request.object?.metadata.name;
    if (!name) throw refused(request, 'could not determine pod from request data');
    const pod = await client.get(pods, { namespace: request.namespace, name });
    if (pod.spec?.nodeName !== node)
      throw refused(request, `node ${node} can only evict pods with spec.nodeName set to itself`);
  };

  return (request, node) => {
    switch (request.subresource) {
      case 'status':
        return status(request, node);
      case 'eviction':
        return evict(request, node);
      case '':
        break;
      default: {
        const asked = JSON.stringify(request.subresource);
        const why = `unexpected pod subresource ${asked}, only 'status' and 'eviction' are allowed`;
        throw refused(request, why);
      }
    }
    if (request.operation === 'CREATE') return create(request, node);
    if (request.operation === 'DELETE') return remove(request, node);
    const why = `unexpected operation "${request.operation}", node "${node}" can only create and delete mirror pods`;
    throw refused(request, why);
  };
}

const isBound = (pod: KubeObject | undefined, node: string): boolean =>
  (pod as Pod | undefined)?.spec?.nodeName === node;

function remove(request: AdmissionRequest, node: string): void {
  if (!isBound(request.oldObject, node))
    throw refused(request, `node "${node}" can only delete pods with spec.nodeName set to itself`);
}

function status(request: AdmissionRequest, node: string): void {
  const { operation, object, oldObject } = request;
  if (operation !== 'UPDATE') throw refused(request, `unexpected operation "${operation}"`);
  if (!isBound(oldObject, node)) {
    const why = `node "${node}" can only update pod status for pods with spec.nodeName set to itself`;
    throw refused(request, why);
  }
  if (!isDeepStrictEqual(object?.metadata.labels ?? {}, oldObject?.metadata.labels ?? {}))
    throw refused(request, `node "${node}" cannot update labels through pod status`);
  const claims = [object, oldObject].map((pod) => (pod as Pod).status?.resourceClaimStatuses ?? []);
  if (!isDeepStrictEqual(claims[0], claims[1]))
    throw refused(request, `node "${node}" cannot update resource claim statues`);
}

function wrongWithMirror(pod: Pod, node: string): string | undefined {
  if (!isMirrorPod(pod))
    return `pod does not have "kubernetes.io/config.mirror" annotation, node "${node}" can only create mirror pods`;
  if (pod.spec?.nodeName !== node)
    return `node "${node}" can only create pods with spec.nodeName set to itself`;
  return wrongOwner(pod.metadata.ownerReferences ?? [], node);
}

function wrongOwner([owner, ...others]: readonly OwnerReference[], node: string): string | undefined {
  if (others.length > 0)
    return `node "${node}" can only create pods with a single owner reference set to itself`;
  if (owner?.apiVersion !== 'v1' || owner.kind !== 'Node' || owner.name !== node)
    return `node "${node}" can only create pods with an owner reference set to itself`;
  if (!owner.controller)
    return `node "${node}" can only create pods with a controller owner reference set to itself`;
  return owner.blockOwnerDeletion
    ? `node "${node}" must not set blockOwnerDeletion on an owner reference`
    : undefined;
}

const kinds: Readonly<Record<ReferencedKind, string>> = {
  serviceaccounts: 'a service account',
  secrets: 'secrets',
  configmaps: 'configmaps',
  persistentvolumeclaims: 'persistentvolumeclaims',
};

function wrongReference(pod: Pod, node: string): string | undefined {
  const used = new Set(referencesOf(pod).map(({ kind }) => kind));
  const sources = (pod.spec?.volumes ?? []).flatMap(({ projected }) => projected?.sources ?? []);
  const what =
    Object.entries(kinds).find(([kind]) => used.has(kind as ReferencedKind))?.[1] ??
    (sources.some(({ clusterTrustBundle }) => clusterTrustBundle) ? 'clustertrustbundles' : undefined) ??
    (pod.spec?.resourceClaims?.length ? 'resourceclaims' : undefined);
  return what && `node "${node}" can not create pods that reference ${what}`;
}
